"""The picture as a piece of the complex plane: the unit square, downwards and to the right.

Over complex numbers, turning is one multiplication and moving one addition.
"""

import cmath

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Points = NDArray[np.complex128]
Region = NDArray[np.bool_]  # which points belong to something
Shares = NDArray[np.float64]  # in [0, 1]: how much of each point belongs to something


def grid(columns: NDArray[np.float64], rows: NDArray[np.float64]) -> Points:
    """Give the points where columns and rows cross."""
    points: Points = np.add.outer(1j * rows, columns)
    return points


def pixels(size: int) -> Points:
    """Give the centres of the pixels of a picture."""
    steps = (np.arange(size) + 0.5) / size
    return grid(steps, steps)


def direction(rng: Generator) -> complex:
    """Draw a number of length one, which turns what it is multiplied with."""
    return cmath.rect(1, 2 * np.pi * rng.random())
