"""What a model said of some documents, as arrays, and the records that are made of it."""

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.explanation import TargetExplanation, TargetName, warn
from explainkit.methods.heatmap import heatmap_of
from explainkit.targets import TargetSpace


@attrs.frozen
class Answer:
    """What the model said of N documents, as arrays of numpy."""

    scores: NDArray[Any]
    maps: NDArray[Any]
    probas: NDArray[Any] | None
    units: NDArray[np.int32] | None
    space: TargetSpace
    function_names: tuple[str, ...]

    def target(self, doc: int, position: int) -> TargetName:
        if self.units is None:
            return self.function_names[position]
        return self.space.name(int(self.units[doc, position]))

    def label(self, doc: int, position: int) -> str | None:
        if self.units is None:
            return None
        return self.space.label(int(self.units[doc, position]))

    def proba(self, doc: int, position: int) -> float | None:
        if self.units is None or self.probas is None:
            return None
        output = self.space.output(int(self.units[doc, position]))
        return float(self.probas[doc, position]) if output.activation else None

    def is_regression(self, doc: int) -> bool:
        if self.units is None:
            return False
        return self.space.output(int(self.units[doc, 0])).is_regression


def name_of(function: Callable[[Any], Any]) -> str:
    """Name a callable, for people."""
    return getattr(function, "__name__", type(function).__name__)


def function_names(
    functions: tuple[Callable[[Any], Any], ...], scores: NDArray[Any], count: int
) -> tuple[str, ...]:
    """Name the scores of callables."""
    names = [name_of(function) for function in functions]
    if len(scores) != count:
        raise ValueError(
            f"the target {'+'.join(names)} gives {len(scores)} scores for {count} docs; give one "
            "for each: outputs have an axis of docs, so that unit 3 is outputs[:, 3]"
        )
    if len(names) == scores.shape[1]:
        return tuple(names)
    return tuple(f"{'+'.join(names)}[{column}]" for column in range(scores.shape[1]))


def unusable(answer: Answer, doc: int, reason: str) -> ValueError | None:
    """Give the error of a document that cannot be explained; none where it can be.

    Parameters
    ----------
    answer : Answer
    doc : int
        Which document.
    reason : str
        Why maps may be NaN whose scores are not, where there is a reason for it.
    """
    if reason and np.isfinite(answer.scores[doc]).all() and np.isnan(answer.maps[doc]).any():
        return ValueError(reason)

    for what, values in (("score", answer.scores[doc]), ("gradient", answer.maps[doc])):
        if not np.isfinite(values).all():
            return ValueError(
                f"the model gives a {what} that is NaN or infinite for this doc; there is "
                "nothing to be explained by it"
            )
    return None


def warn_of_blanks(answer: Answer, layer: str | None) -> None:
    """Say where a picture will be blank, since nothing there speaks for the target."""
    axes = tuple(range(2, answer.maps.ndim))
    blank = (answer.maps <= 0).all(axis=axes) & np.isfinite(answer.scores)
    if blank.any():
        where = "in the picture" if layer is None else f"at layer '{layer}'"
        doc, position = (int(i) for i in np.argwhere(blank)[0])
        others = np.count_nonzero(blank) - 1
        warn(
            f"nothing {where} speaks for target {answer.target(doc, position)!r}"
            f"{f' (and {others} more in this batch)' if others else ''}: its heatmap is all "
            "zeros (its map shows what speaks against it)"
        )


def target_explanations(answer: Answer, doc: int) -> list[TargetExplanation]:
    """Make the records of the targets of one document."""
    maps = answer.maps[doc]
    return [
        TargetExplanation(
            target=answer.target(doc, position),
            label=answer.label(doc, position),
            score=float(answer.scores[doc, position]),
            proba=answer.proba(doc, position),
            heatmap=heatmap_of(map_),
            map=map_.copy(),  # a view would keep the whole batch
        )
        for position, map_ in enumerate(maps)
    ]
