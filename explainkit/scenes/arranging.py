"""Where the objects go, and how much of each the others leave to be seen."""

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.random import Generator

from explainkit.scenes.plane import Points, Shares, direction, grid
from explainkit.scenes.shapes import SHAPES

MIN_VISIBLE = 0.6  # of every object
SUBPIXELS = 3  # along each side of a pixel, for smooth edges


@attrs.frozen
class Placed:
    """An object in its place: how much of each pixel it covers, and how much it shows."""

    cover: Shares
    seen: Shares

    @property
    def visible(self) -> float:
        """The share of the object that can be seen."""
        return float(self.seen.sum() / self.cover.sum())


@attrs.frozen
class _Pose:
    """Where an object is and how it is turned: lengths in sides of the picture."""

    centre: complex
    radius: float
    turn: complex
    squeeze: complex

    @classmethod
    def draw(cls, rng: Generator) -> "_Pose":
        """Draw a pose, the whole object inside the picture."""
        radius = rng.uniform(0.115, 0.21)
        room = radius * 1.1  # a squeezed object reaches a little further one way
        return cls(
            centre=complex(*rng.uniform(room, 1 - room, 2)),
            radius=radius,
            turn=direction(rng),
            squeeze=direction(rng) * rng.uniform(0, 0.08),
        )

    def local(self, z: Points) -> Points:
        """Bring the picture's points to where the shape is upright, in the unit circle."""
        upright = (z - self.centre) / (self.radius * self.turn)
        return upright + self.squeeze * upright.conjugate()


def arrange(kinds: Sequence[str], size: int, rng: Generator) -> list[Placed]:
    """Place one object of each kind, the hindmost first, until all can be seen well enough."""
    while True:
        placed: list[Placed] = []
        free = np.ones((size, size))
        for cover in reversed([_cover(kind, _Pose.draw(rng), size) for kind in kinds]):
            placed.insert(0, Placed(cover, cover * free))
            free = free * (1 - cover)
        if all(thing.visible >= MIN_VISIBLE for thing in placed):
            return placed


def _cover(kind: str, pose: _Pose, size: int) -> Shares:
    """Tell how much of each pixel an object covers: only those around it are looked at."""
    reach = int(np.ceil(1.1 * pose.radius * size)) + 1
    left, top = (
        int(np.clip(round(middle * size) - reach, 0, size - 2 * reach))
        for middle in (pose.centre.real, pose.centre.imag)
    )
    steps = (np.arange(2 * reach * SUBPIXELS) + 0.5) / SUBPIXELS
    inside = SHAPES[kind](pose.local(grid(left + steps, top + steps) / size))
    cover = np.zeros((size, size))
    cover[top : top + 2 * reach, left : left + 2 * reach] = inside.reshape(
        2 * reach, SUBPIXELS, 2 * reach, SUBPIXELS
    ).mean(axis=(1, 3))
    return cover
