"""Let a PyTorch module infer, for one thread, without a word to the module."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import torch

from explainkit.shared_context import SharedContext

_inferring: ContextVar[bool] = ContextVar("inferring", default=False)


class _Training:
    """`Module.training`, which reads False for who explains, and as ever for all others.

    Dropout and batch norms read this attribute when they are called. To change it on
    the modules would change it for somebody who trains in another thread.
    """

    def __get__(self, module: Any, owner: Any = None) -> Any:
        if module is None:
            return self
        if _inferring.get():
            return False
        try:
            return module.__dict__["training"]
        except KeyError:
            raise AttributeError("training") from None

    def __set__(self, module: Any, value: bool) -> None:
        module.__dict__["training"] = value


@contextlib.contextmanager
def _training_replaced() -> Iterator[None]:
    torch.nn.Module.training = _Training()
    try:
        yield
    finally:
        del torch.nn.Module.training


_replaced = SharedContext(_training_replaced)


@contextlib.contextmanager
def inferring() -> Iterator[None]:
    """Have modules read in this thread that they do not train."""
    with _replaced:
        token = _inferring.set(True)
        try:
            yield
        finally:
            _inferring.reset(token)


_eager = SharedContext(lambda: torch.compiler.set_stance("force_eager"))


def uncompiled(module: torch.nn.Module) -> contextlib.AbstractContextManager[None]:
    """Run what `torch.compile` made fast as it was written: compiled layers cannot be seen."""
    # Somebody's whole process is asked for this, so only where there is need.
    return _eager if any(map(_is_compiled, module.modules())) else contextlib.nullcontext()


def _is_compiled(module: torch.nn.Module) -> bool:
    return module._compiled_call_impl is not None or "_orig_mod" in module._modules  # noqa: SLF001


@contextlib.contextmanager
def _without_fast_path() -> Iterator[None]:
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


#: Has transformers call their layers, which a fast path would skip.
layer_by_layer = SharedContext(_without_fast_path)


@contextlib.contextmanager
def keeping_random_state(device: torch.device) -> Iterator[None]:
    """Give back the random numbers that a model draws even when it infers."""
    state = torch.get_rng_state()
    devices = [device] if device.type == "cuda" else []
    states = [torch.cuda.get_rng_state(one) for one in devices]
    try:
        yield
    finally:
        # Not where nothing was drawn: another thread may draw at the same time.
        if not torch.equal(state, torch.get_rng_state()):
            torch.set_rng_state(state)
        for one, before in zip(devices, states, strict=True):
            torch.cuda.set_rng_state(before, one)
