"""What callbacks of Keras 3 and Keras 2 do alike."""

from collections.abc import Collection, Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from explainkit.training.recording import OnError, Recorder

#: What callbacks can count.
Unit = Literal["epoch", "batch"]


class Explaining:
    """Explain the same documents again and again while `fit` runs.

    A callback of some Keras has this class beside its own, which gives `self.model`.
    """

    model: Any

    def __init__(
        self,
        docs: Any,
        to: Any,
        *,
        every: int | Collection[int] | NDArray[np.integer[Any]] = 1,
        unit: Unit = "epoch",
        names: Iterable[str] | None = None,
        on_error: OnError = "warn",
        **arguments: Any,
    ) -> None:
        super().__init__()
        if unit not in ("epoch", "batch"):
            raise ValueError(f"unit is {unit!r}; give 'epoch' or 'batch'")
        self._every, self._unit = _as_rhythm(every), unit
        self._recorder = Recorder(docs, to, unit=unit, names=names, on_error=on_error, **arguments)
        self._begun_with: Any = None
        self._done: dict[Unit, int] = {"epoch": 0, "batch": 0}
        self._before_epoch = 0
        # The logs are not read, so that Keras need not fetch them for this one after each batch.
        self.async_safe = unit == "epoch"
        self._supports_tf_logs = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Explain the model before its first epoch, so that mistakes show at once."""
        # A second fit counts from 0 again; its epochs are those after the ones that were.
        self._done["epoch"] = max(self._done["epoch"], epoch)
        self._before_epoch = self._done["batch"]
        model = self.model
        if model is self._begun_with:
            return
        if self._begun_with is not None:
            raise ValueError(
                "this callback explains another model already; make a callback for each model"
            )
        found = self._recorder.begin(model)
        self._begun_with = model
        self._recorder.hand_on(self._done[self._unit], found)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Explain the model after a batch, if batches are counted."""
        # Not one more: Keras may take several batches in one go.
        self._count("batch", self._before_epoch + batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Explain the model after an epoch, if epochs are counted."""
        self._count("epoch", self._done["epoch"] + 1)

    def _count(self, unit: Unit, step: int) -> None:
        passed = range(self._done[unit] + 1, step + 1)
        self._done[unit] = step
        if unit == self._unit and any(map(self._is_due, passed)):
            # Asked for anew each time: on JAX the weights are put into the model by that.
            self._recorder.record(self.model, step)

    def _is_due(self, step: int) -> bool:
        return step % self._every == 0 if isinstance(self._every, int) else step in self._every


def _as_rhythm(every: Any) -> int | frozenset[int]:
    if isinstance(every, np.ndarray | np.generic):
        every = every.tolist()
    if isinstance(every, Collection) and not isinstance(every, str | bytes) and every:
        return frozenset(_as_count(one) for one in every)
    return _as_count(every)


def _as_count(given: Any) -> int:
    choice = "give a whole number from 1, or a collection of those to be explained"
    if not isinstance(given, int | np.integer) or isinstance(given, bool):
        raise TypeError(f"every is {given!r}, of type {type(given).__name__}; {choice}")
    if given < 1:
        raise ValueError(f"every is {given}; {choice}")
    return int(given)
