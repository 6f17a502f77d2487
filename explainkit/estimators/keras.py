"""Keras 3 models at the doors."""

import keras

from explainkit.estimators.doors import register
from explainkit.estimators.keras_explainer import KerasExplainer

register(keras.Model, KerasExplainer)
