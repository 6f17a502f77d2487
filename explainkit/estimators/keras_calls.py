"""Run a Keras model, as it infers, under the eyes of a visitor."""

import inspect
import weakref
from collections.abc import Callable
from typing import Any

import keras

from explainkit.estimators.calls import NamedObservation, ObservedCalls, Visitor

#: What is called in a Keras model: layers, and the operations of a Functional model.
#: A layer is an operation too.
_calls = ObservedCalls(keras.Layer, keras.Operation)


def takes_training(model: Any) -> bool:
    """Tell whether a model's `call` has an argument for training or inference."""
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
        self._mode = {"training": False} if takes_training(model) else {}

    def build(self, docs: Any) -> None:
        """Let layers that are built when they are first called be built now.

        Keras calls what is inside them to do so, which is no run to be observed.
        """
        model = self._get()
        if not all(layer.built for layer in model._flatten_layers()):  # noqa: SLF001
            with keras.StatelessScope():
                _Explained(lambda docs: model(docs, **self._mode))(docs)

    def run(self, state: Any, docs: Any, visit: Visitor) -> Any:
        """Run the model once, and show each layer's output to the visitor.

        The state holds values for the model's variables, or nothing where their own
        will do. Keras's stateless scope sees to it that nothing the layers do, losses,
        counters and moving averages included, is kept by the model.
        """
        model = self._get()

        def observed(docs: Any) -> Any:
            with _calls.by(NamedObservation(visit)):
                return model(docs, **self._mode)

        with keras.StatelessScope(state_mapping=zip(model.variables, state, strict=False)):
            return _Explained(observed)(docs)

    def _get(self) -> Any:
        model = self._model()
        if model is None:
            raise ReferenceError("the model was deleted while it was being explained")
        return model
