"""What an evaluation found: a number for each document, method and metric, and what they say."""

import math
from functools import cached_property
from itertools import product
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.explanation import TargetName
from explainkit.intervals import interval_of
from explainkit.metrics.base import Metric
from explainkit.suggestions import did_you_mean


@attrs.frozen
class Measurement:
    """One number: of one document, explained by one method, measured by one metric.

    Attributes
    ----------
    doc : int
        Which document.
    target : int, tuple of (str, int), str or None
        What was explained; None where the document could not be explained.
    method, metric : str
        What they are called in the table.
    value : float
        NaN where there is none.
    reason : str or None
        Why there is none.
    """

    doc: int
    target: TargetName | None
    method: str
    metric: str
    value: float
    reason: str | None = None


@attrs.frozen
class Summary:
    """What a metric says of a method, over all documents.

    Attributes
    ----------
    method, metric : str
    better : {"higher", "lower"}
        Which way is better.
    mean, low, high : float
        The mean, and its confidence interval: NaN where there are too few numbers.
    count : int
        Over how many documents.
    missing : int
        How many have no number.
    reason : str or None
        Why the first of these has none; or why there is no interval.
    """

    method: str
    metric: str
    better: str
    mean: float
    low: float
    high: float
    count: int
    missing: int
    reason: str | None = None


@attrs.frozen(slots=False)
class Evaluation:
    """A table of measurements, and what they say.

    Attributes
    ----------
    measurements : tuple of Measurement
        One for each document, method and metric.
    methods : tuple of str
    metrics : dict of Metric
        By what they are called in the table.
    confidence : float
        Of the intervals.
    """

    measurements: tuple[Measurement, ...] = attrs.field(repr=False)
    methods: tuple[str, ...]
    metrics: dict[str, Metric]
    confidence: float = 0.95

    def values(self, method: str, metric: str) -> NDArray[np.float64]:
        """Give the numbers of all documents, in order: NaN where there is none.

        Raises
        ------
        LookupError
            If the table has no such method or metric.
        """
        for what, name, known in (
            ("method", method, self.methods),
            ("metric", metric, self.metrics),
        ):
            if name not in known:
                listed = ", ".join(known)
                raise LookupError(
                    f"the table has no {what} {name!r}; it has: {listed}{did_you_mean(name, known)}"
                )
        rows = sorted(self._by_cell[method, metric], key=lambda one: one.doc)
        return np.array([one.value for one in rows])

    @cached_property
    def _by_cell(self) -> dict[tuple[str, str], list[Measurement]]:
        found: dict[tuple[str, str], list[Measurement]] = {
            cell: [] for cell in product(self.methods, self.metrics)
        }
        for one in self.measurements:
            found[one.method, one.metric].append(one)
        return found

    def summary(self) -> list[Summary]:
        """Sum up each method by each metric."""
        return [self._summed(method, metric) for method in self.methods for metric in self.metrics]

    def _summed(self, method: str, metric: str) -> Summary:
        found, values = self.metrics[metric], self.values(method, metric)
        known = values[~np.isnan(values)]
        mean, low, high = interval_of(known, found.is_share, self.confidence)
        reasons = [one.reason for one in self._by_cell[method, metric] if one.reason]
        if len(known) == 1 and not found.is_share:
            reasons.append("one document has no interval: give more")
        missing = len(values) - len(known)
        reason = reasons[0] if reasons else None
        return Summary(method, metric, found.better, mean, low, high, len(known), missing, reason)

    def rows(self) -> list[dict[str, Any]]:
        """Give the tidy table, a dict for each measurement."""
        return [attrs.asdict(one) for one in self.measurements]

    def dataframe(self) -> Any:
        """Give the tidy table as a `pandas.DataFrame`, a row for each measurement."""
        return _pandas().DataFrame(self.rows())

    def summary_dataframe(self) -> Any:
        """Give the summary as a `pandas.DataFrame`, a row for each method and metric."""
        return _pandas().DataFrame([attrs.asdict(one) for one in self.summary()])

    def plot(self) -> Any:
        """Draw the summary: a panel for each metric, its methods with their intervals.

        Returns
        -------
        matplotlib.figure.Figure
            Save it with ``figure.savefig(path)``.
        """
        from explainkit.metrics.plotting import draw_summary

        return draw_summary(self.summary(), self.metrics)

    def __str__(self) -> str:
        summary = {(one.method, one.metric): one for one in self.summary()}
        heads = [f"{name} {_ARROWS[metric.better]}" for name, metric in self.metrics.items()]
        lines = [["method", *heads]]
        lines += [
            [method, *(_said(summary[method, metric]) for metric in self.metrics)]
            for method in self.methods
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rows = (
            "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )
        return "\n".join([*rows, *self._notes(summary.values())])

    def _notes(self, summary: Any) -> list[str]:
        return [
            f"{one.method}, {one.metric}: {one.missing} of {one.count + one.missing} have no "
            f"number: {one.reason}"
            for one in summary
            if one.missing
        ]


_ARROWS = {"higher": "↑", "lower": "↓"}


def _said(one: Summary) -> str:
    if math.isnan(one.mean):
        return "–"
    if math.isnan(one.low):
        return f"{one.mean:.3f}"
    return f"{one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]"


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError:
        raise ImportError(
            "a dataframe needs pandas: pip install 'explainkit[tables]'; rows() and summary() give "
            "the same without it"
        ) from None
    return pd
