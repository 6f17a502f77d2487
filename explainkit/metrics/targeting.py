"""Targets that are another for each document, as the doors take them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainkit.estimators.documents import rows_of
from explainkit.explain import explain_predictions, find
from explainkit.explanation import Explanation

Positions = NDArray[np.intp]


def parts_of(docs: Any, targets: Sequence[Any]) -> Iterator[tuple[Positions, Any, Any]]:
    """Part documents so that each part can be asked about at once.

    Yields
    ------
    positions : ndarray of int
        Which documents are in the part.
    docs
        The documents of the part.
    targets
        As `explainkit.explain_predictions` takes them.
    """
    if all(isinstance(target, int | np.integer) for target in targets):
        yield np.arange(len(targets)), docs, np.asarray(targets, np.int64)[:, None]
    else:
        # Units of several outputs, and functions, are given for all documents alike.
        yield from parts_of_one_target(docs, targets)


def parts_of_one_target(docs: Any, targets: Sequence[Any]) -> Iterator[tuple[Positions, Any, Any]]:
    """Part documents as `parts_of` does, so that each part has one target."""
    for target in dict.fromkeys(targets):
        positions = np.flatnonzero([one == target for one in targets])
        whole = len(positions) == len(targets)
        yield positions, docs if whole else rows_of(docs, positions), [target]


def explained_at(model: Any, docs: Any, targets: Sequence[Any], **asked: Any) -> list[Explanation]:
    """Explain documents, each at its own target."""
    # An estimator that knows how to explain one document knows nothing of rows of targets.
    explains_many = find(explain_predictions, model) is not None
    parts = parts_of if explains_many else parts_of_one_target
    found: list[Any] = [None] * len(targets)
    for positions, part, of_part in parts(docs, targets):
        explained = explain_predictions(model, part, targets=of_part, **asked)
        for position, explanation in zip(positions, explained, strict=True):
            found[position] = explanation
    return found
