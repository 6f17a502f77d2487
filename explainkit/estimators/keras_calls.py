"""See, and change, what passes between a Keras model's layers while it runs.

Keras has no hook for this that leaves a model untouched, so the one method that
every layer is called through, `keras.layers.Layer.__call__`, is wrapped for as
long as somebody looks on. Other threads, and models that nobody observes, pass
through it as ever; when the last observer leaves, the original is back.
"""

import functools
import inspect
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import attrs
import keras

#: The first argument of a visitor, and the place of a tap: the path of the
#: layer and which of its applications, counted from 0.
Place = tuple[str, int]


@attrs.frozen
class Call:
    """One application of one layer, just ended.

    Attributes
    ----------
    layer : keras.layers.Layer
    place : tuple of (str, int)
        The names of the layers around it and its own, joined by slashes, and
        how often the layer at this path was applied before.
    output : anything
        What the layer returned.
    """

    layer: Any
    place: Place
    output: Any


#: Sees each call as it ends, and gives the output to go on with.
Visitor = Callable[[Call], Any]


class _Observation:
    """One run of one model, seen by one visitor."""

    def __init__(self, visit: Visitor) -> None:
        self._visit = visit
        self._path: list[str] = []
        self._applications: Counter[str] = Counter()

    def call(self, layer: Any, original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        self._path.append(layer.name)
        # The model itself is the root: paths start inside it.
        path = "/".join(self._path[1:])
        try:
            output = original(layer, *args, **kwargs)
        finally:
            self._path.pop()
        place = (path, self._applications[path])
        self._applications[path] += 1
        return self._visit(Call(layer, place, output)) if path else output


_observation: ContextVar[_Observation | None] = ContextVar("observation", default=None)
_lock = threading.Lock()
_observers = 0
_original = keras.layers.Layer.__call__


@functools.wraps(_original)
def _observed_call(layer: Any, *args: Any, **kwargs: Any) -> Any:
    observation = _observation.get()
    if observation is None:
        return _original(layer, *args, **kwargs)
    return observation.call(layer, _original, args, kwargs)


@contextmanager
def _observing(visit: Visitor) -> Iterator[None]:
    global _observers, _original  # noqa: PLW0603 - one wrapper for the whole process
    with _lock:
        if _observers == 0:
            # Whatever is there now, another library's wrapper included, is put back.
            _original = keras.layers.Layer.__call__
            keras.layers.Layer.__call__ = _observed_call
        _observers += 1
    token = _observation.set(_Observation(visit))
    try:
        yield
    finally:
        _observation.reset(token)
        with _lock:
            _observers -= 1
            if _observers == 0:
                keras.layers.Layer.__call__ = _original


def _takes_training(model: Any) -> bool:
    parameters = inspect.signature(model.call).parameters.values()
    return any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters)


class ObservedModel:
    """A model to be run, as it infers, under the eyes of a visitor.

    It holds the model weakly, so that compiled programs do not keep it alive.
    """

    def __init__(self, model: Any) -> None:
        self._model = weakref.ref(model)
        self._mode = {"training": False} if _takes_training(model) else {}

    def run(self, docs: Any, visit: Visitor) -> Any:
        """Run the model once, and show each layer's output to the visitor.

        Keras's stateless scope sees to it that nothing the layers do, losses,
        counters and moving averages included, is kept by the model.
        """
        model = self._model()
        if model is None:
            raise ReferenceError("the model was deleted while it was being explained")
        with keras.StatelessScope(), _observing(visit):
            return model(docs, **self._mode)
