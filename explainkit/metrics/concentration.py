"""Whether a map says much with few pixels."""

from collections.abc import Sequence
from typing import ClassVar

import attrs
import numpy as np
from numpy.typing import ArrayLike

from explainkit.metrics.base import Measured, Metric, each
from explainkit.metrics.batch import Batch
from explainkit.metrics.checking import sizes_of


def sparseness(map_: ArrayLike) -> float:
    """Measure how unequal the absolute values of a map are: their Gini index.

    Parameters
    ----------
    map_ : array
        Raw and signed, of any shape.

    Returns
    -------
    float
        From 0, where all are equal, to 1 - 1/n, where one of n is all there is.

    Raises
    ------
    UnmeasurableError
        If the map is zero everywhere.

    References
    ----------
    Chalasani et al. 2020, "Concise explanations of neural networks using adversarial training",
    arXiv:1810.06583.

    Examples
    --------
    >>> sparseness([[0.0, 0.0], [0.0, 1.0]]), sparseness([[1.0, 1.0]])
    (0.75, 0.0)
    """
    sizes = np.sort(sizes_of(map_), axis=None)
    count = len(sizes)
    places = 2 * np.arange(1, count + 1) - count - 1
    return float(places @ sizes / (count * sizes.sum()))


def complexity(map_: ArrayLike) -> float:
    """Measure over how many pixels a map is spread: the entropy of its shares, in nats.

    Parameters
    ----------
    map_ : array
        Raw and signed, of any shape.

    Returns
    -------
    float
        From 0, where one pixel is all there is, to ln n, where all n are equal.

    Raises
    ------
    UnmeasurableError
        If the map is zero everywhere.

    References
    ----------
    Bhatt et al. 2020, "Evaluating and aggregating feature-based model explanations",
    arXiv:2005.00631.

    Examples
    --------
    >>> round(complexity([[1.0, 1.0], [1.0, 1.0]]), 4), round(float(np.log(4)), 4)
    (1.3863, 1.3863)
    """
    sizes = sizes_of(map_)
    shares = sizes / sizes.sum()
    shares = shares[shares > 0]  # also of what is too small to have one
    return float(max(0.0, -(shares @ np.log(shares))))


@attrs.frozen
class Sparseness(Metric):
    """How unequal the values of the map over the picture are: `sparseness`."""

    name: ClassVar[str] = "sparseness"
    title: ClassVar[str] = "Sparseness"
    formula: ClassVar[str] = "Gini index of |map|"
    source: ClassVar[str] = "Chalasani et al. 2020, arXiv:1810.06583"
    better: ClassVar = "higher"

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        return each(sparseness, batch.maps)


@attrs.frozen
class Complexity(Metric):
    """Over how many pixels of the picture the map is spread: `complexity`."""

    name: ClassVar[str] = "complexity"
    title: ClassVar[str] = "Complexity"
    formula: ClassVar[str] = "−Σ p ln p, p = |map| / Σ |map|"
    source: ClassVar[str] = "Bhatt et al. 2020, arXiv:2005.00631"
    better: ClassVar = "lower"

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        return each(complexity, batch.maps)
