"""Where in the picture: boxes and masks from heatmaps, and how well they fit the truth.

This room knows the record, and numbers; never a model, and nothing that draws.
"""

from explainkit.localization.box import Box, box_of
from explainkit.localization.boxes import find_box, find_boxes
from explainkit.localization.errors import (
    ErrorRate,
    LocalizationErrors,
    TopErrors,
    localization_error,
    localization_errors,
)
from explainkit.localization.guided import guided_filter
from explainkit.localization.heat import BlankMapError, heat_of
from explainkit.localization.masks import find_mask, find_masks
from explainkit.localization.overlap import iou

__all__ = [
    "BlankMapError",
    "Box",
    "ErrorRate",
    "LocalizationErrors",
    "TopErrors",
    "box_of",
    "find_box",
    "find_boxes",
    "find_mask",
    "find_masks",
    "guided_filter",
    "heat_of",
    "iou",
    "localization_error",
    "localization_errors",
]
