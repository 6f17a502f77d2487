"""Let a PyTorch module infer, for one thread, without a word to the module."""

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch.utils import checkpoint

from explainkit.shared_context import SharedContext, replaced

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
    with (
        replaced(torch.nn.Module, "training", _Training()),
        replaced(checkpoint.CheckpointFunction, "apply", classmethod(_apply_checkpoint)),
        replaced(checkpoint, _BOOKKEEPING, _bookkeeping_of(getattr(checkpoint, _BOOKKEEPING))),
    ):
        yield


#: What surrounds a function whose results are not kept, in the newer way of checkpointing.
_BOOKKEEPING = "_checkpoint_without_reentrant_generator"


def _apply_checkpoint(cls: Any, function: Any, preserve: bool, *args: Any) -> Any:
    # Nothing is run a second time: it would be run as it trains, when nobody looks on.
    if _inferring.get():
        return function(*args)
    return super(checkpoint.CheckpointFunction, cls).apply(function, preserve, *args)


def _bookkeeping_of(original: Callable[..., Iterator[None]]) -> Callable[..., Iterator[None]]:
    def bookkeeping(*args: Any, **kwargs: Any) -> Iterator[None]:
        if _inferring.get():
            yield
        else:
            yield from original(*args, **kwargs)

    return bookkeeping


_replaced = SharedContext(_training_replaced)


@contextlib.contextmanager
def inferring() -> Iterator[None]:
    """Have modules read in this thread that they do not train, and keep all they work out."""
    with _replaced:
        token = _inferring.set(True)
        try:
            yield
        finally:
            _inferring.reset(token)


_eager = SharedContext(lambda: torch.compiler.set_stance("force_eager"))


def uncompiled() -> contextlib.AbstractContextManager[None]:
    """Run what `torch.compile` made fast as it was written: compiled layers cannot be seen."""
    # Somebody's whole process is asked for this, so only where anything may be compiled.
    return _eager if "torch._dynamo" in sys.modules else contextlib.nullcontext()


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
    state, numbers, numpys = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = [device] if device.type == "cuda" else []
    states = [torch.cuda.get_rng_state(one) for one in devices]
    try:
        yield
    finally:
        # Not where nothing was drawn: another thread may draw at the same time.
        if not torch.equal(state, torch.get_rng_state()):
            torch.set_rng_state(state)
        if random.getstate() != numbers:
            random.setstate(numbers)
        if not _same(np.random.get_state(), numpys):  # noqa: NPY002 - models draw from it
            np.random.set_state(numpys)  # noqa: NPY002
        for one, before in zip(devices, states, strict=True):
            torch.cuda.set_rng_state(before, one)


def _same(one: Any, other: Any) -> bool:
    """Compare two states of numpy's global generator."""
    return all(map(np.array_equal, one, other))
