"""The scores to explain, taken of a model's outputs inside a compiled program."""

from collections.abc import Sequence

import attrs

from explainkit.engines.base import Engine, Tensor
from explainkit.targets import Output


@attrs.frozen
class Scored:
    """The K chosen scores of each document.

    Attributes
    ----------
    scores : tensor, shape (N, K)
        What the gradient is taken of.
    probas : tensor, shape (N, K), or None
        The same numbers after the final activations; None for callables.
    indices : tensor of int32, shape (N, K), or None
        The units, counted through all outputs; None for callables.
    """

    scores: Tensor
    probas: Tensor | None = None
    indices: Tensor | None = None


@attrs.frozen
class ClassScores:
    """A score for each unit of each output that has units.

    Attributes
    ----------
    outputs : tuple of Output
    used : tuple of int
        The positions of the outputs that are asked about.
    logits : bool
        Whether the scores are those before a final softmax or sigmoid.
    """

    outputs: tuple[Output, ...]
    used: tuple[int, ...]
    logits: bool

    def top(self, engine: Engine, tensors: Sequence[Tensor], count: int) -> Scored:
        """Take the highest classes of the one output asked about, highest first."""
        [position] = self.used
        start = sum(output.units for output in self.outputs[:position])
        scores, probas = self._columns(engine, tensors)
        classes = scores[:, start : start + self.outputs[position].units]
        indices = engine.xp.argsort(-classes, axis=1)[:, :count] + start
        return self._take(engine, scores, probas, indices)

    def at(self, engine: Engine, tensors: Sequence[Tensor], indices: Tensor) -> Scored:
        """Take the units that were asked for, shape (N, K)."""
        return self._take(engine, *self._columns(engine, tensors), indices)

    @staticmethod
    def _take(engine: Engine, scores: Tensor, probas: Tensor, indices: Tensor) -> Scored:
        take = engine.xp.take_along_axis
        return Scored(take(scores, indices, axis=1), take(probas, indices, axis=1), indices)

    def _columns(self, engine: Engine, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        scores, probas = [], []
        for position, (output, tensor) in enumerate(zip(self.outputs, tensors, strict=True)):
            if not output.has_units:
                continue
            proba = engine.widen(tensor)
            logits = engine.widen(engine.before_activation(tensor)[0])
            score = logits if self.logits else proba
            if output.is_binary:
                score = self._both_classes(engine, -logits if self.logits else 1 - proba, score)
                proba = self._both_classes(engine, 1 - proba, proba)
            # Other outputs only hold their places: a tap that no score asked about
            # depends on must not look as if one did.
            scores.append(score if position in self.used else engine.xp.zeros_like(score))
            probas.append(proba)
        return _joined(engine, scores), _joined(engine, probas)

    @staticmethod
    def _both_classes(engine: Engine, against: Tensor, in_favour: Tensor) -> Tensor:
        return engine.xp.concatenate([against, in_favour], axis=1)


def _joined(engine: Engine, columns: list[Tensor]) -> Tensor:
    return columns[0] if len(columns) == 1 else engine.xp.concatenate(columns, axis=1)
