"""A worker: it holds one model, and makes shards of explanations."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

import attrs

from explainkit import asking
from explainkit.datasets.items import Item, Shard
from explainkit.datasets.models import ModelSource
from explainkit.datasets.preparing import Prepared, Preparer
from explainkit.datasets.progress import Seen, unseen
from explainkit.datasets.questions import Question
from explainkit.datasets.rows import Explained
from explainkit.datasets.runs import Run
from explainkit.datasets.scribes import Scribe
from explainkit.datasets.shards import Entry
from explainkit.datasets.stores import Store
from explainkit.explain import explain_predictions
from explainkit.explanation import Explanation, without_warnings
from explainkit.failures import recorded

#: So many documents that are read well, but cannot be explained, are enough to give up before
#: anything was explained; and so many that cannot even be read.
_ENOUGH, _ENOUGH_UNREAD = 32, 1000
#: So many batches that are explained wait to be written, pictures to be drawn on among them.
_BEHIND = 4

One = TypeVar("One")
Other = TypeVar("Other")


class TooManyErrorsError(RuntimeError):
    """More documents failed than the caller allows."""


@attrs.frozen
class About:
    """What must be known of a model before a run begins.

    Attributes
    ----------
    name : str
    digest : str
        Of what it has learnt; empty where nobody can tell.
    map_shape : tuple of int
        The shape of its heatmaps; empty where no document could be explained.
    pictures : str
        How pictures are made ready, in words; empty where there are none, or a function does it.
    assumed : str
        What nobody said of that, and was assumed; empty where nothing was.
    """

    name: str
    digest: str
    map_shape: tuple[int, ...]
    pictures: str
    assumed: str


class Worker:
    """Explains documents with one model, which is loaded once.

    Parameters
    ----------
    source : ModelSource
    question : Question
    threads : int
        How many pictures are read at the same time.
    """

    def __init__(self, source: ModelSource, question: Question, threads: int) -> None:
        self.model = source.load()
        self.question = question
        self.threads = threads
        self.preparer = Preparer(
            self.model, question.preprocess, question.size, source.family, question.overlays
        )
        self._failed = {True: 0, False: 0}
        self._first_error: tuple[str, BaseException] | None = None

    @property
    def name(self) -> str:
        """What records call the model."""
        return getattr(self.model, "name", None) or type(self.model).__name__

    def look(self, items: Iterable[Item]) -> About:
        """Refuse what makes no sense, and explain one document to see the shape of heatmaps.

        Raises
        ------
        TypeError, ValueError, LookupError
            If the question does not fit the model, or no document that can be read can be
            explained.
        """
        # Of models that say what they take, this checks the question; it runs nothing.
        explain_predictions(self.model, iter(()), **self.question.arguments())
        for position, item in enumerate(items):
            if position == 0:
                self.preparer.check(item)
            one = self.preparer.prepare(item)
            error = self._failure(one)
            if error is None:
                try:
                    [expl] = self._ask([one], on_error="raise")
                except Exception as raised:
                    if type(raised) is LookupError:
                        raise  # no such layer, no such label: it is the question
                    error = raised
                else:
                    return self._about(expl.targets[0].heatmap.shape if expl.targets else ())
            # What nobody asked about says nothing of other documents, as what cannot be read.
            is_read = one.is_read and not self.question.lacks(one.key)
            self._give_up(item.key, error, is_read=is_read)
        return self._about(())

    def _about(self, map_shape: tuple[int, ...]) -> About:
        preparer = self.preparer
        return About(
            self.name, asking.digest(self.model), map_shape, preparer.pictures, preparer.assumed
        )

    def _give_up(self, key: str, error: BaseException, *, is_read: bool) -> None:
        """Count what failed before anything was explained, and stop where there is no hope."""
        self._failed[is_read] += 1
        self._first_error = self._first_error or (key, error)
        if self._failed[True] == _ENOUGH or self._failed[False] == _ENOUGH_UNREAD:
            first, why = self._first_error
            told = (
                f"none of the first {sum(self._failed.values())} documents can be explained; the "
                f"first, {first!r}: {type(why).__name__}: {why}"
            )
            if self._failed[True]:
                raise ValueError(told) from why
            raise OSError(told) from why  # what cannot be read is no fault of the question

    def explain(
        self,
        shards: Iterable[Shard],
        run: Run,
        store: Store,
        max_errors: int | None,
        seen: Seen = unseen,
    ) -> Generator[Entry, None, None]:
        """Explain shards, one after the other, and commit each.

        Pictures are read ahead, and shards written behind, while the model works. `seen` is
        told of each batch.

        Yields
        ------
        Entry
            When the shard is committed.

        Raises
        ------
        TooManyErrorsError
            If more documents of one shard fail than are allowed in all.
        OSError
            If a shard cannot be written.
        """
        readers, writer = ThreadPoolExecutor(self.threads), ThreadPoolExecutor(1)
        try:
            named = ((shard.name, item) for shard in shards for item in shard.items())
            ready = _ahead(readers, self._prepared, named, 2 * self.question.batch_size)
            written: deque[Future[Entry]] = deque()
            for name, of_shard in groupby(ready, key=itemgetter(0)):
                documents = (prepared for _, prepared in of_shard)
                scribe = Scribe(name, run, store, self.question.overlays)
                behind: deque[Future[None]] = deque()
                for explained in self._explained(documents, run, max_errors):
                    seen(len(explained), sum(one.expl.error is not None for one in explained))
                    behind.append(writer.submit(scribe.add, explained))
                    if len(behind) > _BEHIND:
                        behind.popleft().result()
                written.append(writer.submit(_committed, behind, scribe))
                if len(written) > 1:
                    yield written.popleft().result()
            while written:
                yield written.popleft().result()
        finally:
            readers.shutdown(cancel_futures=True)
            writer.shutdown()

    def _prepared(self, named: tuple[str, Item]) -> tuple[str, Prepared]:
        name, item = named
        return name, self.preparer.prepare(item)

    def _explained(
        self, documents: Iterable[Prepared], run: Run, max_errors: int | None
    ) -> Iterator[list[Explained]]:
        failed = 0
        for batch in _batches(documents, self.question.batch_size):
            explained = self._explain(batch, run.map_shape)
            errors = [one for one in explained if one.expl.error]
            failed += len(errors)
            if max_errors is not None and failed > max_errors:
                raise TooManyErrorsError(
                    f"{failed} documents failed, and max_errors is {max_errors}; the last is "
                    f"{errors[-1].key!r}: {errors[-1].expl.error}"
                )
            yield explained

    def _explain(self, batch: Sequence[Prepared], shape: tuple[int, ...]) -> list[Explained]:
        failures = {place: self._failure(one) for place, one in enumerate(batch)}
        good = [one for place, one in enumerate(batch) if failures[place] is None]
        found = iter(self._answers(good) if good else [])
        explained = []
        for place, one in enumerate(batch):
            error = failures[place]
            expl = self._recorded(error) if error is not None else self._fitting(next(found), shape)
            if one.picture is not None or not self.question.overlays:
                # Rows have no pictures: documents need not be there until they are written.
                expl = attrs.evolve(expl, image=one.picture)
            explained.append(Explained(one.key, expl))
        return explained

    def _failure(self, one: Prepared) -> BaseException | None:
        if one.error is None and self.question.lacks(one.key):
            return LookupError(f"targets says nothing of the key {one.key!r}")
        return one.error

    def _answers(self, documents: Sequence[Prepared]) -> list[Explanation]:
        try:
            return self._ask(documents, on_error="record")
        except Exception as error:  # noqa: BLE001 - a model of the user's may raise anything
            if len(documents) == 1:
                return [self._recorded(error)]
            return [expl for one in documents for expl in self._answers([one])]

    def _ask(self, documents: Sequence[Prepared], on_error: str) -> list[Explanation]:
        with without_warnings():
            return list(
                explain_predictions(
                    self.model,
                    iter([one.doc for one in documents]),
                    **self.question.arguments([one.key for one in documents]),
                    batch_size=self.question.batch_size,
                    on_error=on_error,
                )
            )

    def _fitting(self, expl: Explanation, shape: tuple[int, ...]) -> Explanation:
        shapes = {found.heatmap.shape for found in expl.targets}
        if shapes <= {shape}:
            return expl
        return self._recorded(
            ValueError(
                f"its heatmap has the shape {shapes.pop()}, and those of this run {shape}; give "
                "documents of one size"
            )
        )

    def _recorded(self, error: BaseException) -> Explanation:
        return recorded(self.name, self.question.method.spelled, error)


def _committed(behind: Iterable[Future[None]], scribe: Scribe) -> Entry:
    for one in behind:
        one.result()
    return scribe.commit()


def _ahead(
    executor: ThreadPoolExecutor,
    function: Callable[[One], Other],
    items: Iterable[One],
    count: int,
) -> Iterator[Other]:
    """Map in order, at most so many items ahead of who takes them."""
    waiting: deque[Future[Other]] = deque()
    for item in items:
        waiting.append(executor.submit(function, item))
        if len(waiting) > count:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _batches(documents: Iterable[Prepared], size: int) -> Iterator[list[Prepared]]:
    """Part documents so that each part but the last has so many without an error.

    Compiled programs are kept for each size of batch.
    """
    batch: list[Prepared] = []
    good = 0
    for one in documents:
        batch.append(one)
        good += one.error is None
        if good == size:
            yield batch
            batch, good = [], 0
    if batch:
        yield batch
