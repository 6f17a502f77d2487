"""The model: it knows nothing of explainkit."""

import numpy as np
from numpy.typing import NDArray


class LinearModel:
    """Scores that are sums of weighted pixels.

    Parameters
    ----------
    weights : ndarray, shape (classes, height, width)
    """

    def __init__(self, weights: NDArray[np.float64]) -> None:
        self.weights = weights

    def scores(self, docs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score docs of shape (N, height, width): shape (N, classes)."""
        return np.einsum("nhw,chw->nc", docs, self.weights)
