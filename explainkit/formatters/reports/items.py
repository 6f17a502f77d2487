"""What a report says of each document, and of all of them."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs

from explainkit.explanation import Explanation, TargetName
from explainkit.formatters.captions import caption_of
from explainkit.formatters.reports.agreement import Agreement, Truth
from explainkit.formatters.reports.thumbnails import Thumbnail, thumbnail_of
from explainkit.formatters.target_names import target_in_words

#: What can be said of an item, and be filtered by, as the page words it.
OUTCOMES = ("explained", "failed", "right", "wrong", "hit", "missed")
#: More models or methods than these are counted, not named.
_MOST_NAMED = 3


@attrs.frozen
class Item:
    """What the page says of one document, beside its explanation.

    Attributes
    ----------
    place : int
        Its position among the documents.
    name : str
    label : str or None
        What its first target is called; None where there is no target.
    score, proba : float or None
    error : str or None
    thumbnail : Thumbnail or None
    truth : str or None
        What the right target is called.
    agreement : Agreement
    """

    place: int
    name: str
    label: str | None
    score: float | None
    proba: float | None
    error: str | None
    thumbnail: Thumbnail | None
    truth: str | None
    agreement: Agreement

    @property
    def overlap(self) -> float | None:
        """The IoU with the truth."""
        return self.agreement.overlap

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What the truth says of it: right or wrong, and a hit or a miss."""
        known = (
            (self.agreement.right, "right", "wrong"),
            (self.agreement.hit, "hit", "missed"),
        )
        return tuple(yes if told else no for told, yes, no in known if told is not None)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What it can be filtered by."""
        return ("failed",) if self.error else ("explained", *self.verdicts)


def item_of(
    place: int, expl: Explanation, name: str, truth: Truth, agreement: Agreement, **drawing: Any
) -> Item:
    """Say of a document what its explanation and the truth say.

    Parameters
    ----------
    place : int
    expl : Explanation
    name : str
    truth : Truth
    agreement : Agreement
    **drawing
        As `thumbnail_of` takes it.

    Returns
    -------
    Item
    """
    first = expl.targets[0] if expl.targets and not expl.error else None
    return Item(
        place,
        name,
        # In attributes, by which is filtered, pages have no NUL.
        None if first is None else caption_of(first)[0].replace("\0", "\ufffd"),
        None if first is None else first.score,
        None if first is None else first.proba,
        expl.error,
        thumbnail_of(expl, **drawing),
        None if truth.target is None else _in_words(truth.target, expl),
        agreement,
    )


def _in_words(target: TargetName, expl: Explanation) -> str:
    """Name the right target as the explanation does, if it is among its targets."""
    known = next((one for one in expl.targets if one.target == target), None)
    if known is not None:
        return caption_of(known)[0]
    return target_in_words(target)


@attrs.define
class Totals:
    """What is counted while items come and go."""

    count: int = 0
    with_target: int = 0
    with_proba: int = 0
    outcomes: Counter[str] = attrs.field(factory=Counter)
    labels: Counter[str] = attrs.field(factory=Counter)
    overlaps: list[float] = attrs.field(factory=list)
    estimators: Counter[str] = attrs.field(factory=Counter)
    methods: Counter[str] = attrs.field(factory=Counter)

    def add(self, item: Item, expl: Explanation) -> None:
        """Count one document."""
        self.count += 1
        self.with_target += item.label is not None
        self.with_proba += item.proba is not None
        self.outcomes.update(item.outcomes)
        if item.label is not None:
            self.labels[item.label] += 1
        if item.overlap is not None:
            self.overlaps.append(item.overlap)
        self.estimators[expl.estimator] += 1
        self.methods[expl.method] += 1

    @property
    def about(self) -> str:
        """Which methods explained which models."""
        return f"{_named(self.methods, 'methods')} on {self.models}"

    @property
    def models(self) -> str:
        """Which models were explained."""
        return _named(self.estimators, "models")

    @property
    def measure(self) -> str:
        """What tells items apart by a number: all have a score, some a probability."""
        return "probability" if 0 < self.with_target == self.with_proba else "score"

    def filters(self) -> list[tuple[str, int]]:
        """List the outcomes that some items have and others have not."""
        return [
            (one, self.outcomes[one]) for one in OUTCOMES if 0 < self.outcomes[one] < self.count
        ]

    def figures(self) -> Iterator[tuple[str, str, str]]:
        """Give the numbers at the top of the page: what, how many, and a remark."""
        told = self.outcomes
        yield "documents", f"{self.count:,}", ""
        if told["failed"]:
            yield "failed", f"{told['failed']:,}", ""
        for what, one, other in (
            ("labels right", "right", "wrong"),
            ("hottest spots hit", "hit", "missed"),
        ):
            if both := told[one] + told[other]:
                yield what, f"{told[one] / both:.1%}", f"{told[one]:,} of {both:,}"
        if self.overlaps:
            mean = sum(self.overlaps) / len(self.overlaps)
            yield "mean overlap", f"{mean:.2f}", "with the truth (IoU)"


def _named(counted: Counter[str], what: str) -> str:
    return f"{len(counted)} {what}" if len(counted) > _MOST_NAMED else ", ".join(counted)
