"""What is known of a dataset: the label of each document, and where it is."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import zip_longest
from typing import Any

from explainkit.explanation import Explanation
from explainkit.localization.box import Box, BoxLike, as_boxes
from explainkit.localization.limits import as_whole

#: The true unit of the output, or (output, unit) where the model has several outputs.
Label = int | tuple[str, int]

#: Where the label is in a document: in one box, or in each of several.
BoxesOfDoc = BoxLike | Iterable[BoxLike]

_END: Any = object()


def as_labels(given: Iterable[Label]) -> list[Label]:
    """Check the labels of documents.

    Raises
    ------
    TypeError
        If one is neither a whole number nor a pair of a string and one.
    ValueError
        If a unit is below 0.

    Examples
    --------
    >>> as_labels([3, ("kinds", 5)])
    [3, ('kinds', 5)]
    """
    return [_as_label(one, place) for place, one in enumerate(_listed("labels", given))]


def as_true_boxes(given: Iterable[BoxesOfDoc]) -> list[list[Box]]:
    """Check the true boxes of documents.

    Raises
    ------
    TypeError
        If what a document has is no box and no boxes.
    ValueError
        If a box is none, has no area, or a document has no box.

    Examples
    --------
    >>> as_true_boxes([(0, 0, 4, 2), [(0, 0, 1, 1), (1, 1, 2, 2)]])[0]
    [Box(left=0, top=0, right=4, bottom=2)]
    """
    return [_true_boxes(one, place) for place, one in enumerate(_listed("boxes", given))]


def in_step(
    explanations: Iterable[Explanation], *known: Sequence[Any]
) -> Iterator[tuple[Any, ...]]:
    """Go through explanations and what is known of their documents, side by side.

    Raises
    ------
    TypeError
        If there is something else among the explanations.
    ValueError
        If there are no documents, or their numbers differ: at once where the explanations
        have a length, else when the shorter side ends.
    """
    if isinstance(explanations, Explanation) or not isinstance(explanations, Iterable):
        raise TypeError(
            f"explanations is of type {type(explanations).__name__}; give one for each document, "
            "as explain_predictions does"
        )
    counts = {len(one) for one in known}
    if isinstance(explanations, Sized):
        counts.add(len(explanations))
    if len(counts) > 1:
        raise ValueError(
            f"there is not one of each for each document: {' and '.join(map(str, sorted(counts)))} "
            "are the numbers of explanations, labels and boxes"
        )
    if counts == {0}:
        raise ValueError("there are no documents; give at least one explanation and its truth")
    return _walk(explanations, known)


def _walk(
    explanations: Iterable[Explanation], known: tuple[Sequence[Any], ...]
) -> Iterator[tuple[Any, ...]]:
    for place, doc in enumerate(zip_longest(explanations, *known, fillvalue=_END)):
        if _END in (doc[0], doc[-1]):
            more = "more" if doc[-1] is _END else "fewer"
            raise ValueError(f"there are {more} explanations than the {len(known[0])} boxes given")
        if not isinstance(doc[0], Explanation):
            raise TypeError(
                f"explanations[{place}] is of type {type(doc[0]).__name__}; give what "
                "explain_prediction returned"
            )
        yield doc


def _listed(name: str, given: Any) -> list[Any]:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(
            f"{name} is {given!r}, of type {type(given).__name__}; give one for each document"
        )
    return list(given)


def _as_label(given: Any, place: int) -> Label:
    meaning = "the number of the unit, or (output, unit) where there are several outputs"
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
        return given[0], as_whole(f"the unit in labels[{place}]", given[1], 0, meaning)
    return as_whole(f"labels[{place}]", given, 0, meaning)


def _true_boxes(given: Any, place: int) -> list[Box]:
    try:
        boxes = as_boxes(given)
    except (TypeError, ValueError) as error:
        raise type(error)(f"boxes[{place}]: {error}") from error
    if not boxes:
        raise ValueError(f"boxes[{place}] is empty; give where the label is, at least one box")
    if not all(one.area for one in boxes):
        raise ValueError(f"boxes[{place}] is {given!r}, with a box of no area")
    return boxes
