"""Heatmaps of which some cells are so strong that nothing is seen of the others."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_share(given: Any) -> float:
    """Check the share of a heatmap's cells that may be drawn at full strength."""
    choice = "give a number from 0 (the strongest cell alone) to below 1"
    if isinstance(given, bool) or not isinstance(given, int | float | np.number):
        raise TypeError(f"saturated is {given!r}, of type {type(given).__name__}; {choice}")
    share = float(given)
    if math.isnan(share) or not 0 <= share < 1:
        raise ValueError(f"saturated is {given!r}; {choice}")
    return share


def saturate(heatmap: NDArray[Any], share: float) -> NDArray[Any]:
    """Raise a heatmap until a share of its cells is at full strength.

    Parameters
    ----------
    heatmap : ndarray
        In [0, 1].
    share : float
        Of the cells, in [0, 1).

    Returns
    -------
    ndarray
        In [0, 1]; the heatmap itself where so few cells are above 0 that all would be.

    Examples
    --------
    >>> saturate(np.array([0.0, 0.1, 0.2, 0.3, 1.0]), 0.25)
    array([0.        , 0.33333333, 0.66666667, 1.        , 1.        ])
    """
    if heatmap.dtype.kind == "b":  # of truths there are no quantiles
        heatmap = heatmap.astype(np.float32)
    level = np.quantile(heatmap, 1 - share) if share > 0 and heatmap.size else 1.0
    return np.minimum(heatmap / level, 1) if 0 < level < 1 else heatmap
