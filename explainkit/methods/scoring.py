"""The scores to explain, taken of a model's outputs inside a compiled program."""

from collections.abc import Sequence
from typing import NamedTuple

import attrs

from explainkit.engines.base import Engine, Tensor
from explainkit.targets import Output


class Scored(NamedTuple):
    """The K chosen scores of each document. A tuple, since it passes through engines.

    Attributes
    ----------
    scores : tensor, shape (N, K)
        What the gradient is taken of.
    probas : tensor, shape (N, K), or None
        The same numbers after the final activations; None for callables.
    columns : tensor of int32, shape (N, K), or None
        Which of the `ClassScores` they are; None for callables.
    """

    scores: Tensor
    probas: Tensor | None = None
    columns: Tensor | None = None


@attrs.frozen
class ClassScores:
    """A score for each unit of each output that is asked about, one after the other.

    Attributes
    ----------
    outputs : tuple of Output
        All outputs of the model.
    used : tuple of int
        The positions of those that are asked about. No other is looked at.
    logits : bool
        Whether the scores are those before a final softmax or sigmoid.
    """

    outputs: tuple[Output, ...]
    used: tuple[int, ...]
    logits: bool

    def top(self, engine: Engine, tensors: Sequence[Tensor], count: int) -> Scored:
        """Take the highest classes, highest first."""
        scores, probas = self._all(engine, tensors)
        columns = engine.xp.argsort(-scores, axis=1)[:, :count]
        return self._take(engine, scores, probas, columns)

    def at(self, engine: Engine, tensors: Sequence[Tensor], columns: Tensor) -> Scored:
        """Take the columns that were asked for, shape (N, K)."""
        return self._take(engine, *self._all(engine, tensors), columns)

    @staticmethod
    def _take(engine: Engine, scores: Tensor, probas: Tensor, columns: Tensor) -> Scored:
        take = engine.xp.take_along_axis
        return Scored(take(scores, columns, axis=1), take(probas, columns, axis=1), columns)

    def _all(self, engine: Engine, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        pairs = [self._of(engine, self.outputs[i], tensors[i]) for i in self.used]
        scores, probas = zip(*pairs, strict=True)
        return _joined(engine, scores), _joined(engine, probas)

    def _of(self, engine: Engine, output: Output, tensor: Tensor) -> tuple[Tensor, Tensor]:
        proba = score = engine.widen(tensor)
        if self.logits and output.activation:
            score = engine.widen(engine.before_activation(tensor)[0])
        if output.activation == "log_softmax":
            proba = engine.xp.exp(proba)
        if not output.is_binary:
            return score, proba
        against = -score if self.logits else 1 - score
        return _joined(engine, [against, score]), _joined(engine, [1 - proba, proba])


def _joined(engine: Engine, columns: Sequence[Tensor]) -> Tensor:
    return columns[0] if len(columns) == 1 else engine.xp.concatenate(columns, axis=1)
