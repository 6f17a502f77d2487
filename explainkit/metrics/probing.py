"""What a model says of documents whose pictures were changed."""

from abc import ABC, abstractmethod
from types import SimpleNamespace
from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.asking import ask, pictures_in, with_pictures
from explainkit.engines.base import Tensor
from explainkit.estimators.documents import rows_of
from explainkit.explain import find
from explainkit.inspection import outputs_of
from explainkit.methods.base import Canvas, Cost, Mapped, Method
from explainkit.methods.baselines import (
    Baseline,
    baseline_field,
    baseline_of,
    drawn_baseline,
    undrawn,
)
from explainkit.methods.subject import Subject
from explainkit.metrics.batch import Batch
from explainkit.metrics.targeting import explained_at, parts_of


@attrs.frozen(slots=False)
class Change(ABC):
    """How pictures are changed, in one step of some.

    Parameters
    ----------
    baseline : float, "mean", "blur" or array
        What stands where nothing is shown: a number for all pixels, each picture's mean
        colour, the picture blurred, or a picture, channels last.
    """

    baseline: Baseline = baseline_field(0.0)

    @abstractmethod
    def changed(self, xp: Any, pixels: Tensor, other: Tensor, recipe: Any, item: Any) -> Tensor:
        """Change pictures.

        Parameters
        ----------
        xp
            A namespace of array functions under numpy's names.
        pixels, other : array, shape (N, ..., C)
            The pictures, and what stands where nothing is shown.
        recipe : array, shape (N, ...), or ()
            What belongs to each document.
        item : array
            What belongs to the step.
        """


@attrs.frozen(slots=False)
class Hide(Change):
    """Hide the pixels whose rank, the recipe, is below the step's."""

    def changed(self, xp: Any, pixels: Tensor, other: Tensor, recipe: Any, item: Any) -> Tensor:
        """Change pictures."""
        return xp.where(recipe[..., None] < item, other, pixels)


@attrs.frozen(slots=False)
class Dim(Change):
    """Show each pixel as far as its weight, the recipe, says."""

    def changed(self, xp: Any, pixels: Tensor, other: Tensor, recipe: Any, item: Any) -> Tensor:  # noqa: ARG002
        """Change pictures."""
        weights = xp.astype(recipe[..., None], pixels.dtype)
        return other + weights * (pixels - other)


@attrs.frozen(slots=False)
class Cover(Change):
    """Hide the pixels where the step's mask is 1."""

    def changed(self, xp: Any, pixels: Tensor, other: Tensor, recipe: Any, item: Any) -> Tensor:  # noqa: ARG002
        """Change pictures."""
        return pixels + xp.astype(item[None, ..., None], pixels.dtype) * (other - pixels)


@attrs.frozen(slots=False)
class Subtract(Change):
    """Subtract the step's noise, so much of it as the recipe says, the same from all channels."""

    def changed(self, xp: Any, pixels: Tensor, other: Tensor, recipe: Any, item: Any) -> Tensor:  # noqa: ARG002
        """Change pictures."""
        return pixels - xp.astype(recipe * item[None, ..., None], pixels.dtype)


@attrs.frozen(slots=False)
class Replace(Change):
    """Show pictures of the recipe, shape (N, steps, ..., C): that of the step's number."""

    def changed(self, xp: Any, pixels: Tensor, other: Tensor, recipe: Any, item: Any) -> Tensor:  # noqa: ARG002
        """Change pictures."""
        return xp.astype(xp.take(recipe, item[None], axis=1)[:, 0], pixels.dtype)


@attrs.frozen
class Probe(Method):
    """Not an explanation: the scores of pictures that are changed, step by step."""

    name: ClassVar[str] = "probe"
    title: ClassVar[str] = "Probe"
    formula: ClassVar[str] = "the score of each changed picture"
    source: ClassVar[str] = "none"
    cost: ClassVar[Cost] = Cost("1, and 1 for each step", "0")

    change: Change
    of_probability: bool
    recipe: Any = attrs.field(eq=False, default=())
    items: Any = attrs.field(eq=False, default=())

    @property
    def compiled_as(self) -> Method:
        """Whatever the steps, and what belongs to documents."""
        baseline = undrawn(self.change.baseline)
        return Probe(attrs.evolve(self.change, baseline=baseline), self.of_probability)

    def drawn(self, canvas: Canvas, batch_size: int) -> Any:  # noqa: ARG002
        """Give what the pictures are changed with."""
        return self.recipe, self.items, drawn_baseline(self.change.baseline, canvas.shape)

    def maps(self, subject: Subject, drawn: Any) -> Mapped:
        """Give the scores of each step, shape (N, K, steps)."""
        engine, xp, (recipe, items, baseline) = subject.engine, subject.engine.xp, drawn
        seen = subject.look()
        chosen, pixels = subject.of(seen.kept.columns), subject.pixels
        other = baseline_of(xp, self.change.baseline, baseline, pixels)

        def step(item: Any) -> Tensor:
            changed = self.change.changed(xp, pixels, other, recipe, item)
            found = chosen.showing(changed).look()
            after = self.of_probability and found.kept.probas is not None
            return engine.widen(found.kept.probas if after else found.scores)

        found = engine.collect(step, items, engine.widen(seen.scores))
        return Mapped(seen.scores, seen.kept, xp.transpose(found, (1, 2, 0)))


@attrs.frozen(eq=False)
class Probed:
    """The scores of documents, and of their changed pictures.

    Attributes
    ----------
    whole : ndarray of float64, shape (N,)
    changed : ndarray of float64, shape (N, steps)
    """

    whole: NDArray[np.float64]
    changed: NDArray[np.float64]


def probe(
    batch: Batch,
    change: Change,
    items: NDArray[Any],
    recipe: NDArray[Any] | tuple[()] = (),
    *,
    of_probability: bool = True,
) -> Probed:
    """Ask a model about changed pictures of each document of a batch.

    Parameters
    ----------
    batch : Batch
    change : Change
    items : ndarray, shape (steps, ...)
        What belongs to each step.
    recipe : ndarray, shape (N, ...), or ()
        What belongs to each document.
    of_probability : bool
        Whether the model's output is wanted, after a final softmax or sigmoid; else the score
        that was explained.
    """
    whole, changed = np.zeros(len(batch)), np.zeros((len(batch), len(items)))
    activation = batch.activation if of_probability else None
    for positions, docs, targets in parts_of(batch.docs, batch.targets):
        of_part = recipe if isinstance(recipe, tuple) else recipe[positions]
        asked = Probe(change, of_probability, of_part, items)
        wanted = [batch.targets[position] for position in positions]
        if find(ask, batch.model) is None:
            if activation:
                raise ValueError(
                    f"activation={activation!r} was given, but a {type(batch.model).__name__} "
                    "tells the scores of what is explained alone: let it explain probabilities"
                )
            found = _by_explanations(batch, docs, asked, wanted)
        elif activation:
            found = _activated(activation, batch, docs, asked, wanted)
        else:
            answer = ask(batch.model, docs, asked, targets=targets, logits=batch.logits)
            scores = answer.probas if of_probability else answer.scores
            found = Probed(scores[:, 0], answer.maps[:, 0])
        whole[positions], changed[positions] = found.whole, found.changed
    return Probed(whole, changed)


def _activated(activation: str, batch: Batch, docs: Any, asked: Probe, wanted: Any) -> Probed:
    """Make probabilities of all scores of the model, which does not do so itself."""
    [scores] = outputs_of(batch.model, rows_of(docs, slice(1)), [], 1)
    units = np.arange(scores.shape[1])
    raw = attrs.evolve(asked, of_probability=False)
    answer = ask(batch.model, docs, raw, targets=np.tile(units, (len(wanted), 1)))
    turn = ACTIVATIONS[activation]
    rows = np.arange(len(wanted))
    return Probed(turn(answer.scores)[rows, wanted], turn(answer.maps)[rows, wanted])


def _softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    weights = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _sigmoid(scores: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * scores.astype(np.float64)))


#: What makes probabilities of scores, shape (N, units, ...).
ACTIVATIONS = {"softmax": _softmax, "sigmoid": _sigmoid}


def _by_explanations(batch: Batch, docs: Any, asked: Probe, wanted: Any) -> Probed:
    """Ask an estimator that only explains: its explanations tell the scores."""
    pixels = pictures_in(batch.model, docs, wanted)
    drawn = drawn_baseline(asked.change.baseline, pixels.shape[1:])
    other = baseline_of(_NUMPY, asked.change.baseline, drawn, pixels)

    def scores(docs: Any) -> NDArray[Any]:
        found = explained_at(batch.model, docs, wanted, **batch.asked)
        targets = [one.targets[0] for one in found]
        of_probability = asked.of_probability and targets[0].proba is not None
        return np.array([one.proba if of_probability else one.score for one in targets])

    steps = [asked.change.changed(_NUMPY, pixels, other, asked.recipe, i) for i in asked.items]
    changed = [scores(with_pictures(batch.model, docs, one, wanted)) for one in steps]
    return Probed(scores(docs), np.stack(changed, axis=1))


#: Numpy, with a function that it has had since 2.1 only.
_NUMPY = SimpleNamespace(**{**vars(np), "astype": lambda array, dtype: array.astype(dtype)})
