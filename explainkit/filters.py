"""What is done to raw maps before they are looked at: functions of arrays, to be composed.

Each takes maps of any number of leading axes, such as (N, K, h, w), treats each map by
itself, and gives an array of the same shape.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Filter = Callable[[NDArray[Any]], NDArray[Any]]

#: The axes of a map.
_MAP = (-2, -1)


def positive(maps: NDArray[Any]) -> NDArray[Any]:
    """Keep what is positive, and 0 elsewhere: what speaks for the target.

    Examples
    --------
    >>> positive(np.array([[1.0, -2.0]]))
    array([[1., 0.]])
    """
    return np.asarray(np.maximum(maps, 0))


def negative(maps: NDArray[Any]) -> NDArray[Any]:
    """Keep how far numbers are below 0, and 0 elsewhere: what speaks against the target.

    Examples
    --------
    >>> negative(np.array([[1.0, -2.0]]))
    array([[0., 2.]])
    """
    return np.asarray(np.maximum(-maps, 0))


def absolute(maps: NDArray[Any]) -> NDArray[Any]:
    """Take absolute values: what matters, for or against.

    Examples
    --------
    >>> absolute(np.array([[1.0, -2.0]]))
    array([[1., 2.]])
    """
    return np.asarray(np.abs(maps))


def normalize(maps: NDArray[Any]) -> NDArray[Any]:
    """Stretch each map from its lowest number to its highest over [0, 1].

    A map that is even becomes 0.

    Examples
    --------
    >>> normalize(np.array([[1.0, -1.0, 0.0]]))
    array([[1. , 0. , 0.5]])
    """
    lowest = maps.min(axis=_MAP, keepdims=True)
    return _quotient(maps - lowest, maps.max(axis=_MAP, keepdims=True) - lowest)


def scale(maps: NDArray[Any]) -> NDArray[Any]:
    """Divide each map by its largest absolute value: signs are kept, in [-1, 1].

    A map of zeros stays as it is.

    Examples
    --------
    >>> scale(np.array([[1.0, -2.0]]))
    array([[ 0.5, -1. ]])
    """
    return _quotient(maps, np.abs(maps).max(axis=_MAP, keepdims=True))


def compose(*filters: Filter) -> Filter:
    """Make one function of several, of which the first is applied first.

    Examples
    --------
    >>> compose(negative, scale)(np.array([[1.0, -2.0, -1.0]]))
    array([[0. , 1. , 0.5]])
    """
    return lambda maps: reduce(lambda found, one: one(found), filters, maps)


def positive_normalize(maps: NDArray[Any]) -> NDArray[Any]:
    """Keep what is positive, and divide it by its maximum: what heatmaps of records are.

    Examples
    --------
    >>> positive_normalize(np.array([[1.0, 2.0, -4.0]]))
    array([[0.5, 1. , 0. ]])
    """
    return scale(positive(maps))


def negative_normalize(maps: NDArray[Any]) -> NDArray[Any]:
    """Keep how far numbers are below 0, and divide it by its maximum.

    Examples
    --------
    >>> negative_normalize(np.array([[1.0, -2.0, -4.0]]))
    array([[0. , 0.5, 1. ]])
    """
    return scale(negative(maps))


def absolute_normalize(maps: NDArray[Any]) -> NDArray[Any]:
    """Take absolute values, and divide them by their maximum.

    Examples
    --------
    >>> absolute_normalize(np.array([[1.0, -2.0, -4.0]]))
    array([[0.25, 0.5 , 1.  ]])
    """
    return scale(absolute(maps))


def _quotient(maps: NDArray[Any], divisor: NDArray[Any]) -> NDArray[Any]:
    return maps / np.where(divisor > 0, divisor, np.ones_like(divisor))
