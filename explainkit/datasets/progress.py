"""What is seen of a run while it runs: a bar where somebody looks, else plain lines."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import attrs

#: Told of documents when they are explained: how many, and how many of them failed. That is
#: before their shard is committed: with slow methods that takes long, and nothing would move.
Seen = Callable[[int, int], None]

#: The rate is that of so many seconds past: models are compiled and pictures read for the first
#: time at the beginning, and slower machines may come later.
_PAST = 120.0
#: In a log, the first line after so many seconds, and then one this often.
_FIRST, _EVERY = 10.0, 30.0


def unseen(docs: int, failed: int) -> None:
    """Show nothing."""


@contextmanager
def watched(total: int | None, before: int, progress: bool | None) -> Iterator[Seen]:
    """Show how far a run is, on stderr.

    Parameters
    ----------
    total : int or None
        How many documents there are, where that is known.
    before : int
        How many of them were done before.
    progress : bool or None
        Whether to show it: as a bar on a terminal, and as lines elsewhere.

    Yields
    ------
    callable
        To be told of documents when they are explained.
    """
    if progress is False:
        yield unseen
    elif sys.stderr.isatty():
        with _bar(Course(total, before)) as seen:
            yield seen
    else:
        yield _lines(Course(total, before))


@attrs.define
class Course:
    """How far a run is, and how fast it was of late.

    Attributes
    ----------
    total : int or None
        How many documents there are, where that is known.
    done : int
        How many are done.
    failed : int
        How many of those failed that this run explained.
    rate : float
        Documents in a second, of late; 0 where none came yet.
    clock : callable
        Gives seconds.

    Examples
    --------
    >>> seconds = iter([0.0, 20.0])
    >>> course = Course(total=1000, done=100, clock=lambda: next(seconds))
    >>> course.add(400, failed=2)
    >>> course.in_words()
    '500 of 1,000, 20.0/s, 0:00:25 left, 2 failed'
    """

    total: int | None
    done: int
    clock: Callable[[], float] = time.monotonic
    failed: int = attrs.field(default=0, init=False)
    rate: float = attrs.field(default=0.0, init=False)
    _marks: deque[tuple[float, int]] = attrs.field(init=False)

    @_marks.default
    def _begin(self) -> deque[tuple[float, int]]:
        return deque([(self.clock(), self.done)])

    def add(self, docs: int, failed: int) -> None:
        """Count documents that were just explained."""
        now = self.clock()
        self.done += docs
        self.failed += failed
        # The first mark is the last before that time: of slow documents two are always there.
        while len(self._marks) > 1 and self._marks[1][0] <= now - _PAST:
            self._marks.popleft()
        since, from_there = self._marks[0]
        if now > since:
            self.rate = (self.done - from_there) / (now - since)
        if now - self._marks[-1][0] >= 1:  # finer marks would change nothing that is seen
            self._marks.append((now, self.done))

    @property
    def left(self) -> timedelta | None:
        """How long it takes at this rate, where that can be told."""
        if self.total is None or not self.rate:
            return None
        return timedelta(seconds=round((self.total - self.done) / self.rate))

    def in_words(self) -> str:
        """Say how far it is."""
        words = [f"{self.done:,}" if self.total is None else f"{self.done:,} of {self.total:,}"]
        if self.rate:
            words.append(f"{self.rate:,.1f}/s" if self.rate >= 1 else f"{self.rate:.2g}/s")
        if self.left is not None:
            words.append(f"{self.left} left")
        if self.failed:
            words.append(f"{self.failed:,} failed")
        return ", ".join(words)


@contextmanager
def _bar(course: Course) -> Iterator[Seen]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    # What is printed meanwhile stands above the bar; what goes elsewhere is let pass.
    bar = Progress(
        *(BarColumn(bar_width=None), TextColumn("{task.fields[words]}")),
        console=Console(stderr=True),
        redirect_stdout=sys.stdout.isatty(),
        expand=True,
    )
    with bar:
        task: Any = bar.add_task(
            "", total=course.total, completed=course.done, words=course.in_words()
        )

        def seen(docs: int, failed: int) -> None:
            course.add(docs, failed)
            bar.update(task, completed=course.done, words=course.in_words())

        yield seen


def _lines(course: Course) -> Seen:
    due = course.clock() + _FIRST

    def seen(docs: int, failed: int) -> None:
        nonlocal due
        course.add(docs, failed)
        now = course.clock()
        if now >= due:
            due = now + _EVERY
            print(f"explainkit: {course.in_words()}", file=sys.stderr, flush=True)

    return seen
