"""What a model consists of is noted to the last byte, and so is what the process shares."""

import random

import keras
import numpy as np
import pytest

from explainkit.testing import parts_of
from explainkit.testing.process import modes, streams

from . import network, subjects


def changed(note, change):
    before = note()
    assert note() == before
    change()
    after = note()
    return {place for place in {**before, **after} if before.get(place) != after.get(place)}


def nudge(variable):
    array = keras.ops.convert_to_numpy(variable.value)
    variable.assign(
        np.nextafter(array, 9, dtype=array.dtype) if array.dtype.kind == "f" else array + 1
    )


CHANGES = {
    "weights": lambda model: nudge(model.get_layer("features").kernel),
    "frozen": lambda model: setattr(model.get_layer("features"), "trainable", False),
    "activation": lambda model: setattr(model.get_layer("head"), "activation", None),
    "attribute": lambda model: setattr(model.get_layer("head"), "seen", True),
    "patched call": lambda model: setattr(model.get_layer("head"), "call", print),
    "another call": lambda model: model.get_layer("head")(keras.Input((network.CHANNELS,))),
    "optimizer": lambda model: nudge(model.optimizer.learning_rate),
    "step": lambda model: nudge(model.optimizer.variables[-1]),
    "random numbers": lambda model: nudge(model.layers[2].seed_generator.state),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_of_a_keras_model_is_noted(change):
    model = subjects.KerasNetwork().make_model()
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    assert changed(lambda: parts_of(model), lambda: CHANGES[change](model))


def test_an_objects_own_parts_are_noted_wherever_they_are():
    class Part:
        __slots__ = ("numbers",)

        def __init__(self):
            self.numbers = np.array([np.nan, 1])

    class Model:
        def __init__(self):
            self.parts = {"one": [Part()], "other": {1, 2}}
            self.whole = self

    model = Model()

    def change():
        model.parts["one"][0].numbers[0] = 0
        model.parts["other"].add(3)

    places = changed(lambda: parts_of(model), change)
    assert places == {"model.parts['one'][0].numbers", "model.parts['other']"}


def test_a_half_precise_tensor_is_noted_by_its_bytes():
    torch = pytest.importorskip("torch")
    model = torch.nn.Linear(2, 2, bias=False, dtype=torch.bfloat16)
    places = changed(lambda: parts_of(model), lambda: model.weight.data.mul_(2))
    assert places == {"model._parameters['weight']"}


def test_modes_of_the_process_are_noted():
    with np.errstate():
        places = changed(modes, lambda: np.seterr(over="ignore"))
    assert places == {"numpy errors"}
    assert changed(streams, random.random) == {"random"}


def test_so_are_those_of_keras():
    before = keras.backend.floatx()
    assert changed(modes, lambda: keras.backend.set_floatx("float64")) == {"keras.floatx"}
    keras.backend.set_floatx(before)
