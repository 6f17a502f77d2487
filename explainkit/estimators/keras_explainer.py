"""A Keras 3 model, seen as what can be asked of it."""

import importlib
import weakref
from collections.abc import Callable, Hashable
from typing import Any

import keras
import numpy as np

from explainkit.engines.base import Engine, Tap, Tensor
from explainkit.estimators.base import Anatomy, Explainer
from explainkit.estimators.documents import Input, Inputs, arrays_of
from explainkit.estimators.keras_calls import Call, ObservedModel
from explainkit.explanation import PictureSource
from explainkit.layers import LayerCall, LayerIndex
from explainkit.pictures import DocPicture
from explainkit.targets import Output

#: The engine for each backend of Keras.
ENGINES = {"tensorflow": "explainkit.engines.tensorflow:TensorFlowEngine"}

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


class KerasExplainer(Explainer):
    """Explanations of a `keras.Model`: Functional, Sequential or subclassed."""

    def __init__(self, model: keras.Model) -> None:
        self.engine = engine_of_backend()
        self.model = model
        self.name = model.name

    def inputs(self) -> Inputs:
        """Tell what documents the model takes, as far as it says so."""
        inputs = tuple(
            Input(name, tuple(tensor.shape[1:]), tensor.dtype)
            for name, tensor in self._declared_inputs().items()
        )
        named = isinstance(getattr(self.model, "input", None) if inputs else None, dict)
        return Inputs(inputs or (Input("docs"),), keras.config.floatx(), named)

    def _declared_inputs(self) -> dict[str, Any]:
        """Name the symbolic inputs as the model's own documents would; none if it has none."""
        declared = getattr(self.model, "inputs", None) or []
        structure = getattr(self.model, "input", None) if declared else None
        if isinstance(structure, dict):
            return structure
        # The name of an input is that of its layer; the tensor's own is arbitrary.
        return {tensor._keras_history.operation.name: tensor for tensor in declared}  # noqa: SLF001

    def blank_docs(self) -> Any:
        """Make a document of the model's declared inputs; what is open stays so.

        Raises
        ------
        ValueError
            If the model does not say what it takes.
        """
        declared = self._declared_inputs()
        if not declared:
            raise ValueError(
                f"model '{self.name}' does not say what inputs it takes; give doc= an example"
            )
        specs = {
            name: _Spec((None, *tensor.shape[1:]), tensor.dtype)
            for name, tensor in declared.items()
        }
        return specs if len(specs) > 1 else next(iter(specs.values()))

    def fingerprint(self) -> Hashable:
        layers = self.model._flatten_layers(include_self=False)  # noqa: SLF001 - no public way
        return tuple((id(layer), id(getattr(layer, "activation", None))) for layer in layers)

    def runner(self) -> Callable[[Any, Tap], Any]:
        observed = ObservedModel(self.model)

        def run(docs: Any, tap: Tap) -> Any:
            def visit(call: Call) -> Any:
                if not keras.ops.is_tensor(call.output):
                    return call.output
                tapped = tap(call.place, call.output)
                mask = getattr(call.output, "_keras_mask", None)
                if mask is not None and tapped is not call.output:
                    tapped._keras_mask = mask  # noqa: SLF001 - as Keras's own layers do
                return tapped

            return observed.run(docs, visit)

        return run

    def trace(self, docs: Any) -> Anatomy:
        self._build(docs)
        observed = ObservedModel(self.model)
        declared = tuple(getattr(self.model, "output_names", None) or ())

        def look(tensors: Any) -> Anatomy:
            record = _Record(self.engine)
            result = observed.run(tensors, record.visit)
            outputs = self.flatten(result)
            names = _output_names(result, declared, len(outputs))
            before = [self.engine.before_activation(output) for output in outputs]
            return Anatomy(
                index=LayerIndex(self.name, tuple(record.calls)),
                outputs=tuple(
                    Output(name, tuple(output.shape[1:]), activation)
                    for name, output, (_, activation) in zip(names, outputs, before, strict=True)
                ),
                logits=tuple(
                    record.source_of(output, logits)
                    for output, (logits, _) in zip(outputs, before, strict=True)
                ),
                channels_first=record.docs_channels_first,
            )

        return self.engine.trace(look, docs)  # type: ignore[no-any-return]

    def _build(self, docs: Any) -> None:
        """Make the weights of a model that has none yet, as its first prediction would."""
        layers = self.model._flatten_layers()  # noqa: SLF001 - no public way
        if not all(layer.built for layer in layers):
            zeros = keras.tree.map_structure(lambda a: np.zeros((1, *a.shape[1:]), a.dtype), docs)
            self.model(zeros)

    @staticmethod
    def flatten(outputs: Any) -> list[Tensor]:
        return list(keras.tree.flatten(outputs))

    @staticmethod
    def pack(outputs: Any, tensors: list[Tensor]) -> Any:
        return keras.tree.pack_sequence_as(outputs, tensors)

    def layer_at(self, index: int) -> Any:
        layers = self.model.layers
        if not -len(layers) <= index < len(layers):
            raise LookupError(f"no layer {index}; model '{self.name}' has {len(layers)} layers")
        return layers[index]

    def picture(self, docs: Any, position: int, channels_first: bool) -> PictureSource:
        rank_of_pictures = 4
        pictures = [array for array in arrays_of(docs) if array.ndim == rank_of_pictures]
        if not pictures:
            return None
        doc = pictures[0][position]
        # A copy, since the caller may fill the same array with the next document.
        return DocPicture(np.array(np.moveaxis(doc, 0, -1) if channels_first else doc))


def _output_names(result: Any, declared: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Name the flattened outputs: by their keys in a dict, else as the model names them."""
    if isinstance(result, dict) and len(result) == count:
        return tuple(sorted(result))  # as keras.tree flattens them
    if len(declared) == count:
        return declared
    return ("output",) if count == 1 else tuple(f"output_{i}" for i in range(count))


class _Spec:
    """The shape and dtype of an array that nobody has made."""

    def __init__(self, shape: tuple[int | None, ...], dtype: str) -> None:
        self.shape = shape
        self.dtype = dtype


class _Record:
    """What a visitor notes of a run: each call, and which call made which tensor."""

    def __init__(self, engine: Engine) -> None:
        self.calls: list[LayerCall] = []
        self._engine = engine
        self._format: str | None = None
        self._first_format: str | None = None
        # Tensors are kept while they are told apart by identity.
        self._makers: dict[int, tuple[Tensor, LayerCall]] = {}

    @property
    def docs_channels_first(self) -> bool:
        """Whether the first layer that cares takes the channels first."""
        return (self._first_format or keras.config.image_data_format()) == "channels_first"

    def visit(self, call: Call) -> Any:
        """Note a call, and let its output pass."""
        # Layers that do not care for the order of axes keep that of those before.
        self._format = getattr(call.layer, "data_format", None) or self._format
        self._first_format = self._first_format or self._format
        output = call.output
        tappable = self._engine.is_tappable(output)
        path, application = call.place
        noted = LayerCall(
            path=path,
            application=application,
            kind=type(call.layer).__name__,
            shape=tuple(output.shape[1:]) if tappable else None,
            channels_first=(self._format or keras.config.image_data_format()) == "channels_first",
            computes=tappable
            and id(output) not in self._makers
            and not isinstance(call.layer, _HANDING_ON)
            and type(call.layer).__name__ not in _HANDING_ON_OPERATIONS,
            reference=weakref.ref(call.layer),
        )
        self.calls.append(noted)
        if tappable:
            self._makers.setdefault(id(output), (output, noted))
        return output

    def source_of(self, output: Tensor, logits: Tensor) -> LayerCall | None:
        """Find the layer whose scores an output shows."""
        for tensor in (logits, output):
            if id(tensor) in self._makers:
                return self._makers[id(tensor)][1]
        return None
