"""Run a Keras 2 model, as it infers, under the eyes of a visitor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import tensorflow as tf
import tf_keras

from explainkit.estimators.calls import NamedObservation, ObservedCalls, Visitor
from explainkit.estimators.either_keras_calls import ObservedModel

#: What is called in a Keras 2 model. A metric is a layer with a `__call__` of its own.
_calls = ObservedCalls(tf_keras.metrics.Metric, tf_keras.layers.Layer)


class _Observation(NamedObservation):
    """A run of a Keras 2 model."""

    _building = False

    def call(self, layer: Any, original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if isinstance(layer, tf_keras.metrics.Metric):
            return _unchanged(layer)
        # A Sequential that was never told its input's shape builds itself anew for some
        # documents, from within its `call`: that is no run.
        if self._building:
            return original(layer, *args, **kwargs)
        if any(map(_is_symbolic, tf.nest.flatten((args, kwargs)))):
            self._building = True
            try:
                return original(layer, *args, **kwargs)
            finally:
                self._building = False
        return super().call(layer, original, args, kwargs)


def _is_symbolic(argument: Any) -> bool:
    return tf.is_tensor(argument) and bool(tf_keras.backend.is_keras_tensor(argument))


def _unchanged(metric: Any) -> Any:
    """Give a metric's result, as its `__call__` does, without counting anything in."""
    result = metric.result()
    if tf.is_tensor(result):
        result._metric_obj = metric  # noqa: SLF001 - as the metric itself does
    return result


class ObservedTfKerasModel(ObservedModel):
    """A Keras 2 model to be run under the eyes of a visitor."""

    def build(self, docs: Any) -> None:
        if not self.is_built():
            with _left_as_found(self.model):
                self.infer(docs)

    def run(self, state: Any, docs: Any, visit: Visitor) -> Any:  # noqa: ARG002 - read by TensorFlow
        with _left_as_found(self.model), _calls.by(_Observation(visit)):
            return self.infer(docs)


@contextmanager
def _left_as_found(model: Any) -> Iterator[None]:
    """Take back what layers note on themselves when they are called.

    Keras 2 has no scope that keeps a run from leaving traces: it clears and collects
    losses, adds metrics, and remembers what a model was called with. What is built
    meanwhile stays built.
    """
    found = [_Found.of(layer) for layer in model._flatten_layers()]  # noqa: SLF001 - no public way
    try:
        yield
    finally:
        for layer in found:
            layer.restore()


@attrs.frozen
class _Found:
    """A layer as it was found."""

    layer: Any
    #: The losses that this thread has collected; other threads have their own.
    losses: list[Any]
    #: None where the layer was not built yet.
    attributes: dict[str, Any] | None
    contents: dict[str, Any]

    @classmethod
    def of(cls, layer: Any) -> "_Found":
        attributes = dict(vars(layer)) if layer.built else None
        contents = {
            name: value.copy()
            for name, value in (attributes or {}).items()
            if type(value) in (list, dict, set)
        }
        return cls(layer, list(layer._eager_losses), attributes, contents)  # noqa: SLF001

    def restore(self) -> None:
        self.layer._thread_local._eager_losses = self.losses  # noqa: SLF001
        if self.attributes is None:
            return
        # Not by setattr, which tracks what it is given.
        now = vars(self.layer)
        for name in now.keys() - self.attributes.keys():
            del now[name]
        now.update(self.attributes)
        for name, content in self.contents.items():
            value = now[name]
            if isinstance(value, list):
                value[:] = content
            else:
                value.clear()
                value.update(content)
