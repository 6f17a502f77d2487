"""A job: all that a worker must know, wherever it is."""

import os
from collections.abc import Generator, Iterable
from typing import Protocol

import attrs

from explainkit.datasets.items import Shard
from explainkit.datasets.models import ModelSource
from explainkit.datasets.progress import Seen, unseen
from explainkit.datasets.questions import Question
from explainkit.datasets.runs import Run
from explainkit.datasets.shards import Entry
from explainkit.datasets.sources import Source
from explainkit.datasets.stores import Store
from explainkit.datasets.workers import About, Worker

#: More threads that read pictures only wait for each other.
MOST_THREADS = 8


@attrs.frozen
class Job:
    """What a run does with each document, before it is known what run it is.

    Attributes
    ----------
    model : ModelSource
    question : Question
    store : Store
    threads : int or None
        How many pictures a worker reads at the same time; None for as many as it has CPUs.
    max_errors : int or None
    """

    model: ModelSource
    question: Question
    store: Store
    threads: int | None
    max_errors: int | None

    def worker(self) -> Worker:
        """Load the model."""
        threads = self.threads or min(os.cpu_count() or 1, MOST_THREADS)
        return Worker(self.model, self.question, threads)


class Engine(Protocol):
    """Where a job is done."""

    def look(self, source: Source) -> About:
        """Refuse what makes no sense, and see what the model makes of a document."""

    def explain(
        self, shards: Iterable[Shard], run: Run, seen: Seen = unseen
    ) -> Generator[Entry, None, None]:
        """Explain and commit shards; give the entry of each when it is committed.

        `seen` is told of documents as soon as it is known that they are explained.
        """
