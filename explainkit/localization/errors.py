"""How often the boxes of explanations miss the truth: the table of the Grad-CAM paper."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
import numpy as np

from explainkit.explanation import Explanation
from explainkit.intervals import interval_of
from explainkit.localization.box import Box
from explainkit.localization.boxes import USUAL_THRESHOLD, find_box
from explainkit.localization.heat import BlankMapError
from explainkit.localization.limits import as_overlap, as_threshold, as_whole
from explainkit.localization.overlap import iou
from explainkit.localization.truth import BoxesOfDoc, Label, as_labels, as_true_boxes, in_step


@attrs.frozen
class ErrorRate:
    """A share of documents, and how sure that number is.

    Attributes
    ----------
    share : float
        In [0, 1].
    low, high : float
        Wilson's interval (Wilson 1927): with a confidence of 95 %, the share among all
        documents of this kind lies in it.
    """

    share: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.share:.1%} ({self.low:.1%} to {self.high:.1%})"


@attrs.frozen
class TopErrors:
    """What went wrong where the first few targets of each document count.

    Attributes
    ----------
    top : int
        How many targets count.
    classification : ErrorRate
        Documents whose label is not among them.
    localization : ErrorRate
        Documents for which none of them is the label with a box in the right place.
    """

    top: int
    classification: ErrorRate
    localization: ErrorRate


@attrs.frozen
class LocalizationErrors:
    """How often classification and localization went wrong over a dataset.

    Attributes
    ----------
    count : int
        The number of documents.
    threshold, overlap : float
        What the boxes were found with, and the IoU from which on they count as right.
    rows : tuple of TopErrors
        One for each number of targets that was asked for, in that order.
    """

    count: int
    threshold: float
    overlap: float
    rows: tuple[TopErrors, ...]

    def __str__(self) -> str:
        """Give a table, with a line for each number of targets."""
        cells = [("", "classification error", "localization error")]
        cells += [
            (f"top {row.top}", str(row.classification), str(row.localization)) for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in cells
        ]
        said = (
            f"{self.count} documents; boxes at {self.threshold:g} of the greatest heat, "
            f"right from an IoU of {self.overlap:g} on; in parentheses, 95 % intervals"
        )
        return "\n".join([*lines, said])


def localization_errors(
    explanations: Iterable[Explanation],
    labels: Iterable[Label],
    boxes: Iterable[BoxesOfDoc],
    *,
    top: Iterable[int] = (1, 5),
    threshold: float = USUAL_THRESHOLD,
    overlap: float = 0.5,
) -> LocalizationErrors:
    """Count how often the label, and where it is, are missed among the first targets.

    Weakly supervised localization as ILSVRC scores it and the Grad-CAM paper reports it
    (Selvaraju et al., ICCV 2017, table 1): the k highest classes are predicted, each with
    the box that `find_box` gives. The classification is wrong if none of them is the
    label, the localization if none of them is the label with a box that has at least an
    IoU of `overlap` with a true one. So the second error is never below the first.

    Parameters
    ----------
    explanations : iterable of Explanation
        One for each document, with a picture, the targets ordered by score: as
        ``explain_predictions(model, docs, top_targets=5)`` gives them. They are held one
        at a time. One that failed, or whose map is positive nowhere, counts as wrong.
    labels : iterable of int, or of tuple of (str, int)
        The true unit of each document, named as the targets are.
    boxes : iterable of Box, of tuple of four int, or of iterable of these
        For each document where its label is, in pixels of its picture: a box, or
        several, of which any will do.
    top : iterable of int
        The numbers of targets to count, from 1 on.
    threshold : float
        For `find_box`, in (0, 1).
    overlap : float
        The least IoU that is right, in (0, 1].

    Returns
    -------
    LocalizationErrors

    Raises
    ------
    TypeError
        If an argument is of a type that nothing can be made of.
    ValueError
        If there are no documents, the numbers of explanations, labels and boxes differ, an
        explanation has too few targets, labels are not named as targets are, or a number
        is out of range. What can be checked is checked before the first explanation.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> from explainkit.explanation import Explanation, TargetExplanation
    >>> heat = np.zeros((4, 4), np.float32)
    >>> heat[1:3, 1:3] = 1
    >>> target = TargetExplanation(243, None, 12.3, 0.81, heat, heat)
    >>> expl = Explanation("a model", "gradcam", targets=[target], image=Image.new("L", (4, 4)))
    >>> truth = [(1, 1, 3, 3), (0, 0, 1, 1)]  # found in the first doc, missed in the second
    >>> errors = localization_errors([expl, expl], [243, 243], truth, top=[1])
    >>> errors.rows[0].classification.share, errors.rows[0].localization.share
    (0.0, 0.5)
    """
    counted = _as_counts(top)
    share, least = as_threshold(threshold), as_overlap(overlap)
    known, true_boxes = as_labels(labels), as_true_boxes(boxes)
    docs = in_step(explanations, known, true_boxes)
    ranks = [
        _ranks(expl, label, _Judge(around, share, least), max(counted), place)
        for place, (expl, label, around) in enumerate(docs)
    ]
    rows = tuple(
        TopErrors(
            k,
            _error_rate([classified >= k for classified, _ in ranks]),
            _error_rate([localized >= k for _, localized in ranks]),
        )
        for k in counted
    )
    return LocalizationErrors(len(ranks), share, least, rows)


def localization_error(
    explanations: Iterable[Explanation],
    boxes: Iterable[BoxesOfDoc],
    *,
    threshold: float = USUAL_THRESHOLD,
    overlap: float = 0.5,
    target: int = 0,
) -> float:
    """Give the share of explanations whose box is in the wrong place, the label being known.

    Also known as the GT-known localization error: what is asked is where the true class
    is, not which it is, so that the model's slips of classification do not count.

    Parameters
    ----------
    explanations : iterable of Explanation
        One for each document, of its true class, with a picture. One that failed, or
        whose map is positive nowhere, counts as wrong.
    boxes, threshold, overlap
        As for `localization_errors`.
    target : int
        The position in each explanation's ``targets`` of the true class.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    TypeError, ValueError
        As `localization_errors` does.
    IndexError
        If there is no target at that position.

    Examples
    --------
    >>> import numpy as np
    >>> from explainkit import explain_predictions, scenes
    >>> drawn = list(scenes.draw_scenes(4))
    >>> first = [scene.objects[0] for scene in drawn]
    >>> explanations = explain_predictions(
    ...     scenes.load_network(),
    ...     scenes.as_docs(drawn),
    ...     targets=np.array([[one.target] for one in first]),
    ... )
    >>> 0 <= localization_error(explanations, [one.box for one in first]) <= 1
    True
    """
    share, least = as_threshold(threshold), as_overlap(overlap)
    position = as_whole("target", target, 0, "a position in each explanation's targets")
    true_boxes = as_true_boxes(boxes)
    wrong = [
        bool(expl.error) or not _Judge(around, share, least).is_right(expl, position)
        for expl, around in in_step(explanations, true_boxes)
    ]
    return sum(wrong) / len(wrong)


@attrs.frozen
class _Judge:
    """Says whether a target's box is where the truth is."""

    true_boxes: Sequence[Box]
    threshold: float
    overlap: float

    def is_right(self, expl: Explanation, position: int) -> bool:
        try:
            box = find_box(expl, self.threshold, target=position)
        except BlankMapError:
            return False
        return any(iou(box, one) >= self.overlap for one in self.true_boxes)


def _ranks(
    expl: Explanation, label: Label, judge: _Judge, most: int, place: int
) -> tuple[float, float]:
    """Find the position of the first target that is right, and of the first with its box."""
    never = float("inf")
    if expl.error:
        return never, never
    if len(expl.targets) < most:
        raise ValueError(
            f"explanations[{place}] has {len(expl.targets)} targets, too few for top={most}; "
            f"top_targets={most} would do in explain_predictions"
        )
    positions = list(_positions_of(label, expl, place))
    right = (position for position in positions if judge.is_right(expl, position))
    return next(iter(positions), never), next(right, never)


def _positions_of(label: Label, expl: Explanation, place: int) -> Iterator[int]:
    for position, one in enumerate(expl.targets):
        if type(one.target) is not type(label):
            raise ValueError(
                f"labels[{place}] is {label!r}, but explanations[{place}] is about a target "
                f"named {one.target!r}; name the labels as the targets are"
            )
        if one.target == label:
            yield position


def _error_rate(wrong: Sequence[bool]) -> ErrorRate:
    return ErrorRate(*interval_of(np.asarray(wrong, np.float64), is_share=True))


def _as_counts(given: Any) -> list[int]:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"top is {given!r}; give several numbers of targets, such as (1, 5)")
    counts = [as_whole("a number in top", one, 1, "a number of targets") for one in given]
    if not counts:
        raise ValueError("top is empty; give at least one number of targets, such as 1")
    return counts
