"""What PyTorch modules add to their output."""

from typing import Any

import torch
from torch import nn

_CONVOLUTIONS = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
#: Normalisations by each document's own numbers, over all that their bias has a number for.
_OVER_ALL = (nn.LayerNorm,)
#: The same, with a number for each channel.
_BY_CHANNEL = (*(nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),)


def adds(module: Any) -> bool:
    """Tell whether a module adds something, as PyTorch's own modules do."""
    if isinstance(module, _BATCH_NORMS):
        # Without numbers that were learnt, it normalises by those of the batch.
        return _is_as_written(module, _BATCH_NORMS) and module.running_mean is not None
    kinds = (nn.Linear, *_CONVOLUTIONS, *_OVER_ALL, *_BY_CHANNEL)
    return _is_as_written(module, kinds) and getattr(module, "bias", None) is not None


def hides_bias(module: Any) -> bool:
    """Tell whether a module that adds something unknown has numbers that are called a bias."""
    if adds(module) or not isinstance(module, nn.Module):
        return False
    named = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    return any("bias" in name for name, _ in named)


def _is_as_written(module: Any, kinds: tuple[Any, ...]) -> bool:
    # A subclass may turn axes, or put an activation behind the sum.
    own = (kind.forward for kind in kinds if isinstance(module, kind))
    return any(type(module).forward is forward for forward in own)


def bias_of(module: Any, rank: int) -> torch.Tensor:
    """Give what a module adds, in a shape that can be broadcast to its output of a rank."""
    if isinstance(module, _BATCH_NORMS):
        return _by_channel(_shift_of(module), rank)
    bias: torch.Tensor = module.bias.detach()
    if isinstance(module, (nn.Linear, *_OVER_ALL)):
        return bias
    return _by_channel(bias, rank)


def _shift_of(norm: Any) -> torch.Tensor:
    scale = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.detach()
    shift: torch.Tensor = -norm.running_mean * scale
    return shift if norm.bias is None else shift + norm.bias.detach()


def _by_channel(bias: torch.Tensor, rank: int) -> torch.Tensor:
    return bias.reshape(1, -1, *[1] * (rank - 2))
