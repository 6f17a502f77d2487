"""Formatters: an Explanation as something to look at or to store.

They know the record, never the model.
"""

from explainkit.formatters.as_csv import format_as_csv
from explainkit.formatters.as_dataframe import format_as_dataframe
from explainkit.formatters.as_dict import format_as_dict, from_dict
from explainkit.formatters.comparing import Comparison, compare
from explainkit.formatters.grid import visualize
from explainkit.formatters.html import format_as_html
from explainkit.formatters.image import (
    expand_heatmap,
    format_as_image,
    format_as_png,
    heatmap_to_image,
)
from explainkit.formatters.reports.agreement import Truth
from explainkit.formatters.reports.report import report
from explainkit.formatters.text import format_as_text

__all__ = [
    "Comparison",
    "Truth",
    "compare",
    "expand_heatmap",
    "format_as_csv",
    "format_as_dataframe",
    "format_as_dict",
    "format_as_html",
    "format_as_image",
    "format_as_png",
    "format_as_text",
    "from_dict",
    "heatmap_to_image",
    "report",
    "visualize",
]
