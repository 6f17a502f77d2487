"""Whether a map points at the object that it is asked about."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from explainkit.methods.options import not_negative
from explainkit.metrics.base import Measured, Metric, each, masks_of
from explainkit.metrics.batch import Batch
from explainkit.metrics.checking import mask_of, positive_over


def pointing_game(map_: ArrayLike, mask: ArrayLike, tolerance: float = 0.0) -> float:
    """Tell whether the highest point of a map hits an object.

    Parameters
    ----------
    map_ : array, shape (h, w)
        Laid over the picture linearly; its positive part counts.
    mask : array of bool, shape (height, width)
        The pixels of the object.
    tolerance : float
        How far from the object, in pixels, still is a hit: 15 in the paper.

    Returns
    -------
    float
        1.0 for a hit, else 0.0.

    Raises
    ------
    UnmeasurableError
        If the map has no positive part, or the mask no pixel.

    References
    ----------
    Zhang et al. 2016, "Top-down neural attention by excitation backprop", arXiv:1608.00507.

    Examples
    --------
    >>> mask = np.array([[False, False, True, True]])
    >>> pointing_game([[0, 9, 1, 0]], mask), pointing_game([[0, 9, 1, 0]], mask, tolerance=1)
    (0.0, 1.0)
    """
    pixels = np.argwhere(mask_of(mask))
    heat = positive_over(map_, np.shape(mask))
    peak = np.unravel_index(heat.argmax(), heat.shape)
    distances = np.sqrt(((pixels - peak) ** 2).sum(axis=1))
    return float(distances.min() <= tolerance)


def energy_pointing(map_: ArrayLike, mask: ArrayLike) -> float:
    """Tell which share of the heat lies in the box around an object.

    Parameters
    ----------
    map_ : array, shape (h, w)
        Laid over the picture linearly; its positive part counts.
    mask : array of bool, shape (height, width)
        The pixels of the object, or of its box: it is the smallest box around them that counts.

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
    Wang et al. 2020, "Score-CAM", arXiv:1910.01279.

    Examples
    --------
    >>> energy_pointing([[1, 2, 1, 0]], np.array([[False, True, False, False]]))
    0.5
    """
    heat = positive_over(map_, np.shape(mask))
    return float(heat[_box_around(mask_of(mask))].sum() / heat.sum())


def _box_around(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    places = np.argwhere(mask)
    ends = zip(places.min(axis=0), places.max(axis=0), strict=True)
    return tuple(slice(low, high + 1) for low, high in ends)


@attrs.frozen
class PointingGame(Metric):
    """Whether the highest point of the map hits the object: `pointing_game`.

    Parameters
    ----------
    tolerance : float
        How far from the object, in pixels, still is a hit.
    """

    name: ClassVar[str] = "pointing_game"
    title: ClassVar[str] = "Pointing game"
    formula: ClassVar[str] = "1 where the peak of the map is on the object, or near it"
    source: ClassVar[str] = "Zhang et al. 2016, arXiv:1608.00507"
    better: ClassVar = "higher"
    is_share: ClassVar[bool] = True
    needs_masks: ClassVar[bool] = True

    tolerance: float = attrs.field(default=15.0, kw_only=True, validator=not_negative)

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        pointing = partial(pointing_game, tolerance=self.tolerance)
        return each(pointing, batch.heatmaps, masks_of(batch))


@attrs.frozen
class EnergyPointing(Metric):
    """Which share of the heat lies in the object's box: `energy_pointing`."""

    name: ClassVar[str] = "energy_pointing"
    title: ClassVar[str] = "Energy-based pointing game"
    formula: ClassVar[str] = "Σ heat in the object's box / Σ heat"
    source: ClassVar[str] = "Wang et al. 2020, arXiv:1910.01279"
    better: ClassVar = "higher"
    needs_masks: ClassVar[bool] = True

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        return each(energy_pointing, batch.heatmaps, masks_of(batch))
