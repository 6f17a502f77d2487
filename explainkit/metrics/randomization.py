"""Whether an explanation depends on what it must: on the weights, and on the target."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.asking import redrawn
from explainkit.estimators.documents import rows_of
from explainkit.explain import find
from explainkit.inspection import outputs_of
from explainkit.methods.noise import seed_field
from explainkit.methods.options import one_of, whole_number
from explainkit.metrics.base import Measured, Metric, each
from explainkit.metrics.batch import Batch
from explainkit.metrics.checking import UnmeasurableError
from explainkit.metrics.laying import laid
from explainkit.similarity import SIMILARITIES


def likeness_field(default: str) -> Any:
    """Make the field of a metric that says how maps are compared."""
    return attrs.field(default=default, kw_only=True, validator=one_of(*SIMILARITIES))


def stages_field() -> Any:
    """Make the field of a metric that says in how many steps all layers are gone through."""
    few: Any = attrs.validators.optional(whole_number(1))
    return attrs.field(default=4, kw_only=True, validator=few)


#: Maps are enlarged to as many cells along each axis, at least: some comparisons look through
#: windows.
CELLS = 32


def alike(similarity: str, map_: NDArray[Any], others: NDArray[Any]) -> float:
    """Tell how like a map some others of the same size are, on the average.

    Each is scaled by its largest absolute value, since weights drawn anew change the unit.
    """
    if np.isnan(others).any():
        raise UnmeasurableError("the model with other weights gives NaN or infinite numbers")
    sizes = [max(size, CELLS) for size in map_.shape]
    one, *rest = (_scaled(one) for one in laid(np.stack([map_, *others]), sizes))
    found = [SIMILARITIES[similarity](one, other) for other in rest]
    if np.isnan(found).any():
        raise UnmeasurableError("a map is the same everywhere: it is like no other, nor unlike")
    return float(np.mean(found))


def _scaled(map_: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.abs(map_).max()
    return map_ / largest if largest else map_


@attrs.frozen
class ParameterRandomization(Metric):
    """How like the map stays while the weights are drawn anew, from the output to the input.

    The model is left as it is: its weights are drawn anew elsewhere.

    Parameters
    ----------
    similarity : {"spearman", "pearson", "ssim"}
        How the maps are compared.
    stages : int or None
        In how many steps all layers are gone through; None for one for each layer.
    seed : int
        Which weights are drawn.
    """

    name: ClassVar[str] = "parameter_randomization"
    title: ClassVar[str] = "Parameter randomisation"
    formula: ClassVar[str] = "mean over stages of similarity(map, map with weights drawn anew)"
    source: ClassVar[str] = "Adebayo et al. 2018, arXiv:1810.03292"
    better: ClassVar = "lower"
    cost: ClassVar[str] = "1 explanation for each stage"
    explains: ClassVar[bool] = True

    similarity: str = likeness_field("spearman")
    stages: int | None = stages_field()
    seed: int = seed_field()

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        if find(redrawn, batch.model) is None:
            reason = f"nobody knows the weights of a {type(batch.model).__name__}"
            return [UnmeasurableError(reason)] * len(batch)
        key = ("redrawn", self.stages, self.seed)
        if key not in batch.shared:  # its programs serve the next batch, too
            asked: dict[str, Any] = {"stages": self.stages, "seed": self.seed}
            try:
                batch.shared[key] = redrawn(batch.model, batch.docs, **asked)
            except (TypeError, ValueError) as error:  # it has no weights, or cannot be copied
                return [UnmeasurableError(str(error))] * len(batch)
        others = [batch.explained(model=model) for model in batch.shared[key]]
        maps = [one.targets[0].map for one in batch.explanations]
        compare = partial(alike, self.similarity)
        return each(compare, maps, np.stack(others, axis=1))


@attrs.frozen
class RandomLogit(Metric):
    """How like the map is to that of another class, drawn at random.

    Parameters
    ----------
    similarity : {"ssim", "spearman", "pearson"}
        How the maps are compared.
    seed : int
        Which class is drawn for each document.
    """

    name: ClassVar[str] = "random_logit"
    title: ClassVar[str] = "Random logit"
    formula: ClassVar[str] = "similarity(map of the target, map of another class)"
    source: ClassVar[str] = "Sixt, Granz and Landgraf 2020, arXiv:1912.09818"
    better: ClassVar = "lower"
    cost: ClassVar[str] = "1 explanation"
    explains: ClassVar[bool] = True

    similarity: str = likeness_field("ssim")
    seed: int = seed_field()

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""
        targets = batch.targets
        if not all(isinstance(one, int | np.integer) for one in targets):
            reason = "another class is drawn where the target is one: a unit of the only output"
            return [UnmeasurableError(reason)] * len(batch)
        if find(outputs_of, batch.model) is None:
            reason = f"nobody knows the other classes of a {type(batch.model).__name__}"
            return [UnmeasurableError(reason)] * len(batch)
        [scores] = outputs_of(batch.model, rows_of(batch.docs, slice(1)), [], 1)
        units = scores.shape[1]
        if units == 1 and batch.explanations[0].is_regression:
            return [
                UnmeasurableError("the model gives one quantity: there is no other class")
            ] * len(batch)
        units = max(units, 2)  # a single sigmoid has two classes
        draw = [np.random.default_rng((self.seed, position)) for position in batch.positions]
        others = [
            (target + rng.integers(1, units)) % units
            for target, rng in zip(targets, draw, strict=True)
        ]
        maps = [one.targets[0].map for one in batch.explanations]
        found = batch.explained(targets=others)
        return each(partial(alike, self.similarity), maps, found[:, None])
