"""How alike two maps are: pure functions of two arrays of one shape.

All of them compare patterns, so that maps of different methods, whose numbers have
different units, can be compared. 1 is for maps that are the same.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SIGMA = 1.5
_RADIUS = 5  # the window of SSIM is 11 cells wide
_WINDOW = 2 * _RADIUS + 1
_K1, _K2 = 0.01, 0.03


def pearson(one: ArrayLike, other: ArrayLike) -> float:
    """Correlate the numbers of two maps, cell by cell (Pearson 1895).

    Parameters
    ----------
    one, other : array_like of real numbers
        Of one shape, of any rank but 0. They are compared in float64.

    Returns
    -------
    float
        In [-1, 1]: 1 where one map is the other times a positive number, plus any
        number. NaN where a map, or both, are constant: these correlate with nothing,
        not even with themselves.

    Raises
    ------
    TypeError
        If a map does not hold real numbers.
    ValueError
        If the shapes differ, there are no cells, or a map holds NaN or infinity.

    Examples
    --------
    >>> pearson([[0.0, 1.0], [2.0, 3.0]], [[1.0, 3.0], [5.0, 7.0]])
    1.0
    >>> pearson([0.0, 1.0, 2.0], [2.0, 1.0, 0.0])
    -1.0
    >>> pearson([0.0, 1.0], [5.0, 5.0])
    nan
    """
    a, b = (_deviations(array) for array in _pair(one, other))
    if not (a.any() and b.any()):
        return float("nan")
    found = np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))
    return float(np.clip(found, -1, 1))  # rounding may end an ulp outside


def spearman(one: ArrayLike, other: ArrayLike) -> float:
    """Correlate the ranks of two maps' cells (Spearman 1904).

    It asks whether the maps put their cells in the same order, and so is not moved by
    a few strong cells. Cells with the same number share the mean of their ranks. For
    saliency maps it is used by Adebayo et al. 2018, "Sanity Checks for Saliency Maps".

    Parameters
    ----------
    one, other : array_like of real numbers
        As for `pearson`.

    Returns
    -------
    float
        In [-1, 1]: 1 where the order is the same, -1 where it is reversed. NaN where
        a map, or both, are constant.

    Raises
    ------
    TypeError, ValueError
        As `pearson` does.

    Examples
    --------
    >>> spearman([0.0, 1.0, 2.0], [0.0, 1.0, 1000.0])
    1.0
    >>> round(spearman([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]), 6)
    0.8
    """
    from scipy.stats import rankdata

    a, b = _pair(one, other)
    return pearson(rankdata(a), rankdata(b))  # ravelled: the places still correspond


def ssim(one: ArrayLike, other: ArrayLike) -> float:
    """Compare the structure of two maps, window by window (SSIM).

    The mean of the structural similarity of Wang, Bovik, Sheikh and Simoncelli 2004,
    "Image Quality Assessment: From Error Visibility to Structural Similarity", with
    their constants: a Gaussian window of 11 cells a side with sigma 1.5, K1 = 0.01,
    K2 = 0.03. The range of the data is that of both maps together. Only windows that
    lie wholly in the map count.

    Unlike correlations it sees the numbers' level and spread: bring maps of different
    units to one scale before.

    Parameters
    ----------
    one, other : array_like of real numbers
        As for `pearson`, but no side may be shorter than 11.

    Returns
    -------
    float
        In [-1, 1]: 1 where the maps are the same. NaN where both are constant and
        equal, for then there is no range.

    Raises
    ------
    TypeError, ValueError
        As `pearson` does, and ValueError if a side is shorter than 11.

    Examples
    --------
    >>> import numpy as np
    >>> slope = np.add.outer(np.arange(16.0), np.arange(16.0))
    >>> ssim(slope, slope)
    1.0
    >>> ssim(slope, slope.T[::-1]) < 0.5
    True
    """
    from scipy.ndimage import gaussian_filter

    a, b = _pair(one, other)
    if min(a.shape) < _WINDOW:
        raise ValueError(
            f"the maps have the shape {a.shape}; ssim looks through windows of {_WINDOW} cells, "
            f"so that no side may be shorter than {_WINDOW}: enlarge the maps, or take spearman"
        )
    if a.min() == a.max() == b.min() == b.max():
        return float("nan")
    # One scale for both changes nothing, but that no square over- or underflows.
    largest = max(np.abs(a).max(), np.abs(b).max())
    a, b = a / largest, b / largest
    data_range = max(a.max(), b.max()) - min(a.min(), b.min())

    def local_mean(array: NDArray[np.float64]) -> NDArray[np.float64]:
        blurred: NDArray[np.float64] = gaussian_filter(array, _SIGMA, truncate=_RADIUS / _SIGMA)
        # Nearer to the border the window would see cells that are not there.
        return blurred[(slice(_RADIUS, -_RADIUS),) * array.ndim]

    mean_a, mean_b = local_mean(a), local_mean(b)
    var_a, var_b = local_mean(a * a) - mean_a**2, local_mean(b * b) - mean_b**2
    covariance = local_mean(a * b) - mean_a * mean_b
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    level = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (var_a + var_b + c2)
    return float(np.mean(level * structure))


#: The ways to compare two maps, by name.
SIMILARITIES: Mapping[str, Callable[[ArrayLike, ArrayLike], float]] = MappingProxyType(
    {"pearson": pearson, "spearman": spearman, "ssim": ssim}
)


def _pair(one: ArrayLike, other: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = _checked("one", one), _checked("other", other)
    if a.shape != b.shape:
        raise ValueError(
            f"the maps have the shapes {a.shape} and {b.shape}; bring them to one shape first"
        )
    return a, b


def _checked(name: str, given: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(given)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} is an array of {array.dtype}; give a map of real numbers")
    if array.size == 0 or array.ndim == 0:
        raise ValueError(f"{name} has the shape {array.shape}; give a map with at least one cell")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity; give finite numbers")
    return array.astype(np.float64)


def _deviations(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the mean, on a scale on which no square over- or underflows.

    On that scale equal numbers are 1 or -1, which their mean does not miss by an ulp.
    """
    scaled = array / (np.abs(array).max() or 1.0)
    deviations: NDArray[np.float64] = scaled - scaled.mean()
    return deviations
