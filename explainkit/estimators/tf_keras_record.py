"""Which Keras 2 layers make maps, and in which order of axes."""

from typing import Any

import tf_keras

from explainkit.estimators.either_keras_record import KerasLikeRecord, handing_on

_HANDING_ON = handing_on(tf_keras.layers)

#: TensorFlow's own operations, which are layers of a Functional model, that do the same.
_HANDING_ON_OPERATIONS = {
    "avg_pool",
    "avg_pool2d",
    "cast",
    "expand_dims",
    "getitem",
    "identity",
    "max_pool",
    "max_pool2d",
    "pad",
    "reshape",
    "resize",
    "squeeze",
    "stop_gradient",
    "transpose",
}


class TfKerasRecord(KerasLikeRecord):
    """Notes each call of a run of a Keras 2 model."""

    attention = (tf_keras.layers.MultiHeadAttention,)

    @staticmethod
    def default_format() -> str:
        return str(tf_keras.backend.image_data_format())

    def hands_on(self, layer: Any) -> bool:
        # The layer of an operation knows it by its public name, such as "image.resize".
        symbol = getattr(layer, "symbol", None) or ""
        return isinstance(layer, _HANDING_ON) or symbol.split(".")[-1] in _HANDING_ON_OPERATIONS
