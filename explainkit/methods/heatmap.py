"""From a method's raw map to a heatmap that can be looked at."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def heatmap_of(map_: NDArray[Any]) -> NDArray[np.float32]:
    """Keep what is positive, and divide it by its maximum.

    Parameters
    ----------
    map_ : ndarray
        Raw and signed, of any shape.

    Returns
    -------
    ndarray of float32
        Of the same shape, in [0, 1]; all zeros where nothing is positive.

    Examples
    --------
    >>> heatmap_of(np.array([[-1.0, 2.0], [0.0, 4.0]]))
    array([[0. , 0.5],
           [0. , 1. ]], dtype=float32)
    """
    positive = np.maximum(map_, 0)
    largest = positive.max()
    # Divided before the cast, so that tiny float64 maps do not vanish.
    return np.asarray(positive / largest if largest > 0 else positive, np.float32)
