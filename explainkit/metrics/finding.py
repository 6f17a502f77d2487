"""The metrics by name, and the errors for those that are not there."""

from collections.abc import Iterable, Mapping
from typing import Any

from explainkit.metrics.base import Metric
from explainkit.metrics.concentration import Complexity, Sparseness
from explainkit.metrics.confidence import AverageDrop, AverageGain, Increase
from explainkit.metrics.covering import LocalizationError, MaskIoU
from explainkit.metrics.curves import Deletion, Insertion
from explainkit.metrics.infidelity import Infidelity
from explainkit.metrics.pointing import EnergyPointing, PointingGame
from explainkit.metrics.randomization import ParameterRandomization, RandomLogit
from explainkit.metrics.relevance import RelevanceMass, RelevanceRank, TopKIntersection
from explainkit.metrics.road import ROADLeastRelevantFirst, ROADMostRelevantFirst
from explainkit.metrics.sensitivity import MaxSensitivity
from explainkit.suggestions import did_you_mean

#: The metrics that come with the package.
METRICS: dict[str, type[Metric]] = {
    metric.name: metric
    for metric in (
        *(Deletion, Insertion, ROADMostRelevantFirst, ROADLeastRelevantFirst),
        *(AverageDrop, Increase, AverageGain),
        *(Infidelity, MaxSensitivity),
        *(Sparseness, Complexity),
        *(PointingGame, EnergyPointing, RelevanceMass, RelevanceRank, TopKIntersection),
        *(MaskIoU, LocalizationError),
        *(ParameterRandomization, RandomLogit),
    )
}


def find_metrics(metrics: Any) -> dict[str, Metric]:
    """Make the metrics that were asked for.

    Parameters
    ----------
    metrics
        A name or a metric made by hand, a list of these, or a mapping of names of one's own.

    Returns
    -------
    dict
        Each metric by what it is called in the table.

    Raises
    ------
    TypeError, ValueError
        If there is no such metric, or none at all.

    Examples
    --------
    >>> list(find_metrics(["deletion", Insertion(steps=8)]))
    ['deletion', 'insertion']
    """
    if isinstance(metrics, Mapping):
        named = {str(name): find_metric(metric) for name, metric in metrics.items()}
    else:
        single = isinstance(metrics, str | Metric | type) or not isinstance(metrics, Iterable)
        given = [metrics] if single else list(metrics)
        found = [find_metric(metric) for metric in given]
        named = {metric.name: metric for metric in found}
        if len(named) < len(found):
            names = [metric.name for metric in found]
            raise ValueError(f"metrics has a name twice: {names}; give a dict of your own names")
    if not named:
        raise ValueError(f"metrics is empty; there are: {', '.join(METRICS)}")
    return named


def find_metric(metric: str | Metric | type[Metric]) -> Metric:
    """Make one metric, given by its name, or made by hand."""
    if isinstance(metric, type) and issubclass(metric, Metric):
        return metric()
    if isinstance(metric, Metric):
        return metric
    if not isinstance(metric, str):
        raise TypeError(
            f"a metric is given by a {type(metric).__name__}; give a name ({', '.join(METRICS)}) "
            "or a metric made by hand, such as Deletion(steps=16)"
        )
    if metric not in METRICS:
        raise ValueError(
            f"no metric {metric!r}; there are: {', '.join(METRICS)}" + did_you_mean(metric, METRICS)
        )
    return METRICS[metric]()
