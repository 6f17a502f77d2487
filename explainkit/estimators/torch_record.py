"""Which PyTorch modules and functions make maps, and in which order of axes."""

import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import attrs
import torch

from explainkit.engines.base import Engine, Tensor
from explainkit.estimators.calls import Call
from explainkit.estimators.record import Record, is_named_attention
from explainkit.estimators.torch_calls import FUNCTION_SUFFIX
from explainkit.estimators.torch_channels import ChannelAxes

#: Functions that move, drop or scale numbers, but work nothing out, by parts of their names.
_HANDING_ON = (
    *("pool", "pad", "dropout", "interpolate", "upsample", "pixel_shuffle", "pixel_unshuffle"),
    *("reshape", "view", "flatten", "squeeze", "permute", "transpose", "swapaxes", "movedim"),
    *("moveaxis", "getitem", "clone", "contiguous", "detach", "expand", "repeat", "roll", "flip"),
    *("chunk", "split", "select", "narrow", "gather", "rearrange", "unfold", "fold", "alias"),
)
#: The same, by their whole names.
_CASTING = {"to", "type", "float", "half", "double", "bfloat16", "cpu", "cuda", "identity", "t"}


class TorchRecord(Record):
    """Notes each call of a run of a PyTorch module, and each function that it calls."""

    separator = "."

    def __init__(self, engine: Engine, docs: Sequence[Tensor], axes: ChannelAxes) -> None:
        super().__init__(engine, docs)
        self._axes = axes

    @property
    def docs_channels_first(self) -> bool:
        return True

    def puts_channels_first(self, call: Call) -> bool:
        return self._axes.are_first(call.output)

    def hands_on(self, layer: Any) -> bool:
        name = getattr(layer, "__name__", "")
        # A transposed convolution transposes nothing.
        moves = "conv" not in name and any(part in name for part in _HANDING_ON)
        return moves or name in _CASTING

    def attends(self, call: Call) -> bool:
        return isinstance(call.layer, torch.nn.MultiheadAttention) or is_named_attention(call)

    def refer(self, layer: Any) -> Callable[[], Any]:
        return weakref.ref(layer) if isinstance(layer, torch.nn.Module) else lambda: layer

    def identity(self, tensor: Tensor) -> Hashable:
        # A tensor that was written into is another one.
        written = 0 if tensor.is_inference() else tensor._version  # noqa: SLF001 - no public way
        return id(tensor), written

    def visit(self, call: Call) -> Any:
        """Note a call; a module stands for the function by which it ends."""
        output = super().visit(call)
        if self._calls[-1].shape is not None and isinstance(call.layer, torch.nn.Module):
            self._stand_for_function(call)
        return output

    def _stand_for_function(self, call: Call) -> None:
        key, this = self.identity(call.output), len(self._calls) - 1
        maker = self._calls[self._makers[key]]
        within, _, name = maker.path.rpartition(self.separator)
        if name.endswith(FUNCTION_SUFFIX) and within == call.place[0]:
            self._calls[this] = attrs.evolve(self._calls[this], computes=maker.computes)
            self._calls[self._makers[key]] = attrs.evolve(maker, computes=False)
            if self._makers[key] in self._mixing:
                self._mixing.add(this)
            self._makers[key] = this
