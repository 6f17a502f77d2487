"""A Keras 3 model, seen as what can be asked of it."""

import importlib
from collections.abc import Hashable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

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

    def state(self) -> Any:
        if self.instead is None:
            return super().state()
        return tuple(self.instead[id(variable)] for variable in self.model.variables)

    def detached(self) -> "KerasExplainer":
        # A run begins with values for the variables, on every backend.
        other = KerasExplainer(self.model)
        other.instead = {id(one): keras.ops.copy(one.value) for one in self.model.variables}
        return other

    @staticmethod
    def numbers(variable: Any) -> NDArray[Any]:
        return np.asarray(keras.ops.convert_to_numpy(variable))

    def reweigh(self, weights: Mapping[Hashable, NDArray[Any]]) -> None:
        if self.instead is None:
            return super().reweigh(weights)
        for key, numbers in weights.items():
            dtype = keras.backend.standardize_dtype(self.instead[key].dtype)
            self.instead[key] = keras.ops.convert_to_tensor(numbers, dtype)
        return None

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
