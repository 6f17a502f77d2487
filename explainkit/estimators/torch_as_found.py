"""Put back what a PyTorch module notes on itself, and writes to its buffers, when it is called."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from explainkit.engines.cache import WeakCache
from explainkit.estimators.as_found import left_as_found
from explainkit.shared_context import SharedContext

_contexts = WeakCache()


@contextmanager
def module_left_as_found(module: torch.nn.Module) -> Iterator[None]:
    """Take back attributes that calls of a module set, and numbers that they write to buffers."""
    reference = weakref.ref(module)
    buffers: SharedContext = _contexts.get(
        module, "buffers", lambda: SharedContext(lambda: _numbers_kept(reference()))
    )
    with left_as_found(module, _writing_parts), buffers:
        yield


def is_of_pytorch(part: torch.nn.Module) -> bool:
    """Tell PyTorch's own modules from those that somebody wrote."""
    return type(part).__module__.startswith("torch.nn.modules.")


def _writing_parts(module: torch.nn.Module) -> list[torch.nn.Module]:
    return [part for part in module.modules() if _may_write(part)]


def _may_write(part: torch.nn.Module) -> bool:
    lazy = torch.nn.modules.lazy.LazyModuleMixin
    if isinstance(part, lazy) and part.has_uninitialized_params():
        # What is built when it is first called stays built.
        return False
    # PyTorch's own write nothing when they infer; somebody's hooks on them may.
    return not is_of_pytorch(part) or bool(part._forward_pre_hooks or part._forward_hooks)  # noqa: SLF001


@contextmanager
def _numbers_kept(module: Any) -> Iterator[None]:
    buffers = [one for part in _writing_parts(module) for one in part.buffers(recurse=False)]
    found = [(one, _version(one), one.clone()) for one in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, version, values in found:
                if version is None or _version(buffer) != version:
                    buffer.copy_(values)


def _version(tensor: torch.Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version  # noqa: SLF001 - no public way
