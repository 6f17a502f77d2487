"""Boxes: what one is, and how one is read from what a caller has."""

from collections.abc import Iterable
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

_WANTED = "give four whole numbers: left, top, right and bottom, in pixels"


class Box(NamedTuple):
    """A part of a picture, in pixels as Pillow counts them.

    Attributes
    ----------
    left, top : int
        The first column and the first row that are in the box.
    right, bottom : int
        The first column and the first row behind it.

    Examples
    --------
    >>> box = Box(left=2, top=1, right=6, bottom=4)
    >>> box.size, box.area
    ((4, 3), 12)
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.right - self.left, self.bottom - self.top

    @property
    def area(self) -> int:
        """The number of pixels in the box."""
        width, height = self.size
        return width * height


#: What is taken for a box: four whole numbers.
BoxLike = Box | tuple[int, int, int, int]


def as_box(given: Any) -> Box:
    """Read a box from four whole numbers.

    Parameters
    ----------
    given : Box, or sequence of four whole numbers
        Left, top, right and bottom, in pixels; right and bottom are the first behind the
        box. A box may have no area; it may lie outside the picture.

    Returns
    -------
    Box

    Raises
    ------
    TypeError
        If that is no sequence of numbers.
    ValueError
        If these are not four, not whole, or right lies left of left.

    Examples
    --------
    >>> as_box((2, 1, 6.0, 4))
    Box(left=2, top=1, right=6, bottom=4)
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"a box is {given!r}, of type {type(given).__name__}; {_WANTED}")
    edges = list(given)
    if not all(_is_number(edge) for edge in edges):
        raise TypeError(f"a box is {given!r}, which holds what is no number; {_WANTED}")
    if len(edges) != 4:
        raise ValueError(f"a box has {len(edges)} numbers; {_WANTED}")
    if not all(float(edge).is_integer() for edge in edges):
        raise ValueError(f"a box is {given!r}, with parts of pixels; {_WANTED}")
    box = Box(*(int(edge) for edge in edges))
    if min(box.size) < 0:
        raise ValueError(
            f"a box is {tuple(box)}, which ends before it begins; {_WANTED} "
            "(not left, top, width and height)"
        )
    return box


def as_boxes(given: Any) -> list[Box]:
    """Read boxes from one of them or from several.

    Parameters
    ----------
    given : Box, sequence of four whole numbers, or iterable of these

    Returns
    -------
    list of Box
        None at all, if the iterable had none.

    Raises
    ------
    TypeError, ValueError
        As `as_box` does.

    Examples
    --------
    >>> as_boxes((2, 1, 6, 4)) == as_boxes([(2, 1, 6, 4)])
    True
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(
            f"boxes is {given!r}, of type {type(given).__name__}; give a box, which is four "
            "numbers (left, top, right, bottom), or several"
        )
    parts = list(given)
    return [as_box(parts)] if parts and _is_number(parts[0]) else [as_box(one) for one in parts]


def box_of(mask: ArrayLike) -> Box:
    """Find the smallest box that holds all pixels of a mask.

    Parameters
    ----------
    mask : array_like of bool, shape (H, W)
        With at least one True.

    Returns
    -------
    Box

    Raises
    ------
    TypeError
        If the mask is not of dtype bool.
    ValueError
        If it has not rank 2, or is True nowhere.

    Examples
    --------
    >>> box_of([[False, False, False], [False, True, True]])
    Box(left=1, top=1, right=3, bottom=2)
    """
    pixels = np.asarray(mask)
    if pixels.dtype != np.bool_:
        raise TypeError(f"the mask is of dtype {pixels.dtype}; give one of bool, such as heat > 0")
    if pixels.ndim != 2:
        raise ValueError(f"the mask has shape {pixels.shape}; give one of shape (height, width)")
    rows, columns = np.nonzero(pixels)
    if not rows.size:
        raise ValueError("the mask is True nowhere, so that no box holds it")
    return Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


def _is_number(given: Any) -> bool:
    return isinstance(given, Real) and not isinstance(given, bool)
