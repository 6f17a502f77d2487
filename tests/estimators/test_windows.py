"""Windows of a map are cut into the axis of docs; a heatmap is of the whole map."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from explainkit import explain_prediction, explain_predictions

from . import models

SIZE, WINDOW, WIDTH = 16, 4, 8
TIMES = SIZE // WINDOW
DOC = models.doc()


def turned(tensor):
    """Windows in a map, or rows of windows: the two axes in the middle change places."""
    cut = ops.reshape(tensor, (-1, TIMES, WINDOW, TIMES, WINDOW, WIDTH))
    return ops.transpose(cut, (0, 1, 3, 2, 4, 5))


def put_back(windows):
    cut = ops.reshape(windows, (-1, TIMES, TIMES, WINDOW, WINDOW, WIDTH))
    return ops.reshape(ops.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, SIZE, SIZE, WIDTH))


class Windowed(layers.Layer):
    """A perceptron within windows, which only then make a map again, or are pooled."""

    def __init__(self, pooled=False, **options):
        super().__init__(**options)
        self.pooled = pooled
        self.mlp = layers.Dense(WIDTH, activation="tanh", name="winmlp")

    def build(self, shape):
        self.mlp.build((None, WINDOW, WINDOW, WIDTH))

    def call(self, grid):
        windows = ops.reshape(turned(grid), (-1, WINDOW, WINDOW, WIDTH))
        grid = put_back(self.mlp(windows))
        return ops.mean(grid, axis=(1, 2)) if self.pooled else grid

    def compute_output_shape(self, shape):
        return (shape[0], WIDTH) if self.pooled else tuple(shape)


def of_one_layer(pooled=False):
    image = keras.Input((SIZE, SIZE, 3))
    grid = layers.Conv2D(WIDTH, 1, activation="tanh", name="patches")(image)
    grid = Windowed(pooled, name="windows")(grid)
    pooled = grid if pooled else layers.GlobalAveragePooling2D(name="pool")(grid)
    return keras.Model(image, layers.Dense(3, name="head")(pooled))


def pooled_within():
    return of_one_layer(pooled=True)


class Part(layers.Layer):
    def call(self, grid):
        return ops.reshape(turned(grid), (-1, WINDOW, WINDOW, WIDTH))

    def compute_output_shape(self, shape):
        return (None, WINDOW, WINDOW, WIDTH)


class Back(layers.Layer):
    def call(self, windows):
        return put_back(windows)

    def compute_output_shape(self, shape):
        return (None, SIZE, SIZE, WIDTH)


def of_three_layers():
    image = keras.Input((SIZE, SIZE, 3))
    grid = layers.Conv2D(WIDTH, 1, activation="tanh", name="patches")(image)
    windows = layers.Dense(WIDTH, activation="tanh", name="winmlp")(Part(name="part")(grid))
    grid = Back(name="windows")(windows)
    pooled = layers.GlobalAveragePooling2D(name="pool")(grid)
    return keras.Model(image, layers.Dense(3, name="head")(pooled))


each_build = pytest.mark.parametrize(
    ("build", "chosen"),
    [(of_one_layer, "windows"), (of_three_layers, "windows"), (pooled_within, "patches")],
    ids=lambda value: getattr(value, "__name__", value),
)


def two_docs():
    return np.concatenate([DOC, models.doc(1)])


@each_build
def test_the_layer_chosen_is_one_of_whole_maps(build, chosen):
    found = explain_prediction(build(), DOC, targets=0)
    assert found.layer == chosen
    assert found.targets[0].map.shape == (SIZE, SIZE)


@each_build
def test_so_it_is_for_many_docs(build, chosen):
    model = build()
    many = explain_predictions(model, two_docs(), targets=0)
    for found, doc in zip(many, two_docs(), strict=True):
        one = explain_prediction(model, doc[None], targets=0)
        assert found.layer == one.layer == chosen
        np.testing.assert_allclose(found.targets[0].map, one.targets[0].map, atol=1e-5)


@each_build
@pytest.mark.parametrize("targets", [0, [0, 1]])
def test_windows_asked_for_are_told_from_docs(build, chosen, targets):
    with pytest.raises(ValueError, match="first axis counts docs"):
        explain_prediction(build(), DOC, layer="winmlp", targets=targets)


@each_build
def test_so_they_are_among_many_docs(build, chosen):
    with pytest.raises(ValueError, match="first axis counts docs"):
        list(explain_predictions(build(), two_docs(), layer="winmlp", targets=0))
