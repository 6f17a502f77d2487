"""Boxes around what a heatmap points at."""

import numpy as np

from explainkit.localization.box import Box
from explainkit.localization.heat import Found, Heat, Size, heat_of
from explainkit.localization.limits import as_threshold, as_whole

#: The threshold of the Grad-CAM paper: 15 % of the greatest heat.
USUAL_THRESHOLD = 0.15


def find_box(
    found: Found,
    threshold: float = USUAL_THRESHOLD,
    *,
    size: Size | None = None,
    target: int = 0,
) -> Box:
    """Find the box around the largest hot part of a picture.

    Hot are the pixels with at least `threshold` of the greatest heat; parts are joined
    where pixels touch, be it at a corner. Of parts with equally many pixels it is the
    one with more heat, then the upper one. This is how the Grad-CAM paper localizes
    (Selvaraju et al., ICCV 2017, section 4.1).

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

    Returns
    -------
    Box
        In pixels of the picture.

    Raises
    ------
    TypeError, ValueError, BlankMapError, IndexError
        As `heat_of` does; and if the threshold is no number in (0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> heat = np.zeros((6, 8))
    >>> heat[1:3, 2:7] = 0.5
    >>> heat[5, 0] = 1
    >>> find_box(heat)
    Box(left=2, top=1, right=7, bottom=3)
    """
    return find_boxes(found, threshold, size=size, target=target)[0]


def find_boxes(
    found: Found,
    threshold: float = USUAL_THRESHOLD,
    *,
    size: Size | None = None,
    target: int = 0,
    smallest: int = 1,
) -> list[Box]:
    """Find the boxes around all hot parts of a picture, the largest part first.

    Parameters
    ----------
    found, threshold, size, target
        As for `find_box`.
    smallest : int
        The least number of hot pixels of a part that counts, from 1 on.

    Returns
    -------
    list of Box
        Ordered by the parts' numbers of hot pixels, not by the boxes' areas. Boxes may
        overlap, though parts do not.

    Raises
    ------
    TypeError, ValueError, BlankMapError, IndexError
        As `find_box` does; and if `smallest` is no whole number from 1 on.

    Examples
    --------
    >>> import numpy as np
    >>> heat = np.zeros((6, 8))
    >>> heat[1:3, 2:7] = 0.5
    >>> heat[5, 0] = 1
    >>> [tuple(box) for box in find_boxes(heat)]
    [(2, 1, 7, 3), (0, 5, 1, 6)]
    >>> len(find_boxes(heat, smallest=2))
    1
    """
    share = as_threshold(threshold)
    least = as_whole("smallest", smallest, 1, "a number of pixels")
    return _boxes_of_parts(heat_of(found, size, target=target), share, least)


def _boxes_of_parts(heat: Heat, threshold: float, smallest: int) -> list[Box]:
    from scipy import ndimage

    # Pixels of a part touch at sides or corners: a diagonal line is one part.
    parts, _ = ndimage.label(heat >= threshold, structure=np.ones((3, 3), int))
    counts = np.bincount(parts.ravel())
    heats = np.bincount(parts.ravel(), weights=heat.ravel())
    places = ndimage.find_objects(parts)  # of part 1 first; 0 is what is not hot

    def order(part: int) -> tuple[int, float, int]:
        return -int(counts[part]), -float(heats[part]), part

    ordered = sorted(range(1, len(counts)), key=order)
    return [
        Box(columns.start, rows.start, columns.stop, rows.stop)
        for rows, columns in (places[part - 1] for part in ordered if counts[part] >= smallest)
    ]
