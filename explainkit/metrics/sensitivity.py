"""Whether explanations of pictures that nobody could tell apart are alike."""

from collections.abc import Sequence
from typing import ClassVar

import attrs
import numpy as np
from numpy.typing import ArrayLike

from explainkit.methods.noise import seed_field
from explainkit.methods.options import share, whole_number
from explainkit.metrics.base import Measured, Metric, each
from explainkit.metrics.batch import Batch
from explainkit.metrics.checking import UnmeasurableError, ranges_of, sizes_of


def max_sensitivity(map_: ArrayLike, others: ArrayLike) -> float:
    """Tell how far the map of a picture is from those of pictures near it, at most.

    Parameters
    ----------
    map_ : array, shape (h, w)
        Raw and signed.
    others : array, shape (samples, h, w)

    Returns
    -------
    float
        The greatest distance (2-norm), as a share of the map's own length, so that maps of every
        unit can be compared; the paper leaves that out. 0 or more.

    Raises
    ------
    UnmeasurableError
        If the map is zero everywhere.

    References
    ----------
    Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations", arXiv:1901.09392.

    Examples
    --------
    >>> max_sensitivity([[3.0, 4.0]], [[[3.0, 4.0]], [[3.0, 3.0]]])
    0.2
    """
    if np.isnan(others).any():
        raise UnmeasurableError("a picture near this one could not be explained")
    sizes_of(map_)
    length = np.linalg.norm(np.asarray(map_, np.float64))
    if np.shape(others)[1:] != np.shape(map_):
        raise ValueError(
            f"others has the shape {np.shape(others)}; give maps of the shape {np.shape(map_)}"
        )
    away = np.asarray(others, np.float64) - np.asarray(map_, np.float64)
    away = away.reshape(len(away), -1)
    return float(np.linalg.norm(away, axis=1).max() / length)


@attrs.frozen
class MaxSensitivity(Metric):
    """How far the map moves when the picture hardly does: `max_sensitivity`.

    Parameters
    ----------
    samples : int
        How many pictures near each.
    radius : float
        How far each number of the picture moves at most, as a share of its range of values.
    seed : int
        Which pictures are drawn.
    """

    name: ClassVar[str] = "max_sensitivity"
    title: ClassVar[str] = "Max sensitivity"
    formula: ClassVar[str] = "max over |δ| ≤ r of ‖map(x + δ) − map(x)‖ / ‖map(x)‖"
    source: ClassVar[str] = "Yeh et al. 2019, arXiv:1901.09392"
    better: ClassVar = "lower"
    cost: ClassVar[str] = "1 explanation for each sample"
    explains: ClassVar[bool] = True

    samples: int = attrs.field(default=10, kw_only=True, validator=whole_number(1))
    radius: float = attrs.field(default=0.02, kw_only=True, validator=share)
    seed: int = seed_field()

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        pictures, rng = batch.pictures, np.random.default_rng(self.seed)
        reach = self.radius * ranges_of(pictures).reshape(-1, *[1] * (pictures.ndim - 1))
        others = []
        for _ in range(self.samples):
            # The same for each picture, so that none depends on its neighbours.
            noise = rng.uniform(-1, 1, pictures.shape[1:])
            others.append(batch.explained((pictures + reach * noise).astype(pictures.dtype)))
        maps = [one.targets[0].map for one in batch.explanations]
        return each(max_sensitivity, maps, np.stack(others, axis=1))
