"""What is known to be right of a document, and how far an explanation agrees with it."""

from collections.abc import Iterable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.explanation import Explanation, TargetExplanation, TargetName
from explainkit.localization.box import Box, BoxLike, as_boxes
from explainkit.localization.boxes import find_box
from explainkit.localization.heat import BlankMapError, Heat, heat_of
from explainkit.localization.limits import as_whole
from explainkit.localization.masks import find_mask
from explainkit.localization.overlap import iou

_WANTED = (
    "give the unit or the label that is right, a box or several, a mask of bool, a Truth, or None "
    "where nothing is known"
)


def _as_target(given: Any) -> TargetName | None:
    if given is None or isinstance(given, str):
        return given
    meaning = "the number of the unit, its label, or (output, unit)"
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
        return given[0], as_whole("the unit of the truth", given[1], 0, meaning)
    return as_whole("the target of the truth", given, 0, meaning)


def _as_places(given: Any) -> tuple[Box, ...]:
    boxes = as_boxes(given)
    if not all(one.area for one in boxes):
        raise ValueError(f"boxes is {given!r}, with a box of no area")
    return tuple(boxes)


def _as_mask(given: Any) -> NDArray[np.bool_] | None:
    if given is None:
        return None
    mask = np.asarray(given)
    if mask.dtype != np.bool_:
        raise TypeError(f"the mask is of dtype {mask.dtype}; give one of bool, such as mask > 0")
    if mask.ndim != 2:
        raise ValueError(f"the mask has shape {mask.shape}; give one of shape (height, width)")
    if not mask.any():
        raise ValueError("the mask is True nowhere; give None where there is nothing to be found")
    return mask


@attrs.frozen
class Truth:
    """What is known to be right of a document.

    Parameters
    ----------
    target : int, tuple of (str, int), str, or None
        The right unit, named as targets are, or its label; None where it is not known.
    boxes : Box, iterable of Box
        Where it is, in pixels of the picture: four whole numbers (left, top, right,
        bottom), or several of these, of which any will do.
    mask : ndarray of bool, shape (H, W), or None
        Where it is, in the place of boxes: the pixels that are of it.

    Raises
    ------
    TypeError, ValueError
        If one of them is no such thing, if a box has no area or a mask no pixel, or if
        there are boxes and a mask.

    Examples
    --------
    >>> Truth("cat", boxes=(2, 1, 6, 4)).boxes
    (Box(left=2, top=1, right=6, bottom=4),)
    """

    target: TargetName | None = attrs.field(default=None, converter=_as_target)
    boxes: tuple[Box, ...] = attrs.field(default=(), converter=_as_places)
    mask: NDArray[np.bool_] | None = attrs.field(
        default=None, converter=_as_mask, eq=attrs.cmp_using(eq=np.array_equal), hash=False
    )

    def __attrs_post_init__(self) -> None:
        if self.boxes and self.mask is not None:
            raise ValueError("the truth has boxes and a mask; give one of them")


#: What is taken for the truth about a document.
TruthLike = Truth | TargetName | BoxLike | Iterable[BoxLike] | NDArray[np.bool_] | None


def as_truth(given: Any) -> Truth:
    """Read what is known of a document from what a caller has.

    Parameters
    ----------
    given : Truth, int, tuple of (str, int), str, Box, iterable of Box, ndarray of bool, or None
        Arrays and tensors of one entry are that entry.

    Returns
    -------
    Truth

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or as `Truth` does.

    Examples
    --------
    >>> as_truth(("kinds", 3)).target, as_truth([(0, 0, 4, 2)]).boxes
    (('kinds', 3), (Box(left=0, top=0, right=4, bottom=2),))
    """
    if isinstance(given, Truth):
        return given
    if hasattr(given, "__array__"):  # numpy's numbers, and tensors
        given = np.asarray(given)
        if given.dtype == np.bool_ and given.ndim:
            return Truth(mask=given)
        # A row of a column of labels, shape (N, 1), is an array of one.
        given = given.item() if given.size == 1 else given
    is_pair = isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str)
    if given is None or is_pair or isinstance(given, str | int):
        return Truth(target=given)
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        raise TypeError(f"the truth is {given!r}, of type {type(given).__name__}; {_WANTED}")
    boxes = list(given)
    if not boxes:
        raise ValueError(f"the truth is empty; {_WANTED}")
    return Truth(boxes=boxes)


@attrs.frozen
class Agreement:
    """How far the first target of an explanation agrees with the truth.

    Attributes
    ----------
    right : bool or None
        Whether it is the right one; None where that is not known.
    hit : bool or None
        Whether the hottest pixel lies in a true box or in the mask; None where there are none.
    overlap : float or None
        The IoU, from 0 to 1: of the heatmap's box with the true box that it fits best, or
        of its hot pixels with the mask.
    """

    right: bool | None = None
    hit: bool | None = None
    overlap: float | None = None


def agreement_of(expl: Explanation, truth: Truth) -> Agreement:
    """Compare the first target of an explanation with the truth.

    Parameters
    ----------
    expl : Explanation
        One that failed, or has no targets, agrees with nothing, and misses nothing.
    truth : Truth

    Returns
    -------
    Agreement
        A heatmap of zeros points nowhere: it hits nothing, and its overlap is 0.

    Raises
    ------
    ValueError
        If the truth is named by a label and the target has none, or otherwise than
        targets are; if a mask is not of the picture's size, or a box outside it; if there are
        boxes and no picture, or a place and no map of two axes.

    Examples
    --------
    >>> from PIL import Image
    >>> heat = np.zeros((4, 4), np.float32)
    >>> heat[1:3, 1:3] = 1
    >>> target = TargetExplanation(3, "cat", 12.3, 0.81, heat, heat)
    >>> expl = Explanation("a model", "gradcam", targets=[target], image=Image.new("L", (4, 4)))
    >>> agreement_of(expl, Truth("cat", boxes=(1, 1, 3, 4)))
    Agreement(right=True, hit=True, overlap=0.6666666666666666)
    """
    if expl.error or not expl.targets:
        return Agreement()
    right = None if truth.target is None else _is_it(expl.targets[0], truth.target)
    if expl.image is not None:
        _check_inside(truth.boxes, expl.image.size)
    if truth.mask is None and not truth.boxes:
        return Agreement(right)
    try:
        heat = heat_of(expl, None if truth.mask is None else _size_of(truth.mask, expl))
    except BlankMapError:
        return Agreement(right, hit=False, overlap=0.0)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    if truth.mask is not None:
        hit = bool(truth.mask[row, column])
        return Agreement(right, hit, iou(find_mask(heat), truth.mask))
    hit = any(_holds(box, int(column), int(row)) for box in truth.boxes)
    return Agreement(right, hit, _best_overlap(heat, truth.boxes))


def _is_it(target: TargetExplanation, right: TargetName) -> bool:
    if isinstance(right, str):
        if target.label is None and not isinstance(target.target, str):
            raise ValueError(
                f"the truth is the label {right!r}, but the target {target.target!r} has no "
                "label; give the unit, or target_names= where it was explained"
            )
        return right in (target.label, target.target)
    if isinstance(right, tuple) != isinstance(target.target, tuple) or isinstance(
        target.target, str
    ):
        raise ValueError(
            f"the truth is {right!r}, but the explanation is about a target named "
            f"{target.target!r}; name the truth as targets are"
        )
    return target.target == right


def _size_of(mask: NDArray[np.bool_], expl: Explanation) -> tuple[int, int]:
    height, width = mask.shape
    if expl.image is not None and expl.image.size != (width, height):
        raise ValueError(
            f"the mask has shape {mask.shape}, but the picture {expl.image.height} rows of "
            f"{expl.image.width} pixels; give a mask of the picture's size"
        )
    return width, height


def _check_inside(boxes: Iterable[Box], size: tuple[int, int]) -> None:
    for box in boxes:
        if not iou(box, Box(0, 0, *size)):
            raise ValueError(
                f"the box {tuple(box)} lies outside the picture of {size[0]} x {size[1]} pixels; "
                "give left, top, right and bottom in pixels of the picture"
            )


def _holds(box: Box, column: int, row: int) -> bool:
    return box.left <= column < box.right and box.top <= row < box.bottom


def _best_overlap(heat: Heat, boxes: Iterable[Box]) -> float:
    found = find_box(heat)
    return max(iou(found, box) for box in boxes)
