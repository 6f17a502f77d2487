"""A fixed set of documents, explained again and again, and handed on."""

import inspect
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, Literal

from explainkit.explain import explain_predictions
from explainkit.explanation import Explanation, warn, without_warnings
from explainkit.failures import recorded
from explainkit.formatters.colour_mode import in_colour_mode
from explainkit.formatters.image import check_drawing, format_as_image
from explainkit.training.destination import Destination, Entry
from explainkit.training.folder import Folder
from explainkit.training.tensorboard import TensorFlowSummaries, TorchSummaries

#: What becomes of a training when something cannot be explained, or not be written.
OnError = Literal["warn", "raise"]

_DRAWING = tuple(inspect.signature(format_as_image).parameters)[1:]


class Recorder:
    """Explains documents with a model's weights of the moment, and hands on what comes out.

    Parameters
    ----------
    docs, to, names, on_error, **arguments
        As for `explainkit.training.Watch`.
    unit : str
        What steps count.
    """

    def __init__(
        self,
        docs: Any,
        to: Any,
        *,
        unit: str,
        names: Iterable[str] | None = None,
        on_error: OnError = "warn",
        **arguments: Any,
    ) -> None:
        if on_error not in ("warn", "raise"):
            raise ValueError(f"on_error is {on_error!r}; give 'warn' or 'raise'")
        self._docs = _to_be_read_again(docs)
        self._to = _as_destinations(to)
        self._unit = unit
        self._names = None if names is None else _as_names(names)
        self._on_error = on_error
        given = {name: _to_be_read_again(value) for name, value in arguments.items()}
        self._drawing = {name: value for name, value in given.items() if name in _DRAWING}
        self._asking = {name: value for name, value in given.items() if name not in _DRAWING}
        check_drawing(**{k: value for k, value in self._drawing.items() if k != "target"})
        if "image" in self._asking:
            raise TypeError("image is for one doc; give images, one for each doc")
        self._failed: set[str] = set()

    def begin(self, model: Any) -> list[Explanation]:
        """Explain and draw the documents before training begins, so that mistakes show.

        Whatever fails is raised now, and nothing is left written unless all of it went well.
        """
        found = list(explain_predictions(model, self._docs, **self._asking))
        if self._names is None:
            self._names = [f"doc-{position}" for position in range(len(found))]
        elif len(self._names) != len(found):
            raise ValueError(f"names has {len(self._names)} names for {len(found)} docs")
        for expl in found:
            self._draw(expl)
        with ExitStack() as undo:
            for destination in self._to:
                destination.begin(self._names)
                undo.callback(destination.withdraw)
            undo.pop_all()
        return found

    def record(self, model: Any, step: int) -> list[Explanation]:
        """Explain the documents with the weights that the model has now, and hand that on."""
        found = self._explained(model)
        self.hand_on(step, found)
        return found

    def hand_on(self, step: int, found: Sequence[Explanation]) -> None:
        """Draw explanations and write them wherever they are wanted."""
        entries = [
            Entry(name, expl, self._drawn(expl), self._series(expl))
            for name, expl in zip(self._names or (), found, strict=True)
        ]
        for destination in self._to:
            self._try(
                f"writing to {destination!r}",
                partial(destination.write, self._unit, step, entries),
            )

    def _explained(self, model: Any) -> list[Explanation]:
        names = self._names or ()
        one_by_one: Any = {"warn": "record", "raise": "raise"}[self._on_error]
        try:
            # That a heatmap is blank is nothing to be told each epoch: it is seen.
            with without_warnings():
                found = list(
                    explain_predictions(model, self._docs, **self._asking, on_error=one_by_one)
                )
        except Exception as error:  # an hour of training is worth more than an explanation
            if self._on_error == "raise":
                raise
            found = [recorded(type(model).__name__, "", error) for _ in names]
        for name, expl in zip(names, found, strict=True):
            if expl.error is not None:
                self._tell_once("explaining", f"doc '{name}': {expl.error}")
        return found

    def _draw(self, expl: Explanation) -> Any:
        if any(one.heatmap.ndim != 2 for one in expl.targets):
            return None  # of a signal or a volume: its scores are worth following, too
        several = {"target": None} if len(expl.targets) > 1 else {}
        return in_colour_mode(format_as_image(expl, **{**several, **self._drawing}))

    def _drawn(self, expl: Explanation) -> Any:
        return self._try("drawing", partial(self._draw, expl)) if expl.error is None else None

    def _series(self, expl: Explanation) -> tuple[str, ...]:
        if self._asking.get("targets") is None:
            # Of another class at another step: what goes on is its rank.
            return tuple(f"top {rank}" for rank in range(1, len(expl.targets) + 1))
        units = [
            "/".join(map(str, one.target)) if isinstance(one.target, tuple) else one.target
            for one in expl.targets
        ]
        labels = [one.label or str(unit) for one, unit in zip(expl.targets, units, strict=True)]
        often = Counter(labels)
        return tuple(
            label if often[label] == 1 else f"{label} ({unit})"
            for label, unit in zip(labels, units, strict=True)
        )

    def _try(self, doing: str, act: Callable[[], Any]) -> Any:
        """Let training go on where something fails."""
        try:
            return act()
        except Exception as error:
            if self._on_error == "raise":
                raise
            self._tell_once(doing, f"{type(error).__name__}: {error}")

    def _tell_once(self, doing: str, why: str) -> None:
        if doing not in self._failed:
            self._failed.add(doing)
            warn(
                f"{doing} failed while training: {why}. Training goes on, and this is said once; "
                "on_error='raise' would end it"
            )


def _to_be_read_again(given: Any) -> Any:
    """Keep what an iterator gives, which could be read once only."""
    return list(given) if isinstance(given, Iterator) else given


def _as_names(given: Iterable[str]) -> list[str]:
    names = [given] if isinstance(given, str) else list(given)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"names holds {name!r}, a {type(name).__name__}; give strings")
    twice = [name for name, often in Counter(names).items() if often > 1]
    if twice:
        raise ValueError(f"names has {twice[0]!r} twice; give each doc another name")
    return names


def _as_destinations(to: Any) -> list[Destination]:
    given = list(to) if isinstance(to, list | tuple) else [to]
    if not given:
        raise ValueError("to is empty; give a folder, or a writer of TensorBoard")
    return [_as_destination(one) for one in given]


def _as_destination(to: Any) -> Destination:
    if isinstance(to, Destination):
        return to
    if isinstance(to, str | os.PathLike):
        return Folder(to)
    for kind in (TorchSummaries, TensorFlowSummaries):
        # A class has the methods of its instances.
        if not isinstance(to, type) and kind.fits(to):
            return kind(to)
    what = f"the class {to.__name__}" if isinstance(to, type) else f"a {type(to).__name__}"
    raise TypeError(
        f"to is {what}; give the path of a folder, a training.TensorBoardLog, a SummaryWriter of "
        "PyTorch or TensorFlow, or a list of these"
    )
