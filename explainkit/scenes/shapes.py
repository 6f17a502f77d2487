"""The ten kinds of things a scene may hold: each is a region of the complex plane.

A shape takes points and says which of them it covers, upright and in the unit
circle: whoever draws it turns, moves and squeezes the points, not the shape.
Some are thin and some hollow, and no two are alike from any side.
"""

import cmath
import math
from collections.abc import Callable

import numpy as np

from explainkit.scenes.plane import Points, Region

Shape = Callable[[Points], Region]


def disc(z: Points) -> Region:
    """Everything near the centre."""
    return abs(z) <= 0.85


def ring(z: Points) -> Region:
    """Nothing but the rim of a disc."""
    return abs(abs(z) - 0.75) <= 0.16


def square(z: Points) -> Region:
    """Four equal sides."""
    return np.maximum(abs(z.real), abs(z.imag)) <= 0.7


def triangle(z: Points) -> Region:
    """Three equal sides: folded in two, the points behind two lines."""
    return np.maximum(z.real, math.sqrt(0.75) * abs(z.imag) - 0.5 * z.real) <= 0.5


def star(z: Points) -> Region:
    """Five points. Folded ten times, it is one triangle: tip, notch, centre."""
    fifth = 2 * np.pi / 5
    angle = abs((np.angle(z) + fifth / 2) % fifth - fifth / 2)
    x, y = abs(z) * np.cos(angle), abs(z) * np.sin(angle)
    notch = cmath.rect(0.42, fifth / 2)
    return (x - 1) * notch.imag <= y * (notch.real - 1)


def cross(z: Points) -> Region:
    """Two bars."""
    x, y = abs(z.real), abs(z.imag)
    return (np.minimum(x, y) <= 0.21) & (np.maximum(x, y) <= 0.95)


def crescent(z: Points) -> Region:
    """Half of a rim: what one disc leaves of another."""
    return (abs(z) <= 0.95) & (abs(z - 0.42) >= 0.74)


def arrow(z: Points) -> Region:
    """One shaft and one head, neither so small that it could be hidden whole."""
    shaft = (abs(z.imag) <= 0.2) & (abs(z.real + 0.4) <= 0.57)
    head = (z.real >= 0.15) & (abs(z.imag) <= 0.85 * (1 - z.real))
    return shaft | head


def heart(z: Points) -> Region:
    """Two lobes and a tip: the sextic curve of that name."""
    x, y = 1.34 * z.real, 1.34 * z.imag + 0.12
    beyond = x * x + y * y - 1
    return beyond * beyond * beyond <= x * x * y * y * y  # a power would take ten times as long


def zigzag(z: Points) -> Region:
    """Four strokes of one thin line."""
    wave = abs((z.real / 0.84 + 0.5) % 1 - 0.5) - 0.25
    return (abs(z.imag - 1.32 * wave) <= 0.21) & (abs(z.real) <= 0.84)


SHAPES: dict[str, Shape] = {
    shape.__name__: shape
    for shape in (disc, ring, square, triangle, star, cross, crescent, arrow, heart, zigzag)
}

#: The names of the kinds, in the order of the network's ten outputs.
KINDS: tuple[str, ...] = tuple(SHAPES)
