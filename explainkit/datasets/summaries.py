"""What a run came to."""

from collections import Counter
from collections.abc import Iterable, Mapping

import attrs

from explainkit.datasets.shards import Entry

#: So many kinds of errors are named.
_NAMED = 5


@attrs.frozen
class Summary:
    """What a run came to, with what earlier runs into the same place had done.

    Attributes
    ----------
    output : str
        Where it is.
    docs : int
        How many documents have rows: explanations, or an error.
    explained_now : int
        How many of them this call made; the others were there.
    rows : int
        One for each document and target.
    errors : dict of str to int
        How many documents failed, by the type of the exception.
    blank : int
        How many heatmaps are zero everywhere: nothing spoke for the target.
    seconds : float
        How long this call took, loading the model included.
    """

    output: str
    docs: int
    explained_now: int
    rows: int
    errors: dict[str, int]
    blank: int
    seconds: float

    @property
    def failed(self) -> int:
        """How many documents failed."""
        return sum(self.errors.values())

    @property
    def rate(self) -> float:
        """Documents in a second, of those that this call made."""
        return self.explained_now / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        lines = [f"{self.docs:,} documents, {self.rows:,} rows in {self.output}", self._effort()]
        if self.failed:
            lines.append(f"{self.failed:,} failed, each with an error row: {named(self.errors)}")
        if self.blank:
            lines.append(f"{self.blank:,} heatmaps are zero everywhere")
        return "\n".join(lines)

    def _effort(self) -> str:
        there = self.docs - self.explained_now
        took = f"in {self.seconds:,.1f} s ({self.rate:,.1f} a second)"
        if self.docs and not self.explained_now:
            return "all of them were there"
        if not there:
            return f"explained {took}"
        return f"{self.explained_now:,} of them now, {took}; {there:,} were there"


def named(errors: Mapping[str, int]) -> str:
    """Name the most frequent types of errors, with their numbers.

    Examples
    --------
    >>> named({"ValueError": 2, "OSError": 1200})
    '1,200 OSError, 2 ValueError'
    """
    kinds = Counter(errors).most_common()
    told = ", ".join(f"{count:,} {kind}" for kind, count in kinds[:_NAMED])
    return told + (", …" if len(kinds) > _NAMED else "")


def summed(output: str, before: Iterable[Entry], now: Iterable[Entry], seconds: float) -> Summary:
    """Sum up shards that were there, and those that were made now."""
    before, now = list(before), list(now)
    errors: Counter[str] = Counter()
    for entry in (*before, *now):
        errors.update(entry.errors)
    both = (*before, *now)
    return Summary(
        output,
        sum(entry.docs for entry in both),
        sum(entry.docs for entry in now),
        sum(entry.rows for entry in both),
        dict(errors),
        sum(entry.blank for entry in both),
        seconds,
    )
