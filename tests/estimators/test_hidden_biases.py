"""Biases that FullGrad cannot see are named, whatever kind of layer keeps them."""

import warnings

import keras
import numpy as np
import pytest

from explainkit import ExplanationWarning, explain_prediction

DOC = np.random.default_rng(0).normal(size=(1, 6, 6, 3)).astype(np.float32)


class Shifted(keras.layers.Layer):
    def build(self, shape):
        self.bias = self.add_weight(shape=(shape[-1],), initializer="ones", name="bias")

    def call(self, x):
        return x + self.bias


def model(*layers):
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            *layers,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )


def test_they_are_named():
    with pytest.warns(ExplanationWarning, match="nobody knows where 'shifted' of model"):
        explain_prediction(model(Shifted(name="shifted")), DOC, method="fullgrad")


def test_known_ones_are_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explain_prediction(model(keras.layers.BatchNormalization()), DOC, method="fullgrad")


def test_those_of_modules_are_named():
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3)
            self.attention = torch.nn.MultiheadAttention(4, 2, batch_first=True)
            self.head = torch.nn.Linear(4, 2)

        def forward(self, x):
            tokens = self.conv(x).relu().flatten(2).transpose(1, 2)
            return self.head(self.attention(tokens, tokens, tokens)[0].mean(1))

    doc = DOC.transpose(0, 3, 1, 2).copy()
    with pytest.warns(ExplanationWarning, match="nobody knows where 'attention'"):
        explain_prediction(Net(), doc, method="fullgrad")
