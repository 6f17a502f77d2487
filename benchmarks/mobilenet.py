"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) in plain PyTorch, with random weights."""

import torch
from torch import nn

#: For each stage: expansion, channels, blocks, stride of the first block.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def convolution(inside: int, outside: int, size: int, stride: int = 1, groups: int = 1) -> list:
    """Convolve and normalize, as a list of modules."""
    conv = nn.Conv2d(inside, outside, size, stride, size // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outside)]


class InvertedResidual(nn.Module):
    """Widen, convolve each channel by itself, and narrow; added to the input where it fits."""

    def __init__(self, inside: int, outside: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inside * expansion
        widen = [*convolution(inside, wide, 1), nn.ReLU6()] if expansion > 1 else []
        self.layers = nn.Sequential(
            *widen,
            *convolution(wide, wide, 3, stride, groups=wide),
            nn.ReLU6(),
            *convolution(wide, outside, 1),
        )
        self.adds = stride == 1 and inside == outside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block."""
        return x + self.layers(x) if self.adds else self.layers(x)


class MobileNetV2(nn.Module):
    """Width 1.0, for pictures of 224 pixels, channels first; it gives logits."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        blocks, channels = [], 32
        for expansion, outside, count, stride in STAGES:
            for position in range(count):
                step = stride if position == 0 else 1
                blocks.append(InvertedResidual(channels, outside, step, expansion))
                channels = outside
        self.features = nn.Sequential(
            *convolution(3, 32, 3, stride=2),
            nn.ReLU6(),
            *blocks,
            *convolution(channels, 1280, 1),
            nn.ReLU6(),
        )
        self.classifier = nn.Linear(1280, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the logits."""
        return self.classifier(self.features(x).mean((2, 3)))
