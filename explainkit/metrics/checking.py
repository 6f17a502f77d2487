"""Checks of maps and masks, and the errors for those that cannot be measured."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explainkit.metrics.laying import one_laid


class UnmeasurableError(ValueError):
    """One explanation has no such number; the message says why."""


def numbers_of(map_: ArrayLike) -> NDArray[np.float64]:
    """Give a map as numbers of double precision.

    Raises
    ------
    TypeError, ValueError
        If it is none, or holds NaN or infinite numbers.
    """
    given = np.asarray(map_)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"the map holds {given.dtype}; give an array of real numbers")
    if not given.size or given.ndim == 0:
        raise ValueError(f"the map has the shape {given.shape}; give at least one cell")
    if not np.isfinite(given).all():
        raise ValueError("the map holds NaN or infinite numbers")
    return given.astype(np.float64)


def sizes_of(map_: ArrayLike) -> NDArray[np.float64]:
    """Give the absolute values of a map, of which one at least is not zero, as shares of it."""
    sizes = np.abs(numbers_of(map_))
    if not sizes.any():
        raise UnmeasurableError("the map is zero everywhere")
    return np.asarray(sizes / sizes.max())  # whose sum is no number too large


def ranges_of(pictures: NDArray[Any]) -> NDArray[np.float64]:
    """Tell the range of values of each picture, shape (N,); 1 where all are equal."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    ranges = flat.max(axis=1) - flat.min(axis=1)
    return np.where(ranges > 0, ranges, 1.0)


def mask_of(mask: ArrayLike) -> NDArray[np.bool_]:
    """Give a mask, of which one pixel at least is true."""
    given = np.asarray(mask)
    if given.dtype != bool:
        raise TypeError(f"the mask holds {given.dtype}; give an array of truth values")
    if not given.any():
        raise UnmeasurableError("the mask is empty: no pixel belongs to the target")
    return given


def positive_over(map_: ArrayLike, sizes: Sequence[int]) -> NDArray[np.float64]:
    """Lay the positive part of a map over a picture, as shares of its maximum.

    Raises
    ------
    UnmeasurableError
        If it has none.
    """
    positive = np.maximum(numbers_of(map_), 0)
    if not positive.any():
        raise UnmeasurableError("the map has no positive part: nothing speaks for the target")
    return one_laid(positive / positive.max(), sizes)


def ranks_of(maps: NDArray[Any]) -> NDArray[np.int32]:
    """Rank the pixels of maps, the highest first, from 0 on.

    Equal ones are ranked in the order of reading.

    Parameters
    ----------
    maps : ndarray, shape (N, ...)

    Returns
    -------
    ndarray of int32, shape (N, ...)
    """
    flat = maps.reshape(len(maps), -1)
    order = np.argsort(-flat, axis=1, kind="stable")
    places = np.arange(flat.shape[1], dtype=np.int32)
    ranks = np.empty(flat.shape, np.int32)
    np.put_along_axis(ranks, order, np.broadcast_to(places, flat.shape), axis=1)
    return ranks.reshape(maps.shape)
