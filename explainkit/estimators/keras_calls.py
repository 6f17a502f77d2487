"""See, and change, what passes between a Keras model's layers while it runs.

Keras has no hook for this that leaves a model untouched. So the methods that
every layer and every operation of a Functional model is called through,
`keras.Layer.__call__` and `keras.Operation.__call__`, are wrapped for as long as
somebody looks on. Other threads, and models that nobody observes, pass through
them as ever; when the last observer leaves, the originals are back.
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
    """One application of one layer, or of one operation, just ended.

    Attributes
    ----------
    layer : keras.Layer or keras.Operation
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
#: What stands in the place of what, while somebody looks on.
_wrapped: list[tuple[type, Callable[..., Any], Callable[..., Any]]] = []


def _observed(kind: type) -> Callable[..., Any]:
    original = kind.__call__

    @functools.wraps(original)
    def call(called: Any, *args: Any, **kwargs: Any) -> Any:
        observation = _observation.get()
        # A layer is an operation too, and calls itself as one: that is no other call.
        if observation is None or (kind is keras.Operation and isinstance(called, keras.Layer)):
            return original(called, *args, **kwargs)
        return observation.call(called, original, args, kwargs)

    return call


def _wrap() -> None:
    for kind in (keras.Layer, keras.Operation):
        wrapper = _observed(kind)
        _wrapped.append((kind, kind.__call__, wrapper))
        setattr(kind, "__call__", wrapper)  # noqa: B010 - a class of any type


def _unwrap() -> None:
    for kind, original, wrapper in _wrapped:
        # Somebody may have wrapped ours meanwhile, and still needs it.
        if kind.__call__ is wrapper:
            setattr(kind, "__call__", original)  # noqa: B010
    _wrapped.clear()


@contextmanager
def _observing(visit: Visitor) -> Iterator[None]:
    global _observers  # noqa: PLW0603 - one wrapper for the whole process
    with _lock:
        if _observers == 0:
            _wrap()
        _observers += 1
    token = _observation.set(_Observation(visit))
    try:
        yield
    finally:
        _observation.reset(token)
        with _lock:
            _observers -= 1
            if _observers == 0:
                _unwrap()


def _takes_training(model: Any) -> bool:
    parameters = inspect.signature(model.call).parameters.values()
    return any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters)


class _Explained(keras.Layer):
    """The layer that a run begins with, in the model's stead.

    Keras clears the losses of the layer that a run begins with, and of all layers
    in it; somebody in the middle of a training step may still want them.
    """

    def __init__(self, run: Callable[[Any], Any]) -> None:
        # The documents' dtypes are the model's affair.
        super().__init__(name="explainkit", autocast=False, dtype="float32")
        self._run = run

    def call(self, docs: Any) -> Any:
        return self._run(docs)


class ObservedModel:
    """A model to be run, as it infers, under the eyes of a visitor.

    It holds the model weakly, so that compiled programs do not keep it alive.
    """

    def __init__(self, model: Any) -> None:
        self._model = weakref.ref(model)
        self._mode = {"training": False} if _takes_training(model) else {}

    def run(self, state: Any, docs: Any, visit: Visitor) -> Any:
        """Run the model once, and show each layer's output to the visitor.

        The state holds values for the model's variables, or nothing where their own
        will do. Keras's stateless scope sees to it that nothing the layers do, losses,
        counters and moving averages included, is kept by the model.
        """
        model = self._model()
        if model is None:
            raise ReferenceError("the model was deleted while it was being explained")

        def observed(docs: Any) -> Any:
            with _observing(visit):
                return model(docs, **self._mode)

        with keras.StatelessScope(state_mapping=zip(model.variables, state, strict=False)):
            return _Explained(observed)(docs)
