"""The local engine: one worker, in this process."""

from collections.abc import Generator, Iterable
from functools import cached_property

import attrs

from explainkit.datasets.items import Shard
from explainkit.datasets.jobs import Job
from explainkit.datasets.progress import Seen, unseen
from explainkit.datasets.runs import Run
from explainkit.datasets.shards import Entry
from explainkit.datasets.sources import Source
from explainkit.datasets.workers import About, Worker


@attrs.define(slots=False)
class Here:
    """Does a job in this process.

    Attributes
    ----------
    job : Job
    """

    job: Job

    @cached_property
    def worker(self) -> Worker:
        """The one worker, with its model."""
        return self.job.worker()

    def look(self, source: Source) -> About:
        """As `Worker.look` does."""
        return self.worker.look(source.first())

    def explain(
        self, shards: Iterable[Shard], run: Run, seen: Seen = unseen
    ) -> Generator[Entry, None, None]:
        """As `Worker.explain` does."""
        return self.worker.explain(shards, run, self.job.store, self.job.max_errors, seen)
