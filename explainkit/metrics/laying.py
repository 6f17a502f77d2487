"""Maps laid over pictures, so that maps of every size are measured alike."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explainkit.methods.resampling import resize


def laid(maps: ArrayLike, sizes: Sequence[int]) -> NDArray[np.float64]:
    """Resample maps linearly to the sizes of a picture.

    Parameters
    ----------
    maps : array, shape (N, h, w)
    sizes : sequence of int
        Height and width of the pictures.

    Returns
    -------
    ndarray of float64, shape (N, height, width)

    Raises
    ------
    ValueError
        If the maps have other axes than the picture.
    """
    given = np.asarray(maps, np.float64)
    if given.ndim - 1 != len(sizes):
        raise ValueError(
            f"the maps have the shape {given.shape[1:]}, and the pictures {tuple(sizes)}: the one "
            "cannot be laid over the other"
        )
    return np.asarray(resize(np, given, sizes, leading=1))


def one_laid(map_: ArrayLike, sizes: Sequence[int]) -> NDArray[np.float64]:
    """Resample one map, shape (h, w), linearly to the sizes of a picture."""
    return np.asarray(laid(np.asarray(map_)[None], sizes)[0])
