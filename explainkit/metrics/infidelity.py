"""Whether a map foretells what becomes of the score when the picture is changed."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from explainkit.methods.baselines import Baseline, baseline_field
from explainkit.methods.noise import noise_like, seed_field
from explainkit.methods.options import flag, one_of, share, whole_number
from explainkit.metrics.base import Measured, Metric, each
from explainkit.metrics.batch import Batch
from explainkit.metrics.checking import ranges_of
from explainkit.metrics.probing import Cover, Subtract, probe


def infidelity(foretold: ArrayLike, drops: ArrayLike, scaled: bool = True) -> float:
    """Compare the drops of the score that a map foretells with those that come.

    Parameters
    ----------
    foretold : array, shape (changes,)
        What the map says of each change of the picture: I·Φ.
    drops : array, shape (changes,)
        What becomes of the score: y(x) - y(x - I).
    scaled : bool
        Scale the map so that it foretells best; maps of many methods have no unit.

    Returns
    -------
    float
        The mean squared difference, in squared units of the score: 0 or more.

    References
    ----------
    Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations", arXiv:1901.09392.

    Examples
    --------
    >>> infidelity([1.0, 2.0], [2.0, 4.0]), infidelity([1.0, 2.0], [2.0, 4.0], scaled=False)
    (0.0, 2.5)
    """
    said, seen = np.asarray(foretold, np.float64), np.asarray(drops, np.float64)
    if said.shape != seen.shape or said.ndim != 1 or not len(said):
        raise ValueError(
            f"foretold has the shape {said.shape}, and drops {seen.shape}; give one number of each "
            "for every change"
        )
    scale = 1.0
    if scaled:
        length = said @ said
        scale = float(said @ seen / length) if length else 0.0
    return float(np.mean((scale * said - seen) ** 2))


def square_masks(count: int, sizes: Sequence[int], side: float, seed: int) -> NDArray[np.float32]:
    """Draw squares at random places, shape (count, height, width): 1 inside, 0 outside.

    Their sides are a share of the picture's.
    """
    rng = np.random.default_rng(seed)
    masks = np.ones((count, *sizes), np.float32)
    for axis, size in enumerate(sizes):
        length = max(1, round(side * size))
        starts = rng.integers(0, size - length + 1, count)[:, None]
        cells = np.arange(size)
        inside = (cells >= starts) & (cells < starts + length)
        shape = [count, *[1] * len(sizes)]
        shape[axis + 1] = size
        masks *= inside.reshape(shape)
    return masks


@attrs.frozen(slots=False)
class Infidelity(Metric):
    """How far from the drops of the score are those that the map foretells: `infidelity`.

    Parameters
    ----------
    change : {"squares", "noise"}
        What is done to the picture. Squares are hidden at random places: for maps that share
        the score out among the pixels, such as input × gradient. Noise is subtracted, the same
        from all channels: for maps that say how steep the score is, such as gradients.
    samples : int
        How many changes.
    side : float
        Of the squares, as a share of the picture's.
    noise : float
        The standard deviation of the noise, as a share of the pictures' range of values.
    baseline : float, "mean", "blur" or array
        What hides a square.
    scaled : bool
        Scale each map so that it foretells best.
    seed : int
        Which changes are drawn: the same for each document.
    """

    name: ClassVar[str] = "infidelity"
    title: ClassVar[str] = "Infidelity"
    formula: ClassVar[str] = "mean over changes I of (β I·map − (y(x) − y(x − I)))²"
    source: ClassVar[str] = "Yeh et al. 2019, arXiv:1901.09392"
    better: ClassVar = "lower"
    cost: ClassVar[str] = "1 pass, and 1 for each sample"

    change: Literal["squares", "noise"] = attrs.field(
        default="squares", kw_only=True, validator=one_of("squares", "noise")
    )
    samples: int = attrs.field(default=32, kw_only=True, validator=whole_number(2))
    side: float = attrs.field(default=0.25, kw_only=True, validator=share)
    noise: float = attrs.field(default=0.1, kw_only=True, validator=share)
    baseline: Baseline = baseline_field(0.0)
    scaled: bool = attrs.field(default=True, kw_only=True, validator=flag)
    seed: int = seed_field()

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        if self.change == "squares":
            items = square_masks(self.samples, batch.sizes, self.side, self.seed)
            scales = np.ones(len(batch))
            found = probe(batch, Cover(baseline=self.baseline), items, of_probability=False)
        else:
            items = noise_like(batch.sizes, self.samples, self.seed)
            # Each by its own range, so that none depends on its neighbours.
            scales = self.noise * ranges_of(batch.pictures)
            recipe = scales.astype(np.float32).reshape(-1, *[1] * (batch.pictures.ndim - 1))
            found = probe(batch, Subtract(), items, recipe, of_probability=False)
        cells = tuple(range(1, items.ndim))
        said = np.tensordot(batch.maps, items.astype(np.float64), (cells, cells))
        drops = found.whole[:, None] - found.changed
        measure = partial(infidelity, scaled=self.scaled)
        return each(measure, scales[:, None] * said, drops)
