"""Run a Keras 2 model, as it infers, under the eyes of a visitor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
import tf_keras

from explainkit.estimators.as_found import left_as_found
from explainkit.estimators.calls import (
    Entrance,
    NamedObservation,
    ObservedCalls,
    Visitor,
    unchanged,
)
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
                self.infer(tf.nest.map_structure(_of_any_number, docs))

    # The state is of no use: TensorFlow reads the variables.
    def run(self, state: Any, docs: Any, visit: Visitor, enter: Entrance = unchanged) -> Any:  # noqa: ARG002
        with _left_as_found(self.model), _calls.by(_Observation(visit, enter)):
            return self.infer(docs)

    def read(self, state: Any, variables: Callable[[Callable[[Any], Any]], Any]) -> Any:  # noqa: ARG002
        return variables(tf.convert_to_tensor)


def _of_any_number(docs: tf.Tensor) -> tf.Tensor:
    """Hide how many documents there are: what is built for them must take others, too."""
    return tf.compat.v1.placeholder_with_default(docs, (None, *docs.shape[1:]))


@contextmanager
def _left_as_found(model: Any) -> Iterator[None]:
    """Take back what layers note on themselves when they are called.

    Keras 2 has no scope that keeps a run from leaving traces: it clears and collects
    losses, adds metrics, and remembers what a model was called with. What is built
    meanwhile stays built.
    """
    layers = list(model._flatten_layers())  # noqa: SLF001 - no public way
    # Of this thread: others have their own.
    losses = [list(layer._eager_losses) for layer in layers]  # noqa: SLF001
    with left_as_found(model, _built_layers):
        try:
            yield
        finally:
            for layer, collected in zip(layers, losses, strict=True):
                layer._thread_local._eager_losses = collected  # noqa: SLF001


def _built_layers(model: Any) -> list[Any]:
    return [layer for layer in model._flatten_layers() if layer.built]  # noqa: SLF001
