"""Boxes drawn over a picture: what a heatmap points at, or the truth."""

import math
from collections.abc import Iterable
from typing import Any

from PIL import Image, ImageDraw

from explainkit.explanation import TargetExplanation
from explainkit.formatters.colour_mode import in_colour_mode
from explainkit.localization.box import Box, BoxLike, as_boxes
from explainkit.localization.boxes import find_box
from explainkit.localization.heat import BlankMapError

#: Whether to draw the box of each heatmap, or the boxes to draw.
Boxes = bool | Iterable[BoxLike]

# Light in dark: one of the two is seen on any picture.
LINE, OUTLINE = "#fffbe6", "#101010"
#: So many lines would fill the shorter side of a picture.
LINES_ACROSS = 100


def as_drawn_boxes(given: Any) -> bool | list[Box]:
    """Check which boxes are to be drawn.

    Parameters
    ----------
    given : bool, Box, or iterable of Box
        True for those of the heatmaps; of boxes, four numbers each will do.

    Returns
    -------
    bool or list of Box

    Raises
    ------
    TypeError, ValueError
        If it is neither a bool nor boxes.

    Examples
    --------
    >>> as_drawn_boxes([(0, 0, 4, 2)])
    [Box(left=0, top=0, right=4, bottom=2)]
    """
    if isinstance(given, bool):
        return given
    if not isinstance(given, Iterable):
        raise TypeError(
            f"boxes is {given!r}, of type {type(given).__name__}; give True for the boxes of the "
            "heatmaps, or boxes, each of four numbers (left, top, right, bottom)"
        )
    return as_boxes(given)


def boxes_of(
    target: TargetExplanation, size: tuple[int, int], asked: bool | list[Box]
) -> list[Box]:
    """Find the boxes to draw over a picture for one of its heatmaps.

    Parameters
    ----------
    target : TargetExplanation
        With a heatmap of rank 2.
    size : tuple of (int, int)
        Of the picture.
    asked : bool or list of Box
        What `as_drawn_boxes` gave.

    Returns
    -------
    list of Box
        None for a heatmap of zeros, which points nowhere.
    """
    if not isinstance(asked, bool):
        return asked
    try:
        return [find_box(target, size=size)] if asked else []
    except BlankMapError:
        return []


def scaled_box(box: Box, before: tuple[int, int], after: tuple[int, int]) -> Box:
    """Find where a box is in a picture of another size: outwards, so that no small one vanishes.

    Parameters
    ----------
    box : Box
    before, after : tuple of (int, int)
        The width and height of the picture that it is in, and of the other.

    Returns
    -------
    Box

    Examples
    --------
    >>> scaled_box(Box(2000, 1500, 2006, 1506), (4000, 3000), (320, 240))
    Box(left=160, top=120, right=161, bottom=121)
    """
    across, down = after[0] / before[0], after[1] / before[1]
    return Box(
        math.floor(box.left * across),
        math.floor(box.top * down),
        math.ceil(box.right * across),
        math.ceil(box.bottom * down),
    )


def draw_boxes(picture: Image.Image, boxes: Iterable[Box]) -> Image.Image:
    """Draw the edges of boxes over a picture: light lines in dark ones.

    The light line covers the outermost pixels of the box, the dark one those beside it, on
    either side. What of a box lies outside the picture is cut off.

    Parameters
    ----------
    picture : PIL.Image.Image
        It stays as it is.
    boxes : iterable of Box

    Returns
    -------
    PIL.Image.Image
        In RGBA if the picture has transparency, else in RGB; the picture itself where no
        box has a pixel in it.

    Examples
    --------
    >>> drawn = draw_boxes(Image.new("L", (9, 9), "gray"), [Box(2, 2, 7, 7)])
    >>> [drawn.getpixel((column, 4)) for column in range(4)]
    [(128, 128, 128), (16, 16, 16), (255, 251, 230), (16, 16, 16)]
    """
    inside = [kept for kept in (_within(box, picture.size) for box in boxes) if kept]
    if not inside:
        return picture
    canvas = in_colour_mode(picture).copy()
    line = max(1, round(min(picture.size) / LINES_ACROSS))
    beside = max(1, line // 2)
    draw = ImageDraw.Draw(canvas)
    for left, top, right, bottom in inside:
        # Pillow's rectangles end with their last pixel, and their lines grow inwards.
        around = (left - beside, top - beside, right - 1 + beside, bottom - 1 + beside)
        draw.rectangle(around, outline=OUTLINE, width=line + 2 * beside)
        draw.rectangle((left, top, right - 1, bottom - 1), outline=LINE, width=line)
    return canvas


def _within(box: Box, size: tuple[int, int]) -> Box | None:
    width, height = size
    left, top = max(box.left, 0), max(box.top, 0)
    right, bottom = min(box.right, width), min(box.bottom, height)
    return Box(left, top, right, bottom) if left < right and top < bottom else None
