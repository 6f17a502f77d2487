"""A batch of documents explained and measured, by each method and each metric."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from explainkit.asking import digest
from explainkit.estimators.documents import arrays_of, rows_of
from explainkit.explain import explain_predictions
from explainkit.explanation import Explanation, TargetName, without_warnings
from explainkit.metrics.base import Measured, Metric
from explainkit.metrics.batch import Batch
from explainkit.metrics.checking import UnmeasurableError
from explainkit.metrics.kept import Kept
from explainkit.metrics.results import Measurement
from explainkit.metrics.saving import Saved, say
from explainkit.metrics.targeting import explained_at
from explainkit.option_words import digest_of


@attrs.frozen
class Evaluator:
    """Explains and measures batches of documents.

    Attributes
    ----------
    model
    methods : dict
        For each, the arguments with which documents are explained; as its `method` there may
        be explanations that are kept.
    metrics : dict of Metric
    activation : str or None
    batch_size : int
    shared : dict
        What metrics keep from one batch to the next.
    """

    model: Any
    methods: dict[str, dict[str, Any]]
    metrics: dict[str, Metric]
    activation: str | None
    batch_size: int
    shared: dict[Hashable, Any] = attrs.field(factory=dict)

    def in_words(self, docs: Any) -> dict[str, Any]:
        """Say what is asked, so that a file of other answers is told from one of these."""
        return {
            "model": digest(self.model, docs),
            "methods": {name: _said(one) for name, one in self.methods.items()},
            "metrics": {name: say(metric) for name, metric in self.metrics.items()},
            "activation": self.activation,
        }

    def measured(
        self,
        docs: Any,
        positions: Sequence[int],
        wanted: list[Any] | None,
        masks: Any,
        saved: Saved | None,
    ) -> Iterator[list[list[Measurement]]]:
        """Measure a batch, method by method.

        Yields
        ------
        list of list of Measurement
            For each document, its measurements by all metrics.
        """
        digests = _digests(docs, wanted, masks) if saved else []
        for name in self.methods:
            found = self._known(name, positions, digests, saved)
            missing = [row for row, one in enumerate(found) if one is None]
            if missing:
                measured = self._by(
                    name,
                    rows_of(docs, missing),
                    [positions[row] for row in missing],
                    None if wanted is None else [wanted[row] for row in missing],
                    None if masks is None else masks[missing],
                )
                if saved:
                    saved.add([digests[row] for row in missing], measured)
                for row, one in zip(missing, measured, strict=True):
                    found[row] = one
            if wanted is None:
                # What the first method found to have the highest score, the others explain, too.
                wanted = [one[0].target for one in found]
            yield found

    @staticmethod
    def _known(
        name: str, positions: Sequence[int], digests: Sequence[str], saved: Saved | None
    ) -> list[Any]:
        if saved is None:
            return [None] * len(positions)
        rows = zip(positions, digests, strict=True)
        return [saved.of(position, one, name) for position, one in rows]

    def _by(
        self, name: str, docs: Any, positions: Sequence[int], targets: Any, masks: Any
    ) -> list[list[Measurement]]:
        """Measure some documents by one method."""
        asked = {"batch_size": self.batch_size, **self.methods[name]}
        kept = asked.pop("method") if isinstance(asked.get("method"), Kept) else None
        columns: dict[str, Sequence[Measured]] = {}
        with without_warnings():  # what is blank says so in the table
            explanations = (
                kept.at(positions, targets) if kept else self._explained(docs, targets, asked)
            )
            good = [row for row, one in enumerate(explanations) if not one.error]
            if good:
                batch = Batch(
                    self.model,
                    docs if len(good) == len(explanations) else rows_of(docs, good),
                    [explanations[row] for row in good],
                    [_target(explanations[row], targets, row) for row in good],
                    asked,
                    [positions[row] for row in good],
                    None if masks is None else masks[good],
                    self.activation,
                    self.shared,
                )
                self._check_probabilities(batch.explanations)
                columns = {key: _measured(metric, batch) for key, metric in self.metrics.items()}
        found = []
        for row, (position, one) in enumerate(zip(positions, explanations, strict=True)):
            target = None if one.error else one.targets[0].target
            values: Sequence[tuple[str, Any]] = [(key, one.error) for key in self.metrics]
            if not one.error:
                values = [(key, columns[key][good.index(row)]) for key in self.metrics]
            found.append([_measurement(position, target, name, *value) for value in values])
        return found

    def _explained(self, docs: Any, targets: Any, asked: dict[str, Any]) -> list[Explanation]:
        asked = {**asked, "on_error": "record"}
        if targets is None:
            return list(explain_predictions(self.model, docs, **asked))
        known = [row for row, target in enumerate(targets) if target is not None]
        unknown = [row for row, target in enumerate(targets) if target is None]
        found: list[Any] = [None] * len(targets)
        # Another method could not explain these, so that nobody has said what of them.
        for rows, wanted in ((known, [targets[row] for row in known]), (unknown, None)):
            if not rows:
                continue
            part = docs if len(rows) == len(targets) else rows_of(docs, rows)
            explained = (
                explain_predictions(self.model, part, **asked)
                if wanted is None
                else explained_at(self.model, part, wanted, **asked)
            )
            for row, one in zip(rows, explained, strict=True):
                found[row] = one
        return found

    def _check_probabilities(self, explanations: Sequence[Explanation]) -> None:
        targets = [one.targets[0] for one in explanations]
        said = next((one for one in targets if one.proba is not None), None)
        other = next((one for one in targets if not isinstance(one.target, int)), None)
        raw = next((one for one in targets if one.proba is None), None)
        if self.activation and said:
            raise ValueError(
                f"activation={self.activation!r} was given, but {explanations[0].estimator} makes "
                f"probabilities itself, for target {said.target!r}; leave it out"
            )
        if self.activation and other:
            raise ValueError(
                f"activation={self.activation!r} makes probabilities of the units of the only "
                f"output, and target {other.target!r} is none of them; leave it out"
            )
        asking = [name for name, metric in self.metrics.items() if metric.needs_probabilities]
        if asking and raw and not self.activation:
            remedy = "leave these metrics out"
            if isinstance(raw.target, int) and not explanations[0].is_regression:
                remedy = "give activation='softmax' or 'sigmoid', whichever makes probabilities"
            raise ValueError(
                f"{', '.join(asking)} must know probabilities, and {explanations[0].estimator} "
                f"gives a score as it is for target {raw.target!r}: {remedy}"
            )


def _said(arguments: Mapping[str, Any]) -> str:
    method = arguments.get("method")
    kept = {"method": f"kept {method.digest()}"} if isinstance(method, Kept) else {}
    return say({**arguments, **kept})


def _target(explanation: Explanation, targets: Any, row: int) -> Any:
    given = None if targets is None else targets[row]
    return given if callable(given) else explanation.targets[0].target


def _measured(metric: Metric, batch: Batch) -> Sequence[Measured]:
    found = metric.measure(batch)
    if len(found) != len(batch):
        raise ValueError(
            f"metric {metric.name!r} measured {len(found)} of {len(batch)} explanations; give a "
            "number, or an UnmeasurableError, for each"
        )
    return found


def _measurement(
    doc: int, target: TargetName | None, method: str, metric: str, found: Any
) -> Measurement:
    if isinstance(found, str | UnmeasurableError):
        return Measurement(doc, target, method, metric, np.nan, str(found))
    value = float(found)
    if not np.isfinite(value):
        return Measurement(doc, target, method, metric, np.nan, f"it comes to {value}")
    return Measurement(doc, target, method, metric, value)


def _digests(docs: Any, targets: Any, masks: Any) -> list[str]:
    """Tell each document, with its target and mask, from others."""
    arrays = arrays_of(docs)
    return [
        digest_of(
            *(array[row] for array in arrays),
            None if masks is None else masks[row],
            None if targets is None else np.asarray(say(targets[row])),
        )
        for row in range(len(arrays[0]))
    ]
