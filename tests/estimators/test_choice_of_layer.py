"""The layer chosen is the one that the model as it is now asks for, however it is asked."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from explainkit import explain_prediction
from explainkit.inspection import find_layer

from . import models, transformers


def trained(head):
    """Give a head other weights than zeros."""
    random = np.random.default_rng(5)
    head.set_weights([random.normal(size=weight.shape) for weight in head.get_weights()])


def same_again(model, build):
    fresh = build()
    fresh.set_weights(model.get_weights())
    return fresh


def class_token():
    return transformers.keras_vit()


def mean_of_tokens():
    return transformers.keras_vit(pooling="mean")


@pytest.mark.parametrize(
    "build", [class_token, mean_of_tokens, models.functional], ids=lambda build: build.__name__
)
@pytest.mark.parametrize("targets", [0, [0, 1]])
def test_a_head_of_zeros_that_is_trained_later(build, targets):
    keras.utils.set_random_seed(1)
    model, doc = build(), models.doc()
    head = model.get_layer("head")
    head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])
    explain_prediction(model, doc, targets=targets)
    trained(head)
    found = explain_prediction(model, doc, targets=targets)
    expected = explain_prediction(same_again(model, build), doc, targets=targets)
    assert found.layer == expected.layer == find_layer(model, doc=doc).name
    for one, other in zip(found.targets, expected.targets, strict=True):
        assert np.abs(one.map).max() > 1e-6
        np.testing.assert_allclose(one.map, other.map, rtol=1e-4, atol=1e-6)


class Token(layers.Layer):
    """A learned token before those of the patches, however many there are."""

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer="random_normal")

    def call(self, patches):
        shape = (ops.shape(patches)[0], 1, patches.shape[-1])
        return ops.concatenate([ops.broadcast_to(self.token, shape), patches], axis=1)

    def compute_output_shape(self, shape):
        return (shape[0], None if shape[1] is None else shape[1] + 1, shape[2])


def open_vit(pooling="class"):
    image = keras.Input((None, None, 3), name="image")
    tokens = layers.Conv2D(transformers.WIDTH, 4, strides=4, name="patches")(image)
    tokens = layers.Reshape((-1, transformers.WIDTH))(tokens)
    tokens = Token(name="class_token")(tokens)
    for number in range(2):
        tokens = transformers.block(tokens, f"block{number}")
    tokens = layers.LayerNormalization(name="norm")(tokens)
    pooled = tokens[:, 0] if pooling == "class" else ops.mean(tokens, axis=1)
    return keras.Model(image, layers.Dense(4, activation="softmax", name="head")(pooled))


def open_vit_of_the_mean():
    return open_vit("mean")


def open_convnet():
    return keras.Sequential([keras.Input((None, None, 3)), *models.body()])


open_builds = pytest.mark.parametrize(
    "build", [open_vit, open_vit_of_the_mean, open_convnet], ids=lambda build: build.__name__
)


@open_builds
@pytest.mark.parametrize("size", [(16, 16), (16, 24)])
def test_with_and_without_a_doc_the_layer_is_the_same(build, size):
    model, doc = build(), models.doc(0, (*size, 3))
    without = find_layer(model).name
    assert without == find_layer(model, doc=doc).name
    assert without == explain_prediction(model, doc, targets=0).layer


@open_builds
def test_nor_does_it_matter_which_is_asked_first(build):
    model, doc = build(), models.doc(0, (16, 24, 3))
    explained = explain_prediction(model, doc, targets=0)
    assert explained.layer == find_layer(model, doc=doc).name == find_layer(model).name
    assert np.abs(explained.targets[0].map).max() > 0
