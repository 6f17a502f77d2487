"""How the model's output falls and rises as pixels go and come, the most important first."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from explainkit.methods.baselines import Baseline, baseline_field
from explainkit.methods.options import whole_number
from explainkit.metrics.base import Measured, Metric, each
from explainkit.metrics.batch import Batch
from explainkit.metrics.checking import UnmeasurableError, ranks_of
from explainkit.metrics.probing import Hide, probe


def area_under(curve: ArrayLike) -> float:
    """Measure the area under a curve over [0, 1], whose points are evenly apart.

    Parameters
    ----------
    curve : array, shape (points,)
        At least two.

    Returns
    -------
    float
        By the trapezoidal rule.

    Examples
    --------
    >>> area_under([1.0, 0.5, 0.0])
    0.5
    """
    points = np.asarray(curve, np.float64)
    if points.ndim != 1 or len(points) < 2:
        raise ValueError(f"the curve has the shape {points.shape}; give two points or more")
    return float((points[:-1] + points[1:]).mean() / 2)


def counts_of(pixels: int, steps: int) -> NDArray[np.int32]:
    """Tell how many pixels the steps from none to all reach, shape (steps + 1,), rounded up.

    Examples
    --------
    >>> counts_of(10, 4)
    array([ 0,  3,  5,  8, 10], dtype=int32)
    """
    return np.asarray([-(-pixels * step // steps) for step in range(steps + 1)], np.int32)


@attrs.frozen(slots=False)
class _Curve(Metric):
    """What is common to curves over the share of the pixels that went or came.

    Parameters
    ----------
    steps : int
        How many steps from none to all pixels.
    """

    cost: ClassVar[str] = "1 pass, and 1 for each step"

    steps: int = attrs.field(default=32, kw_only=True, validator=whole_number(2))

    @abstractmethod
    def curves(self, batch: Batch) -> NDArray[np.float64]:
        """Give the model's output at each step, shape (N, steps + 1)."""

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        return each(_area_of_ranked, self.curves(batch), batch.maps)


def _area_of_ranked(curve: NDArray[np.float64], map_: NDArray[np.float64]) -> float:
    if map_.min() == map_.max():
        raise UnmeasurableError("the map is the same everywhere: it ranks no pixel before another")
    return area_under(curve)


@attrs.frozen(slots=False)
class Deletion(_Curve):
    """The area under the model's output while pixels are hidden, the most important first.

    Parameters
    ----------
    steps : int
        How many steps from none to all pixels.
    baseline : float, "mean", "blur" or array
        What hides them: a number, each picture's mean colour, the picture blurred, or a
        picture, channels last.
    """

    name: ClassVar[str] = "deletion"
    title: ClassVar[str] = "Deletion"
    formula: ClassVar[str] = "∫ y(x without the hottest share t of its pixels) dt"
    source: ClassVar[str] = "Petsiuk et al. 2018, arXiv:1806.07421"
    better: ClassVar = "lower"

    baseline: Baseline = baseline_field("mean")

    def curves(self, batch: Batch) -> NDArray[np.float64]:
        """Give the model's output at each step, shape (N, steps + 1)."""
        ranks = batch.once("ranks", lambda: ranks_of(batch.maps))
        hidden = counts_of(ranks[0].size, self.steps)[1:]
        found = probe(batch, Hide(baseline=self.baseline), hidden, ranks)
        return np.concatenate([found.whole[:, None], found.changed], axis=1)


@attrs.frozen(slots=False)
class Insertion(_Curve):
    """The area under the model's output while pixels are shown, the most important first.

    Parameters
    ----------
    steps : int
        How many steps from none to all pixels.
    baseline : float, "mean", "blur" or array
        What is seen before: as for `Deletion`.
    """

    name: ClassVar[str] = "insertion"
    title: ClassVar[str] = "Insertion"
    formula: ClassVar[str] = "∫ y(the hottest share t of x's pixels) dt"
    source: ClassVar[str] = "Petsiuk et al. 2018, arXiv:1806.07421"
    better: ClassVar = "higher"

    baseline: Baseline = baseline_field("blur")

    def curves(self, batch: Batch) -> NDArray[np.float64]:
        """Give the model's output at each step, shape (N, steps + 1)."""
        ranks = batch.once("ranks", lambda: ranks_of(batch.maps))
        pixels = ranks[0].size
        # Hidden are those that come last, ever fewer of them.
        hidden, last_first = pixels - counts_of(pixels, self.steps)[:-1], pixels - 1 - ranks
        found = probe(batch, Hide(baseline=self.baseline), hidden, last_first)
        return np.concatenate([found.changed, found.whole[:, None]], axis=1)
