"""Remove and debias: hidden pixels are made up of their neighbours, so that no hole is seen."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from explainkit.methods.noise import seed_field
from explainkit.methods.options import not_negative, share
from explainkit.metrics.base import Measured, Metric, each
from explainkit.metrics.batch import Batch
from explainkit.metrics.checking import UnmeasurableError, ranges_of, ranks_of
from explainkit.metrics.probing import Replace, probe

#: Steps to the neighbours of a pixel, and how much each counts: a sixth beside it, a twelfth
#: across a corner.
NEIGHBOURS = {
    (down, right): 1 / 6 if 0 in (down, right) else 1 / 12
    for down in (-1, 0, 1)
    for right in (-1, 0, 1)
    if (down, right) != (0, 0)
}

#: So many pictures are made up at once: each takes some memory.
_THREADS = 4


def impute(picture: ArrayLike, hidden: ArrayLike) -> NDArray[np.float64]:
    """Make up hidden pixels: each the weighed mean of its neighbours, hidden or not.

    Parameters
    ----------
    picture : array, shape (height, width, C)
    hidden : array of bool, shape (height, width)

    Returns
    -------
    ndarray of float64, shape (height, width, C)
        What is not hidden is as it was. Where all is hidden, the mean of the picture.

    References
    ----------
    Rong et al. 2022, "A consistent and efficient evaluation strategy for attribution methods",
    arXiv:2202.00449: noisy linear imputation, without the noise.

    Examples
    --------
    >>> impute([[[1.0], [0.0], [3.0]]], [[False, True, False]])[0, :, 0]
    array([1., 2., 3.])
    """
    from scipy.sparse.linalg import splu

    pixels, unknown = np.array(picture, np.float64), np.asarray(hidden, bool)
    if pixels.ndim != 3 or unknown.shape != pixels.shape[:2]:
        raise ValueError(
            f"the picture has the shape {pixels.shape}, and hidden {unknown.shape}; give "
            "(height, width, channels) and (height, width)"
        )
    count = int(unknown.sum())
    if count == unknown.size:
        pixels[:] = pixels.mean(axis=(0, 1))
        return pixels
    if not count:
        return pixels
    system, known = _system(pixels, unknown)
    # It is symmetric and diagonally dominant, which saves the search for pivots.
    symmetric = {"SymmetricMode": True}
    factors = splu(system, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=symmetric)
    pixels[unknown] = factors.solve(known)
    return pixels


def _system(pixels: NDArray[np.float64], unknown: NDArray[np.bool_]) -> tuple[Any, Any]:
    """Say of each unknown pixel that it is the weighed mean of its neighbours.

    Returns
    -------
    system : sparse array, shape (n, n)
        The weights of the unknown pixels.
    known : ndarray, shape (n, C)
        What the known ones come to.
    """
    from scipy.sparse import csc_array

    places = np.argwhere(unknown)
    count = len(places)
    numbers = np.full(unknown.shape, -1)
    numbers[unknown] = np.arange(count)
    known, total = np.zeros((count, pixels.shape[2])), np.zeros(count)
    entries = []
    for step, weight in NEIGHBOURS.items():
        others = places + step
        inside = ((others >= 0) & (others < unknown.shape)).all(axis=1)
        here, at = np.flatnonzero(inside), tuple(others[inside].T)
        total[here] += weight
        number = numbers[at]
        seen = number < 0
        known[here[seen]] += weight * pixels[at][seen]
        weights = np.full(np.count_nonzero(~seen), -weight)
        entries.append((weights, here[~seen], number[~seen]))
    entries.append((total, np.arange(count), np.arange(count)))
    values, rows, columns = map(np.concatenate, zip(*entries, strict=True))
    return csc_array((values, (rows, columns)), shape=(count, count)), known


def _as_shares(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, Iterable) else (value,)


def _shares(_metric: Any, option: Any, value: Any) -> None:
    if not value:
        raise ValueError(f"{option.name} is empty; give shares of the pixels, such as (0.1, 0.5)")
    for one in value:
        share(_metric, option, one)


@attrs.frozen
class _ROAD(Metric):
    """What is common to both orders.

    Parameters
    ----------
    shares : sequence of float
        Which shares of the pixels are removed.
    noise : float
        The standard deviation of what is added to the pixels that are made up, as a share of
        the picture's range of values.
    seed : int
        Which noise is drawn.
    """

    source: ClassVar[str] = "Rong et al. 2022, arXiv:2202.00449"
    cost: ClassVar[str] = "1 pass, and 1 for each share; and a linear system for each share"

    shares: tuple[float, ...] = attrs.field(
        default=(0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9),
        kw_only=True,
        converter=_as_shares,
        validator=_shares,
    )
    noise: float = attrs.field(default=0.01, kw_only=True, validator=not_negative)
    seed: int = seed_field()

    @staticmethod
    @abstractmethod
    def order(maps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give maps whose highest pixels are removed first."""

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        if len(batch.sizes) != 2:
            reason = f"pixels are made up in pictures; these have {len(batch.sizes)} axes"
            return [UnmeasurableError(reason)] * len(batch)
        ranks = ranks_of(self.order(batch.maps))
        # Scipy solves outside the interpreter's lock.
        with ThreadPoolExecutor(_THREADS) as threads:
            pictures, ranges = batch.pictures, ranges_of(batch.pictures)
            made_up = list(threads.map(self._without, pictures, ranks, ranges))
        steps = np.arange(len(self.shares), dtype=np.int32)
        found = probe(batch, Replace(), steps, np.stack(made_up))
        return each(_mean_of_ranked, found.changed, batch.maps)

    def _without(
        self, picture: NDArray[Any], ranks: NDArray[np.int32], scale: float
    ) -> NDArray[Any]:
        """Remove each share of the pixels of one picture, shape (shares, height, width, C)."""
        rng, removed = np.random.default_rng(self.seed), []
        for part in self.shares:
            hidden = ranks < round(part * ranks.size)
            pixels = impute(picture, hidden)
            noise = rng.standard_normal(pixels.shape) * self.noise * scale
            removed.append((pixels + hidden[..., None] * noise).astype(picture.dtype))
        return np.stack(removed)


def _mean_of_ranked(curve: NDArray[np.float64], map_: NDArray[np.float64]) -> float:
    if map_.min() == map_.max():
        raise UnmeasurableError("the map is the same everywhere: it ranks no pixel before another")
    return float(curve.mean())


@attrs.frozen
class ROADMostRelevantFirst(_ROAD):
    """The mean of the model's output while the most relevant pixels are removed, debiased.

    Parameters
    ----------
    shares : sequence of float
        Which shares of the pixels are removed.
    noise : float
        The standard deviation of what is added to the pixels that are made up, as a share of
        the picture's range of values.
    seed : int
        Which noise is drawn.
    """

    name: ClassVar[str] = "road_morf"
    title: ClassVar[str] = "ROAD, most relevant first"
    formula: ClassVar[str] = "mean over shares t of y(x, the hottest t of its pixels made up)"
    better: ClassVar = "lower"

    @staticmethod
    def order(maps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give maps whose highest pixels are removed first."""
        return maps


@attrs.frozen
class ROADLeastRelevantFirst(_ROAD):
    """The mean of the model's output while the least relevant pixels are removed, debiased.

    Parameters
    ----------
    shares, noise, seed
        As for `ROADMostRelevantFirst`.
    """

    name: ClassVar[str] = "road_lerf"
    title: ClassVar[str] = "ROAD, least relevant first"
    formula: ClassVar[str] = "mean over shares t of y(x, the coldest t of its pixels made up)"
    better: ClassVar = "higher"

    @staticmethod
    def order(maps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give maps whose highest pixels are removed first."""
        return -maps
