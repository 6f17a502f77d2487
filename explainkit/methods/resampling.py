"""Maps brought to another size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainkit.engines.base import Tensor


def linear_weights(size: int, new_size: int) -> NDArray[np.float32]:
    """Weights that resample an axis linearly, pixels being areas, not points.

    Parameters
    ----------
    size, new_size
        The number of cells of the axis, before and after.

    Returns
    -------
    ndarray of float32, shape (new_size, size)
        Each row sums to one; cells beyond the edge repeat it.

    Examples
    --------
    >>> linear_weights(2, 4)
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 1.  ]], dtype=float32)
    """
    centres = (np.arange(new_size) + 0.5) * size / new_size - 0.5
    centres = np.clip(centres, 0, size - 1)
    weights = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(size)))
    return np.asarray(weights, np.float32)


def spreading_weights(size: int, new_size: int) -> NDArray[np.float32]:
    """Weights that resample an axis linearly, and keep the sum of its cells.

    Returns
    -------
    ndarray of float32, shape (new_size, size)
        Each column sums to one.
    """
    weights = linear_weights(size, new_size)
    sums = weights.sum(axis=0, keepdims=True)
    # Of an axis made smaller, some cells would be passed over.
    lost = np.eye(new_size, dtype=np.float32)[np.arange(size) * new_size // size].T
    return np.where(sums > 0, weights / np.where(sums > 0, sums, 1), lost)


def resize(
    xp: Any, maps: Tensor, sizes: Sequence[int], leading: int = 2, weigh: Any = linear_weights
) -> Tensor:
    """Resample each axis of maps.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    maps : array
        Leading axes, then those of the maps.
    sizes : sequence of int
        The new sizes of the maps' axes.
    leading : int
        The number of leading axes, which stay as they are. Axes behind those of the
        maps, such as one of channels, stay, too.
    weigh : callable
        Gives the weights, shape (new, old), for an axis.
    """
    for axis, size in enumerate(sizes, start=leading):
        if int(maps.shape[axis]) != size:
            maps = mix(xp, maps, axis, weigh(int(maps.shape[axis]), size))
    return maps


def mix(xp: Any, maps: Tensor, axis: int, weights: NDArray[np.float32]) -> Tensor:
    """Mix the cells of an axis by weights, shape (new, old)."""
    letters = "abcdefghijklm"[: len(maps.shape)]
    made = letters.replace(letters[axis], "z")
    weights = xp.asarray(weights, dtype=maps.dtype)
    return xp.einsum(f"z{letters[axis]},{letters}->{made}", weights, maps)
