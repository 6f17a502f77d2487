"""Means of some explanations, and how sure they are of all."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: How often a mean is drawn again.
RESAMPLES = 2000
#: How many numbers are drawn at once, which bounds the memory.
_AT_ONCE = 10_000_000


class Interval(NamedTuple):
    """A mean, and the ends of its interval: NaN where there are too few numbers."""

    mean: float
    low: float
    high: float


def interval_of(values: NDArray[np.float64], is_share: bool, confidence: float = 0.95) -> Interval:
    """Tell the mean of numbers, and between which ends that of all others lies.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Without NaN.
    is_share : bool
        Whether each is 1 or 0: then the interval is Wilson's; else it is that of percentiles
        of means of numbers drawn again (bootstrap, seeded).
    confidence : float
        In (0, 1).

    Returns
    -------
    Interval
        One number has no interval, unless it is a share; none has no mean either.

    Examples
    --------
    >>> round(interval_of(np.ones(20), is_share=True).low, 3)
    0.839
    """
    if not len(values):
        return Interval(np.nan, np.nan, np.nan)
    mean = float(np.mean(values))
    if len(values) == 1 and not is_share:
        return Interval(mean, np.nan, np.nan)
    from scipy import stats

    if is_share:
        tested = stats.binomtest(int(values.sum()), len(values))
        low, high = tested.proportion_ci(confidence, method="wilson")
        return Interval(mean, float(low), float(high))
    if values.min() == values.max():
        return Interval(mean, mean, mean)
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=confidence,
        method="percentile",
        batch=max(1, _AT_ONCE // len(values)),
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high))
