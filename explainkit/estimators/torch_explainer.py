"""A PyTorch module, seen as what can be asked of it."""

import copy
import inspect
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from explainkit.engines.base import ReluRule, Rewrites, Tap, Tensor
from explainkit.engines.torch import TorchEngine
from explainkit.estimators.anatomy import Anatomy, anatomy_of
from explainkit.estimators.base import SUM, Explainer, of_one_document, sum_at
from explainkit.estimators.calls import Call, Visitor
from explainkit.estimators.documents import Input, Inputs, arrays_of
from explainkit.estimators.torch_as_found import is_of_pytorch, module_left_as_found
from explainkit.estimators.torch_biases import adds, bias_of, hides_bias
from explainkit.estimators.torch_calls import FUNCTION_SUFFIX, ObservedModule, at_home, home_of
from explainkit.estimators.torch_channels import ChannelAxes
from explainkit.estimators.torch_inference import (
    inferring,
    keeping_random_state,
    layer_by_layer,
    uncompiled,
)
from explainkit.estimators.torch_outputs import named_tensors, with_tensors
from explainkit.estimators.torch_record import TorchRecord
from explainkit.layers import LayerCall


class TorchExplainer(Explainer):
    """Explanations of a `torch.nn.Module`, whatever wraps it."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.engine = TorchEngine()
        self.model = _unwrapped(model)
        self.name = type(self.model).__name__

    def inputs(self) -> Inputs:
        """Tell what documents the module takes: it says no more than the type of its numbers."""
        _, dtype = home_of(self.model)
        double = "float64" if dtype == torch.float64 else "float32"
        return Inputs((Input("docs"),), double, picture="(N, channels, height, width)")

    def blank_docs(self) -> Any:
        """Make a document of the declared inputs, of which there are none.

        Raises
        ------
        ValueError
            Always.
        """
        raise ValueError(
            f"model '{self.name}' does not say what inputs it takes; give doc= an example"
        )

    def example(self) -> Any:
        """Give a stand-in for a document where the model says all about its sizes: nowhere."""
        return None

    def fingerprint(self) -> Hashable:
        return tuple(
            id(part) if is_of_pytorch(part) else (id(part), *_plain_attributes(part))
            for part in self.model.modules()
        )

    def state(self) -> Any:
        return ()

    def detached(self) -> "TorchExplainer":
        try:
            return TorchExplainer(copy.deepcopy(self.model))
        except (RuntimeError, TypeError) as error:
            raise TypeError(
                f"model '{self.name}' cannot be copied, so that its weights could be drawn anew "
                f"without changing it: {error}"
            ) from error

    def structure(self) -> str:
        return str(self.model)

    def learnt(self) -> Iterable[NDArray[Any]]:
        kept = self.model.state_dict().values()
        return (_on_the_host(one) for one in kept if isinstance(one, torch.Tensor))

    def weights_of(self, layer: Any) -> dict[Hashable, NDArray[Any]]:
        # Copies: numpy may look at the numbers that are changed later.
        return {id(one): _on_the_host(one).copy() for one in layer.parameters()}

    def reweigh(self, weights: Mapping[Hashable, NDArray[Any]]) -> None:
        with torch.no_grad():
            for one in self.model.parameters():
                if id(one) in weights:
                    one.copy_(torch.as_tensor(weights[id(one)]))

    @contextmanager
    def asking(self) -> Iterator[None]:
        with (
            keeping_random_state(home_of(self.model)[0]),
            layer_by_layer,
            uncompiled(),
            module_left_as_found(self.model),
            inferring(),
        ):
            yield

    def settler(self) -> Callable[[Any], Any]:
        return partial(at_home, *home_of(self.model))

    def runner(self, places: Collection[Any]) -> Callable[[Any, Any, Tap], Any]:
        functions = any(place[0].endswith(FUNCTION_SUFFIX) for place in places)
        observed = ObservedModule(self.model, functions=functions)

        def run(_state: Any, docs: Any, tap: Tap) -> Any:
            def visit(call: Call) -> Any:
                output = call.output
                for place in ((*call.place, SUM), call.place):
                    output = tap(place, output) if place in places else output
                return output

            return observed.run(docs, visit)

        return run

    def adds(self, call: LayerCall) -> bool:
        return adds(call.layer)

    def hides_bias(self, call: LayerCall) -> bool:
        return hides_bias(call.layer)

    def relus(self, docs: Any, anatomy: Anatomy, rule: ReluRule) -> Rewrites:
        found = super().relus(docs, anatomy, rule)
        # What is compiled is not seen from here, and may hold relus.
        scripted = {
            f"what is scripted in '{path}'"
            for path, part in self.model.named_modules()
            if isinstance(part, torch.jit.ScriptModule)
        }
        return Rewrites(found.count, found.missed | scripted)

    def bias_reader(self, calls: Sequence[LayerCall]) -> Callable[[Any], Mapping[Any, Tensor]]:
        xp = self.engine.xp

        def read(_state: Any) -> Mapping[Any, Tensor]:
            return {
                sum_at(one): of_one_document(xp, bias_of(one.layer, len(one.shape or ()) + 1), one)
                for one in calls
            }

        return read

    def trace(self, docs: Any) -> Anatomy:
        observed, engine = ObservedModule(self.model, functions=True), self.engine

        def look(_state: Any, tensors: Any) -> Anatomy:
            with ChannelAxes() as axes:
                record = TorchRecord(engine, arrays_of(tensors), axes)
                result = self._run_once(observed, tensors, record.visit)
            named = self._check_outputs(result, tensors)
            return anatomy_of(engine, self.name, record, named)

        self._check_parts()
        self._check_names(docs)
        with self.asking():
            return self.engine.trace(look, (), docs)  # type: ignore[no-any-return]

    def _check_parts(self) -> None:
        for path, part in self.model.named_modules():
            if isinstance(part, torch.jit.ScriptModule) and part.training:
                raise TypeError(
                    f"'{path}' in model '{self.name}' is a TorchScript module that trains, and "
                    "cannot be told to infer but by eval(); call it first"
                )
        if any(map(torch.is_inference, chain(self.model.parameters(), self.model.buffers()))):
            raise ValueError(
                f"model '{self.name}' was made under torch.inference_mode(), so that nothing can "
                "be differentiated through it; make or load it outside"
            )

    def _check_names(self, docs: Any) -> None:
        """Tell whether the documents fill the arguments of the module."""
        try:
            signature = inspect.signature(self.model.forward)
        except ValueError:  # written in another language
            return
        named = isinstance(docs, Mapping)
        try:
            signature.bind(*() if named else arrays_of(docs), **docs if named else {})
        except TypeError as error:
            given = f"the inputs {sorted(docs)}" if named else f"{len(arrays_of(docs))} arrays"
            raise ValueError(
                f"docs has {given}; model '{self.name}' takes {list(signature.parameters)}: {error}"
            ) from None

    def _run_once(self, observed: ObservedModule, docs: Any, visit: Visitor) -> Any:
        try:
            return observed.run(docs, visit)
        except torch.OutOfMemoryError:
            raise
        except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(self._does_not_take(docs, error)) from error

    def _does_not_take(self, docs: Any, error: Exception) -> str:
        given: list[Any] = arrays_of(docs)
        shapes = ", ".join(str(tuple(one.shape)) for one in given)
        said = str(error) or type(error).__name__
        hint = f"pictures are given as {self.inputs().picture}, with the axis of docs in front"
        if whole := [one.dtype for one in given if not one.dtype.is_floating_point]:
            hint = f"docs hold {whole[0]}: give floats, preprocessed as the model takes them"
        return (
            f"model '{self.name}' cannot be run on docs of shape {shapes}: "
            f"{said.splitlines()[0]}; {hint}"
        )

    def _check_outputs(self, result: Any, docs: Any) -> list[tuple[str, torch.Tensor]]:
        """Name the tensors of a result, of which some must have an axis of documents."""
        named, doc = named_tensors(result), arrays_of(docs)[0]
        if not named:
            raise TypeError(
                f"model '{self.name}' returns a {type(result).__name__}; give a model that "
                "returns tensors, or tuples, lists, dicts or dataclasses of them"
            )
        if not any(len(one.shape) > 0 and len(one) == len(doc) for _, one in named):
            raise ValueError(
                f"model '{self.name}' gives outputs of shape {tuple(named[0][1].shape)} for docs "
                f"of shape {tuple(doc.shape)}; the first axis of both must be the axis of docs: "
                f"pictures are given as {self.inputs().picture}"
            )
        return named

    @staticmethod
    def flatten(outputs: Any) -> list[Tensor]:
        return [tensor for _, tensor in named_tensors(outputs)]

    @staticmethod
    def pack(outputs: Any, tensors: list[Tensor]) -> Any:
        others = dict(zip(map(id, TorchExplainer.flatten(outputs)), tensors, strict=True))
        return with_tensors(outputs, others)

    def layer_at(self, index: int) -> Any:
        layers = list(self.model.children())
        if not -len(layers) <= index < len(layers):
            raise LookupError(f"no layer {index}; model '{self.name}' has {len(layers)} layers")
        return layers[index]

    @staticmethod
    def is_layer(value: Any) -> bool:
        return isinstance(value, torch.nn.Module)


def _on_the_host(tensor: torch.Tensor) -> NDArray[Any]:
    tensor = tensor.detach().cpu()
    # Numpy has no such half precision.
    return np.asarray(tensor.float() if tensor.dtype == torch.bfloat16 else tensor)


def _plain_attributes(part: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    """List what may decide which way a module runs, apart from whether it trains."""
    for name, value in vars(part).items():
        if type(value) in (bool, int, str) and name != "training":
            yield name, value


def _unwrapped(model: torch.nn.Module) -> torch.nn.Module:
    """Take off what only makes a module faster, or spreads it over devices.

    Raises
    ------
    TypeError
        If the layers cannot be seen from Python.
    """
    while True:
        if isinstance(model, torch.jit.ScriptModule):
            raise TypeError(
                f"a TorchScript module ({type(model).__name__}) does not show its layers; give "
                "the module that it was made of"
            )
        inside = getattr(model, "_orig_mod", None)
        if inside is None and isinstance(model, _SPREADING):
            inside = model.module
        if inside is None:
            return model
        model = inside


_SPREADING = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
