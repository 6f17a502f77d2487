"""Where the channels are: PyTorch puts them first, and its transformers put them last."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from explainkit.engines.nested import leaves, mapped

#: Functions that work on channels behind the axis of documents, by parts of their names.
_FIRST = ("conv", "pool", "batch_norm", "group_norm", "instance_norm", "interpolate", "pixel")
#: Functions that work on channels at the end.
_LAST = ("linear", "layer_norm", "rms_norm", "attention")
_PERMUTING = {"permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis"}
#: Functions after which only their sizes may still tell the axes.
_RESHAPING = {"reshape", "view", "flatten", "unflatten", "squeeze", "unsqueeze"}


class ChannelAxes(TorchFunctionMode):
    """Follows the axis of channels through the functions that this thread calls."""

    def __init__(self) -> None:
        super().__init__()
        self._axes: dict[int, int] = {}
        # Tensors are kept while they are told apart by identity.
        self._kept: list[torch.Tensor] = []

    def are_first(self, tensor: Any) -> bool:
        """Tell whether the channels come before the spatial axes."""
        return self._axis_of(tensor) == 1

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        given = (args, kwargs or {})
        for result in filter(torch.is_tensor, leaves(results)):
            axis = self._follow(getattr(func, "__name__", ""), func, given, result)
            if axis is not None:
                self._axes[id(result)] = axis
                self._kept.append(result)
        return results

    def _follow(self, name: str, func: Any, given: Any, result: torch.Tensor) -> int | None:
        operands = [one for one in leaves(given) if torch.is_tensor(one)]
        if any(part in name for part in _FIRST):
            return 1
        if any(part in name for part in _LAST) or _multiplies_channels(name, operands):
            return int(result.ndim) - 1
        if not operands:
            return None
        if name in _PERMUTING:
            return self._permuted(func, given, operands[0])
        if name in _RESHAPING:
            return self._reshaped(operands[0], result)
        # Of a map and what it is scaled by, the map knows.
        known = (one for one in operands if one.ndim == result.ndim and id(one) in self._axes)
        return next((self._axes[id(one)] for one in known), None)

    def _axis_of(self, tensor: Any) -> int:
        return self._axes.get(id(tensor), 1)

    def _permuted(self, func: Any, given: Any, before: torch.Tensor) -> int | None:
        if before.ndim < 2:
            return None
        # Whatever the function's arguments: done to sizes that say which axis they were.
        marks = torch.empty(tuple(range(1, before.ndim + 1)), device="meta")
        args, kwargs = mapped(lambda one: marks if one is before else one, given)
        sizes = tuple(func(*args, **kwargs).shape)
        return int(sizes.index(self._axis_of(before) + 1))

    def _reshaped(self, before: torch.Tensor, result: torch.Tensor) -> int | None:
        if before.ndim < 2:
            return None
        axis, channels = self._axis_of(before), before.shape[self._axis_of(before)]
        last = axis == before.ndim - 1
        if last and result.shape[-1] == channels:
            return int(result.ndim) - 1
        kept = result.ndim > 1 and result.shape[1] == channels
        return 1 if axis == 1 and kept else None


def _multiplies_channels(name: str, operands: Sequence[torch.Tensor]) -> bool:
    """Tell whether a function multiplies cells by one matrix, as a linear layer does."""
    return "matmul" in name and len(operands) == 2 and operands[1].ndim == 2
