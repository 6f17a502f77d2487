"""Explanations as pictures: the heatmap in colours over the picture it explains."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters.boxes import Boxes, as_drawn_boxes, boxes_of, draw_boxes
from explainkit.formatters.captions import caption_of, side_by_side
from explainkit.formatters.colormaps import Colormap, colour_table
from explainkit.formatters.colour_mode import in_colour_mode
from explainkit.formatters.options import (
    Positions,
    ResamplingFilter,
    as_alpha_limit,
    as_resampling,
    check_two_axes,
    chosen_targets,
)
from explainkit.formatters.saturation import as_share, saturate

LANCZOS = Image.Resampling.LANCZOS
_ROUNDING = 1e-5  # heatmaps in half precision may end this far outside [0, 1]


def format_as_image(
    expl: Explanation,
    resampling_filter: ResamplingFilter = LANCZOS,
    colormap: Colormap = "viridis",
    alpha_limit: float = 0.65,
    target: Positions = 0,
    saturated: float = 0.0,
    boxes: Boxes = False,
) -> Image.Image:
    """Draw the heatmap of a target, in colours, over the picture that was explained.

    Each pixel of the overlay has the colour ``colormap(heat)`` and the opacity
    ``alpha_limit * heat``, where ``heat`` is the heatmap resampled to the picture's
    own size and kept within [0, 1], in 256 shades. No filter's overshoot can make a
    pixel more opaque than the limit.

    Parameters
    ----------
    expl : Explanation
        With an image and at least one target, whose heatmap has rank 2.
    resampling_filter : PIL.Image.Resampling, int or str
        The filter that expands the heatmap: Pillow's constant or its name.
    colormap : str or callable
        The name of one of matplotlib's colormaps, or a function of an array of
        numbers in [0, 1] that returns RGB or RGBA along a new last axis: floats in
        [0, 1] or uint8. A colormap's own opacity lowers the overlay's.
    alpha_limit : float
        The greatest opacity of any pixel of the overlay, in [0, 1].
    target : int, iterable of int, or None
        The position in ``expl.targets`` of the heatmap to draw. Several positions,
        or None for all, are drawn side by side with captions on a white sheet.
    saturated : float
        The share of the heatmap's cells, the strongest, that are drawn at full strength, in
        [0, 1). Maps of gradients with respect to the picture have few cells that outshine
        all others: with 0.01 something is seen of these.
    boxes : bool or iterable of Box
        True to draw, for each target, the box that `explainkit.localization.find_box`
        finds; a heatmap of zeros has none. Or the boxes to draw over every picture, such
        as the truth: (left, top, right, bottom) in its pixels.

    Returns
    -------
    PIL.Image.Image
        For one position, a picture of the size of ``expl.image``: RGBA where that
        has transparency, else RGB. The overlay lies over transparent pixels too, for
        the model may have looked there. Where the overlay is invisible everywhere
        (``alpha_limit=0``, a heatmap of zeros) and no box is drawn, a copy of
        ``expl.image`` in its own mode. For several positions, an RGB picture.

    Raises
    ------
    TypeError
        If an argument is of a type that nothing can be made of.
    ValueError
        If there is no picture or nothing to draw over it, or an option is out of
        range or unknown.
    IndexError
        If there is no target at that position.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> from explainkit.explanation import Explanation, TargetExplanation
    >>> heat = np.eye(7, dtype=np.float32)
    >>> expl = Explanation(
    ...     estimator="a model",
    ...     method="gradcam",
    ...     targets=[TargetExplanation(243, "bull mastiff", 12.3, 0.81, heat, heat)],
    ...     image=Image.new("RGB", (640, 480), "navy"),
    ... )
    >>> format_as_image(expl, "bicubic", colormap="magma", alpha_limit=0.4).size
    (640, 480)
    """
    picture, targets = _what_to_draw(expl, target)
    resampling = as_resampling(resampling_filter)
    table = colour_table(colormap, as_alpha_limit(alpha_limit))
    share, asked = as_share(saturated), as_drawn_boxes(boxes)

    def draw(one: TargetExplanation) -> Image.Image:
        overlay = _overlay(saturate(one.heatmap, share), picture, resampling, table)
        return draw_boxes(_over(picture, overlay), boxes_of(one, picture.size, asked))

    drawn = map(draw, targets)  # one by one: no more than one large overlay is held at a time
    if isinstance(target, int | np.integer):
        return next(drawn)
    captions = [caption_of(one) for one in targets]
    return side_by_side(map(in_colour_mode, drawn), captions, picture.size)


def check_drawing(
    resampling_filter: ResamplingFilter = LANCZOS,
    colormap: Colormap = "viridis",
    alpha_limit: float = 0.65,
    saturated: float = 0.0,
    boxes: Boxes = False,
) -> None:
    """Raise what `format_as_image` would raise for these options, and draw nothing.

    For those who explain and draw in one go, and would know before they explain.
    """
    as_resampling(resampling_filter)
    colour_table(colormap, as_alpha_limit(alpha_limit))
    as_share(saturated)
    if not isinstance(boxes, Iterator):  # which can be read once only: when it is drawn
        as_drawn_boxes(boxes)


def format_as_png(expl: Explanation, *, target: Positions = None, **options: Any) -> bytes:
    """Draw an explanation as `format_as_image` does, as the bytes of a PNG file.

    Parameters
    ----------
    expl : Explanation
        With an image and at least one target.
    target : int, iterable of int, or None
        As for `format_as_image`; by default all targets, with captions.
    **options
        The other options of `format_as_image`.

    Returns
    -------
    bytes
        A PNG file.

    Raises
    ------
    TypeError, ValueError, IndexError
        As `format_as_image` does.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> from explainkit.explanation import Explanation, TargetExplanation
    >>> heat = np.eye(7, dtype=np.float32)
    >>> target = TargetExplanation(243, "bull mastiff", 12.3, 0.81, heat, heat)
    >>> picture = Image.new("RGB", (640, 480), "navy")
    >>> expl = Explanation("a model", "gradcam", targets=[target], image=picture)
    >>> format_as_png(expl, colormap="magma")[1:4]
    b'PNG'
    """
    file = io.BytesIO()
    in_colour_mode(format_as_image(expl, target=target, **options)).save(file, "PNG")
    return file.getvalue()


def heatmap_to_image(heatmap: ArrayLike | Image.Image) -> Image.Image:
    r"""Turn a heatmap into a grey picture of its own size, black for 0 and white for 1.

    Parameters
    ----------
    heatmap : array_like, shape (h, w)
        Numbers in [0, 1]. A grey (mode L) picture of a heatmap will do as well.

    Returns
    -------
    PIL.Image.Image
        In mode L, of size (w, h).

    Raises
    ------
    TypeError
        If the heatmap does not hold real numbers.
    ValueError
        If it has not rank 2, is empty, or holds NaN or numbers outside [0, 1].

    Examples
    --------
    >>> heatmap_to_image([[0.0, 0.5, 1.0]]).tobytes()
    b'\x00\x80\xff'
    """
    return Image.fromarray(np.floor(_heat(heatmap) * 255 + 0.5).astype(np.uint8))


def expand_heatmap(
    heatmap: ArrayLike | Image.Image,
    image: Image.Image,
    resampling_filter: ResamplingFilter = LANCZOS,
) -> Image.Image:
    r"""Expand a heatmap to the size of a picture.

    Resampling is done in floating point and its overshoot cut off at 0 and 1, so
    that no filter makes a bright spot dark or the reverse.

    Parameters
    ----------
    heatmap : array_like, shape (h, w)
        Numbers in [0, 1]. A grey (mode L) picture of a heatmap will do as well.
    image : PIL.Image.Image
        The picture whose size is wanted.
    resampling_filter : PIL.Image.Resampling, int or str
        Pillow's constant or its name.

    Returns
    -------
    PIL.Image.Image
        In mode L, of the size of ``image``, black for 0 and white for 1.

    Raises
    ------
    TypeError
        If the heatmap does not hold real numbers, or ``image`` is no PIL picture.
    ValueError
        If the heatmap has not rank 2, is empty, or holds NaN or numbers outside
        [0, 1]; if there is no such filter.

    Examples
    --------
    >>> from PIL import Image
    >>> picture = Image.new("RGB", (4, 2))
    >>> expand_heatmap([[0.0, 1.0]], picture, "nearest").tobytes()
    b'\x00\x00\xff\xff\x00\x00\xff\xff'
    """
    if not isinstance(image, Image.Image):
        raise TypeError(
            f"image is of type {type(image).__name__}; give the PIL picture whose size is wanted"
        )
    # Pillow cuts off fractions, and all that is outside [0, 255], when it turns floats
    # into bytes. No filter changes a constant, so half a level added here rounds there.
    levels = Image.fromarray(_heat(heatmap) * np.float32(255) + np.float32(0.5))
    return levels.resize(image.size, as_resampling(resampling_filter)).convert("L")


def _what_to_draw(
    expl: Explanation, target: Positions
) -> tuple[Image.Image, list[TargetExplanation]]:
    if not isinstance(expl, Explanation):
        raise TypeError(
            f"an Explanation can be drawn, not a {type(expl).__name__}; "
            "give what explain_prediction returned"
        )
    if expl.error:
        raise ValueError(f"there is nothing to draw, for the explanation failed: {expl.error}")
    if not expl.targets:
        raise ValueError("there is nothing to draw, for this explanation has no targets")
    targets = chosen_targets(expl, target)
    if expl.image is None:
        raise ValueError(
            "this explanation has no picture to draw over; pass image= (a PIL picture, an array "
            "or a path) to explain_prediction"
        )
    return expl.image, targets


def _heat(heatmap: ArrayLike | Image.Image) -> NDArray[np.float32]:
    """Check a heatmap: float32, shape (h, w), in [0, 1]."""
    wanted = "give numbers in [0, 1] of shape (height, width)"
    if isinstance(heatmap, Image.Image):
        if heatmap.mode != "L":
            raise TypeError(f"the heatmap is a picture in mode {heatmap.mode}; give one in mode L")
        return np.asarray(heatmap, np.float32) / np.float32(255)
    heat = np.asarray(heatmap)
    if heat.dtype.kind not in "biuf":
        raise TypeError(
            f"the heatmap is a {type(heatmap).__name__} of dtype {heat.dtype}; {wanted}"
        )
    check_two_axes(heat.shape)
    if heat.size == 0:
        raise ValueError(f"the heatmap has shape {heat.shape}; {wanted}")
    low, high = float(heat.min()), float(heat.max())
    if np.isnan(low):
        raise ValueError(f"the heatmap holds NaN; {wanted}")
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ValueError(f"the heatmap holds numbers from {low:.4g} to {high:.4g}; {wanted}")
    return np.clip(heat.astype(np.float32), 0, 1)


def _overlay(
    heatmap: NDArray[np.float32],
    picture: Image.Image,
    resampling: Image.Resampling,
    table: NDArray[np.uint8],
) -> Image.Image:
    shades = expand_heatmap(heatmap, picture, resampling)
    shades.putpalette(table.tobytes(), "RGBA")  # Pillow looks each pixel's colour up, in C
    return shades.convert("RGBA")


def _over(picture: Image.Image, overlay: Image.Image) -> Image.Image:
    if overlay.getbbox() is None:  # no pixel that is not wholly transparent
        return picture.copy()
    canvas = in_colour_mode(picture)
    if canvas.mode == "RGBA":
        return Image.alpha_composite(canvas, overlay)
    return Image.composite(overlay, canvas, mask=overlay)
