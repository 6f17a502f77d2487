"""Keras's `fit`, watched, on the backend that Keras runs on."""

import json
import random

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from explainkit import ExplanationWarning, explain_prediction, format_as_image
from explainkit.training import ExplanationCallback
from tests.estimators.backend import NAME, not_on_torch
from tests.training.made_up import Failing, Kept

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(12, 10, 12, 3)).astype(np.float32)
Y = RANDOM.integers(0, 3, 12)
DOCS = X[:2]


class Counting(layers.Layer):
    """Counts how often the model's Python runs."""

    def __init__(self, count):
        super().__init__()
        self.count = count.append  # Keras would keep a copy of the list

    def call(self, inputs):
        self.count(inputs.shape)
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape


def network(*more):
    """Make a network that draws random numbers in training and notes statistics."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((10, 12, 3)),
            *(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), *more),
            *(layers.Dropout(0.5), layers.GlobalAveragePooling2D(), layers.Dropout(0.5)),
            layers.Dense(3, activation="softmax"),
        ]
    )
    return compiled(model)


def compiled(model, **options):
    # XLA takes its time for a network this small.
    options["jit_compile"] = "auto" if NAME == "jax" else False
    optimizer = keras.optimizers.Adam(0.05)
    model.compile(optimizer, "sparse_categorical_crossentropy", **options)
    return model


@pytest.fixture(scope="module")
def model():
    """Give a network that may be trained on and on, so that it is compiled once."""
    return network()


def fitted(*callbacks, model=None, **arguments):
    """Train in batches of 4, three for each epoch."""
    model = model or network()
    options = {"batch_size": 4, "epochs": 3, "verbose": 0, **arguments}
    return model, model.fit(X, Y, callbacks=list(callbacks), **options)


class Noting(keras.callbacks.Callback):
    """Notes something after each epoch, or each batch."""

    def __init__(self, unit, note):
        super().__init__()
        self.unit, self.note, self.noted = unit, note, []

    def on_epoch_end(self, epoch, logs=None):
        if self.unit == "epoch":
            self.noted.append(self.note(self.model))

    def on_train_batch_end(self, batch, logs=None):
        if self.unit == "batch":
            self.noted.append(self.note(self.model))


def streams():
    found = [random.getstate(), np.random.get_state()[1].tobytes()]  # noqa: NPY002
    if NAME == "tensorflow":
        import tensorflow as tf

        found.append(float(tf.random.uniform(())))
    elif NAME == "torch":
        import torch

        found.append(float(torch.rand(())))
    return found


def test_training_goes_as_without():
    found, asked = [], {"unit": "batch", "every": 2, "method": "smoothgrad", "samples": 2}
    for watching in ([], [ExplanationCallback(DOCS, Kept(), **asked)]):
        model, history = fitted(*watching)
        variables = [*model.variables, *model.optimizer.variables]
        numbers = [keras.ops.convert_to_numpy(one).tobytes() for one in variables]
        found.append((numbers, history.history, history.epoch, streams()))
    without, watched = found
    assert without == watched


@pytest.mark.parametrize("unit", ["epoch", "batch"])
def test_each_picture_is_that_of_the_weights_of_its_moment(unit, tmp_path):
    weights = Noting(unit, lambda model: model.get_weights())
    why = ExplanationCallback(DOCS, tmp_path, unit=unit, targets=[1], names=["a", "b"])
    fitted(why, weights, epochs=2)
    lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    model = network()
    moments = [model.get_weights(), *weights.noted]
    assert len(moments) == {"epoch": 3, "batch": 7}[unit]
    scores = [line["targets"][0]["score"] for line in lines]
    assert len(set(scores)) == len(scores) == 2 * len(moments)
    for step, now in enumerate(moments):
        model.set_weights(now)
        for name, doc in zip("ab", DOCS, strict=True):
            expl = explain_prediction(model, doc[None], targets=1)
            assert scores.pop(0) == pytest.approx(expl.targets[0].score, rel=1e-5, abs=1e-6)
            with Image.open(tmp_path / name / f"{unit}-{step:06d}.png") as picture:
                drawn, wanted = (np.asarray(one, int) for one in (picture, format_as_image(expl)))
            assert np.abs(drawn - wanted).max() <= 1


@not_on_torch
def test_nothing_is_traced_after_the_first_epoch():
    count = []
    counting = Noting("epoch", lambda model: len(count))
    fitted(ExplanationCallback(DOCS, Kept()), counting, model=network(Counting(count)))
    assert counting.noted[0] > 0
    assert len(set(counting.noted)) == 1


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"every": 2}, [0, 2, 4]),
        ({"every": {1, 3, 9}}, [0, 1, 3]),
        ({"every": 5, "unit": "batch"}, [0, 5, 10]),
        ({"every": [1, 12], "unit": "batch"}, [0, 1, 12]),
        ({"every": np.int64(3)}, [0, 3]),
        ({"every": np.array([1, 3])}, [0, 1, 3]),
        ({"every": [np.int32(2)]}, [0, 2]),
    ],
)
def test_it_is_explained_as_often_as_one_likes(asked, steps, model):
    kept = Kept()
    fitted(ExplanationCallback(DOCS[:1], kept, **asked), model=model, epochs=4)
    assert [step for _, step in kept.steps] == steps
    assert {unit for unit, _ in kept.steps} == {asked.get("unit", "epoch")}


def test_a_second_fit_and_one_that_begins_later_count_on(model):
    kept = Kept()
    why = ExplanationCallback(DOCS[:1], kept)
    fitted(why, model=model, epochs=2)
    fitted(why, model=model, epochs=1)
    fitted(why, model=model, initial_epoch=7, epochs=8)
    assert [step for _, step in kept.steps] == [0, 1, 2, 3, 8]


def test_a_callback_explains_one_model_only(model):
    kept = Kept()
    why = ExplanationCallback(DOCS[:1], kept)
    fitted(why, model=model, epochs=1)
    other = network()
    before = other.get_weights()
    with pytest.raises(ValueError, match="explains another model already; make a callback for"):
        fitted(why, model=other, epochs=1)
    assert all(map(np.array_equal, before, other.get_weights()))
    fitted(why, model=model, epochs=1)
    assert [step for _, step in kept.steps] == [0, 1, 2]


def test_the_best_weights_are_those_of_an_earlier_step():
    kept = Kept()
    early = keras.callbacks.EarlyStopping("loss", mode="max", patience=2, restore_best_weights=True)
    why = ExplanationCallback(DOCS[:1], kept, targets=[1])
    model, _ = fitted(early, why, epochs=9)
    [wanted] = explain_prediction(model, DOCS[:1], targets=1).targets
    scores = [entries[0].expl.targets[0].score for entries in kept.entries]
    assert scores[early.best_epoch + 1] == pytest.approx(wanted.score, rel=1e-5)
    assert scores[-1] != pytest.approx(wanted.score, rel=1e-3)


@not_on_torch
def test_batches_that_keras_takes_in_one_go_are_counted():
    kept = Kept()
    model = compiled(network(), steps_per_execution=3)
    told = []
    telling = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: told.append(batch)
    )
    why = ExplanationCallback(DOCS[:1], kept, every=2, unit="batch")
    fitted(why, telling, model=model, epochs=2)
    if told == [0, 0]:
        pytest.skip("this version of Keras tells callbacks of the first of them alone")
    assert kept.steps == [("batch", 0), ("batch", 3), ("batch", 6)]


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"layer": "cnv"}, LookupError, "cnv"),
        ({"targets": [3]}, ValueError, "target 3 is out of range"),
        ({"docs": X[:2, :5]}, ValueError, "shape"),
        ({"names": ["a"]}, ValueError, "names has 1 names for 2 docs"),
    ],
)
def test_mistakes_show_before_the_first_epoch(asked, error, message, tmp_path, model):
    before = model.get_weights()
    why = ExplanationCallback(asked.pop("docs", DOCS), tmp_path / "why", **asked)
    with pytest.raises(error, match=message):
        fitted(why, model=model)
    for one, other in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, other)
    assert not (tmp_path / "why").exists()


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"unit": "epochs"}, ValueError, "unit is 'epochs'; give 'epoch' or 'batch'"),
        ({"every": 0}, ValueError, "every is 0; give a whole number from 1, or a collection"),
        ({"every": 1.5}, TypeError, "every is 1.5, of type float"),
        ({"every": [1, "2"]}, TypeError, "every is '2', of type str"),
        ({"every": []}, TypeError, r"every is \[\], of type list"),
        ({"every": np.array([1.5, 2])}, TypeError, "every is 1.5, of type float"),
        ({"every": np.array([[1, 2]])}, TypeError, r"every is \[1, 2\], of type list"),
        ({"every": np.array([])}, TypeError, r"every is \[\], of type list"),
        ({"every": np.True_}, TypeError, "every is True, of type bool"),
        ({"alpha_limit": 2}, ValueError, "alpha_limit is 2"),
    ],
)
def test_mistakes_that_need_no_model_show_when_it_is_made(asked, error, message):
    with pytest.raises(error, match=message):
        ExplanationCallback(DOCS, Kept(), **asked)


def test_a_failure_does_not_end_the_training(model):
    with pytest.warns(ExplanationWarning, match="no space left") as told:
        _, history = fitted(ExplanationCallback(DOCS, Failing()), model=model)
    assert history.epoch == [0, 1, 2]
    assert len([one for one in told if one.category is ExplanationWarning]) == 1


def test_units_of_several_outputs_are_followed():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((10, 12, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(inputs))
    outputs = {name: layers.Dense(2, name=name)(pooled) for name in ("kind", "place")}
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse", jit_compile="auto" if NAME == "jax" else False)
    kept = Kept()
    why = ExplanationCallback(DOCS, kept, targets=[("place", 1), ("kind", 0)])
    truth = {name: np.ones((12, 2)) for name in outputs}
    model.fit(X, truth, callbacks=[why], verbose=0)
    assert len(kept.entries) == 2
    assert {entry.series for entries in kept.entries for entry in entries} == {
        ("place/1", "kind/0")
    }
