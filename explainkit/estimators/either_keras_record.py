"""Which layers of some Keras make maps, and in which order of axes."""

import weakref
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from explainkit.engines.base import Engine, Tensor
from explainkit.estimators.calls import Call
from explainkit.estimators.record import Record, is_named_attention


def handing_on(layers: Any) -> tuple[type, ...]:
    """List the layers that move, drop or scale numbers, but work nothing out.

    A heatmap built on one would be that of the layer before it, padded, thinned or
    shrunk.

    Parameters
    ----------
    layers : module
        The layers of some Keras.
    """
    ranked = (
        "AveragePooling",
        "Cropping",
        "MaxPooling",
        "SpatialDropout",
        "UpSampling",
        "ZeroPadding",
    )
    others = (
        "AlphaDropout",
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "InputLayer",
        "Normalization",
        "Permute",
        "Rescaling",
        "Reshape",
        "Resizing",
    )
    names = (*(f"{kind}{rank}D" for kind in ranked for rank in (1, 2, 3)), *others)
    return tuple(getattr(layers, name) for name in names)


class KerasLikeRecord(Record):
    """Notes each call of a run of a model of some Keras."""

    #: Layers whose inner layers make no maps, though their outputs may look like some.
    attention: tuple[type, ...]

    def __init__(self, engine: Engine, docs: Sequence[Tensor]) -> None:
        super().__init__(engine, docs)
        self._format: str | None = None
        self._first_format: str | None = None

    @staticmethod
    @abstractmethod
    def default_format() -> str:
        """Tell the order of axes where no layer says one."""

    @property
    def docs_channels_first(self) -> bool:
        return self._is_first(self._first_format)

    def puts_channels_first(self, call: Call) -> bool:
        # Layers that do not care for the order of axes keep that of those before.
        self._format = getattr(call.layer, "data_format", None) or self._format
        self._first_format = self._first_format or self._format
        return self._is_first(self._format)

    def attends(self, call: Call) -> bool:
        return isinstance(call.layer, self.attention) or is_named_attention(call)

    def refer(self, layer: Any) -> Callable[[], Any]:
        return weakref.ref(layer)

    def _is_first(self, data_format: str | None) -> bool:
        return (data_format or self.default_format()) == "channels_first"
