"""Evaluations as pictures: means and their intervals, method by method."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from explainkit.metrics.base import Metric
from explainkit.metrics.results import Summary

_COLUMNS = 3


def draw_summary(summary: Sequence[Summary], metrics: Mapping[str, Metric]) -> Any:
    """Draw a panel for each metric, with the mean and the interval of each method.

    Parameters
    ----------
    summary : sequence of Summary
    metrics : mapping
        By what they are called in the summary.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    methods = list(dict.fromkeys(one.method for one in summary))
    columns = min(_COLUMNS, len(metrics))
    rows = -(-len(metrics) // columns)
    size = (3.4 * columns + 1, rows * (0.28 * len(methods) + 1.1))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for panel, (name, metric) in zip(panels, metrics.items(), strict=False):
        shown = [one for one in summary if one.metric == name]
        title = metric.title if name == metric.name else name
        _draw(panel, shown, f"{title}\n({metric.better} is better)")
    for panel in panels[len(metrics) :]:
        panel.set_visible(False)
    for panel in panels[::columns]:
        panel.set_yticks(range(len(methods)), methods)
    panels[0].invert_yaxis()  # the first method on top
    return figure


def _draw(panel: Any, shown: Sequence[Summary], title: str) -> None:
    means = np.array([one.mean for one in shown])
    ends = np.array([[one.mean - one.low, one.high - one.mean] for one in shown]).T
    places = range(len(shown))
    panel.errorbar(means, places, xerr=np.nan_to_num(np.maximum(ends, 0)), fmt="o", capsize=3)
    panel.set_title(title, fontsize="medium")
    panel.grid(axis="x", alpha=0.3)
    panel.margins(y=0.1)
