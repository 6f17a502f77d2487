"""The viewer in pages: what it is told of explanations, its script and its style.

The script is an element of the browser's own kind, that draws in a page what
`format_as_image` draws in Python. It finds its data as JSON in a child ``<script
type="application/json">``, or is given them by its property ``data``.
"""

import base64
import functools
import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters.boxes import boxes_of, scaled_box
from explainkit.formatters.captions import caption_of
from explainkit.formatters.colormaps import colour_table
from explainkit.formatters.drawing import Drawing, as_drawing
from explainkit.formatters.image import heatmap_to_image
from explainkit.formatters.options import check_two_axes, chosen_targets
from explainkit.formatters.pages.parts import page_file
from explainkit.formatters.pages.pictures import fitting, reduced, small_enough
from explainkit.formatters.saturation import saturate
from explainkit.formatters.target_names import target_in_words

#: The longer side of a picture in a page: enough for twice as many pixels as it is wide there.
LARGEST = 1024

#: Colormaps to choose from: equal steps of heat look equal, in grey and to the colour-blind too.
COLORMAPS = ("viridis", "magma", "inferno", "plasma", "cividis", "gray")

_BLANK = "This heatmap is zero everywhere: no place in the picture speaks for the target."


def payload(
    expls: Sequence[Explanation], *, largest: int = LARGEST, **options: Any
) -> dict[str, Any]:
    """Gather all that the viewer shows of explanations of one picture.

    Parameters
    ----------
    expls : sequence of Explanation
        One or more, of the same picture. The first is shown first.
    largest : int
        The picture, and maps, are reduced to at most so many pixels a side.
    **options
        Those of `format_as_image`, the same by default, but that `target` is None: all
        targets are there to choose from, the first is shown first.

    Returns
    -------
    dict
        Safe for JSON. Heat is in 256 levels, as `format_as_image` draws it, so that no
        number read off is wrong by more than 1/510; a byte a cell, row by row, deflated.
        Boxes are in pixels of the picture as it was, and found in it as it is shown.

    Raises
    ------
    TypeError, ValueError, IndexError
        As `format_as_image` does; and if the pictures differ.

    Examples
    --------
    >>> heat = np.eye(2, dtype=np.float32)
    >>> target = TargetExplanation(243, "bull mastiff", 12.345, 0.81, heat, heat)
    >>> picture = Image.new("RGB", (640, 480), "navy")
    >>> expl = Explanation("a model", "gradcam", targets=[target], image=picture)
    >>> told = payload([expl], largest=320)
    >>> told["size"], told["picture"]["width"]
    ([640, 480], 320)
    >>> heat = told["views"][0]["targets"][0]["heat"]
    >>> list(zlib.decompress(base64.b64decode(heat)))
    [255, 0, 0, 255]
    """
    return payload_of(expls, as_drawing(**options), largest)


def payload_of(
    expls: Sequence[Explanation],
    drawing: Drawing,
    largest: int = LARGEST,
    cells: int | None = None,
    as_uri: Callable[[Image.Image], str] = small_enough,
) -> dict[str, Any]:
    """Gather what `payload` does, for options that are checked already.

    Maps may be reduced further, to at most so many `cells` a side, and pictures be written
    otherwise, by `as_uri`, for those who send many.
    """
    given = as_explanations(expls)
    image = given[0].image
    shown = None if image is None else reduced(image, largest)
    table = _base64(drawing.table.tobytes())
    known = _tables().get(drawing.name) == table
    return {
        "picture": None if shown is None else _as_picture(shown, as_uri),
        "size": None if image is None else list(image.size),
        "alpha": drawing.alpha_limit,
        "colormap": drawing.name,
        "colours": {} if known else {drawing.name: table},
        "filter": drawing.resampling.name.lower(),
        "boxed": drawing.boxes is True,
        "given": [] if isinstance(drawing.boxes, bool) else [list(box) for box in drawing.boxes],
        "views": [
            {
                "estimator": expl.estimator,
                "method": method,
                "layer": expl.layer or "",
                "about": expl.description,
                "note": note_of(expl),
                "targets": [
                    _as_target(one, image, shown, drawing.share, cells or largest)
                    for one in targets_of(expl, drawing)
                ],
            }
            for expl, method in zip(given, _methods_apart(given), strict=True)
        ],
    }


def as_explanations(given: Any) -> list[Explanation]:
    """Check that these are explanations of one picture.

    Parameters
    ----------
    given : Explanation, or iterable of Explanation

    Returns
    -------
    list of Explanation

    Raises
    ------
    TypeError
        If there is something else among them.
    ValueError
        If there is none, or their pictures differ.
    """
    expls = [given] if isinstance(given, Explanation) else given
    wanted = "give what explain_prediction returned, or several of one picture"
    if isinstance(expls, str | bytes) or not isinstance(expls, Iterable):
        raise TypeError(f"an Explanation can be shown, not a {type(given).__name__}; {wanted}")
    expls = list(expls)
    if not expls:
        raise ValueError(f"there is no explanation to show; {wanted}")
    for one in expls:
        if not isinstance(one, Explanation):
            raise TypeError(
                f"an Explanation can be shown, not a {type(one).__name__} among them; {wanted}"
            )
    for position, one in enumerate(expls[1:], 1):
        if _picture_alone(one) != _picture_alone(expls[0]):
            raise ValueError(
                f"explanation {position} is of another picture than the first: one view shows one "
                "picture, by several methods or at several layers; make a view for each picture"
            )
    return expls


def targets_of(expl: Explanation, drawing: Drawing) -> list[TargetExplanation]:
    """Choose the targets that are shown: all, or those at the positions asked for."""
    if drawing.target is None or expl.error:
        return list(expl.targets)
    return chosen_targets(expl, drawing.target)


def unit_of(target: TargetExplanation) -> str:
    """Name a target's unit, where its label does not."""
    return target_in_words(target.target) if target.label else ""


def in_digits(value: float | None) -> str | None:
    """Write a number as captions do."""
    return None if value is None else f"{value:.3g}"


def note_of(expl: Explanation) -> str:
    """Say why there is nothing to see, if so."""
    if expl.error:
        return f"This explanation failed: {expl.error}"
    return "" if expl.targets else "This explanation has no targets."


def undrawable(heatmap: NDArray[np.float32]) -> str:
    """Say why a heatmap is no picture; nothing of one that is."""
    try:
        check_two_axes(heatmap.shape)
    except ValueError as error:
        sentence = str(error)
        return sentence[0].upper() + sentence[1:] + "."
    return ""


@functools.cache
def script() -> str:
    """Give the script of the viewer: all that a page needs for its elements.

    Returns
    -------
    str
        To stand in a ``<script>``, as often as one likes. It defines the element whose
        name is `element`, with the style `style`.

    Examples
    --------
    >>> "</script" in script()
    False
    """
    return f"{_program()}({', '.join(map(json.dumps, (element(), style(), _tables())))});"


@functools.cache
def style() -> str:
    """Give the style of what is inside the element; `script` has it, too.

    Returns
    -------
    str
    """
    return re.sub(r"(?m)^\s+|/\*.*?\*/\s*", "", page_file("viewer.css"))


@functools.cache
def element() -> str:
    """Name the element, as in ``<explainkit-view-…></explainkit-view-…>``.

    Returns
    -------
    str
        With a digest of the script, so that pages may hold views by two versions of it.

    Examples
    --------
    >>> element().startswith("explainkit-view-")
    True
    """
    content = _program() + style() + json.dumps(_tables())
    return f"explainkit-view-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _program() -> str:
    # Comments are for those who read the file; a page is sent without.
    return re.sub(r"(?m)^\s*(//.*)?\n?", "", page_file("viewer.js")).strip()


@functools.cache
def _tables() -> dict[str, str]:
    return {name: _base64(colour_table(name, alpha_limit=1.0).tobytes()) for name in COLORMAPS}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _picture_alone(expl: Explanation) -> Explanation:
    # Records compare pictures as they should be compared: by their pixels.
    return Explanation("", "", image=expl.image)


def _methods_apart(expls: Sequence[Explanation]) -> list[str]:
    """Name methods so that no two views have the same names: by their models, or by (2)."""
    several = len({expl.estimator for expl in expls}) > 1
    met: Counter[tuple[str, str | None]] = Counter()
    names = []
    for expl in expls:
        name = f"{expl.method} of {expl.estimator}" if several else expl.method
        met[name, expl.layer] += 1
        times = met[name, expl.layer]
        names.append(name if times == 1 else f"{name} ({times})")
    return names


def _as_picture(shown: Image.Image, as_uri: Callable[[Image.Image], str]) -> dict[str, Any]:
    width, height = shown.size
    return {"src": as_uri(shown), "width": width, "height": height}


def _as_target(
    one: TargetExplanation,
    image: Image.Image | None,
    shown: Image.Image | None,
    share: float,
    cells: int,
) -> dict[str, Any]:
    said = {
        "name": caption_of(one)[0],
        "unit": unit_of(one),
        "key": target_in_words(one.target),
        "score": in_digits(one.score),
        "proba": in_digits(one.proba),
    }
    if reason := undrawable(one.heatmap):
        return {**said, "note": reason, "heat": None}
    heat = heatmap_to_image(saturate(one.heatmap, share))
    heat = heat.resize(fitting(heat.size, cells), Image.Resampling.BOX)
    return {
        **said,
        "note": "" if one.heatmap.any() else _BLANK,
        "cells": list(heat.size),
        "heat": _base64(zlib.compress(heat.tobytes(), 9)),
        "level": _full_strength(one.heatmap, share),
        "box": _box_in(image, shown, one),
    }


def _full_strength(heatmap: NDArray[np.float32], share: float) -> float:
    """Find the heat from which on cells are drawn at full strength."""
    hot = heatmap > 0
    if not hot.any():
        return 1.0
    return float(heatmap[hot].min() / saturate(heatmap, share)[hot].min())


def _box_in(
    image: Image.Image | None, shown: Image.Image | None, one: TargetExplanation
) -> list[int] | None:
    height, width = one.heatmap.shape
    size = (width, height) if shown is None else shown.size
    found = boxes_of(one, size, asked=True)
    if not found:
        return None
    whole = size if image is None else image.size
    return list(scaled_box(found[0], size, whole))
