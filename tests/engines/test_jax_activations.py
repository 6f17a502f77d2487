"""A function of JAX is an activation for what it computes, not for how it is called."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")
keras = pytest.importorskip("keras")
if keras.backend.backend() != "jax":
    pytest.skip("Keras runs on another framework", allow_module_level=True)

import jax.numpy as jnp  # noqa: E402
from jax.nn import sigmoid as imported  # noqa: E402
from jax.nn import softmax  # noqa: E402
from keras import layers  # noqa: E402

from explainkit import explain_prediction  # noqa: E402

DOC = np.random.default_rng(0).normal(size=(1, 16, 16, 3)).astype(np.float32)
SPREAD = keras.initializers.RandomNormal(stddev=0.1, seed=3)


class Ends(layers.Layer):
    """An own layer that applies a function."""

    def __init__(self, function, **options):
        super().__init__(**options)
        self.function = function

    def call(self, x):
        return self.function(x)


def ending(last, units=3):
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(4, 3, activation="tanh", name="features"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(units, bias_initializer=SPREAD, name="logits"),
            last,
        ]
    )


each_way = pytest.mark.parametrize(
    "made", [Ends, layers.Lambda, layers.Activation], ids=lambda made: made.__name__
)


def outputs_of(model):
    return np.asarray(model(DOC))[0]


def before_the_end(model):
    return np.asarray(keras.Model(model.inputs[0], model.get_layer("logits").output)(DOC))[0]


def named(name, function):
    """A user's own function, compiled, under a name that JAX also has."""
    function.__name__ = function.__qualname__ = name
    return jax.jit(function)


@each_way
def test_a_clipped_line_is_no_sigmoid(made):
    @jax.jit
    def sigmoid(x):
        return jnp.clip(3 * x + 0.5, 0, 1)

    model = ending(made(sigmoid))
    found = explain_prediction(model, DOC, targets=1)
    assert found.targets[0].score == pytest.approx(float(outputs_of(model)[1]), abs=1e-5)
    assert "sigmoid" not in found.description
    assert found.targets[0].proba is None


@each_way
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "_softmax"])
def test_a_share_of_the_sum_is_no_softmax(made, name):
    model = ending(made(named(name, lambda x: x**2 / jnp.sum(x**2, axis=-1, keepdims=True))))
    found = explain_prediction(model, DOC, targets=1)
    assert found.targets[0].score == pytest.approx(float(outputs_of(model)[1]), abs=1e-5)
    assert "softmax" not in found.description


@each_way
def test_a_softmax_within_somebodys_function_is_not_seen(made):
    @jax.jit
    def softmax(x):
        return jax.nn.softmax(x / 4)

    model = ending(made(softmax))
    found = explain_prediction(model, DOC, targets=[0, 1, 2]).targets
    np.testing.assert_allclose([one.score for one in found], outputs_of(model), atol=1e-5)
    assert {one.proba for one in found} == {None}


@each_way
@pytest.mark.parametrize(
    "function", [imported, jax.nn.sigmoid, jax.jit(imported)], ids=["imported", "jax.nn", "jitted"]
)
def test_a_sigmoid_is_found_however_it_is_reached(made, function):
    model = ending(made(function))
    found = explain_prediction(model, DOC, targets=1).targets[0]
    assert found.score == pytest.approx(float(before_the_end(model)[1]), abs=1e-5)
    assert found.proba == pytest.approx(float(outputs_of(model)[1]), abs=1e-5)


@each_way
@pytest.mark.parametrize(
    "function", [lambda x: jax.nn.softmax(x), jax.jit(softmax)], ids=["jax.nn", "jitted"]
)
def test_so_is_a_softmax(made, function):
    model = ending(made(function))
    found = explain_prediction(model, DOC, targets=1).targets[0]
    assert found.score == pytest.approx(float(before_the_end(model)[1]), abs=1e-5)
    assert found.proba == pytest.approx(float(outputs_of(model)[1]), abs=1e-5)
