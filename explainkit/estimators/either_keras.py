"""What Keras 3 and Keras 2 models have in common, seen as what can be asked of them."""

import json
from abc import abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import attrs
from numpy.typing import NDArray

from explainkit.engines.base import Engine, Tap, Tensor
from explainkit.estimators.anatomy import Anatomy, anatomy_of
from explainkit.estimators.base import SUM, Explainer, of_one_document, sum_at
from explainkit.estimators.calls import Call, Place
from explainkit.estimators.documents import Input, Inputs, arrays_of, rearranged
from explainkit.estimators.either_keras_biases import (
    BiasedKinds,
    has_activation,
    with_tapped_sum,
)
from explainkit.estimators.either_keras_calls import ObservedModel
from explainkit.estimators.either_keras_record import KerasLikeRecord
from explainkit.estimators.open_sizes import SIZES, Spec, opened
from explainkit.layers import LayerCall


class KerasLikeExplainer(Explainer):
    """Explanations of a model of some Keras: Functional, Sequential or subclassed."""

    #: What flattens and maps nested outputs as the model's Keras does.
    tree: ClassVar[Any]
    #: The layers that add something.
    biased: ClassVar[BiasedKinds]
    #: The record of a run.
    record: ClassVar[type[KerasLikeRecord]]

    #: Where the model is detached: other values of its variables, by their identity.
    instead: dict[Hashable, Any] | None = None

    def __init__(self, model: Any, engine: Engine) -> None:
        self.engine = engine
        self.model = model
        self.name = model.name

    @abstractmethod
    def observed(self) -> ObservedModel:
        """Give the model as one that can be run under the eyes of a visitor."""

    @staticmethod
    @abstractmethod
    def float_dtype() -> str:
        """Tell what double precision is made where the model does not say."""

    @staticmethod
    @abstractmethod
    def input_name(tensor: Any) -> str:
        """Name a symbolic input by its layer; the tensor's own name is arbitrary."""

    def inputs(self) -> Inputs:
        inputs = tuple(
            Input(name, tuple(tensor.shape[1:]), _dtype_name(tensor))
            for name, tensor in self._declared_inputs().items()
        )
        named = isinstance(getattr(self.model, "input", None) if inputs else None, dict)
        return Inputs(inputs or (Input("docs"),), self.float_dtype(), named)

    def _declared_inputs(self) -> dict[str, Any]:
        """Name the symbolic inputs as the model's own documents would; none if it has none."""
        declared = getattr(self.model, "inputs", None) or []
        structure = getattr(self.model, "input", None) if declared else None
        if isinstance(structure, dict):
            return structure
        return {self.input_name(tensor): tensor for tensor in declared}

    def blank_docs(self) -> Any:
        declared = self._declared_inputs()
        if not declared:
            raise ValueError(
                f"model '{self.name}' does not say what inputs it takes; give doc= an example"
            )
        specs = {
            name: Spec((None, *tensor.shape[1:]), _dtype_name(tensor))
            for name, tensor in declared.items()
        }
        return specs if len(specs) > 1 else next(iter(specs.values()))

    def example(self) -> Any:
        declared = self._declared_inputs()
        if not declared or any(None in tensor.shape[1:] for tensor in declared.values()):
            return None
        return self.blank_docs()

    def fingerprint(self) -> Hashable:
        layers = self.model._flatten_layers(include_self=False)  # noqa: SLF001 - no public way
        return tuple(
            (
                id(layer),
                id(getattr(layer, "activation", None)),
                layer.dtype_policy.name,  # the policy itself may be made anew at each look
                getattr(layer, "lora_enabled", False),
            )
            for layer in layers
        )

    def state(self) -> Any:
        if self.engine.reads_variables:
            return ()
        return tuple(variable.value for variable in self.model.variables)

    @property
    def owner(self) -> Any:
        # Programs of a detached model are not those of the model.
        return self.model if self.instead is None else self

    def weights_of(self, layer: Any) -> dict[Hashable, NDArray[Any]]:
        if not hasattr(layer, "_flatten_layers"):
            return {}  # an operation of a Functional model
        # What is frozen has been learnt, too, so that `trainable_variables` would not do.
        own = ("_trainable_variables", "_trainable_weights")
        found = {
            id(one): one
            for part in layer._flatten_layers()  # noqa: SLF001 - no public way
            for name in own
            for one in getattr(part, name, None) or ()
        }
        return {key: self.numbers(one) for key, one in found.items()}

    def structure(self) -> str:
        layers = self.model._flatten_layers()  # noqa: SLF001 - no public way
        # Not their names, which count what was built before.
        return "\n".join(f"{type(one).__name__} {_options(one)}" for one in layers)

    def learnt(self) -> Iterable[NDArray[Any]]:
        here = {} if self.instead is None else self.instead
        return (self.numbers(here.get(id(one), one)) for one in self.model.weights)

    @staticmethod
    @abstractmethod
    def numbers(variable: Any) -> NDArray[Any]:
        """Give the value of a variable."""

    def runner(self, places: Collection[Any]) -> Callable[[Any, Any, Tap], Any]:
        observed = self.observed()

        def run(state: Any, docs: Any, tap: Tap) -> Any:
            def enter(layer: Any, place: Place) -> Any:
                total = (*place, SUM)
                if total not in places or not has_activation(layer):
                    return layer
                return with_tapped_sum(layer, lambda tensor: tap(total, tensor))

            def visit(call: Call) -> Any:
                output = call.output
                if (*call.place, SUM) in places and not has_activation(call.layer):
                    output = tap((*call.place, SUM), output)
                if call.place in places:
                    output = tap(call.place, output)
                return _masked(output, call.output)

            return observed.run(state, docs, visit, enter)

        return run

    def adds(self, call: LayerCall) -> bool:
        return self.biased.adds(call.layer)

    def hides_bias(self, call: LayerCall) -> bool:
        own = ("_trainable_variables", "_trainable_weights")
        found = [one for name in own for one in getattr(call.layer, name, None) or ()]
        return not self.adds(call) and any("bias" in one.name for one in found)

    def bias_reader(self, calls: Sequence[LayerCall]) -> Callable[[Any], Mapping[Any, Tensor]]:
        observed, kinds, xp = self.observed(), self.biased, self.engine.xp

        def read(state: Any) -> Mapping[Any, Tensor]:
            def biases(value: Callable[[Any], Tensor]) -> Mapping[Any, Tensor]:
                found = {}
                for call in calls:
                    rank = len(call.shape or ()) + 1
                    bias = xp.asarray(kinds.bias_of(call.layer, rank, xp.reshape, value))
                    found[sum_at(call)] = of_one_document(xp, bias, call)
                return found

            return observed.read(state, biases)  # type: ignore[no-any-return]

        return read

    def trace(self, docs: Any) -> Anatomy:
        if not any(one.is_open for one in _specs(docs)):
            return self._trace(docs)
        once, again = (
            self._trace(rearranged(docs, [one.closed(size) for one in _specs(docs)]))
            for size in SIZES
        )
        index = attrs.evolve(once.index, calls=opened(once.index.calls, again.index.calls))
        return attrs.evolve(once, index=index)

    def _trace(self, docs: Any) -> Anatomy:
        observed, engine, begin = self.observed(), self.engine, type(self).record
        declared = tuple(getattr(self.model, "output_names", None) or ())

        def look(state: Any, tensors: Any) -> Anatomy:
            observed.build(tensors)
            record = begin(engine, arrays_of(tensors))
            result = observed.run(state, tensors, record.visit)
            flat = self.flatten(result)
            names = _output_names(result, flat, declared)
            return anatomy_of(engine, self.name, record, zip(names, flat, strict=True))

        if not self.engine.reads_variables:
            observed.build(docs)  # the state is that of a model that is built
        return self.engine.trace(look, self.state(), docs)  # type: ignore[no-any-return]

    @classmethod
    def flatten(cls, outputs: Any) -> list[Tensor]:
        return list(cls.tree.flatten(outputs))

    @classmethod
    def pack(cls, outputs: Any, tensors: list[Tensor]) -> Any:
        # By identity, since Keras has not always packed in the order in which it flattens.
        others = dict(zip(map(id, cls.tree.flatten(outputs)), tensors, strict=True))
        return cls.tree.map_structure(lambda one: others[id(one)], outputs)

    def layer_at(self, index: int) -> Any:
        layers = self.model.layers
        if not -len(layers) <= index < len(layers):
            raise LookupError(f"no layer {index}; model '{self.name}' has {len(layers)} layers")
        return layers[index]


def _options(layer: Any) -> str:
    """Say what a layer is told beside its name; of models, which operations are in them."""
    if hasattr(layer, "layers"):
        return " ".join(type(one).__name__ for one in getattr(layer, "operations", ()))
    try:
        told = layer.get_config()
    except (NotImplementedError, TypeError, ValueError):  # somebody's own, which says nothing
        return str(getattr(getattr(layer, "activation", None), "__name__", ""))
    # Of somebody's own objects no more than their class says the same in every process.
    return json.dumps(_nameless(told), default=lambda one: type(one).__name__)


def _nameless(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: _nameless(value) for key, value in told.items() if key != "name"}
    return [_nameless(one) for one in told] if isinstance(told, list | tuple) else told


def _masked(tapped: Any, output: Any) -> Any:
    mask = getattr(output, "_keras_mask", None)
    if mask is not None and tapped is not output:
        tapped._keras_mask = mask  # noqa: SLF001 - as Keras's own layers do
    return tapped


def _output_names(result: Any, flat: list[Tensor], declared: tuple[str, ...]) -> tuple[str, ...]:
    """Name the flattened outputs: by their keys in a dict, else as the model names them."""
    count = len(flat)
    if isinstance(result, Mapping) and len(result) == count:
        keys = {id(one): key for key, one in result.items()}
        if all(id(one) in keys for one in flat):
            return tuple(str(keys[id(one)]) for one in flat)
    if len(declared) != count:
        declared = tuple(f"output_{i}" for i in range(count)) if count > 1 else ("output",)
    # One head applied twice gives two outputs of one name.
    repeated = {name for name in declared if declared.count(name) > 1}
    return tuple(
        f"{name}#{declared[:i].count(name)}" if name in repeated else name
        for i, name in enumerate(declared)
    )


def _dtype_name(tensor: Any) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def _specs(docs: Any) -> list[Spec]:
    return [Spec(tuple(one.shape), str(one.dtype)) for one in arrays_of(docs)]
