"""Heatmaps in block characters, which every terminal and log can show."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: From cold to hot.
SHADES = " ░▒▓█"
BARS = "▁▂▃▄▅▆▇█"


def heat_to_draw(heatmap: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Make of a heatmap what can be drawn in characters, if there is such a thing.

    Parameters
    ----------
    heatmap : ndarray

    Returns
    -------
    ndarray of float32, shape (h, w) or (n,), or None
        In [0, 1]. A volume is summed over its first axis, depth, and divided by the maximum.
        None for heatmaps of other ranks, or without cells.

    Examples
    --------
    >>> heat_to_draw(np.array([[[1.0, 0.0]], [[1.0, 0.5]]]))
    array([[1.  , 0.25]], dtype=float32)
    """
    heat = np.asarray(heatmap, np.float64)
    if heat.ndim == 3 and heat.size:
        heat = heat.sum(axis=0)
        heat /= max(heat.max(), np.finfo(np.float64).tiny)
    if heat.ndim not in (1, 2) or not heat.size:
        return None
    return np.clip(np.nan_to_num(heat), 0, 1).astype(np.float32)


def room_for(
    heat: NDArray[np.float32], picture: tuple[int, int] | None, width: int, height: int
) -> tuple[int, int]:
    """Find how many characters a heatmap takes, for they are twice as high as wide.

    Parameters
    ----------
    heat : ndarray of shape (h, w)
    picture : tuple of (int, int) or None
        The width and the height of the picture, whose proportions the heatmap has; None for
        its own.
    width, height : int
        The most columns and lines.

    Returns
    -------
    tuple of (int, int)
        Columns and lines.

    Examples
    --------
    >>> room_for(np.zeros((7, 7), np.float32), (640, 480), width=80, height=12)
    (32, 12)
    """
    across, down = picture if picture is not None and all(picture) else heat.shape[::-1]
    proportion = 2 * across / down
    lines = max(1, round(min(height, width / proportion)))
    return max(1, min(width, round(lines * proportion))), lines


def resized(heat: NDArray[np.float32], columns: int, lines: int) -> NDArray[np.float32]:
    """Average a heatmap over the cells of a grid, or repeat its own where those are fewer.

    Examples
    --------
    >>> resized(np.array([[0, 1, 1, 1]], np.float32), columns=2, lines=1)
    array([[0.5, 1. ]], dtype=float32)
    """
    grid = Image.fromarray(heat).resize((columns, lines), Image.Resampling.BOX)
    return np.asarray(grid, np.float32).clip(0, 1)


def shaded(heat: NDArray[np.float32]) -> list[str]:
    """Draw a heatmap in shades, a character for each cell, a line for each row.

    Examples
    --------
    >>> shaded(np.array([[0.0, 0.3, 0.5, 0.7, 1.0]], np.float32))
    [' ░▒▓█']
    """
    return ["".join(SHADES[step] for step in row) for row in _steps(heat, len(SHADES))]


def sparkline(heat: NDArray[np.float32], width: int) -> str:
    """Draw the heatmap of a signal as a line of bars, a character for each cell.

    Parameters
    ----------
    heat : ndarray of shape (n,)
    width : int
        The most columns; where there are more cells, they are averaged.

    Examples
    --------
    >>> sparkline(np.array([0.0, 0.5, 1.0], np.float32), width=80)
    '▁▅█'
    """
    row = heat[np.newaxis]
    if heat.size > width:
        row = resized(row, width, 1)
    return "".join(BARS[step] for step in _steps(row, len(BARS))[0])


def _steps(heat: NDArray[np.float32], count: int) -> list[list[int]]:
    steps: list[list[int]] = np.minimum(heat * count, count - 1).astype(int).tolist()
    return steps
