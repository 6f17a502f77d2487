"""Heatmaps that are pictures themselves, where there is none to draw them over."""

import numpy as np
from PIL import Image

from explainkit.explanation import TargetExplanation
from explainkit.formatters.boxes import boxes_of, draw_boxes, scaled_box
from explainkit.formatters.drawing import Drawing
from explainkit.formatters.image import heatmap_to_image
from explainkit.formatters.pages.pictures import reduced
from explainkit.formatters.saturation import saturate


def draw_alone(target: TargetExplanation, drawing: Drawing, largest: int) -> Image.Image:
    """Draw a heatmap in colours, each cell of whole pixels where there is room.

    Parameters
    ----------
    target : TargetExplanation
        With a heatmap of rank 2.
    drawing : Drawing
        Boxes that were given are in cells.
    largest : int
        The most pixels a side.

    Returns
    -------
    PIL.Image.Image
        In mode RGB.

    Examples
    --------
    >>> from explainkit.formatters.drawing import as_drawing
    >>> heat = np.eye(7, dtype=np.float32)
    >>> target = TargetExplanation(243, "bull mastiff", 12.3, 0.81, heat, heat)
    >>> draw_alone(target, as_drawing(colormap="magma"), largest=100).size
    (98, 98)
    """
    shades = heatmap_to_image(saturate(target.heatmap, drawing.share))
    cells, times = shades.size, max(1, largest // max(shades.size))
    shades = shades.resize((cells[0] * times, cells[1] * times), Image.Resampling.NEAREST)
    coloured = reduced(Image.fromarray(drawing.table[:, :3][np.asarray(shades)]), largest)
    boxes = drawing.boxes
    if not isinstance(boxes, bool):
        boxes = [scaled_box(box, cells, coloured.size) for box in boxes]
    return draw_boxes(coloured, boxes_of(target, coloured.size, boxes))
