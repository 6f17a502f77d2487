"""A grid of pictures, with maps laid over them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageOps

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.filters import positive_normalize, scale
from explainkit.formatters.captions import PAPER, SMALLEST_PANEL, in_rows
from explainkit.formatters.colormaps import Colormap, colour_table
from explainkit.formatters.colour_mode import in_colour_mode
from explainkit.formatters.image import LANCZOS, check_drawing, expand_heatmap, format_as_image
from explainkit.formatters.options import ResamplingFilter, check_two_axes
from explainkit.pictures import as_picture

#: The colours of numbers with signs: blue below 0, grey at 0, red above.
DIVERGING = "coolwarm"
#: So many pictures stand in one row, before there are several.
_LONGEST_SINGLE_ROW = 4


@attrs.frozen(eq=False)
class _Map:
    """A map that is shown by itself: heat in [0, 1] and its colours."""

    heat: NDArray[np.float64]
    colormap: Colormap

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.heat.shape
        return width, height

    def drawn(self, size: tuple[int, int], resampling_filter: ResamplingFilter) -> Image.Image:
        shades = expand_heatmap(self.heat, Image.new("L", size), resampling_filter)
        colours = np.ascontiguousarray(colour_table(self.colormap, alpha_limit=1.0)[:, :3])
        shades.putpalette(colours.tobytes(), "RGB")
        return shades.convert("RGB")


def visualize(
    images: Any,
    titles: Sequence[str | None] | None = None,
    overlays: Iterable[Explanation | TargetExplanation | ArrayLike | None] | None = None,
    *,
    columns: int | None = None,
    colormap: Colormap = "viridis",
    alpha_limit: float = 0.65,
    resampling_filter: ResamplingFilter = LANCZOS,
) -> Image.Image:
    """Draw a grid of pictures and maps, with maps laid over some of them.

    All panels have the size of the largest picture, enlarged by a whole number where
    that is too small to see. Each picture is fitted into its panel and keeps its
    proportions.

    Parameters
    ----------
    images : iterable of PIL.Image.Image, array_like or None
        What stands in the panels, from left to right and from top to bottom:

        - a PIL picture;
        - an array of a picture, channels last: shape (H, W, 3 or 4), or shape (H, W)
          or (H, W, 1) of uint8. The values may be in any range that
          `explainkit.pictures.as_picture` knows; others are stretched, with a warning;
        - an array of a map: shape (h, w) or (h, w, 1), of anything but uint8. It has
          the colours of ``colormap`` from 0 to its maximum. A map with numbers below 0
          has those of "coolwarm", with 0 in the middle: blue is below, red above;
        - None, for a panel that stays empty.

        One array of shape (N, H, W, C) is N pictures or maps. One picture by itself
        will do as well.
    titles : sequence of (str or None), optional
        A line above each picture. If there are fewer, the last pictures have none.
    overlays : iterable of (Explanation, TargetExplanation, array_like or None), optional
        What is laid over each picture, as `format_as_image` does: the heatmap of an
        explanation's first target, or of a target; or a raw map of shape (h, w) or
        (h, w, 1), of which the positive part is shown, divided by its maximum. If there
        are fewer, the last pictures have none.
    columns : int, optional
        So many pictures stand in a row. By default up to four make one row, and more
        make about as many rows as columns.
    colormap : str or callable
        As for `format_as_image`; for overlays and maps.
    alpha_limit : float
        The greatest opacity of any pixel of an overlay, in [0, 1].
    resampling_filter : PIL.Image.Resampling, int or str
        The filter that expands maps: Pillow's constant or its name.

    Returns
    -------
    PIL.Image.Image
        In mode RGB, on white.

    Raises
    ------
    TypeError
        If an argument is of a type that nothing can be made of.
    ValueError
        If there are no pictures, more titles or overlays than pictures, an array has
        the wrong shape or holds NaN or infinity, or an option is out of range or unknown.

    Examples
    --------
    Pictures, their maps, and the maps over the pictures, in three rows:

    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((4, 96, 96, 3))
    >>> maps = np.random.default_rng(1).random((4, 7, 7, 1))
    >>> grid = visualize(
    ...     images=[*images, *maps, *images],
    ...     overlays=[None] * 8 + [*maps],
    ...     columns=4,
    ... )
    >>> grid.mode, grid.size
    ('RGB', (798, 600))
    """
    check_drawing(resampling_filter, colormap, alpha_limit)
    given = _listed(images)
    captions = _captions(titles, len(given))
    over = [] if overlays is None else list(overlays)
    _check_count("overlays", len(over), len(given))
    over += [None] * (len(given) - len(over))
    shown = [_what_to_show(f"images[{i}]", image, colormap) for i, image in enumerate(given)]
    for i, (image, overlay) in enumerate(zip(shown, over, strict=True)):
        if image is None and overlay is not None:
            raise ValueError(f"overlays[{i}] has nothing to lie over, for images[{i}] is None")
    laid = [_as_explanation(f"overlays[{i}]", overlay) for i, overlay in enumerate(over)]
    sizes = [image.size for image in shown if image is not None]
    if not sizes:
        raise ValueError("there is nothing to draw, for all images are None")
    panel = panel_size(sizes)

    def draw(image: Image.Image | _Map | None, expl: Explanation | None) -> Image.Image:
        if image is None:
            return Image.new("RGB", panel, PAPER)
        if isinstance(image, _Map):
            fitting = ImageOps.contain(Image.new("L", image.size), panel).size
            image = image.drawn(fitting, resampling_filter)
        if expl is not None:
            image = format_as_image(
                attrs.evolve(expl, image=image), resampling_filter, colormap, alpha_limit
            )
        return fitted(image, panel)

    drawn = map(draw, shown, laid)  # one by one, as the sheet takes them
    return in_rows(drawn, captions, panel, columns_for(len(given), columns))


def panel_size(sizes: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Find the size of panels into which pictures of these sizes fit.

    It is the greatest width and the greatest height, times the whole number that makes
    the longer side long enough to see something.

    Examples
    --------
    >>> panel_size([(640, 480), (300, 500)]), panel_size([(96, 96), (7, 7)])
    ((640, 500), (192, 192))
    """
    widths, heights = zip(*sizes, strict=True)
    width, height = max(widths), max(heights)
    times = math.ceil(SMALLEST_PANEL / max(width, height))
    return width * times, height * times


def columns_for(count: int, columns: int | None = None) -> int:
    """Check how many of so many pictures stand in a row, or choose it.

    Examples
    --------
    >>> [columns_for(count) for count in (1, 4, 5, 9, 12)]
    [1, 4, 3, 3, 4]
    """
    if columns is None:
        return count if count <= _LONGEST_SINGLE_ROW else math.ceil(math.sqrt(count))
    if isinstance(columns, bool) or not isinstance(columns, int | np.integer):
        raise TypeError(
            f"columns is {columns!r}, of type {type(columns).__name__}; give a whole number"
        )
    if columns < 1:
        raise ValueError(f"columns is {columns}; give 1 or more")
    return min(int(columns), count)


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Enlarge a picture to the width or the height of its panel, in mode RGB or RGBA."""
    return ImageOps.contain(in_colour_mode(picture), size, LANCZOS)


def _listed(images: Any) -> list[Any]:
    one_array = hasattr(images, "shape") and (
        len(images.shape) == 2 or (len(images.shape) == 3 and images.shape[-1] in (1, 3, 4))
    )
    if isinstance(images, Image.Image) or one_array:
        return [images]
    if isinstance(images, str | bytes) or not isinstance(images, Iterable):
        raise TypeError(
            f"images is of type {type(images).__name__}; give a list of PIL pictures and arrays, "
            "or an array of shape (N, H, W, C)"
        )
    listed = list(images)
    if not listed:
        raise ValueError("images is empty; give at least one picture")
    return listed


def _captions(titles: Sequence[str | None] | None, count: int) -> list[tuple[str, ...]]:
    if isinstance(titles, str):
        raise TypeError(f"titles is {titles!r}; give a list, with a title for each picture")
    listed = list(titles or ())
    _check_count("titles", len(listed), count)
    for i, title in enumerate(listed):
        if not isinstance(title, str | None):
            raise TypeError(f"titles[{i}] is of type {type(title).__name__}; give a str or None")
    listed += [None] * (count - len(listed))
    return [(title,) if title else () for title in listed]


def _check_count(name: str, given: int, wanted: int) -> None:
    if given > wanted:
        raise ValueError(
            f"there are {given} {name} for {wanted} image{'s' * (wanted != 1)}; give one for each "
            "image, None where there is none"
        )


def _what_to_show(name: str, image: Any, colormap: Colormap) -> Image.Image | _Map | None:
    if image is None or isinstance(image, Image.Image):
        return image
    if isinstance(image, str):
        raise TypeError(
            f"{name} is a str; give a PIL picture or an array "
            "(explainkit.pictures.read_image reads a file)"
        )
    array = _numbers(name, image)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (1, 3, 4)):
        raise ValueError(
            f"{name} has the shape {array.shape}; give (H, W, 3) or (H, W, 4) for a picture, "
            "channels last, (h, w) or (h, w, 1) for a map"
        )
    if array.dtype == np.uint8 or (array.ndim == 3 and array.shape[-1] > 1):
        return as_picture(array)
    numbers = _one_map(name, array)
    if numbers.min() < 0:
        return _Map((scale(numbers) + 1) / 2, DIVERGING)
    return _Map(positive_normalize(numbers), colormap)


def _as_explanation(name: str, overlay: Any) -> Explanation | None:
    """Make a record that `format_as_image` can draw, once it has a picture."""
    if overlay is None:
        return None
    if isinstance(overlay, Explanation):
        if overlay.error or not overlay.targets:
            why = f"it failed: {overlay.error}" if overlay.error else "it has no targets"
            raise ValueError(f"{name} is an Explanation that cannot be drawn, for {why}")
        check_two_axes(overlay.targets[0].heatmap.shape, f"{name}.targets[0].heatmap")
        return overlay
    if isinstance(overlay, TargetExplanation):
        check_two_axes(overlay.heatmap.shape, f"{name}.heatmap")
        return _explained_by(overlay)
    raw = _one_map(name, _numbers(name, overlay))
    heatmap = positive_normalize(raw).astype(np.float32)
    return _explained_by(TargetExplanation(name, None, 0.0, None, heatmap, raw.astype(np.float32)))


def _explained_by(target: TargetExplanation) -> Explanation:
    return Explanation(estimator="", method="", targets=[target])


def _numbers(name: str, given: Any) -> NDArray[Any]:
    array = np.asarray(given)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} is of type {type(given).__name__}, which holds {array.dtype}; "
            "give an array of real numbers"
        )
    if array.size == 0 or not np.isfinite(array).all():
        what = "is empty" if array.size == 0 else "holds NaN or infinity"
        raise ValueError(f"{name}, of shape {array.shape}, {what}; give finite numbers")
    return array


def _one_map(name: str, array: NDArray[Any]) -> NDArray[np.float64]:
    flat = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    if flat.ndim != 2:
        raise ValueError(
            f"{name} has the shape {array.shape}; give one map of shape (h, w) or (h, w, 1)"
        )
    return flat.astype(np.float64)
