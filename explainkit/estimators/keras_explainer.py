"""A Keras 3 model, seen as what can be asked of it."""

import importlib
from typing import Any

import keras

from explainkit.engines.base import Engine
from explainkit.estimators.either_keras import KerasLikeExplainer
from explainkit.estimators.either_keras_biases import BiasedKinds
from explainkit.estimators.keras_calls import ObservedKerasModel
from explainkit.estimators.keras_record import KerasRecord

#: The engine for each backend of Keras.
ENGINES = {
    "tensorflow": "explainkit.engines.tensorflow:TensorFlowEngine",
    "jax": "explainkit.engines.jax:JaxEngine",
    "torch": "explainkit.engines.torch:TorchEngine",
}


def engine_of_backend() -> Engine:
    """Give the engine for the backend that Keras runs on.

    Raises
    ------
    NotImplementedError
        If there is none yet.
    """
    backend = keras.backend.backend()
    if backend not in ENGINES:
        raise NotImplementedError(
            f"Keras runs on {backend}, for which explainkit has no engine yet; it has one for "
            f"{', '.join(ENGINES)}: set KERAS_BACKEND before Keras is imported"
        )
    module, _, name = ENGINES[backend].partition(":")
    engine: Engine = getattr(importlib.import_module(module), name)()
    return engine


class KerasExplainer(KerasLikeExplainer):
    """Explanations of a `keras.Model`: Functional, Sequential or subclassed."""

    tree = keras.tree
    record = KerasRecord
    biased = BiasedKinds.of(keras.layers)

    def __init__(self, model: keras.Model) -> None:
        super().__init__(model, engine_of_backend())

    def observed(self) -> ObservedKerasModel:
        return ObservedKerasModel(self.model)

    @staticmethod
    def float_dtype() -> str:
        return str(keras.config.floatx())

    @staticmethod
    def input_name(tensor: Any) -> str:
        return str(tensor._keras_history.operation.name)  # noqa: SLF001 - no public way

    @staticmethod
    def is_layer(value: Any) -> bool:
        return isinstance(value, keras.Operation)
