"""Which Keras layers make maps, and in which order of axes."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras

from explainkit.engines.base import Engine, Tensor
from explainkit.estimators.calls import Call
from explainkit.estimators.record import Record, is_named_attention

#: Layers that move, drop or scale numbers, but work nothing out: a heatmap built
#: on one would be that of the layer before it, padded, thinned or shrunk.
_HANDING_ON = (
    *(
        getattr(keras.layers, f"{kind}{rank}D")
        for kind in ("ZeroPadding", "Cropping", "UpSampling", "SpatialDropout")
        for rank in (1, 2, 3)
    ),
    *(
        getattr(keras.layers, f"{kind}Pooling{rank}D")
        for kind in ("Max", "Average")
        for rank in (1, 2, 3)
    ),
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
    keras.layers.InputLayer,
    keras.layers.Normalization,
    keras.layers.Permute,
    keras.layers.Rescaling,
    keras.layers.Reshape,
    keras.layers.Resizing,
)


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

#: Layers whose inner layers make no maps, though their outputs may look like some.
_ATTENTION = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)


class KerasRecord(Record):
    """Notes each call of a run of a Keras model."""

    def __init__(self, engine: Engine, docs: Sequence[Tensor]) -> None:
        super().__init__(engine, docs)
        self._format: str | None = None
        self._first_format: str | None = None

    @property
    def docs_channels_first(self) -> bool:
        return _is_first(self._first_format)

    def puts_channels_first(self, call: Call) -> bool:
        # Layers that do not care for the order of axes keep that of those before.
        self._format = getattr(call.layer, "data_format", None) or self._format
        self._first_format = self._first_format or self._format
        return _is_first(self._format)

    def hands_on(self, layer: Any) -> bool:
        return isinstance(layer, _HANDING_ON) or type(layer).__name__ in _HANDING_ON_OPERATIONS

    def attends(self, layer: Any) -> bool:
        return isinstance(layer, _ATTENTION) or is_named_attention(layer)

    def refer(self, layer: Any) -> Callable[[], Any]:
        return weakref.ref(layer)


def _is_first(data_format: str | None) -> bool:
    return (data_format or keras.config.image_data_format()) == "channels_first"
