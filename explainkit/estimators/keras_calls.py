"""Run a Keras model, as it infers, under the eyes of a visitor."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import keras

from explainkit.estimators.as_found import left_as_found
from explainkit.estimators.calls import (
    Entrance,
    NamedObservation,
    ObservedCalls,
    Visitor,
    unchanged,
)
from explainkit.estimators.either_keras_calls import ObservedModel

#: What is called in a Keras model: layers, and the operations of a Functional model.
#: A layer is an operation too.
_calls = ObservedCalls(keras.Layer, keras.Operation)


class _Explained(keras.Layer):
    """The layer that a run begins with, in the model's stead.

    Keras clears the losses of the layer that a run begins with, and of all layers
    in it; somebody in the middle of a training step may still want them.
    """

    def __init__(self, run: Callable[[Any], Any]) -> None:
        # The documents' dtypes are the model's affair.
        super().__init__(name="explainkit", autocast=False, dtype="float32")
        self._run = run

    def _open_name_scope(self) -> AbstractContextManager[None]:
        # Variables that are made in here are the model's, and so are their paths.
        return nullcontext()

    def call(self, docs: Any) -> Any:
        return self._run(docs)


class ObservedKerasModel(ObservedModel):
    """A Keras 3 model to be run under the eyes of a visitor."""

    def build(self, docs: Any) -> None:
        # As for a symbolic call: variables must not be made of a trace's own tensors.
        def built(docs: Any) -> Any:
            self.infer(docs)
            return docs

        if not self.is_built():
            with _left_as_found(self.model):
                _Explained(built)(keras.tree.map_structure(_symbolic, docs))

    def run(self, state: Any, docs: Any, visit: Visitor, enter: Entrance = unchanged) -> Any:
        # Keras's stateless scope sees to it that nothing the layers do, losses, counters
        # and moving averages included, is kept by the model.
        def observed(docs: Any) -> Any:
            with _calls.by(NamedObservation(visit, enter)):
                return self.infer(docs)

        with self._stateless(state), _left_as_found(self.model):
            return _Explained(observed)(docs)

    def read(self, state: Any, variables: Callable[[Callable[[Any], Any]], Any]) -> Any:
        with self._stateless(state):
            return variables(lambda variable: variable.value)

    def _stateless(self, state: Any) -> AbstractContextManager[Any]:
        mapping = zip(self.model.variables, state, strict=False)
        return keras.StatelessScope(state_mapping=mapping)  # type: ignore[no-any-return]


@contextmanager
def _left_as_found(model: keras.Model) -> Iterator[None]:
    with left_as_found(model, _writing_layers), _uncalled_left_so(model):
        yield


def _writing_layers(model: keras.Model) -> list[keras.Layer]:
    """List the layers that may set attributes: Keras's own do not; what is built stays built."""
    layers = model._flatten_layers()  # noqa: SLF001 - no public way
    return [one for one in layers if one.built and not type(one).__module__.startswith("keras.")]


@contextmanager
def _uncalled_left_so(model: keras.Model) -> Iterator[None]:
    """Let layers that nobody has called yet not look as if somebody had."""
    # What can be set on a layer may change with its first call.
    uncalled = [layer for layer in model._flatten_layers() if not layer._called]  # noqa: SLF001
    try:
        yield
    finally:
        for layer in uncalled:
            layer._called = False  # noqa: SLF001


def _symbolic(array: Any) -> keras.KerasTensor:
    return keras.KerasTensor((None, *array.shape[1:]), array.dtype)
