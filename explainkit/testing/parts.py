"""All that a model consists of, noted as data that can be compared."""

import hashlib
import operator
from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from types import (
    BuiltinFunctionType,
    FunctionType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

#: Compared by what they say.
_PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic, np.dtype, Enum)
#: Compared by identity, never looked into.
_CLOSED = (
    type,
    ModuleType,
    FunctionType,
    BuiltinFunctionType,
    MethodType,
    MethodWrapperType,
)
#: Whose objects are compared by identity, but for layers: there is no end to them.
_FRAMEWORKS = {"jax", "jaxlib", "numpy", "tensorflow", "torch", "torch_xla"}


@attrs.frozen(repr=False)
class Itself:
    """An object that is equal to itself alone."""

    value: Any = attrs.field(eq=attrs.cmp_using(eq=operator.is_), hash=False)

    def __repr__(self) -> str:
        return f"<{type(self.value).__qualname__} at {id(self.value):#x}>"


def parts_of(model: Any) -> dict[str, Any]:
    """Note all that a model consists of, by where it is found.

    Arrays, variables and tensors are noted by their bytes, with the gradients that
    they carry; layers, modules, containers and other objects by all their attributes;
    functions and objects of the frameworks' own by identity; and the model's classes
    by all that they define, so that a method that was patched is noticed.

    Parameters
    ----------
    model
        Anything: a `torch.nn.Module`, a model of Keras 3 or 2, an object of one's own.

    Returns
    -------
    dict of str to anything
        Equal to that of the same model exactly if nothing was changed in between.

    Examples
    --------
    >>> class Model:
    ...     def __init__(self):
    ...         self.weights, self.hooks = np.zeros(3), []
    >>> model = Model()
    >>> before = parts_of(model)
    >>> model.hooks.append(print)
    >>> [place for place, part in parts_of(model).items() if before.get(place) != part]
    ['model.hooks', 'model.hooks[0]']
    """
    notes: dict[str, Any] = {}
    for kind in type(model).__mro__[:-1]:
        notes.update(definitions(kind))
    seen: dict[int, Any] = {}  # which keeps them, so that no other object has their id
    waiting: deque[tuple[str, Any]] = deque([("model", model)])
    while waiting:
        place, value = waiting.popleft()
        if isinstance(value, _PLAIN):
            notes[place] = repr(value)  # by which NaN equals NaN
        elif isinstance(value, _CLOSED) or id(value) in seen:
            notes[place] = Itself(value)
        else:
            seen[id(value)] = value
            notes[place], inside = _open(value)
            waiting.extend((f"{place}{step}", part) for step, part in inside)
    return notes


def definitions(kind: type) -> dict[str, Any]:
    """Note all that a class defines itself."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    return {f"{name}.{key}": Itself(value) for key, value in vars(kind).items()}


def _open(value: Any) -> tuple[Any, list[tuple[str, Any]]]:
    """Give what an object is noted as, and the parts in it."""
    if isinstance(value, Mapping):
        named = [(f"[{_name(key)}]", part) for key, part in value.items()]
        return [name for name, _ in named], named
    if isinstance(value, list | tuple | deque):
        return len(value), [(f"[{i}]", part) for i, part in enumerate(value)]
    if isinstance(value, set | frozenset):
        return {id(part) for part in value}, []
    attributes = dict(_attributes(value))
    contents = _contents(value)
    inside = [(f".{name}", part) for name, part in attributes.items()]
    return contents or (Itself(value), sorted(attributes)), inside


def _name(key: Any) -> str:
    return repr(key) if isinstance(key, _PLAIN) else repr(Itself(key))


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """List what an object carries, unless it is a framework's own."""
    if getattr(value, "is_leaf", False) and hasattr(value, "requires_grad"):
        # PyTorch's tensors carry more than numbers.
        for name in ("requires_grad", "grad", "_backward_hooks"):
            yield name, getattr(value, name)
    if _is_of_framework(value) and not hasattr(value, "named_modules"):
        return
    yield from getattr(value, "__dict__", {}).items()
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                yield name, getattr(value, name)


def _is_of_framework(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in _FRAMEWORKS


def _contents(value: Any) -> tuple[str, tuple[int, ...], str] | None:
    """Tell the type, shape and bytes of an array or tensor; None where it is none."""
    if not hasattr(value, "__array__") or not hasattr(value, "shape"):
        return None
    if not (_is_of_framework(value) or isinstance(value, np.ndarray) or hasattr(value, "detach")):
        return None  # variables of Keras hold a tensor that has their numbers
    try:
        numbers = _torch_bytes(value) if hasattr(value, "detach") else np.asarray(value)
    except Exception:  # noqa: BLE001 - symbolic tensors raise what they like: they have no numbers
        return None
    if numbers.dtype == object:
        return None
    return str(value.dtype), tuple(value.shape), hashlib.sha256(numbers.tobytes()).hexdigest()


def _torch_bytes(tensor: Any) -> NDArray[np.uint8]:
    """Give the bytes of a tensor of PyTorch, whose numbers numpy may not know."""
    import torch

    flat = tensor.detach().cpu().reshape(-1)
    array: NDArray[np.uint8] = flat.view(torch.uint8).numpy()
    return array
