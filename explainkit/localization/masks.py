"""Masks of what a heatmap points at: seeds for segmentation."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explainkit.explanation import Explanation
from explainkit.localization.boxes import USUAL_THRESHOLD
from explainkit.localization.guided import guided_filter
from explainkit.localization.heat import Found, Heat, Size, greatest_is_one, heat_of
from explainkit.localization.limits import as_threshold, as_whole


def find_mask(
    found: Found,
    threshold: float = USUAL_THRESHOLD,
    *,
    size: Size | None = None,
    target: int = 0,
    smoothing: int = 0,
    guide: Image.Image | None = None,
) -> NDArray[np.bool_]:
    """Find the pixels of a picture that are hot.

    Parameters
    ----------
    found : Explanation, TargetExplanation, or array_like of shape (h, w)
        As for `heat_of`.
    threshold : float
        A share of the greatest heat, in (0, 1).
    size : tuple of (int, int) or None
        Width and height of the picture, as for `heat_of`.
    target : int
        Of an Explanation: the position in its ``targets``.
    smoothing : int
        The radius in pixels of a guided filter, which makes the heat follow the edges of
        the picture; 0 for none. About the size of a cell of the map is a start.
    guide : PIL.Image.Image or None
        The picture whose edges count, if there is smoothing. None for the one that was
        explained.

    Returns
    -------
    ndarray of bool, shape (H, W)

    Raises
    ------
    TypeError, ValueError, BlankMapError, IndexError
        As `heat_of` does; if the threshold is no number in (0, 1), or `smoothing` no whole
        number from 0 on; if there is to be smoothing, and there is no picture.

    Examples
    --------
    >>> find_mask([[-3.0, 1.0], [2.0, 8.0]])
    array([[False, False],
           [ True,  True]])
    """
    share = as_threshold(threshold)
    return _heat(found, size, target, smoothing, guide) >= share


def find_masks(
    found: Found,
    thresholds: Iterable[float] = (0.15, 0.3, 0.5),
    *,
    size: Size | None = None,
    target: int = 0,
    smoothing: int = 0,
    guide: Image.Image | None = None,
) -> NDArray[np.bool_]:
    """Find the pixels of a picture that are hot, for each of several thresholds.

    Seeds for segmentation: what is above a high threshold is the target, what is below a
    low one is not, and about the rest somebody else decides (Kolesnikov and Lampert,
    "Seed, Expand and Constrain", ECCV 2016).

    Parameters
    ----------
    found, size, target, smoothing, guide
        As for `find_mask`.
    thresholds : iterable of float
        Shares of the greatest heat, each in (0, 1).

    Returns
    -------
    ndarray of bool, shape (T, H, W)
        In the order of the thresholds.

    Raises
    ------
    TypeError, ValueError, BlankMapError, IndexError
        As `find_mask` does; and if there are no thresholds.

    Examples
    --------
    >>> find_masks([[0.2, 0.4, 1.0]]).sum(axis=(1, 2))
    array([3, 2, 1])
    """
    if isinstance(thresholds, str | bytes) or not isinstance(thresholds, Iterable):
        raise TypeError(f"thresholds is {thresholds!r}; give several numbers, such as (0.15, 0.5)")
    shares = [as_threshold(one) for one in thresholds]
    if not shares:
        raise ValueError("thresholds is empty; give at least one number, such as 0.15")
    heat = _heat(found, size, target, smoothing, guide)
    return np.stack([heat >= share for share in shares])


def _heat(
    found: Found, size: Size | None, target: int, smoothing: int, guide: Image.Image | None
) -> Heat:
    radius = as_whole("smoothing", smoothing, 0, "a radius in pixels")
    # Asked for before anything is worked out; a guide that nothing is smoothed along is no slip.
    picture = _guide_for(found, guide) if radius else None
    heat = heat_of(found, size, target=target)
    if picture is None:
        return heat
    return greatest_is_one(guided_filter(heat, _grey(picture, heat.shape), radius))


def _guide_for(found: Found, guide: Any) -> Image.Image:
    if guide is None:
        guide = found.image if isinstance(found, Explanation) else None
        if guide is None:
            raise ValueError(
                "smoothing follows the edges of a picture, and there is none; give it as guide="
            )
    if not isinstance(guide, Image.Image):
        raise TypeError(f"guide is of type {type(guide).__name__}; give a PIL picture")
    return guide


def _grey(picture: Image.Image, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Make a picture grey, from 0 where it is darkest to 1 where it is brightest."""
    # Pillow's L has no room for what these modes hold.
    deep = picture.mode == "F" or picture.mode.startswith("I")
    levels = np.asarray(picture if deep else picture.convert("L"), np.float32)
    height, width = shape
    resized = Image.fromarray(levels).resize((width, height), Image.Resampling.BILINEAR)
    grey = np.asarray(resized)
    low, high = grey.min(), grey.max()
    return (grey - low) / (high - low) if high > low else np.zeros_like(grey)
