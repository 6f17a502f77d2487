"""Maps laid over their pictures, as shares of the greatest heat."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.localization.limits import as_whole

Heat = NDArray[np.float32]
#: What heat is found in: an explanation, one of its targets, or a map.
Found = Explanation | TargetExplanation | ArrayLike
#: Width and height, as Pillow's.
Size = tuple[int, int]

_WANTED = "give a map of real numbers, of shape (height, width)"


class BlankMapError(ValueError):
    """A map that is positive nowhere: no place in the picture speaks for the target.

    Parameters
    ----------
    message : str
    """


def heat_of(found: Found, size: Size | None = None, *, target: int = 0) -> Heat:
    """Lay the positive part of a map over its picture.

    The part below 0 is cut off, the rest expanded linearly to the picture's pixels, and
    that divided by its own maximum: a threshold is a share of the greatest heat that any
    pixel has. (The greatest cell of a map shrinks where the map is expanded.)

    Parameters
    ----------
    found : Explanation, TargetExplanation, or array_like of shape (h, w)
        The heatmap of a record, or a map: raw and signed, or a heatmap.
    size : tuple of (int, int) or None
        Width and height in pixels, as Pillow gives them. None for those of the picture
        that was explained, or of the map itself where that alone is given.
    target : int
        Of an Explanation: the position in its ``targets``.

    Returns
    -------
    ndarray of float32, shape (H, W)
        In [0, 1]; the hottest pixel has 1.

    Raises
    ------
    TypeError
        If the map does not hold real numbers; if `size` or `target` are not whole numbers.
    ValueError
        If the explanation failed, has no target or no picture; if the map has not two
        axes, is empty, or holds NaN or infinity; if the size has no pixels.
    BlankMapError
        A ValueError: if the map is positive nowhere.
    IndexError
        If there is no target at that position.

    Examples
    --------
    >>> heat_of([[-3.0, 1.0], [2.0, 4.0]])
    array([[0.  , 0.25],
           [0.5 , 1.  ]], dtype=float32)
    >>> heat_of([[0.0, 1.0]], size=(4, 1))
    array([[0.  , 0.25, 0.75, 1.  ]], dtype=float32)
    """
    if isinstance(found, Explanation):
        one = _target_at(found, target)
        return _laid_over(one.heatmap, _size_of_picture(found) if size is None else size)
    if isinstance(found, TargetExplanation):
        return _laid_over(found.heatmap, size)
    return _laid_over(found, size)


def greatest_is_one(heat: NDArray[Any]) -> Heat:
    """Cut off what is below 0, and divide the rest by its maximum.

    Raises
    ------
    BlankMapError
        If nothing is above 0.
    """
    greatest = heat.max()
    if greatest <= 0:
        raise BlankMapError(
            "the map is positive nowhere: there is nothing that speaks for the target"
        )
    return np.asarray(np.maximum(heat, 0) / greatest, np.float32)


def _laid_over(given: ArrayLike, size: Size | None) -> Heat:
    # Divided before as well, since float32, which Pillow resamples, holds no 1e-60.
    heat = greatest_is_one(_checked_map(given))
    if size is None:
        return heat
    return greatest_is_one(
        np.asarray(Image.fromarray(heat).resize(_as_size(size), Image.Resampling.BILINEAR))
    )


def _checked_map(given: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(given)
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"the map is a {type(given).__name__} of dtype {values.dtype}; {_WANTED}, or an "
            "Explanation"
        )
    if values.ndim != 2 or not values.size:
        raise ValueError(f"the map has shape {values.shape}; {_WANTED}")
    if not np.isfinite(values).all():
        raise ValueError(f"the map holds NaN or infinity; {_WANTED}")
    return values.astype(np.float64)


def _as_size(given: Any) -> Size:
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise TypeError(f"size is {given!r}; give (width, height) in pixels")
    meaning = "(width, height) in pixels"
    return (
        as_whole("the width in size", given[0], 1, meaning),
        as_whole("the height in size", given[1], 1, meaning),
    )


def _size_of_picture(expl: Explanation) -> Size:
    if expl.image is None:
        raise ValueError(
            "this explanation has no picture to lay the map over; pass image= to "
            "explain_prediction, or size=(width, height)"
        )
    return expl.image.size


def _target_at(expl: Explanation, position: int) -> TargetExplanation:
    if expl.error:
        raise ValueError(f"there is no map, for the explanation failed: {expl.error}")
    if not expl.targets:
        raise ValueError("there is no map, for this explanation has no targets")
    place = as_whole("target", position, 0, "a position in the explanation's targets")
    if place >= len(expl.targets):
        raise IndexError(
            f"target is {position}; positions in this explanation's targets end at "
            f"{len(expl.targets) - 1}"
        )
    return expl.targets[place]
