"""Where the channels are: PyTorch puts them first, and its transformers put them last."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

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
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            axis = self._follow(getattr(func, "__name__", ""), func, args, kwargs or {}, result)
            if axis is not None:
                self._axes[id(result)] = axis
                self._kept.append(result)
        return result

    def _follow(
        self, name: str, func: Any, args: Sequence[Any], kwargs: Any, result: torch.Tensor
    ) -> int | None:
        if any(part in name for part in _FIRST):
            return 1
        if any(part in name for part in _LAST):
            return int(result.ndim) - 1
        operands = [one for one in args if isinstance(one, torch.Tensor)]
        if not operands:
            return None
        before = operands[0]
        if before.ndim < 2:
            return None
        if name in _PERMUTING:
            return self._permuted(func, args, kwargs, before)
        if name in _RESHAPING:
            return self._reshaped(before, result)
        alike = [one for one in operands if one.ndim == result.ndim and id(one) in self._axes]
        return self._axes[id(alike[0])] if alike else None

    def _axis_of(self, tensor: Any) -> int:
        return self._axes.get(id(tensor), 1)

    def _permuted(self, func: Any, args: Any, kwargs: Any, before: torch.Tensor) -> int:
        # Whatever the function's arguments: done to sizes that say which axis they were.
        marks = torch.empty(tuple(range(1, before.ndim + 1)), device="meta")
        sizes = tuple(func(marks, *args[1:], **kwargs).shape)
        return int(sizes.index(self._axis_of(before) + 1))

    def _reshaped(self, before: torch.Tensor, result: torch.Tensor) -> int | None:
        axis, channels = self._axis_of(before), before.shape[self._axis_of(before)]
        last = axis == before.ndim - 1
        if last and result.shape[-1] == channels:
            return int(result.ndim) - 1
        kept = result.ndim > 1 and result.shape[1] == channels
        return 1 if axis == 1 and kept else None
