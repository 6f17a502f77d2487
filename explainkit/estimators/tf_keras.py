"""Keras 2 models at the doors."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from explainkit.engines.tensorflow import TensorFlowEngine
from explainkit.estimators.doors import register
from explainkit.estimators.either_keras import KerasLikeExplainer
from explainkit.estimators.either_keras_biases import BiasedKinds
from explainkit.estimators.tf_keras_calls import ObservedTfKerasModel
from explainkit.estimators.tf_keras_record import TfKerasRecord


class TfKerasExplainer(KerasLikeExplainer):
    """Explanations of a `tf_keras.Model`: Functional, Sequential or subclassed."""

    tree = tf.nest
    record = TfKerasRecord
    biased = BiasedKinds.of(tf_keras.layers)

    def __init__(self, model: tf_keras.Model) -> None:
        super().__init__(model, TensorFlowEngine())

    def detached(self) -> "TfKerasExplainer":
        # Keras 2 has no way to run a model on other values: the programs read other variables.
        other = TfKerasExplainer(self.model)
        substitutes = [(one, tf.Variable(one)) for one in self.model.variables]
        other.instead = {id(one): substitute for one, substitute in substitutes}
        other.engine = TensorFlowEngine(substitutes)
        return other

    @staticmethod
    def numbers(variable: Any) -> NDArray[Any]:
        return np.asarray(variable)

    def reweigh(self, weights: Mapping[Hashable, NDArray[Any]]) -> None:
        if self.instead is None:
            return super().reweigh(weights)
        for key, numbers in weights.items():
            self.instead[key].assign(numbers)
        return None

    def observed(self) -> ObservedTfKerasModel:
        return ObservedTfKerasModel(self.model)

    @staticmethod
    def float_dtype() -> str:
        return str(tf_keras.backend.floatx())

    @staticmethod
    def input_name(tensor: Any) -> str:
        return str(tensor._keras_history.layer.name)  # noqa: SLF001 - no public way

    @staticmethod
    def is_layer(value: Any) -> bool:
        return isinstance(value, tf_keras.layers.Layer)


register(tf_keras.Model, TfKerasExplainer)
