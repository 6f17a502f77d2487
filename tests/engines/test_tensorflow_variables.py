"""Variables that a program writes to are as they were when it has run."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("TensorFlow's variables", allow_module_level=True)

import tensorflow as tf

from explainkit.engines.tensorflow import TensorFlowEngine

ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


def compiled(count, step):
    """A program that counts, and answers with what it has counted."""
    program = TensorFlowEngine().compile(lambda _, x: step(x) + count, (), ROWS)
    return lambda: program((), ROWS)


def by_one(count):
    def step(x):
        count.assign_add(1.0)
        return x

    return step


@pytest.mark.parametrize("around", [lambda step: step, tf.function], ids=["plain", "function"])
def test_what_is_counted_within_is_taken_back(around):
    count = tf.Variable(5.0)
    ask = compiled(count, around(by_one(count)))
    for _ in range(2):
        np.testing.assert_array_equal(ask(), ROWS + 6)
        assert count.numpy() == 5


def test_also_when_it_fails():
    count = tf.Variable(5.0)

    def failing(x):
        count.assign_add(1.0)
        with tf.control_dependencies([tf.debugging.assert_less(count, 0.0)]):
            return tf.identity(x)

    ask = compiled(count, failing)
    with pytest.raises(tf.errors.InvalidArgumentError):
        ask()
    assert count.numpy() == 5


@pytest.mark.parametrize("around", [lambda step: step, tf.function], ids=["plain", "function"])
def test_what_is_only_read_is_not_copied(around, monkeypatch):
    count = tf.Variable(5.0)
    ask = compiled(count, around(lambda x: x * count))
    monkeypatch.setattr(tf.Variable, "assign", lambda *_: pytest.fail("written to"))
    np.testing.assert_array_equal(ask(), ROWS * 5 + 5)
