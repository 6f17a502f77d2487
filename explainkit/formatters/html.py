"""Explanations as HTML: something to look at, to try out and to pass on, in one piece."""

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from PIL import Image

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters.boxes import Boxes, scaled_box
from explainkit.formatters.captions import caption_of, side_by_side
from explainkit.formatters.colormaps import Colormap
from explainkit.formatters.drawing import Drawing, as_drawing
from explainkit.formatters.image import LANCZOS, format_as_image
from explainkit.formatters.options import Positions, ResamplingFilter
from explainkit.formatters.pages import viewer
from explainkit.formatters.pages.maps import draw_alone
from explainkit.formatters.pages.parts import content_security_policy, filled, page_file
from explainkit.formatters.pages.pictures import data_uri, reduced

#: The longer side of a picture that is seen without scripts, and how many stand in a row.
_STATIC_SIDE, _STATIC_TARGETS = 400, 4
_STATIC_QUALITY = 75


def format_as_html(
    expl: Explanation | Sequence[Explanation],
    resampling_filter: ResamplingFilter = LANCZOS,
    colormap: Colormap = "viridis",
    alpha_limit: float = 0.65,
    target: Positions = None,
    saturated: float = 0.0,
    boxes: Boxes = False,
    *,
    page: bool = False,
) -> str:
    """Show explanations of one picture in HTML, with controls to look closer.

    The browser draws the heatmap over the picture as `format_as_image` does. Its opacity,
    threshold, colours and resampling can be changed there, and the target, method and layer
    chosen; heat is read off under the pointer or with the arrow keys. Where scripts do not
    run, a picture with its heatmaps is seen, and the table of targets.

    All of it is in the text: nothing is loaded from elsewhere.

    Parameters
    ----------
    expl : Explanation, or sequence of Explanation
        Several must be of one picture: by other methods, at other layers, of other models.
        Without a picture the heatmaps themselves are shown; of signals and volumes, the table.
    resampling_filter : PIL.Image.Resampling, int or str
        The filter that expands heatmaps, smooth at first but for ``"nearest"`` and ``"box"``.
    colormap : str or callable
        As for `format_as_image`: the colours at first. Others can be chosen.
    alpha_limit : float
        The greatest opacity of the overlay at first, in [0, 1].
    target : int, iterable of int, or None
        The positions of the targets that are there to choose from, the first of which is
        shown first; None for all.
    saturated : float
        As for `format_as_image`.
    boxes : bool or iterable of Box
        Whether the box around the largest hot part is drawn at first. Or boxes to draw over
        the picture, such as the truth.
    page : bool
        Give a whole document, with a strict content security policy, in place of an element
        to stand in one.

    Returns
    -------
    str
        A view, as often as one likes on a page.

    Raises
    ------
    TypeError, ValueError, IndexError
        As `format_as_image` does; and if the pictures differ.

    Examples
    --------
    >>> from explainkit.explanation import Explanation, TargetExplanation
    >>> heat = np.eye(7, dtype=np.float32)
    >>> found = TargetExplanation(243, "bull mastiff", 12.3, 0.81, heat, heat)
    >>> picture = Image.new("RGB", (640, 480), "navy")
    >>> expl = Explanation("a model", "gradcam", targets=[found], image=picture)
    >>> format_as_html(expl, page=True).splitlines()[0]
    '<!doctype html>'
    """
    if not isinstance(page, bool | np.bool_):
        raise TypeError(
            f"page is {page!r}, of type {type(page).__name__}; give True for a whole document, "
            "False for an element to stand in one"
        )
    expls = viewer.as_explanations(expl)
    drawing = as_drawing(resampling_filter, colormap, alpha_limit, target, saturated, boxes)
    told = viewer.payload_of(expls, drawing)
    view = filled(
        "view.html.jinja",
        element=viewer.element(),
        overlay=_overlay(expls[0], drawing),
        told=told,
    )
    script = viewer.script()
    if not page:
        shown = filled(
            "fragment.html.jinja", view=view, style=page_file("static.css"), script=script
        )
    else:
        style = page_file("page.css") + page_file("static.css")
        shown = filled(
            "page.html.jinja",
            view=view,
            style=style,
            script=script,
            policy=content_security_policy([script], [style]),
            **_title(told),
        )
    # Half a pair of surrogates is in no file.
    return shown.encode("utf-8", "replace").decode("utf-8")


def _title(told: dict[str, Any]) -> dict[str, str]:
    view = told["views"][0]
    names = [target["name"] for target in view["targets"]]
    if not names:
        return {"before": "", "named": view["estimator"], "after": ": no explanation"}
    more = f", and {len(names) - 1} more" * (len(names) > 1)
    return {"before": f"What made {view['estimator']} say ", "named": names[0], "after": more}


def _overlay(expl: Explanation, drawing: Drawing) -> dict[str, Any] | None:
    """Draw what is seen without scripts: the first view, its targets side by side."""
    targets = viewer.targets_of(expl, drawing)
    drawable = [one for one in targets if not viewer.undrawable(one.heatmap)][:_STATIC_TARGETS]
    if len(drawable) < len(targets[:_STATIC_TARGETS]):
        return None  # signals and volumes are no pictures, though their docs may look like one
    if expl.image is None:
        if not drawable:
            return None
        sheet = _maps_alone(drawable, drawing)
    else:
        sheet = _over_picture(expl, expl.image, drawable, drawing)
    names = ", ".join(caption_of(one)[0] for one in drawable)
    place = "over the picture" if expl.image is not None else "alone"
    return {
        "src": data_uri(_on_white(sheet), "JPEG", quality=_STATIC_QUALITY),
        "width": sheet.width,
        "height": sheet.height,
        "alt": f"Heatmap of {names}, {place}" if drawable else "The picture, without a heatmap",
    }


def _over_picture(
    expl: Explanation,
    image: Image.Image,
    targets: list[TargetExplanation],
    drawing: Drawing,
) -> Image.Image:
    picture = reduced(image, _STATIC_SIDE)
    if not targets:
        return picture
    boxes = drawing.boxes
    if not isinstance(boxes, bool):
        boxes = [scaled_box(box, image.size, picture.size) for box in boxes]
    return format_as_image(
        attrs.evolve(expl, targets=targets, image=picture),
        drawing.resampling,
        drawing.colormap,
        drawing.alpha_limit,
        target=0 if len(targets) == 1 else None,
        saturated=drawing.share,
        boxes=boxes,
    )


def _maps_alone(targets: list[TargetExplanation], drawing: Drawing) -> Image.Image:
    drawn = [draw_alone(one, drawing, _STATIC_SIDE) for one in targets]
    if len(drawn) == 1:
        return drawn[0]
    width, height = max(one.width for one in drawn), max(one.height for one in drawn)
    return side_by_side(drawn, [caption_of(one) for one in targets], (width, height))


def _on_white(sheet: Image.Image) -> Image.Image:
    if sheet.mode != "RGBA":
        return sheet
    return Image.alpha_composite(Image.new("RGBA", sheet.size, "white"), sheet).convert("RGB")
