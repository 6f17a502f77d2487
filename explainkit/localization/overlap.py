"""How much two boxes, or two masks, have in common."""

from typing import Any

import numpy as np

from explainkit.localization.box import Box, as_box


def iou(one: Any, other: Any) -> float:
    """Divide the pixels that two boxes or masks share by those that any of them has.

    Intersection over union, also known as the Jaccard index (Jaccard 1912).

    Parameters
    ----------
    one, other : Box, tuple of four int, or ndarray of bool
        Two boxes (left, top, right, bottom), or two masks of one shape.

    Returns
    -------
    float
        From 0 (nothing in common) to 1 (the same).

    Raises
    ------
    TypeError
        If that is a box and a mask, or neither.
    ValueError
        If the masks' shapes differ, a box ends before it begins, or neither of the two
        has a pixel.

    Examples
    --------
    >>> iou((0, 0, 4, 2), (2, 0, 6, 2))
    0.3333333333333333
    >>> import numpy as np
    >>> iou(np.array([True, True, False]), np.array([True, False, False]))
    0.5
    """
    masks = [_is_mask(one), _is_mask(other)]
    if all(masks):
        shared, either = _of_masks(one, other)
    elif any(masks):
        raise TypeError(
            "IoU is of two boxes or of two masks, not of one of each; box_of(mask) gives a "
            "mask's box"
        )
    else:
        shared, either = _of_boxes(as_box(one), as_box(other))
    if not either:
        raise ValueError("IoU of nothing: neither of the two has a pixel")
    return shared / either


def _is_mask(given: Any) -> bool:
    if not isinstance(given, np.ndarray):
        return False
    if given.dtype != np.bool_ and given.shape != (4,):
        raise TypeError(
            f"an array of dtype {given.dtype} and shape {given.shape} is no mask; give one of "
            "bool, such as heat > 0"
        )
    return bool(given.dtype == np.bool_)


def _of_masks(one: Any, other: Any) -> tuple[int, int]:
    if one.shape != other.shape:
        raise ValueError(f"masks of shapes {one.shape} and {other.shape} lie over no one picture")
    return int(np.count_nonzero(one & other)), int(np.count_nonzero(one | other))


def _of_boxes(one: Box, other: Box) -> tuple[int, int]:
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(width, 0) * max(height, 0)
    return shared, one.area + other.area - shared
