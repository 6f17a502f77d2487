"""Keras 2 models at the doors."""

from typing import Any

import tensorflow as tf
import tf_keras

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
