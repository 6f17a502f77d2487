"""Relus of PyTorch that are differentiated by another rule, for one thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from explainkit.engines.base import ReluRule, Rewrites, Tensor

#: The functions that are relus, without a number above which they are flat.
_RELUS = (
    *(functional.relu, torch.relu, torch.Tensor.relu),
    *(torch.relu_, torch.Tensor.relu_),
)
#: Functions that are flat below one number and above another.
_TANHS = (functional.hardtanh, functional.hardtanh_)
#: What computes a relu where it is given a 0.
_LIMITING = (
    *(torch.clamp, torch.Tensor.clamp, torch.clip, torch.Tensor.clip),
    *(torch.clamp_min, torch.Tensor.clamp_min, torch.clamp_, torch.Tensor.clamp_),
    *(torch.maximum, torch.Tensor.maximum, torch.fmax, torch.Tensor.fmax),
    *(torch.clamp_min_, torch.Tensor.clamp_min_, torch.clip_, torch.Tensor.clip_),
    *(functional.threshold, torch.threshold_),
)


class _RewrittenRelu(torch.autograd.Function):
    """A relu with another gradient."""

    @staticmethod
    def forward(tensor: Tensor, rule: ReluRule, limit: float | None) -> Tensor:  # noqa: ARG004
        return torch.clamp(tensor, 0, limit)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        _, ctx.rule, ctx.limit = inputs
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        [output] = ctx.saved_tensors
        lets_through = gradients[0] > 0
        if ctx.rule == "guided":
            lets_through = lets_through & (output > 0)
            if ctx.limit is not None:
                lets_through = lets_through & (output < ctx.limit)
        return torch.where(lets_through, gradients[0], 0), None, None


class _Rewriting(TorchFunctionMode):
    """Runs relus of this thread as ones with another gradient."""

    def __init__(self, rule: ReluRule, rewrites: Rewrites) -> None:
        super().__init__()
        self._rule = rule
        self._rewrites = rewrites

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not _is_relu(func, args, kwargs):
            if func in _LIMITING and _is_given_zero(args, kwargs):
                self._rewrites.missed.add(f"{func.__name__.strip('_')}() at 0")
            return func(*args, **kwargs)
        self._rewrites.count += 1
        tensor = args[0] if args else kwargs["input"]
        found = _RewrittenRelu.apply(tensor, self._rule, _limit_of(func, args, kwargs))
        in_place = kwargs.get("inplace", False) or func.__name__.endswith("_")
        # Who gave the tensor may look at it again.
        return tensor.copy_(found) if in_place else found


def _is_relu(func: Any, args: Any, kwargs: Any) -> bool:
    if func in _TANHS:
        return bool(_argument("min_val", 1, -1.0, args, kwargs) == 0)
    return func in _RELUS or func is functional.relu6


def _limit_of(func: Any, args: Any, kwargs: Any) -> float | None:
    if func in _TANHS:
        return float(_argument("max_val", 2, 1.0, args, kwargs))
    return 6.0 if func is functional.relu6 else None


def _argument(name: str, position: int, default: float, args: Any, kwargs: Any) -> Any:
    return args[position] if len(args) > position else kwargs.get(name, default)


def _is_given_zero(args: Any, kwargs: Any) -> bool:
    bounds = (one for one in (*args, *kwargs.values()) if not isinstance(one, bool))
    return any(map(_is_zero, bounds))


def _is_zero(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return bool((value == 0).all())
    return isinstance(value, int | float) and value == 0


@contextmanager
def rewriting_relus(rule: ReluRule) -> Iterator[Rewrites]:
    """Have this thread run relus that are differentiated by a rule."""
    rewrites = Rewrites()
    with _Rewriting(rule, rewrites):
        yield rewrites
