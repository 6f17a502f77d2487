"""Formatters: an Explanation as something to look at or to store.

They know the record, never the model.
"""

from explainkit.formatters.image import (
    expand_heatmap,
    format_as_image,
    format_as_png,
    heatmap_to_image,
)

__all__ = ["expand_heatmap", "format_as_image", "format_as_png", "heatmap_to_image"]
