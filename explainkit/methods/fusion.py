"""Maps of several layers made one."""

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


def fuse(xp: Any, maps: Sequence[Tensor]) -> Tensor:
    """Average the maps of several layers, at the size of the largest.

    Layers differ in the size of their gradients by orders of magnitude. So each
    map is divided by its largest absolute value first, for each document and
    target by itself; then each has its say.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    maps : sequence of arrays, shapes (N, K, ...)
        With as many axes, such as (N, K, h, w).

    Returns
    -------
    array, shape (N, K, ...)
        Of the largest size of each axis. A single map as it is.
    """
    if len(maps) == 1:
        return maps[0]
    sizes = [max(map(int, sizes)) for sizes in zip(*(m.shape[2:] for m in maps), strict=True)]
    scaled = [_resize(xp, _scale(xp, m), sizes) for m in maps]
    return xp.mean(xp.stack(scaled, axis=0), axis=0)


def _scale(xp: Any, maps: Tensor) -> Tensor:
    axes = tuple(range(2, len(maps.shape)))
    largest = xp.max(xp.abs(maps), axis=axes, keepdims=True)
    return maps / xp.where(largest > 0, largest, xp.ones_like(largest))


def _resize(xp: Any, maps: Tensor, sizes: Sequence[int]) -> Tensor:
    for size in sizes:
        # Each axis goes to the end when it has been resampled, so that all take turns.
        weights = linear_weights(int(maps.shape[2]), size)
        weights = xp.asarray(weights, dtype=maps.dtype)
        maps = xp.einsum("ys,nks...->nk...y", weights, maps)
    return maps
