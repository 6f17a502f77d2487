"""What a caller gives for each document beside its explanation, taken one at a time."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set, Sized
from typing import Any

import attrs

from explainkit.formatters.reports.agreement import as_truth

_END: Any = object()


@attrs.define
class Beside:
    """One thing for each document, or nothing for any.

    Attributes
    ----------
    what : str
        The name of the argument.
    many : str
        What several of them are called.
    given : iterator or None
    read : callable
        From what is given to what is meant.
    """

    what: str
    many: str
    given: Iterator[Any] | None
    read: Callable[[Any], Any]

    @classmethod
    def of(cls, what: str, many: str, given: Any, read: Callable[[Any], Any]) -> "Beside":
        """Take what a caller gave; a sequence is read now, so that slips are told early.

        Raises
        ------
        TypeError, ValueError
            If it is not one for each document, or one of them cannot be read.
        """
        if given is None:
            return cls(what, many, None, read)
        if isinstance(given, str | bytes | os.PathLike) or not isinstance(given, Iterable):
            raise TypeError(
                f"{what} is {given!r}, of type {type(given).__name__}; give one for each document"
            )
        if isinstance(given, Mapping | Set):
            raise TypeError(
                f"{what} is a {type(given).__name__}, and which entry is of which document nobody "
                "knows; give a list in the order of the documents"
            )
        beside = cls(what, many, iter(given), read)
        if isinstance(given, Sequence):
            beside.given = iter([beside._read(place, one) for place, one in enumerate(given)])
            beside.read = _as_it_is
        return beside

    def next(self, place: int, usual: Any) -> Any:
        """Give what belongs to the next document.

        Raises
        ------
        ValueError
            If there is nothing left.
        """
        if self.given is None:
            return usual
        found = next(self.given, _END)
        if found is _END:
            raise ValueError(
                f"there are more explanations than {self.many}, which end after {place}; give one "
                "for each document"
            )
        return self._read(place, found)

    def check_ended(self, count: int) -> None:
        """Raise a ValueError if there is more than there are documents."""
        if self.given is not None and next(self.given, _END) is not _END:
            raise ValueError(
                f"there are more {self.many} than explanations, which end after {count}; give one "
                "for each document"
            )

    def _read(self, place: int, one: Any) -> Any:
        try:
            return self.read(one)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.what}[{place}]: {error}") from error


def names_beside(given: Any) -> Beside:
    """Take the names of documents."""
    return Beside.of("names", "names", given, _as_name)


def truths_beside(given: Any) -> Beside:
    """Take what is known to be right of documents."""
    return Beside.of("truth", "truths", given, as_truth)


def check_counts(explanations: Any, **beside: Any) -> None:
    """Raise a ValueError if, of what has a length, there is not one for each explanation."""
    if not isinstance(explanations, Sized):
        return
    for what, given in beside.items():
        if isinstance(given, Sized) and len(given) != len(explanations):
            raise ValueError(
                f"there are {len(explanations)} explanations and {len(given)} {what}; give one "
                "for each document"
            )


def _as_name(given: Any) -> str:
    if not isinstance(given, str | os.PathLike):
        raise TypeError(f"{given!r} is of type {type(given).__name__}; give a str or a path")
    return os.fsdecode(given)


def _as_it_is(given: Any) -> Any:
    return given
