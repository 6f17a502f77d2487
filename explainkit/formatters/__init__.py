"""Formatters: an Explanation as something to look at or to store.

They know the record, never the model.
"""

from explainkit.formatters.comparing import Comparison, compare
from explainkit.formatters.grid import visualize
from explainkit.formatters.image import (
    expand_heatmap,
    format_as_image,
    format_as_png,
    heatmap_to_image,
)

__all__ = [
    "Comparison",
    "compare",
    "expand_heatmap",
    "format_as_image",
    "format_as_png",
    "heatmap_to_image",
    "visualize",
]
