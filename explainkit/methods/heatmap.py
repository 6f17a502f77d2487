"""From a method's raw map to a heatmap that can be looked at."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def heatmap_of(maps: NDArray[Any]) -> NDArray[np.float32]:
    """Keep what is positive, and divide it by the maximum of its own map.

    Parameters
    ----------
    maps : ndarray, shape (..., h, w)
        Raw, signed maps.

    Returns
    -------
    ndarray of float32, shape (..., h, w)
        In [0, 1]; all zeros where nothing is positive.

    Examples
    --------
    >>> heatmap_of(np.array([[-1.0, 2.0], [0.0, 4.0]]))
    array([[0. , 0.5],
           [0. , 1. ]], dtype=float32)
    """
    positive = np.maximum(maps, 0)
    largest = positive.max(axis=(-2, -1), keepdims=True)
    # Divided before the cast, so that tiny float64 maps do not vanish.
    return np.asarray(positive / np.where(largest > 0, largest, 1), np.float32)
