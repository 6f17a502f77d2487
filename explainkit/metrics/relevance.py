"""Which share of a map, and of its highest pixels, lies on the object that it is asked about."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import attrs
import numpy as np
from numpy.typing import ArrayLike

from explainkit.methods.options import whole_number
from explainkit.metrics.base import Measured, Metric, each, masks_of
from explainkit.metrics.batch import Batch
from explainkit.metrics.checking import mask_of, positive_over


def relevance_mass(map_: ArrayLike, mask: ArrayLike) -> float:
    """Tell which share of the heat lies on an object.

    Parameters
    ----------
    map_ : array, shape (h, w)
        Laid over the picture linearly; its positive part counts.
    mask : array of bool, shape (height, width)
        The pixels of the object.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    UnmeasurableError
        If the map has no positive part, or the mask no pixel.

    References
    ----------
    Arras, Osman and Samek 2022, "CLEVR-XAI", arXiv:2003.07258.

    Examples
    --------
    >>> relevance_mass([[1, 2, 1, -3]], np.array([[False, True, False, True]]))
    0.5
    """
    heat = positive_over(map_, np.shape(mask))
    return float(heat[mask_of(mask)].sum() / heat.sum())


def relevance_rank(map_: ArrayLike, mask: ArrayLike) -> float:
    """Tell which share of an object's pixels is among as many pixels with the most heat.

    Parameters
    ----------
    map_ : array, shape (h, w)
        Laid over the picture linearly; its positive part counts. Of pixels of equal heat the
        first ones in the order of reading are taken; those without heat are none of the object's.
    mask : array of bool, shape (height, width)
        The pixels of the object.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    UnmeasurableError
        If the map has no positive part, or the mask no pixel.

    References
    ----------
    Arras, Osman and Samek 2022, "CLEVR-XAI", arXiv:2003.07258.

    Examples
    --------
    >>> relevance_rank([[4, 3, 2, 1]], np.array([[True, False, True, False]]))
    0.5
    """
    known = mask_of(mask)
    return _share_on(map_, mask, int(known.sum()))


def top_k_intersection(map_: ArrayLike, mask: ArrayLike, k: int = 1000) -> float:
    """Tell which share of the k pixels with the most heat lies on an object.

    Parameters
    ----------
    map_, mask
        As in `relevance_rank`.
    k : int
        How many pixels; all where the picture has no more.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    UnmeasurableError
        If the map has no positive part, or the mask no pixel.

    References
    ----------
    Theiner, Müller-Budack and Ewerth 2022, "Interpretable semantic photo geolocation",
    arXiv:2104.14995.

    Examples
    --------
    >>> top_k_intersection([[4, 3, 2, 1]], np.array([[True, False, False, False]]), k=2)
    0.5
    """
    return _share_on(map_, mask, min(k, np.size(mask)))


def _share_on(map_: ArrayLike, mask: ArrayLike, count: int) -> float:
    known, heat = mask_of(mask), positive_over(map_, np.shape(mask))
    if count < 1:
        raise ValueError(f"k is {count}; give 1 or more")
    highest = np.argsort(-heat, axis=None, kind="stable")[:count]
    # Where there is no heat, nothing was pointed at.
    return float((known & (heat > 0)).ravel()[highest].mean())


@attrs.frozen
class RelevanceMass(Metric):
    """Which share of the heat lies on the object: `relevance_mass`."""

    name: ClassVar[str] = "relevance_mass"
    title: ClassVar[str] = "Relevance mass"
    formula: ClassVar[str] = "Σ heat on the object / Σ heat"
    source: ClassVar[str] = "Arras, Osman and Samek 2022, arXiv:2003.07258"
    better: ClassVar = "higher"
    needs_masks: ClassVar[bool] = True

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        return each(relevance_mass, batch.heatmaps, masks_of(batch))


@attrs.frozen
class RelevanceRank(Metric):
    """Which share of the object is among as many hottest pixels: `relevance_rank`."""

    name: ClassVar[str] = "relevance_rank"
    title: ClassVar[str] = "Relevance rank"
    formula: ClassVar[str] = "|hottest K pixels on the object| / K, K the size of the object"
    source: ClassVar[str] = "Arras, Osman and Samek 2022, arXiv:2003.07258"
    better: ClassVar = "higher"
    needs_masks: ClassVar[bool] = True

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        return each(relevance_rank, batch.heatmaps, masks_of(batch))


@attrs.frozen
class TopKIntersection(Metric):
    """Which share of the k hottest pixels lies on the object: `top_k_intersection`.

    Parameters
    ----------
    k : int
        How many pixels.
    """

    name: ClassVar[str] = "top_k_intersection"
    title: ClassVar[str] = "Top-K intersection"
    formula: ClassVar[str] = "|hottest k pixels on the object| / k"
    source: ClassVar[str] = "Theiner et al. 2022, arXiv:2104.14995"
    better: ClassVar = "higher"
    needs_masks: ClassVar[bool] = True

    k: int = attrs.field(default=1000, kw_only=True, validator=whole_number(1))

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        return each(partial(top_k_intersection, k=self.k), batch.heatmaps, masks_of(batch))
