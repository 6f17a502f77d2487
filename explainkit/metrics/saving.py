"""Measurements kept on disk while an evaluation runs, so that it can go on where it was."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from explainkit.metrics.results import Measurement
from explainkit.option_words import in_words

#: The version of what is in the files.
SCHEMA = 1


def say(value: Any) -> str:
    """Say what an option is, so that equal ones are called alike in every process.

    Raises
    ------
    ValueError
        If it has no name that would do.
    """
    return in_words(value, _refuse)


def _refuse(value: Any) -> str:
    raise ValueError(
        f"save tells questions apart by what is asked, and a {type(value).__name__} has no name "
        f"that would do: {value!r}; name layers by their paths and targets by their units, or "
        "leave save out"
    )


@attrs.define
class Saved:
    """The measurements that a file holds: a line for the question, then one for each answer.

    Attributes
    ----------
    path : Path
    question : mapping
        What is asked, in words: a file of another question is refused.
    answers : dict
        What was measured, by document and method.
    """

    path: Path
    question: Mapping[str, Any]
    answers: dict[tuple[int, str], tuple[str, list[Measurement]]] = attrs.field(factory=dict)

    @classmethod
    def at(cls, path: str | os.PathLike[str], question: Mapping[str, Any]) -> "Saved":
        """Open a file, or begin it.

        Raises
        ------
        ValueError
            If it holds something else, or the answers to another question.
        """
        saved = cls(Path(path), {"explainkit": "evaluation", "schema": SCHEMA, **question})
        first = json.dumps(saved.question) + "\n"
        # Nothing, or a first line that was cut off, is a beginning.
        there = saved.path.read_bytes() if saved.path.exists() else b""
        if first.encode().startswith(there):
            saved.path.write_text(first, encoding="utf-8")
        else:
            saved._read()
        return saved

    def _read(self) -> None:
        lines = self.path.read_bytes().splitlines(keepends=True)
        self._check(lines[0])
        whole = [line for line in lines[1:] if line.endswith(b"\n")]
        if len(whole) < len(lines) - 1:
            # Somebody pulled the plug in the middle of a line: it is measured again.
            with self.path.open("r+b") as file:
                file.truncate(sum(map(len, (lines[0], *whole))))
        for number, line in enumerate(whole, start=2):
            try:
                answer = json.loads(line)
                found = [_measurement(answer, name, *one) for name, one in answer["values"].items()]
                self.answers[answer["doc"], answer["method"]] = answer["digest"], found
            except (LookupError, TypeError, ValueError) as error:
                raise ValueError(f"{self.path} is damaged in line {number}: {error}") from error

    def _check(self, line: bytes) -> None:
        try:
            question = json.loads(line)
            known = question["explainkit"] == "evaluation"
        except (ValueError, LookupError, TypeError):
            known = False
        if not known:
            raise ValueError(f"{self.path} is no evaluation that could go on; give another path")
        asked = json.loads(json.dumps(self.question))
        other = [key for key in (*asked, *question) if asked.get(key) != question.get(key)]
        if other:
            key = other[0]
            raise ValueError(
                f"{self.path} holds another evaluation: its {key} is {question.get(key)!r}, and "
                f"here it is {asked.get(key)!r}; give another path"
            )

    def of(self, doc: int, digest: str, method: str) -> list[Measurement] | None:
        """Give what was measured of a document; None if it was not yet.

        Raises
        ------
        ValueError
            If it was another document.
        """
        if (doc, method) not in self.answers:
            return None
        known, measured = self.answers[doc, method]
        if known != digest:
            raise ValueError(
                f"{self.path} holds measurements of another doc {doc}, target or mask; give the "
                "docs in the same order, or another path"
            )
        found = {one.metric: one for one in measured}
        return [found[name] for name in self.question["metrics"]]

    def add(self, digests: Sequence[str], measured: Iterable[Sequence[Measurement]]) -> None:
        """Write down what was measured of documents, each by one method."""
        with self.path.open("a", encoding="utf-8") as file:
            for digest, found in zip(digests, measured, strict=True):
                first = found[0]
                values = {one.metric: (_written(one.value), one.reason) for one in found}
                answer = {"doc": first.doc, "digest": digest, "method": first.method}
                answer |= {"target": first.target, "values": values}
                file.write(json.dumps(answer) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _written(value: float) -> float | None:
    return None if np.isnan(value) else value


def _measurement(answer: Any, metric: str, value: float | None, reason: str | None) -> Measurement:
    target = answer["target"]
    return Measurement(
        answer["doc"],
        tuple(target) if isinstance(target, list) else target,
        answer["method"],
        metric,
        np.nan if value is None else value,
        reason,
    )
