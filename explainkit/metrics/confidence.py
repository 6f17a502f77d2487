"""What becomes of the model's confidence when it sees only what was hot."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import attrs
import numpy as np

from explainkit.methods.baselines import Baseline, baseline_field
from explainkit.metrics.base import Measured, Metric, each
from explainkit.metrics.batch import Batch
from explainkit.metrics.checking import UnmeasurableError
from explainkit.metrics.probing import Dim, Probed, probe

_ROUNDING = 1e-3  # of half precision


def average_drop(whole: float, explained: float) -> float:
    """Tell which share of a probability is lost.

    Parameters
    ----------
    whole, explained : float
        The probability for the picture, and for what is left of it where it was hot.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    UnmeasurableError
        If there was none to be lost.

    References
    ----------
    Chattopadhay et al. 2018, "Grad-CAM++", arXiv:1710.11063.

    Examples
    --------
    >>> average_drop(0.5, 0.25), average_drop(0.6, 0.8)
    (0.5, 0.0)
    """
    if whole <= 0:
        raise UnmeasurableError("the picture's probability is 0: there is none to be lost")
    return max(0.0, whole - explained) / whole


def increase(whole: float, explained: float) -> float:
    """Tell whether a probability has risen: 1.0, else 0.0; parameters as for `average_drop`.

    References
    ----------
    Chattopadhay et al. 2018, "Grad-CAM++", arXiv:1710.11063.
    """
    return float(explained > whole)


def average_gain(whole: float, explained: float) -> float:
    """Tell which share of what was lacking to certainty is gained.

    Parameters
    ----------
    whole, explained : float
        As for `average_drop`.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    UnmeasurableError
        If nothing was lacking.

    References
    ----------
    Zhang et al. 2024, "Opti-CAM", arXiv:2301.07002.

    Examples
    --------
    >>> average_gain(0.5, 0.75), average_gain(0.75, 0.5)
    (0.5, 0.0)
    """
    if whole >= 1:
        raise UnmeasurableError("the picture's probability is 1: there is none to be gained")
    return max(0.0, explained - whole) / (1 - whole)


@attrs.frozen(slots=False)
class _Confidence(Metric):
    """What is common to metrics of the picture dimmed by its heatmap.

    Parameters
    ----------
    baseline : float, "mean", "blur" or array
        What is seen where the heatmap is 0: a number, each picture's mean colour, the picture
        blurred, or a picture, channels last.
    """

    source: ClassVar[str] = "Chattopadhay et al. 2018, arXiv:1710.11063"
    cost: ClassVar[str] = "2 passes, together with the others of the three"
    needs_probabilities: ClassVar[bool] = True

    baseline: Baseline = baseline_field(0.0)

    @staticmethod
    @abstractmethod
    def of(whole: float, explained: float) -> float:
        """Compare the two probabilities."""

    def _compared(self, whole: float, explained: float) -> float:
        for probability in (whole, explained):
            # Rounding may take a sum of exponentials a little too far.
            if not -_ROUNDING <= probability <= 1 + _ROUNDING:
                raise UnmeasurableError(f"the model gives {probability}, which is no probability")
        return self.of(whole, explained)

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        dim = Dim(baseline=self.baseline)

        def dimmed() -> Probed:
            return probe(batch, dim, np.zeros(1, np.float32), batch.heatmaps.astype(np.float32))

        # What is an array has no key.
        key = None if isinstance(self.baseline, np.ndarray) else dim
        found = dimmed() if key is None else batch.once(key, dimmed)
        return each(self._compared, found.whole, found.changed[:, 0])


@attrs.frozen(slots=False)
class AverageDrop(_Confidence):
    """Which share of the probability is lost when only what is hot is seen: `average_drop`."""

    name: ClassVar[str] = "average_drop"
    title: ClassVar[str] = "Average drop"
    formula: ClassVar[str] = "max(0, p(x) − p(x ⊙ heatmap)) / p(x)"
    better: ClassVar = "lower"
    of = staticmethod(average_drop)


@attrs.frozen(slots=False)
class Increase(_Confidence):
    """Whether the probability rises when only what is hot is seen: `increase`."""

    name: ClassVar[str] = "increase"
    title: ClassVar[str] = "Increase in confidence"
    formula: ClassVar[str] = "1 where p(x ⊙ heatmap) > p(x)"
    better: ClassVar = "higher"
    is_share: ClassVar[bool] = True
    of = staticmethod(increase)


@attrs.frozen(slots=False)
class AverageGain(_Confidence):
    """Which share of the missing probability is gained when only what is hot is seen."""

    name: ClassVar[str] = "average_gain"
    title: ClassVar[str] = "Average gain"
    formula: ClassVar[str] = "max(0, p(x ⊙ heatmap) − p(x)) / (1 − p(x))"
    source: ClassVar[str] = "Zhang et al. 2024, arXiv:2301.07002"
    better: ClassVar = "higher"
    of = staticmethod(average_gain)
