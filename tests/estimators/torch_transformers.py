"""The transformers of transformers.py, as PyTorch modules."""

import torch
from torch import nn

WIDTH = 16
HEADS = 2
CLASSES = 4


class Attention(nn.Module):
    """Attention as most repositories write it: one layer for queries, keys and values."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens):
        count, length, _ = tokens.shape
        parts = self.qkv(tokens).reshape(count, length, 3, HEADS, WIDTH // HEADS)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        found = nn.functional.scaled_dot_product_attention(queries, keys, values)
        return self.proj(found.transpose(1, 2).reshape(count, length, WIDTH))


class Perceptron(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))


class Block(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn, self.mlp = attention, Perceptron()

    def forward(self, tokens):
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class VisionTransformer(nn.Module):
    """A vision transformer with `extra` tokens before those of the patches."""

    def __init__(self, size=(16, 16), patch=4, extra=1, pooling="class"):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, patch, patch)
        cells = (size[0] // patch) * (size[1] // patch)
        self.first = nn.Parameter(torch.randn(1, extra, WIDTH))
        self.places = nn.Parameter(torch.randn(1, cells + extra, WIDTH))
        self.blocks = nn.Sequential(*(Block(Attention()) for _ in range(2)))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)
        self.extra, self.pooling = extra, pooling

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(len(x), -1, -1), tokens], dim=1)
        tokens = self.norm(self.blocks(tokens + self.places))
        pooled = tokens[:, 0] if self.pooling == "class" else tokens[:, self.extra :].mean(1)
        return self.head(pooled)


class Encoder(nn.Module):
    """A vision transformer of PyTorch's own layers, which have a fast path of their own."""

    def __init__(self, norm_first=True):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 4, 4)
        self.first = nn.Parameter(torch.randn(1, 1, WIDTH))
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 2 * WIDTH, batch_first=True, norm_first=norm_first
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(len(x), -1, -1), tokens], dim=1)
        return self.head(self.encoder(tokens)[:, 0])


class WindowAttention(nn.Module):
    """Attention within windows of a grid; windows are cut inside."""

    def __init__(self, window=2):
        super().__init__()
        self.window, self.inner = window, Attention()

    def forward(self, grid):
        count, rows, columns, channels = grid.shape
        size = self.window
        cut = grid.view(count, rows // size, size, columns // size, size, channels)
        windows = cut.permute(0, 1, 3, 2, 4, 5).reshape(-1, size * size, channels)
        cut = self.inner(windows).view(count, rows // size, columns // size, size, size, channels)
        return cut.permute(0, 1, 3, 2, 4, 5).reshape(grid.shape)


class Swin(nn.Module):
    """Tokens that stay a grid, channels last, and a merger of patches between."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 2, 2)
        self.stage0, self.stage1 = Block(WindowAttention()), Block(WindowAttention())
        self.merging = nn.Linear(4 * WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        grid = self.stage0(self.patches(x).permute(0, 2, 3, 1))
        parts = [grid[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        grid = self.stage1(self.merging(torch.cat(parts, -1)))
        return self.head(self.norm(grid).mean((1, 2)))
