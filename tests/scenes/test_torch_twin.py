"""The scenes network as a PyTorch module, with its weights carried over, explains alike."""

import keras
import numpy as np
import pytest

from explainkit import explain_predictions
from explainkit.scenes import load_network

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402 - needs PyTorch


class Convolved(nn.Sequential):
    """A convolution, padded as Keras pads, a batch norm, and an activation."""

    def __init__(self, before, filters, strides=1, kernel=3, activation=True):
        size = 4 if strides == 2 else kernel
        super().__init__(
            nn.Conv2d(before, filters, size, strides, (size - 1) // 2, bias=False),
            nn.BatchNorm2d(filters, eps=1e-3),
            nn.ReLU(inplace=True) if activation else nn.Identity(),
        )


class Residual(nn.Module):
    def __init__(self, filters):
        super().__init__()
        self.change = nn.Sequential(
            Convolved(filters, filters), Convolved(filters, filters, activation=False)
        )

    def forward(self, x):
        return nn.functional.relu(x + self.change(x))


def twin_of(network):
    twin = nn.Sequential(
        Convolved(3, 16, 2), Convolved(16, 32, 2), Residual(32), Convolved(32, 64, 2),
        Residual(64), Convolved(64, 128, kernel=1), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(128, network.output_shape[-1]), nn.Sigmoid(),
    )  # fmt: skip
    theirs = (layer for layer in network.layers if layer.get_weights())
    ours = (
        part for part in twin.modules() if isinstance(part, nn.Conv2d | nn.BatchNorm2d | nn.Linear)
    )
    for part, layer in zip(ours, theirs, strict=True):
        weights = [torch.tensor(np.array(weight)) for weight in layer.get_weights()]
        if isinstance(part, nn.BatchNorm2d):
            names = ("weight", "bias", "running_mean", "running_var")
            part.load_state_dict(dict(zip(names, weights, strict=True)), strict=False)
        elif isinstance(part, nn.Conv2d):
            part.weight.data = weights[0].permute(3, 2, 0, 1).contiguous()
        else:
            part.weight.data, part.bias.data = weights[0].T.contiguous(), weights[1]
    return twin


def test_the_twin_explains_as_the_keras_network(scenes):
    network = load_network()
    assert isinstance(network, keras.Model)
    docs = np.concatenate([scene.doc for scene in scenes[:8]])
    theirs = explain_predictions(network, docs, top_targets=2)
    twin = twin_of(network)
    ours = explain_predictions(twin, docs.transpose(0, 3, 1, 2), top_targets=2)
    for one, other in zip(ours, theirs, strict=True):
        for a, b in zip(one.targets, other.targets, strict=True):
            assert a.target == b.target
            np.testing.assert_allclose([a.score, a.proba], [b.score, b.proba], atol=1e-3)
            np.testing.assert_allclose(a.heatmap, b.heatmap, atol=1e-4)
    assert twin.training
