"""What is asked of a drawing, checked once for all the pictures that are made by it."""

from collections.abc import Iterator

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explainkit.formatters.boxes import Boxes, as_drawn_boxes
from explainkit.formatters.colormaps import Colormap, colour_table
from explainkit.formatters.image import LANCZOS
from explainkit.formatters.options import (
    Positions,
    ResamplingFilter,
    as_alpha_limit,
    as_resampling,
)
from explainkit.formatters.saturation import as_share
from explainkit.localization.box import Box


@attrs.frozen
class Drawing:
    """What is asked of a drawing, checked: the options of `format_as_image`."""

    resampling: Image.Resampling
    colormap: Colormap
    alpha_limit: float
    target: Positions
    share: float
    boxes: bool | list[Box]

    @property
    def name(self) -> str:
        """The colormap's name."""
        if isinstance(self.colormap, str):
            return self.colormap
        # matplotlib's have a name, functions another.
        named = getattr(self.colormap, "name", None) or getattr(self.colormap, "__name__", "given")
        return str(named)

    @property
    def table(self) -> NDArray[np.uint8]:
        """The colours of 256 shades, of the opacities that belong to a limit of 1."""
        return colour_table(self.colormap, alpha_limit=1.0)


def as_drawing(
    resampling_filter: ResamplingFilter = LANCZOS,
    colormap: Colormap = "viridis",
    alpha_limit: float = 0.65,
    target: Positions = None,
    saturated: float = 0.0,
    boxes: Boxes = False,
) -> Drawing:
    """Check the options of a drawing, each as `format_as_image` does.

    Raises
    ------
    TypeError, ValueError
        As `format_as_image` does.
    """
    limit = as_alpha_limit(alpha_limit)
    colour_table(colormap, limit)
    return Drawing(
        resampling=as_resampling(resampling_filter),
        colormap=colormap,
        alpha_limit=limit,
        # Read once, where it can be read once only: each view has these targets.
        target=list(target) if isinstance(target, Iterator) else target,
        share=as_share(saturated),
        boxes=as_drawn_boxes(boxes),
    )
