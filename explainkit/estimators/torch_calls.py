"""Run a PyTorch module under the eyes of a visitor."""

import weakref
from collections.abc import Mapping
from contextlib import nullcontext
from itertools import chain
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from explainkit.engines.nested import mapped
from explainkit.estimators.calls import Observation, ObservedCalls, Visitor

_calls = ObservedCalls(torch.nn.Module)

#: What follows the name of a function in a path: no module can be called so.
FUNCTION_SUFFIX = "()"


class _QualifiedObservation(Observation):
    """A run of a module whose parts have the names that `named_modules` gives them."""

    def __init__(self, module: torch.nn.Module, visit: Visitor) -> None:
        super().__init__(visit)
        self._names = {id(part): name for name, part in module.named_modules()}

    def path_of(self, layer: Any, around: list[str]) -> str:
        name = self._names.get(id(layer))
        # A module that no attribute holds is called by its class.
        return _within(around, type(layer).__name__) if name is None else name

    def path_of_function(self, name: str) -> str:
        """Give the path of a function that is called within modules."""
        return _within(self._around, f"{name}{FUNCTION_SUFFIX}")


def _within(around: list[str], name: str) -> str:
    return f"{around[-1]}.{name}" if around and around[-1] else name


class _ObservedFunctions(TorchFunctionMode):
    """Shows the functions that a run calls outside of PyTorch's own modules."""

    def __init__(self, observation: _QualifiedObservation) -> None:
        super().__init__()
        self._observation = observation

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if not isinstance(result, torch.Tensor) or name.startswith("__get"):
            return result
        return self._observation.visit(func, self._observation.path_of_function(name), result)


class ObservedModule:
    """A module to be run under the eyes of a visitor.

    It holds the module weakly, so that programs do not keep it alive.

    Parameters
    ----------
    module : torch.nn.Module
    functions : bool
        Whether functions are observed, too, that the module calls itself.
    """

    def __init__(self, module: torch.nn.Module, *, functions: bool) -> None:
        self._module = weakref.ref(module)
        self._functions = functions

    def run(self, docs: Any, visit: Visitor) -> Any:
        """Run the module once, and show each layer's output to the visitor."""
        module = self._module()
        if module is None:
            raise ReferenceError("the model was deleted while it was being explained")
        device, dtype = home_of(module)
        observation = _QualifiedObservation(module, visit)
        functions = _ObservedFunctions(observation) if self._functions else nullcontext()
        with _calls.by(observation), functions:
            return _call(module, at_home(device, dtype, docs))


def home_of(module: torch.nn.Module) -> tuple[torch.device, torch.dtype]:
    """Tell the device of a module, and the type of its numbers."""
    for tensor in chain(module.parameters(), module.buffers()):
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return torch.get_default_device(), torch.get_default_dtype()


def at_home(device: torch.device, dtype: torch.dtype, docs: Any) -> Any:
    """Bring documents to a device, and floats among them to a type."""

    def brought(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(device, dtype) if tensor.is_floating_point() else tensor.to(device)

    return mapped(brought, docs)


def _call(module: torch.nn.Module, docs: Any) -> Any:
    if isinstance(docs, Mapping):
        return module(**docs)
    if isinstance(docs, list | tuple):
        return module(*docs)
    return module(docs)
