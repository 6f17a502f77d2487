"""Explanations that are there already: measured, and not made again."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from explainkit.explanation import Explanation, TargetExplanation, warn
from explainkit.failures import recorded
from explainkit.option_words import digest_of


class Explanations(Protocol):
    """Explanations that may be read when they are looked at: a list, or what a run has kept."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> Any: ...


@attrs.frozen
class Kept:
    """Explanations of documents, one for each, in the place of a method.

    Attributes
    ----------
    name : str
        What they are called in the table.
    explanations : sequence of Explanation
    """

    name: str
    explanations: Explanations

    def digest(self) -> str:
        """Tell them from others."""
        every = (self.explanations[place] for place in range(len(self.explanations)))
        return digest_of(*(target.heatmap for expl in every for target in expl.targets))

    def check_count(self, count: int | None) -> None:
        """Raise a ValueError if there is not one for each of so many documents."""
        if count is not None and len(self.explanations) != count:
            raise ValueError(
                f"methods has {len(self.explanations)} explanations as {self.name!r}, but there "
                f"are {count} docs; give one for each, in their order"
            )

    def check_used_up(self, docs: int) -> None:
        """Warn if there are more than there were documents."""
        if len(self.explanations) > docs:
            warn(
                f"methods has {len(self.explanations)} explanations as {self.name!r}, and there "
                f"were only {docs} docs"
            )

    def at(self, positions: Sequence[int], targets: Sequence[Any] | None) -> list[Explanation]:
        """Give those of some documents, each with the one target that is measured.

        Raises
        ------
        ValueError
            If there are not so many.
        """
        if positions[-1] >= len(self.explanations):
            raise ValueError(
                f"methods has {len(self.explanations)} explanations as {self.name!r}, but there "
                "are more docs"
            )
        wanted = [None] * len(positions) if targets is None else targets
        pairs = zip(positions, wanted, strict=True)
        return [_about(self.explanations[position], target) for position, target in pairs]


def are_explanations(given: Any) -> bool:
    """Tell explanations, in a list or in what a run has kept, from the name of a method."""
    if isinstance(given, str | type | Mapping) or not hasattr(given, "__getitem__"):
        return False
    return not len(given) or isinstance(given[0], Explanation)


def _about(expl: Explanation, target: Any) -> Explanation:
    """Leave of an explanation what it says of a target, or of its first."""
    if expl.error:
        return expl
    for one in expl.targets:
        if target is None or _is_it(one, target):
            return attrs.evolve(expl, targets=[one])
    known = ", ".join(str(one.target) for one in expl.targets) or "none"
    error = LookupError(f"it is kept for the target {target!r}, and there is: {known}")
    return recorded(expl.estimator, expl.method, error)


def _is_it(one: TargetExplanation, target: Any) -> bool:
    if callable(target):
        return one.target == getattr(target, "__name__", type(target).__name__)
    return target in (one.target, one.label)
