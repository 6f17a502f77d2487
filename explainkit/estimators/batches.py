"""Many documents in order, a batch at a time, with those that fail told apart."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import attrs
import numpy as np

from explainkit.estimators.base import Explainer
from explainkit.estimators.documents import (
    Inputs,
    arrays_of,
    blank_like,
    joined,
    rows_of,
    signature,
)
from explainkit.estimators.explaining import explain
from explainkit.estimators.questions import Question, resolve
from explainkit.explanation import Explanation, PictureSource
from explainkit.failures import FAILURES, OnError, check_on_error, naming_doc, recorded
from explainkit.pictures import as_picture


@attrs.frozen
class _Item:
    """One document: checked and ready, or the error that it gave."""

    position: int
    doc: Any = None
    picture: PictureSource = None
    error: Exception | None = None


@attrs.frozen
class BatchedExplainer:
    """An estimator that explains streams of documents."""

    explainer: Explainer
    inputs: Inputs
    question: Question
    on_error: OnError = attrs.field(default="raise")

    @on_error.validator
    def _check_on_error(self, _attribute: Any, value: Any) -> None:
        check_on_error(value)

    def explain(self, docs: Any, images: Iterable[Any] | None) -> Iterator[Explanation]:
        """Check what can be checked now, and give an iterator that does the rest."""
        if self.inputs.are_batched(docs):
            checked = self.inputs.check_docs(docs)
            count = len(arrays_of(checked)[0])
            blank = self.inputs.prepare(blank_like(rows_of(checked, slice(1))))
            resolve(self.explainer, blank, self.question, count)
            source: Iterable[Any] = (rows_of(checked, slice(i, i + 1)) for i in range(count))
        elif isinstance(docs, Iterable) and not isinstance(docs, str | bytes):
            if isinstance(docs, list | tuple) and not docs:
                raise ValueError("docs is empty")
            source = docs
        else:
            raise TypeError(
                f"docs is a {type(docs).__name__}; give an array or an iterable of docs"
            )
        return self._explained(self._items(source, images))

    def _items(self, docs: Iterable[Any], images: Iterable[Any] | None) -> Iterator[_Item]:
        pictures = None if images is None else iter(images)
        position = -1
        for position, doc in enumerate(docs):
            image = None
            if pictures is not None:
                try:
                    image = next(pictures)
                except StopIteration:
                    raise ValueError(f"images has only {position} pictures for more docs") from None
            try:
                picture = None if image is None else as_picture(image)
                prepared = self.inputs.prepare(self.inputs.check_one_of_many(doc))
                yield _Item(position, prepared, picture)
            except FAILURES as error:
                yield _Item(position, error=error)
        self._check_used_up(pictures, position + 1)

    def _check_used_up(self, pictures: Iterator[Any] | None, count: int) -> None:
        if pictures is not None and next(pictures, None) is not None:
            raise ValueError(f"images has more pictures than there are docs, {count}")
        targets = self.question.targets
        if isinstance(targets, np.ndarray) and targets.ndim == 2 and len(targets) > count:
            raise ValueError(f"targets has {len(targets)} rows, but there are only {count} docs")

    def _explained(self, items: Iterator[_Item]) -> Iterator[Explanation]:
        batch: list[_Item] = []
        for item in items:
            # A doc of another size starts a batch of its own.
            if batch and not _alike(batch[-1], item):
                yield from self._flush(batch)
                batch = []
            batch.append(item)
            if len(batch) == self.question.batch_size:
                yield from self._flush(batch)
                batch = []
        if batch:
            yield from self._flush(batch)

    def _flush(self, batch: list[_Item]) -> Iterator[Explanation]:
        good = [item for item in batch if item.error is None]
        results: dict[int, Explanation | Exception] = {
            item.position: item.error for item in batch if item.error is not None
        }
        results.update(self._ask(good))
        for position in sorted(results):
            result = results[position]
            if isinstance(result, Explanation):
                yield result
            elif self.on_error == "record":
                yield recorded(self.explainer.name, self.question.method.spelled, result)
            else:
                raise naming_doc(position, result) from result

    def _ask(self, items: list[_Item]) -> dict[int, Explanation | Exception]:
        if not items:
            return {}
        try:
            docs = joined([item.doc for item in items])
            question = self._question_of(items)
            results = explain(self.explainer, docs, question, _pictures(items))
        except self._failures as error:
            if len(items) == 1:
                return {items[0].position: error}
            # One doc may have spoiled it for all: each is asked by itself.
            apart = [self._ask([item]).items() for item in items]
            return dict(chain.from_iterable(apart))
        return dict(zip((item.position for item in items), results, strict=True))

    def _question_of(self, items: list[_Item]) -> Question:
        targets = self.question.targets
        if not isinstance(targets, np.ndarray) or targets.ndim == 1:
            return self.question
        last = items[-1].position
        if last >= len(targets):
            raise ValueError(f"targets has {len(targets)} rows, but there are more docs")
        return attrs.evolve(self.question, targets=targets[[item.position for item in items]])

    @property
    def _failures(self) -> tuple[type[Exception], ...]:
        return (*FAILURES, *self.explainer.engine.errors)


def _alike(one: _Item, other: _Item) -> bool:
    if one.error is not None or other.error is not None:
        return True
    return signature(one.doc) == signature(other.doc)


def _pictures(items: list[_Item]) -> list[PictureSource] | None:
    pictures = [item.picture for item in items]
    return None if all(picture is None for picture in pictures) else pictures
