"""Which Keras 3 layers make maps, and in which order of axes."""

from typing import Any

import keras

from explainkit.estimators.either_keras_record import KerasLikeRecord, handing_on

_HANDING_ON = handing_on(keras.layers)

#: Operations of a Functional model that do the same. Keras does not export their classes.
_HANDING_ON_OPERATIONS = {
    "AveragePool",
    "Cast",
    "Copy",
    "ExpandDims",
    "GetItem",
    "MaxPool",
    "Pad",
    "Reshape",
    "Resize",
    "Squeeze",
    "StopGradient",
    "Transpose",
}


class KerasRecord(KerasLikeRecord):
    """Notes each call of a run of a Keras 3 model."""

    attention = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)

    @staticmethod
    def default_format() -> str:
        return str(keras.config.image_data_format())

    def hands_on(self, layer: Any) -> bool:
        return isinstance(layer, _HANDING_ON) or type(layer).__name__ in _HANDING_ON_OPERATIONS
