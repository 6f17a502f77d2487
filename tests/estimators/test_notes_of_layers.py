"""What layers note down of a call, as attributes, is as it was before an explanation."""

import threading

import keras
import numpy as np
import pytest
from keras import layers

from explainkit import explain_prediction, explain_predictions

from . import backend, models

DOC = models.doc()
DOCS = np.concatenate([models.doc(i) for i in range(3)])

on_tensorflow = pytest.mark.skipif(backend.NAME != "tensorflow", reason="TensorFlow's own")


class Noting:
    """Writes down what it is given, in every way that Python has."""

    stumbling = False

    def start(self):
        self.last = None
        self.seen = []
        self.table = {}

    def note(self, x):
        self.last = x
        self.seen.append(1)
        self.table["n"] = x
        self.new = x
        if Noting.stumbling:
            raise RuntimeError("stumbled")
        return x * 1.0


class Notes(Noting, layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.start()

    def call(self, x):
        return self.note(x)


class NotesItself(Noting, keras.Model):
    def __init__(self):
        super().__init__()
        self.start()
        self.features = layers.Conv2D(5, 3, activation="tanh", name="features")
        self.head = layers.Dense(models.CLASSES, activation="softmax", name="head")

    def call(self, x):
        return self.head(keras.ops.mean(self.note(self.features(x)), axis=(1, 2)))


def flat(notes=Notes, keras=keras, body=models.body):
    first, *rest = body()
    layer = notes(name="notes")
    return keras.Sequential([keras.Input((16, 16, 3)), first, layer, *rest]), layer


def nested(notes=Notes, keras=keras, body=models.body):
    first, *rest = body()
    layer = notes(name="notes")
    inner = keras.Sequential([keras.Input((16, 16, 3)), first, layer], name="inner")
    return keras.Sequential([keras.Input((16, 16, 3)), inner, *rest]), layer


def subclassed():
    model = NotesItself()
    return model, model


each_build = pytest.mark.parametrize(
    "build", [flat, nested, subclassed], ids=lambda build: build.__name__
)


def explain_once(model):
    explain_prediction(model, DOC)


def explain_twice(model):
    explain_prediction(model, DOC)
    explain_prediction(model, models.doc(1))


def explain_top_two(model):
    explain_prediction(model, DOC, top_targets=2)


def explain_many(model):
    assert len(list(explain_predictions(model, DOCS))) == 3


each_way = pytest.mark.parametrize(
    "explain",
    [explain_once, explain_twice, explain_top_two, explain_many],
    ids=lambda explain: explain.__name__,
)


def with_notes(build, value, **options):
    """A model that was called, and what its notes are then."""
    model, layer = build(**options)
    model(DOC)
    layer.last = value
    del layer.new
    return model, layer


def notes(layer):
    """The notes: those that are objects by identity, containers with what they hold."""
    containers = [(id(one), type(one)) for one in (layer.seen, layer.table)]
    held = {key: id(value) for key, value in layer.table.items()}
    return id(layer.last), containers, list(layer.seen), held, sorted(vars(layer))


@each_build
@each_way
def test_notes_are_as_they_were(build, explain):
    model, layer = with_notes(build, keras.ops.ones((2,)))
    before, last = notes(layer), layer.last
    explain(model)
    assert layer.last is last
    assert not hasattr(layer, "new")
    assert notes(layer) == before
    model(DOC)  # which notes as before
    assert len(layer.seen) == len(before[2]) + 1
    assert keras.ops.convert_to_numpy(layer.new).shape == (1, 14, 14, 5)


@each_build
@pytest.mark.parametrize("value", [None, 7, np.ones(2)], ids=["none", "number", "array"])
def test_so_they_are_of_any_kind(build, value):
    model, layer = with_notes(build, value)
    explain_twice(model)
    assert layer.last is value


@each_build
@each_way
def test_so_they_are_when_the_call_fails(build, explain, monkeypatch):
    model, layer = with_notes(build, keras.ops.ones((2,)))
    before = notes(layer)
    monkeypatch.setattr(Noting, "stumbling", True)
    with pytest.raises(Exception, match="stumbled"):
        explain(model)
    assert notes(layer) == before
    monkeypatch.setattr(Noting, "stumbling", False)
    explain(model)
    assert notes(layer) == before


def of_keras_2(build):
    """A Keras 2 model with such a layer, and the layer."""
    tf_keras = pytest.importorskip("tf_keras")
    from . import tf_keras_models

    class NotesToo(Noting, tf_keras.layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.start()

        def call(self, x):
            return self.note(x)

    return with_notes(
        build,
        keras.ops.ones((2,)),
        notes=NotesToo,
        keras=tf_keras,
        body=tf_keras_models.body,
    )


of_two_builds = pytest.mark.parametrize("build", [flat, nested], ids=lambda build: build.__name__)


@on_tensorflow
@of_two_builds
@each_way
def test_so_they_are_in_keras_2(build, explain):
    model, layer = of_keras_2(build)
    before, last = notes(layer), layer.last
    explain(model)
    assert layer.last is last
    assert not hasattr(layer, "new")
    assert notes(layer) == before


@on_tensorflow
@of_two_builds
def test_so_they_are_in_keras_2_when_the_call_fails(build, monkeypatch):
    model, layer = of_keras_2(build)
    before = notes(layer)
    monkeypatch.setattr(Noting, "stumbling", True)
    with pytest.raises(Exception, match="stumbled"):
        explain_once(model)
    assert notes(layer) == before


@on_tensorflow
@of_two_builds
def test_a_keras_2_model_that_noted_can_be_saved_and_called(build, tmp_path):
    model, layer = of_keras_2(build)
    model.save_weights(str(tmp_path / "before"))
    explain_twice(model)
    model.save_weights(str(tmp_path / "after"))
    model.load_weights(str(tmp_path / "after"))
    count = len(layer.seen)
    model(DOC)
    assert len(layer.seen) == count + 1


def counting(layer_class):
    import tensorflow as tf

    class Counts(layer_class):
        def __init__(self, **options):
            super().__init__(**options)
            self.count = tf.Variable(0.0, trainable=False)

        def call(self, x):
            self.count.assign_add(1.0)
            return x * 1.0

    return Counts


def counting_model(version):
    if version == 3:
        return flat(counting(layers.Layer))
    tf_keras = pytest.importorskip("tf_keras")
    from . import tf_keras_models

    return flat(counting(tf_keras.layers.Layer), tf_keras, tf_keras_models.body)


@on_tensorflow
@pytest.mark.parametrize("version", [2, 3])
def test_threads_count_nothing(version):
    model, layer = counting_model(version)
    model(DOC)
    before = float(layer.count)
    assert before
    barrier, finished = threading.Barrier(8), []

    def work(i):
        barrier.wait()
        for _ in range(10):
            explain_prediction(model, models.doc(i))
        finished.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(finished) == 8
    assert float(layer.count) == before
