"""What is noted of one run of a Keras model: which layers ran, and what they made."""

import weakref
from collections.abc import Sequence
from typing import Any

import attrs
import keras

from explainkit.engines.base import Engine, Flow, Tensor
from explainkit.estimators.calls import Call
from explainkit.layers import LayerCall

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


class Record:
    """Notes each call of a run, and which call made which tensor."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._calls: list[LayerCall] = []
        self._outputs: list[Any] = []
        # Tensors are kept while they are told apart by identity.
        self._makers: dict[int, int] = {}
        self._format: str | None = None
        self._first_format: str | None = None

    @property
    def docs_channels_first(self) -> bool:
        """Whether the first layer that cares takes the channels first."""
        return (self._first_format or keras.config.image_data_format()) == "channels_first"

    def visit(self, call: Call) -> Any:
        """Note a call, and let its output pass."""
        # Layers that do not care for the order of axes keep that of those before.
        self._format = getattr(call.layer, "data_format", None) or self._format
        self._first_format = self._first_format or self._format
        path, application = call.place
        if isinstance(call.layer, _ATTENTION):
            self._disregard_within(path)
        tappable = self._engine.is_tappable(call.output)
        self._calls.append(
            LayerCall(
                path=path,
                application=application,
                kind=type(call.layer).__name__,
                shape=tuple(call.output.shape[1:]) if tappable else None,
                channels_first=(self._format or keras.config.image_data_format())
                == "channels_first",
                computes=tappable and self._is_made_by(call),
                flow=Flow(frozenset(), frozenset()),
                reference=weakref.ref(call.layer),
            )
        )
        self._outputs.append(call.output)
        if tappable:
            self._makers.setdefault(id(call.output), len(self._calls) - 1)
        return call.output

    def finish(
        self, docs: Sequence[Tensor], scores: Sequence[Tensor], positions: Sequence[int]
    ) -> tuple[LayerCall, ...]:
        """Give the calls, now that it is known which inputs and outputs they lie between.

        Parameters
        ----------
        docs : sequence of tensors
            The inputs.
        scores : sequence of tensors
            The outputs, before their final activations.
        positions : sequence of int
            Which outputs of the model they are.
        """
        tappable = [i for i, call in enumerate(self._calls) if call.shape is not None]
        flows = self._engine.flow(docs, [self._outputs[i] for i in tappable], scores)
        for i, flow in zip(tappable, flows, strict=True):
            sinks = frozenset(positions[sink] for sink in flow.sinks)
            self._calls[i] = attrs.evolve(self._calls[i], flow=Flow(flow.sources, sinks))
        return tuple(self._calls)

    def maker_of(self, logits: Tensor | None, output: Any) -> LayerCall | None:
        """Find the layer that worked out an output's scores, before its final activation."""
        if logits is None:
            return None
        tensors = [*self._engine.originals(logits), *self._engine.originals(output)]
        makers = [self._calls[self._makers[id(t)]] for t in tensors if id(t) in self._makers]
        return next((call for call in makers if call.computes), None)

    def _is_made_by(self, call: Call) -> bool:
        return (
            id(call.output) not in self._makers
            and not isinstance(call.layer, _HANDING_ON)
            and type(call.layer).__name__ not in _HANDING_ON_OPERATIONS
        )

    def _disregard_within(self, path: str) -> None:
        for i, call in enumerate(self._calls):
            if call.path.startswith(f"{path}/"):
                self._calls[i] = attrs.evolve(call, computes=False)
