"""Colours: 256 shades of heat, each with its colour and its opacity."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explainkit.suggestions import did_you_mean

#: The name of one of matplotlib's colormaps, or a function that takes an array of
#: numbers in [0, 1] and returns their colours along a new last axis.
Colormap = str | Callable[[NDArray[np.float64]], ArrayLike]

SHADES = 256


def colour_table(colormap: Colormap, alpha_limit: float) -> NDArray[np.uint8]:
    """Give every shade of heat its colour, and an opacity that grows with the heat.

    Parameters
    ----------
    colormap : str or callable
        The name of one of matplotlib's colormaps, or a function of an array of
        numbers in [0, 1] that returns RGB or RGBA along a new last axis: floats in
        [0, 1] or uint8. It is called once, with 256 numbers of shape (1, 256).
    alpha_limit : float in [0, 1]
        The opacity at heat 1. A colormap's own opacity can lower it, never raise it.

    Returns
    -------
    ndarray of uint8, shape (256, 4)
        RGBA, for heat 0, 1/255, …, 1. Opacities are rounded down, so that none
        exceeds the limit.

    Raises
    ------
    ValueError
        If matplotlib has no colormap of that name, or the function returns another
        shape or numbers out of range.
    TypeError
        If the colormap is neither a name nor callable, or its colours are neither
        floats nor uint8.

    Examples
    --------
    >>> colour_table("gray", alpha_limit=0.5)[[0, 255]].tolist()
    [[0, 0, 0, 0], [255, 255, 255, 127]]
    """
    colours = _colours(colormap)
    table = np.empty((SHADES, 4), np.uint8)
    table[:, :3] = np.rint(colours[:, :3] * 255)
    own_alpha = colours[:, 3] if colours.shape[1] == 4 else 1.0
    table[:, 3] = np.floor(alpha_limit * np.arange(SHADES) * own_alpha)
    return table


def _colours(colormap: Colormap) -> NDArray[np.float64]:
    """Call the colormap for every shade: floats in [0, 1], shape (256, 3 or 4)."""
    function = _named(colormap) if isinstance(colormap, str) else colormap
    if not callable(function):
        raise TypeError(
            f"colormap is {colormap!r}, of type {type(colormap).__name__}; give the name of a "
            "matplotlib colormap, or a function from numbers in [0, 1] to RGB or RGBA"
        )
    returned = np.asarray(function(np.linspace(0, 1, SHADES)[np.newaxis]))
    what = f"the colormap {getattr(colormap, '__name__', colormap)!r} returned"
    if not (
        returned.ndim >= 2
        and returned.shape[-1] in (3, 4)
        and math.prod(returned.shape[:-1]) == SHADES
    ):
        raise ValueError(
            f"{what} an array of shape {returned.shape} for numbers of shape (1, {SHADES}); "
            f"it must return RGB or RGBA along a new last axis: (1, {SHADES}, 3) or "
            f"(1, {SHADES}, 4)"
        )
    if returned.dtype == np.uint8:
        return returned.reshape(SHADES, -1) / 255
    if returned.dtype.kind != "f":
        raise TypeError(f"{what} {returned.dtype}; give floats in [0, 1], or uint8")
    low, high = returned.min(), returned.max()
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # so that NaN fails too
        raise ValueError(
            f"{what} numbers from {low:.4g} to {high:.4g}; give floats in [0, 1], or uint8"
        )
    return np.clip(returned.reshape(SHADES, -1).astype(np.float64), 0, 1)


def _named(name: str) -> Callable[[NDArray[np.float64]], Any]:
    import matplotlib as mpl

    if name not in mpl.colormaps:
        raise ValueError(
            f"matplotlib has no colormap {name!r}, its list is matplotlib.colormaps"
            + did_you_mean(name.lower(), mpl.colormaps)
        )
    return mpl.colormaps[name]
