"""Whether a thresholded map covers the object that it is asked about."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from explainkit.localization import box_of, find_box, find_mask, iou
from explainkit.methods.options import share
from explainkit.metrics.base import Measured, Metric, each, masks_of
from explainkit.metrics.batch import Batch
from explainkit.metrics.checking import UnmeasurableError, mask_of, positive_over


def mask_iou(map_: ArrayLike, mask: ArrayLike, threshold: float = 0.15) -> float:
    """Measure how well the part of a map above a threshold covers an object.

    Parameters
    ----------
    map_ : array, shape (h, w)
        Laid over the picture linearly; its positive part counts.
    mask : array of bool, shape (height, width)
        The pixels of the object.
    threshold : float
        As a share of the map's maximum.

    Returns
    -------
    float
        The intersection over the union, in [0, 1].

    Raises
    ------
    UnmeasurableError
        If the map has no positive part, or the mask no pixel.

    Examples
    --------
    >>> mask_iou([[4, 3, 2, 1]], np.array([[True, True, False, False]]), threshold=0.5)
    0.6666666666666666
    """
    return iou(find_mask(_heat(map_, mask), threshold), mask_of(mask))


def box_iou(map_: ArrayLike, mask: ArrayLike, threshold: float = 0.15) -> float:
    """Measure how well the box found by a map fits the box of an object.

    Parameters
    ----------
    map_, mask, threshold
        As in `mask_iou`.

    Returns
    -------
    float
        The intersection over the union, in [0, 1].

    Raises
    ------
    UnmeasurableError
        If the map has no positive part, or the mask no pixel.

    Examples
    --------
    >>> box_iou([[4, 3, 0, 4]], np.array([[True, True, False, True]]))
    0.5
    """
    return iou(find_box(_heat(map_, mask), threshold), box_of(mask_of(mask)))


def _heat(map_: ArrayLike, mask: ArrayLike) -> NDArray[np.float64]:
    if np.ndim(mask) != 2:
        raise UnmeasurableError(f"boxes lie in pictures; this has {np.ndim(mask)} axes")
    return positive_over(map_, np.shape(mask))


@attrs.frozen
class MaskIoU(Metric):
    """How well the hot part of the picture covers the object: `mask_iou`.

    Parameters
    ----------
    threshold : float
        As a share of the map's maximum.
    """

    name: ClassVar[str] = "iou"
    title: ClassVar[str] = "Intersection over union"
    formula: ClassVar[str] = "|hot ∩ object| / |hot ∪ object|, hot where the map ≥ threshold · max"
    source: ClassVar[str] = "Selvaraju et al. 2017, arXiv:1610.02391"
    better: ClassVar = "higher"
    needs_masks: ClassVar[bool] = True

    threshold: float = attrs.field(default=0.15, kw_only=True, validator=share)

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        return each(partial(mask_iou, threshold=self.threshold), batch.heatmaps, masks_of(batch))


@attrs.frozen
class LocalizationError(Metric):
    """Whether the box found by the map misses the object's: an IoU below one half.

    Parameters
    ----------
    threshold : float
        As a share of the map's maximum.
    overlap : float
        The least IoU that is no error.
    """

    name: ClassVar[str] = "localization_error"
    title: ClassVar[str] = "Localisation error"
    formula: ClassVar[str] = "1 where IoU(box of the largest hot part, the object's box) < 0.5"
    source: ClassVar[str] = "Selvaraju et al. 2017, arXiv:1610.02391"
    better: ClassVar = "lower"
    is_share: ClassVar[bool] = True
    needs_masks: ClassVar[bool] = True

    threshold: float = attrs.field(default=0.15, kw_only=True, validator=share)
    overlap: float = attrs.field(default=0.5, kw_only=True, validator=share)

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""

        def missed(map_: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
            return float(box_iou(map_, mask, self.threshold) < self.overlap)

        return each(missed, batch.heatmaps, masks_of(batch))
