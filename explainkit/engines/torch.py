"""The PyTorch engine: tapped tensors made leaves, and their gradients in a batch."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from explainkit.engines.base import (
    Place,
    PulledBack,
    ReluRule,
    Rewrites,
    Run,
    Tensor,
    UnreachableTapError,
)
from explainkit.engines.nested import leaves, mapped
from explainkit.engines.operations import WatchingEngine, noted_log
from explainkit.engines.torch_relus import rewriting_relus
from explainkit.shared_context import SharedContext, replaced


def _argsort(tensor: Tensor, axis: int) -> Tensor:
    # Stable, so that units of equal scores come in the same order as elsewhere.
    return torch.argsort(tensor, dim=axis, stable=True)


def _einsum(equation: str, *tensors: Tensor) -> Tensor:
    # The formulas' own constants are on no device in particular.
    devices = [tensor.device for tensor in tensors if tensor.device.type != "cpu"]
    return torch.einsum(equation, *(t.to(devices[0]) if devices else t for t in tensors))


def _max(tensor: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    return torch.amax(tensor, dim=() if axis is None else axis, keepdim=keepdims)


def _mean(tensor: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    # No axes at all are all of them to PyTorch.
    return tensor if axis == () else torch.mean(tensor, dim=axis, keepdim=keepdims)


def _min(tensor: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    return torch.amin(tensor, dim=() if axis is None else axis, keepdim=keepdims)


def _sum(tensor: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    # No axes at all are all of them to PyTorch.
    return tensor if axis == () else torch.sum(tensor, dim=axis, keepdim=keepdims)


def _take(tensor: Tensor, indices: Tensor, axis: int) -> Tensor:
    return torch.index_select(tensor, axis, torch.as_tensor(indices).to(tensor.device))


def _take_along_axis(tensor: Tensor, indices: Tensor, axis: int) -> Tensor:
    return torch.gather(tensor, axis, indices.to(tensor.device, torch.int64))


_NAMESPACE = SimpleNamespace(
    abs=torch.abs,
    argsort=_argsort,
    asarray=torch.as_tensor,
    astype=lambda tensor, dtype: tensor.to(dtype),
    concatenate=lambda tensors, axis: torch.cat(tuple(tensors), dim=axis),
    copy=torch.clone,
    einsum=_einsum,
    exp=torch.exp,
    flip=lambda tensor, axis: torch.flip(tensor, (axis,)),
    linalg=SimpleNamespace(eigh=torch.linalg.eigh),
    max=_max,
    mean=_mean,
    min=_min,
    ones_like=torch.ones_like,
    repeat=lambda tensor, count, axis: torch.repeat_interleave(tensor, count, dim=axis),
    reshape=torch.reshape,
    sqrt=torch.sqrt,
    stack=lambda tensors, axis: torch.stack(tuple(tensors), dim=axis),
    sum=_sum,
    take=_take,
    take_along_axis=_take_along_axis,
    transpose=torch.permute,
    where=torch.where,
    zeros_like=torch.zeros_like,
)


class _Noting(TorchFunctionMode):
    """Notes each function that this thread calls."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        _note(getattr(func, "__name__", ""), (args, kwargs or {}), results)
        return results


def _note(name: str, given: Any, results: Any) -> None:
    log = noted_log()
    if log is None or not log.wants(name):
        return
    operands = [one for one in leaves(given) if torch.is_tensor(one)]
    made = [one for one in leaves(results) if torch.is_tensor(one)]
    if operands and made:
        log.note(name, operands, made)


def _noting_custom_functions() -> AbstractContextManager[None]:
    # Many are kept as `f = F.apply`, which knows `Function.apply` and looks up only what that
    # calls.
    called: Any = torch.autograd.Function.__base__

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        results = super(called, cls).apply(*args, **kwargs)
        _note(cls.__name__, (args, kwargs), results)
        return results

    return replaced(called, "apply", classmethod(apply))


def _noting_scripted(kind: Any) -> AbstractContextManager[None]:
    original = kind.__call__

    def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        results = original(function, *args, **kwargs)
        _note(function.name, (args, kwargs), results)
        return results

    return replaced(kind, "__call__", call)


@contextmanager
def _noting_the_unseen() -> Iterator[None]:
    """Note calls of what does not pass through the mode above."""
    with (
        _noting_custom_functions(),
        _noting_scripted(torch.jit.ScriptFunction),
        _noting_scripted(torch.ScriptMethod),
    ):
        yield


_unseen = SharedContext(_noting_the_unseen)


class _Recording(TorchFunctionMode):
    """Has each operation of this thread recorded, whatever the model switches off."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch.inference_mode(False), torch.enable_grad():
            return func(*args, **(kwargs or {}))


def _tensor(array: Any) -> Tensor:
    # A copy: the model may write into what it is given.
    return torch.tensor(np.asarray(array))


def _stand_in(array: Any) -> Tensor:
    if isinstance(array, np.ndarray):
        return _tensor(array[:1])
    dtype = getattr(torch, str(np.dtype(array.dtype)))
    return torch.zeros((1, *array.shape[1:]), dtype=dtype)


def _to_numpy(tensor: Any) -> Any:
    if not torch.is_tensor(tensor):
        return tensor
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy(force=True)


class TorchEngine(WatchingEngine):
    """Explanations on PyTorch, which runs the model each time."""

    name = "torch"
    reads_variables = True
    compiles = False
    errors = ()
    xp = _NAMESPACE
    passing_on = (
        *("clone", "contiguous", "detach", "double", "float", "half", "bfloat16", "to", "type"),
        *("cpu", "cuda", "flatten", "ravel", "reshape", "squeeze", "unflatten", "unsqueeze"),
        *("view", "view_as", "alias"),
    )

    def trace(self, program: Callable[..., Any], state: Any, *arguments: Any) -> Any:
        with torch.inference_mode(False), torch.no_grad(), self.watching_all():
            return program(state, *mapped(_stand_in, arguments))

    def compile(
        self,
        program: Callable[..., Any],
        state: Any,  # noqa: ARG002 - there is nothing to be compiled
        *arguments: Any,  # noqa: ARG002
    ) -> Callable[..., Any]:
        def run(state: Any, *arrays: Any) -> Any:
            with torch.inference_mode(False), torch.no_grad():
                tensors = mapped(_tensor, arrays)
                return mapped(_to_numpy, program(mapped(torch.as_tensor, state), *tensors))

        return run

    def collect(self, step: Callable[[Any], Tensor], items: Any, like: Tensor) -> Tensor:  # noqa: ARG002
        return torch.stack([step(item) for item in _items(items)])

    def rewriting_relus(self, rule: ReluRule) -> AbstractContextManager[Rewrites]:
        return rewriting_relus(rule)

    @contextmanager
    def noting(self) -> Iterator[None]:
        with _unseen, _Noting():
            yield

    def pull_back(self, run: Run) -> PulledBack:
        try:
            return _pulled_back(run)
        except UnreachableTapError:
            # The model itself may switch recording off, around a part that is frozen.
            with _Recording():
                return _pulled_back(run)

    def widen(self, tensor: Tensor) -> Tensor:
        return tensor.float() if tensor.dtype.itemsize < 4 else tensor

    def beside(self, array: Any, tensor: Tensor) -> Tensor:
        return torch.as_tensor(array, device=tensor.device)

    def is_tappable(self, value: Any) -> bool:
        return isinstance(value, torch.Tensor)

    def is_floating(self, value: Any) -> bool:
        return isinstance(value, torch.Tensor) and bool(value.is_floating_point())


def _items(items: Any) -> list[Any]:
    def at(position: int) -> Any:
        return mapped(lambda tensor: tensor[position], items)

    return [at(position) for position in range(len(leaves(items)[0]))]


def _pulled_back(run: Run) -> PulledBack:
    activations: dict[Place, Tensor] = {}

    def tap(place: Place, tensor: Tensor) -> Tensor:
        if tensor.is_inference():
            raise UnreachableTapError((place,))
        # Nothing before the first tap is recorded.
        torch.set_grad_enabled(True)
        tapped = tensor if tensor.requires_grad else tensor.detach().requires_grad_()
        activations[place] = tapped
        # A tensor of our own: the model may write into the one it goes on with.
        return tapped.clone()

    with torch.no_grad():
        scores, kept = run(tap)
        gradients = _pull_back_each(scores, activations)
    return PulledBack(scores.detach(), kept, activations, gradients)


def _pull_back_each(scores: Tensor, activations: dict[Place, Tensor]) -> dict[Place, Tensor]:
    """Differentiate each column of the scores, shape (N, K), for every document at once."""
    places, tensors = tuple(activations), tuple(activations.values())
    if not scores.requires_grad:
        raise UnreachableTapError(places)

    def pull(cotangents: Tensor, **how: bool) -> list[Tensor | None]:
        return list(
            torch.autograd.grad(
                scores, tensors, cotangents, retain_graph=True, allow_unused=True, **how
            )
        )

    count = scores.shape[1]
    columns = torch.eye(count, dtype=scores.dtype, device=scores.device)
    cotangents = columns[:, None].expand(count, *scores.shape)
    if count == 1:
        found = [g if g is None else g[None] for g in pull(cotangents[0])]
    else:
        try:
            found = pull(cotangents, is_grads_batched=True)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:
            # A gradient of somebody's own need not know of batches.
            each = zip(*map(pull, cotangents), strict=True)
            found = [None if gs[0] is None else torch.stack(gs) for gs in each]
    unreachable = tuple(p for p, gradient in zip(places, found, strict=True) if gradient is None)
    if unreachable:
        raise UnreachableTapError(unreachable)
    return {p: g.transpose(0, 1) for p, g in zip(places, found, strict=True) if g is not None}
