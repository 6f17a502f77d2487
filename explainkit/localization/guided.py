"""The guided filter: smooth one picture along the edges of another."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explainkit.localization.limits import as_epsilon, as_whole

#: What the guide's variance must exceed in a window for an edge there to be kept: that of
#: an edge of 0.06 between halves of the window, where the guide is in [0, 1].
EPSILON = 1e-3


def guided_filter(
    source: ArrayLike, guide: ArrayLike, radius: int, epsilon: float = EPSILON
) -> NDArray[np.float64]:
    """Smooth an array so that it changes where a guide does.

    In each window the result is a linear function ``a * guide + b``, that which comes
    nearest to the source, ``a`` being kept small by `epsilon`; of the windows that a pixel
    is in, the mean is taken (He, Sun and Tang, "Guided Image Filtering", PAMI 2013, with a
    grey guide). Windows end at the edges of the picture.

    Parameters
    ----------
    source, guide : array_like of float, shape (H, W)
        Of one shape.
    radius : int
        Of the square windows, in pixels, from 1 on: they are ``2 * radius + 1`` wide.
    epsilon : float
        Above 0, in units of the guide's variance.

    Returns
    -------
    ndarray of float64, shape (H, W)
        It may leave the range of the source a little.

    Raises
    ------
    TypeError
        If the radius is no whole number, or epsilon no number.
    ValueError
        If the shapes differ, the radius is below 1, or epsilon is not above 0.

    Examples
    --------
    >>> guide = np.array([[0, 0, 0, 1, 1, 1.0]])
    >>> guided_filter([[0, 0.2, 0.4, 0.6, 0.8, 1]], guide, radius=1).round(1)
    array([[0.2, 0.2, 0.3, 0.7, 0.8, 0.8]])
    """
    floor = as_epsilon(epsilon)
    p, i = np.asarray(source, np.float64), np.asarray(guide, np.float64)
    if p.shape != i.shape or p.ndim != 2:
        raise ValueError(
            f"the source has shape {p.shape} and the guide {i.shape}; give two of one shape, "
            "(height, width)"
        )
    mean = _Means(p.shape, as_whole("radius", radius, 1, "a number of pixels"))
    mean_p, mean_i = mean(p), mean(i)
    covariance = mean(i * p) - mean_i * mean_p
    a = covariance / (mean(i * i) - mean_i**2 + floor)
    b = mean_p - a * mean_i
    filtered: NDArray[np.float64] = mean(a) * i + mean(b)
    return filtered


class _Means:
    """The mean over the window around each pixel, of the pixels that there are."""

    def __init__(self, shape: tuple[int, ...], radius: int) -> None:
        self._width = 2 * radius + 1
        self._inside = self._sums(np.ones(shape))

    def __call__(self, values: NDArray[np.float64]) -> Any:
        return self._sums(values) / self._inside

    def _sums(self, values: NDArray[np.float64]) -> Any:
        from scipy.ndimage import uniform_filter

        # Up to a factor, which is the same for all pixels.
        return uniform_filter(values, self._width, mode="constant", cval=0.0)
