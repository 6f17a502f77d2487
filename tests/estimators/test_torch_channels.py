"""Maps have the axes of the picture, whatever the last operations on them are."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from explainkit import explain_prediction  # noqa: E402

DOC = np.random.default_rng(0).normal(size=(1, 3, 32, 24)).astype(np.float32)
CELLS, CHANNELS, CLASSES = (8, 6), 12, 5


class Net(nn.Module):
    """A stem, something done to its map, a mean over the cells, and a linear head."""

    channels, cells = CHANNELS, (1, 2)

    def __init__(self):
        super().__init__()
        torch.manual_seed(7)
        self.stem = nn.Conv2d(3, CHANNELS, 4, stride=4)
        self.gamma = nn.Parameter(torch.randn(CHANNELS))
        self.weight = nn.Parameter(torch.randn(CHANNELS, 10))
        self.head = nn.Linear(self.channels, CLASSES)

    def last(self, x):
        """Give the map that is expected, its channels at the end."""
        return self.done_to(self.stem(x).permute(0, 2, 3, 1))

    def scores(self, features):
        return self.head(features.mean(self.cells))

    def forward(self, x):
        return self.scores(self.last(x))


class Scaled(Net):
    def done_to(self, x):
        return self.gamma * x


class ScaledByANumber(Net):
    def done_to(self, x):
        return torch.tensor(2.0) * x


class Gated(Net):
    channels = CHANNELS // 2

    def done_to(self, x):
        a, b = x.chunk(2, -1)
        return a * functional.relu(b)


class Joined(Net):
    channels = 2 * CHANNELS

    def done_to(self, x):
        return torch.cat([x, x], -1)


class Multiplied(Net):
    channels = 10

    def done_to(self, x):
        return x @ self.weight


class AddedByName(Net):
    def done_to(self, x):
        return functional.gelu(torch.add(input=x, other=1.0))


class First(Net):
    """Its channels come first again."""

    cells = (2, 3)

    def last(self, x):
        return self.done_to(self.stem(x))


class Block(First):
    """As the blocks of ConvNeXt end."""

    def done_to(self, x):
        return self.scaled(x) + x

    def scaled(self, x):
        return (self.gamma * x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class BlockAddedToItsShortcut(Block):
    def done_to(self, x):
        return x + self.scaled(x)


class AddedByNameFirst(First):
    def done_to(self, x):
        return functional.gelu(torch.add(input=x, other=1.0))


def gradcam(module, target):
    """Score and map at the last features, by plain autograd in float64."""
    double = copy.deepcopy(module).double()
    features = double.last(torch.tensor(DOC).double())
    score = double.scores(features)[0, target]
    [gradient] = torch.autograd.grad(score, features)
    weighed = gradient.mean(double.cells, keepdim=True) * features
    [channels] = {1, 2, 3} - set(double.cells)
    return float(score.detach()), weighed.sum(channels)[0].detach().numpy()


@pytest.mark.parametrize(
    ("build", "layer"),
    [
        (Scaled, "mul()"),
        (ScaledByANumber, "mul()"),
        (Gated, "mul()"),
        (Joined, "cat()"),
        (Multiplied, "matmul()"),
        (Block, "add()"),
        (BlockAddedToItsShortcut, "add()"),
        (AddedByName, "gelu()"),
        (AddedByNameFirst, "gelu()"),
    ],
)
def test_the_map_has_the_axes_of_the_picture(build, layer):
    module = build()
    expl = explain_prediction(module, DOC, targets=[1, 3])
    assert expl.layer == layer
    for found in expl.targets:
        score, map_ = gradcam(module, found.target)
        assert found.map.shape == CELLS
        assert found.score == pytest.approx(score, rel=1e-4, abs=1e-5)
        np.testing.assert_allclose(found.map, map_, rtol=1e-4, atol=1e-5)
