"""The engine for many machines: Ray Data's pool of actors, each with one worker.

What Ray does is left to it: where actors run, how many, what is tried again when a worker or
a node is gone, and how much is under way at once. A shard has the same bytes and the same name
whoever makes it, so that what is done twice is there once.
"""

import os
import pickle
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa

from explainkit.datasets.items import Item, ListedShard, Shard
from explainkit.datasets.jobs import Job
from explainkit.datasets.progress import Seen, unseen
from explainkit.datasets.ray_bars import rows_of
from explainkit.datasets.ray_cluster import Cluster, import_ray
from explainkit.datasets.ray_rows import RayRows, RayShards
from explainkit.datasets.runs import Run
from explainkit.datasets.sent import Sent, packed, unpacked
from explainkit.datasets.shards import Entry
from explainkit.datasets.sources import Source
from explainkit.datasets.streams import StreamShard
from explainkit.datasets.workers import About, Worker

#: More blocks than this would burden Ray's driver, and not spread the work better.
_MOST_BLOCKS = 4096
#: So many documents are sent at once to the worker that looks for one that can be explained.
_LOOKED_AT = 64
#: So often the look is tried again where its worker is gone.
_TRIES = 3


@attrs.define(slots=False)
class OnRay:
    """Does a job on a Ray cluster: the one that is running, or one of this machine.

    Attributes
    ----------
    job : Job
    cluster : Cluster
    """

    job: Job
    cluster: Cluster
    _sent: Any = attrs.field(default=None, init=False)

    def look(self, source: Source) -> About:
        """As `Worker.look` does, in a worker of the cluster."""
        ray = import_ray()

        threads = self.job.threads or self.cluster.threads
        data = packed(attrs.evolve(_from_anywhere(self.job), threads=threads))
        if not ray.is_initialized():
            ray.init()  # by Ray's own rule; it is left for the next call
        self.cluster.check_room()
        if isinstance(source, RayRows) and source.is_read:
            self.cluster.check_readers()
        self._sent = ray.put(data)
        options = {**self.cluster.resources(), "max_restarts": _TRIES, "max_task_retries": _TRIES}
        looker = ray.remote(**options)(Looker).remote()
        items = source.first()
        try:
            while True:
                some = list(islice(items, _LOOKED_AT))
                about: About = ray.get(looker.look.remote(self._sent, some)).opened()
                if about.map_shape or len(some) < _LOOKED_AT:
                    return about
        finally:
            ray.kill(looker)  # its room is for those who explain

    def explain(
        self, shards: Iterable[Shard], run: Run, seen: Seen = unseen
    ) -> Generator[Entry, None, None]:
        """Have shards explained in any order; what is committed is seen.

        Raises
        ------
        Exception
            What a worker raises, as it does.
        """
        if isinstance(shards, RayShards):
            rows, size = shards.dataset, shards.size
            make: Callable[..., Any] = shards.parting
        else:
            rows, size, make = _as_rows(shards), 1, _unpickled
        if rows is None:
            return
        entries = rows.map_batches(
            ExplainShards,
            batch_size=size,
            batch_format="numpy",
            compute=self.cluster.pool(),
            fn_constructor_args=(self._sent, run, make),
            **self.cluster.resources(),
        )
        with closing(rows_of(entries)) as found:
            for row in found:
                for entry in pickle.loads(row["entries"]).opened():  # noqa: S301 - our worker's
                    seen(entry.docs, entry.failed)
                    yield entry


class Looker:
    """A worker that looks at documents before a run begins."""

    def __init__(self) -> None:
        self.worker: Worker | None = None

    def look(self, job: bytes, items: list[Item]) -> Sent:
        """Look at some; the first that can be explained says enough."""
        return Sent.by(lambda: self._look(job, items))

    def _look(self, job: bytes, items: list[Item]) -> About:
        if self.worker is None:
            _, self.worker = _ready(job)
        return self.worker.look(items)


class ExplainShards:
    """What Ray Data calls, and shows as the name of what it does: it holds a worker."""

    def __init__(self, job: Any, run: Run, make: Callable[..., Any]) -> None:
        import ray

        self.run, self.make = run, make
        # An error here is raised for the first shard: else Ray would wrap it, and try again.
        self.ready = Sent.by(lambda: _ready(ray.get(job)))

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Explain the shards of a batch, and give their entries."""
        return {"entries": [pickle.dumps(Sent.by(lambda: self._explained(batch)))]}

    def _explained(self, batch: dict[str, Any]) -> list[Entry]:
        job, worker = self.ready.opened()
        return list(worker.explain(self.make(batch), self.run, job.store, job.max_errors))


def _ready(data: bytes) -> tuple[Job, Worker]:
    job = unpacked(data)
    return job, job.worker()


def _from_anywhere(job: Job) -> Job:
    """Make paths absolute: workers have working directories of their own."""
    model = job.model
    given, weights = _absolute(model.given), _absolute(model.weights)
    return attrs.evolve(job, model=attrs.evolve(model, given=given, weights=weights))


def _absolute(given: Any) -> Any:
    is_file = isinstance(given, str | os.PathLike) and Path(given).exists()
    return Path(given).absolute() if is_file else given


def _as_rows(shards: Iterable[Shard]) -> Any:
    """Make a Ray Dataset with a row for each shard; None if there are none.

    Shards are names of what workers read. Of a stream they are what it gave, and go to Ray's
    store one by one, which keeps on disks what memory does not hold.
    """
    import ray

    written, streamed = list[dict[str, bytes]](), list[Any]()
    for shard in shards:
        if isinstance(shard, StreamShard):
            data = pickle.dumps(ListedShard(shard.name, tuple(shard.items())))
            streamed.append(ray.put(pa.table({"shard": pa.array([data], pa.large_binary())})))
        else:
            written.append({"shard": pickle.dumps(shard)})
    if streamed:
        return ray.data.from_arrow_refs(streamed)
    blocks = min(len(written), _MOST_BLOCKS)
    return ray.data.from_items(written, override_num_blocks=blocks) if written else None


def _unpickled(batch: dict[str, Any]) -> list[Shard]:
    return [pickle.loads(one) for one in batch["shard"]]  # noqa: S301 - what our own driver sent
