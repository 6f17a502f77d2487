"""Put back what a PyTorch module notes on itself when it is called."""

import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from explainkit.engines.cache import WeakCache
from explainkit.shared_context import SharedContext

#: What is in them is put back, too.
_CONTAINERS = (dict, list, set, OrderedDict)
#: Containers that every module has, and that no call changes.
_UNCHANGING = {
    name
    for name, value in vars(torch.nn.Module()).items()
    if type(value) in _CONTAINERS and name not in ("_buffers", "_modules", "_parameters")
}

_contexts = WeakCache()


def left_as_found(module: torch.nn.Module) -> AbstractContextManager[None]:
    """Take back attributes that calls of a module set, and numbers that they write to buffers.

    The last of the threads that explain a module at the same time puts back what the
    first has found.
    """
    reference = weakref.ref(module)
    return _contexts.get(module, "left as found", lambda: SharedContext(lambda: _found(reference)))


@contextmanager
def _found(reference: "weakref.ref[torch.nn.Module]") -> Iterator[None]:
    module = reference()
    parts = [] if module is None else [part for part in module.modules() if _may_write(part)]
    attributes = [(vars(part), dict(vars(part)), _contents(part)) for part in parts]
    numbers = [(one, _version(one), one.clone()) for part in parts for one in _buffers(part)]
    try:
        yield
    finally:
        for now, before, contents in attributes:
            _put_back(now, before, contents)
        with torch.no_grad():
            for buffer, version, values in numbers:
                if version is None or _version(buffer) != version:
                    buffer.copy_(values)


def is_of_pytorch(part: torch.nn.Module) -> bool:
    """Tell PyTorch's own modules from those that somebody wrote."""
    return type(part).__module__.startswith("torch.nn.modules.")


def _may_write(part: torch.nn.Module) -> bool:
    lazy = torch.nn.modules.lazy.LazyModuleMixin
    if isinstance(part, lazy) and part.has_uninitialized_params():
        # What is built when it is first called stays built.
        return False
    # PyTorch's own write nothing when they infer; somebody's hooks on them may.
    return not is_of_pytorch(part) or bool(part._forward_pre_hooks or part._forward_hooks)  # noqa: SLF001


def _contents(part: torch.nn.Module) -> dict[str, Any]:
    return {
        name: value.copy()
        for name, value in vars(part).items()
        if type(value) in _CONTAINERS and name not in _UNCHANGING
    }


def _buffers(part: torch.nn.Module) -> list[torch.Tensor]:
    if isinstance(part, torch.jit.ScriptModule):
        return list(part.buffers(recurse=False))
    return [one for one in part._buffers.values() if one is not None]  # noqa: SLF001 - no recursion


def _version(tensor: torch.Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version  # noqa: SLF001 - no public way


def _put_back(now: dict[str, Any], before: dict[str, Any], contents: dict[str, Any]) -> None:
    # Not by setattr, which registers what it is given.
    for name in now.keys() - before.keys():
        del now[name]
    now.update(before)
    for name, content in contents.items():
        # Not where nothing changed: other threads look up layers in here.
        if _items(before[name]) != _items(content):
            before[name].clear()
            (before[name].extend if isinstance(content, list) else before[name].update)(content)


def _items(container: Any) -> Any:
    if isinstance(container, dict):
        return [(key, id(value)) for key, value in container.items()]
    return container if isinstance(container, set) else list(map(id, container))
