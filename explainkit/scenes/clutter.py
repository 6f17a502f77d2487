"""What lies behind the objects: layers of things that are none of the ten kinds.

A layer takes the picture's points, in [0, 1] along each side, and gives the
share of its colour at each of them. Hard edges, thin lines and lively textures
are found here as well as on the objects: only the shape tells an object.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from PIL import Image

from explainkit.scenes.plane import Points, Shares, direction
from explainkit.scenes.textures import TEXTURES

Layer = Callable[[Points, Generator], Shares]


def haze(z: Points, rng: Generator) -> Shares:
    """One colour that fades across the picture."""
    return ((z - 0.5 - 0.5j) * direction(rng)).real * 0.7 + 0.5


def clouds(z: Points, rng: Generator) -> Shares:
    """Soft swellings of some size."""
    return _swell(z.shape[0], int(rng.integers(4, 9)), rng)


def patches(z: Points, rng: Generator) -> Shares:
    """Spots with hard edges, of no shape that has a name."""
    height = _swell(z.shape[0], int(rng.integers(5, 10)), rng)
    return np.clip((height - rng.uniform(0.55, 0.75)) * 12, 0, 1)


def crumbs(z: Points, rng: Generator) -> Shares:
    """Specks of a few pixels."""
    height = _swell(z.shape[0], int(rng.integers(20, 40)), rng)
    return np.clip((height - rng.uniform(0.7, 0.85)) * 8, 0, 1)


def weave(z: Points, rng: Generator) -> Shares:
    """One of the textures the objects wear, all over the picture."""
    texture = TEXTURES[rng.integers(len(TEXTURES))]
    return texture(z * direction(rng) * rng.uniform(40, 120)) * rng.uniform(0.2, 0.6)


def scratches(z: Points, rng: Generator) -> Shares:
    """Straight thin lines."""
    share = np.zeros(z.shape)
    for _ in range(rng.integers(2, 6)):
        along = (z - complex(*rng.random(2))) * direction(rng)
        near = 1.5 - abs(along.imag) * 96 / rng.uniform(0.7, 1.5)
        share = np.maximum(share, np.clip(near, 0, 1) * (abs(along.real) <= rng.uniform(0.1, 0.5)))
    return share


LAYERS: tuple[Layer, ...] = (haze, clouds, patches, crumbs, weave, scratches)


def _swell(size: int, cells: int, rng: Generator) -> Shares:
    """Noise in [0, 1], smooth between the points of a coarse grid."""
    grid = Image.fromarray(rng.random((cells, cells), dtype=np.float32))
    height: Shares = np.array(grid.resize((size, size), Image.Resampling.BICUBIC), np.float64)
    return np.clip(height, 0, 1)
