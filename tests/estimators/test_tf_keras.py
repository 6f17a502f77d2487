"""Keras 2 models are explained as their twins of Keras 3 are, and left as they were found."""

import gc
import re
import threading
import weakref

import numpy as np
import pytest

tf_keras = pytest.importorskip("tf_keras")
keras = pytest.importorskip("keras")
if keras.backend.backend() != "tensorflow":
    pytest.skip("the twins are compared on TensorFlow", allow_module_level=True)

import tensorflow as tf  # noqa: E402

from explainkit import explain_prediction, explain_predictions  # noqa: E402
from explainkit.engines.tensorflow import TensorFlowEngine  # noqa: E402
from explainkit.estimators import base  # noqa: E402
from explainkit.inspection import find_layer, get_logits_layer, spatial_layers  # noqa: E402

from . import models, oracle, tf_keras_models  # noqa: E402

layers = tf_keras.layers
each_build = pytest.mark.parametrize("build", tf_keras_models.BUILDS, ids=lambda b: b.__name__)


def twins(build):
    """A model of Keras 2, and one of Keras 3 with the same layers and weights."""
    tf_keras.utils.set_random_seed(7)
    model, twin = build(), getattr(models, build.__name__)()
    for one in (model, twin):
        if not one.built:
            one(models.doc())
    twin.set_weights(model.get_weights())
    return model, twin


def state(model):
    """Everything about a model that an explanation could have changed."""
    found = {
        id(layer): (
            {name: id(value) for name, value in vars(layer).items()},
            layer.trainable,
            layer.built,
            [w.numpy().tobytes() for w in layer.weights],
            len(layer._inbound_nodes),
            len(layer._outbound_nodes),
            [id(loss) for loss in layer._eager_losses],
            len(layer._callable_losses),
            [[v.numpy().tobytes() for v in metric.variables] for metric in layer._metrics],
        )
        for layer in model._flatten_layers()
    }
    found["losses"] = [float(loss) for loss in model.losses]
    found["doors"] = (tf_keras.layers.Layer.__call__, tf_keras.metrics.Metric.__call__)
    return found


# Right


@each_build
@pytest.mark.parametrize("options", [{"targets": [0, 3]}, {"top_targets": 2, "logits": False}])
def test_maps_and_scores_are_those_of_the_twin(build, options):
    model, twin = twins(build)
    one = explain_prediction(model, models.doc(), **options)
    other = explain_prediction(twin, models.doc(), **options)
    assert (one.layer, one.description) == (other.layer, other.description)
    for a, b in zip(one.targets, other.targets, strict=True):
        assert a.target == b.target
        assert a.score == pytest.approx(b.score, rel=1e-4, abs=1e-5)
        assert a.proba == pytest.approx(b.proba, rel=1e-4)
        np.testing.assert_allclose(a.map, b.map, rtol=1e-3, atol=1e-6)


def test_three_deep_sequentials_of_depthwise_convolutions_need_no_layer():
    model, doc = tf_keras_models.mobile(), models.doc(shape=(32, 32, 3))
    expl = explain_prediction(model, doc, targets=1)
    assert expl.layer == "features/backbone/out_relu"
    features = model.layers[0].layers[0](doc, training=False)
    hidden, out = model.layers[1].layers

    def head(x):
        kernel, bias = (np.asarray(w, np.float64) for w in hidden.get_weights())
        x = tf.nn.relu(tf.linalg.matvec(kernel.T, tf.reduce_mean(x, (0, 1))) + bias)
        return tf.linalg.matvec(np.asarray(out.get_weights()[0], np.float64).T, x)

    score, map_ = oracle.gradcam(features[0], head, 1)
    [found] = expl.targets
    assert found.score == pytest.approx(float(score), rel=1e-4, abs=1e-6)
    np.testing.assert_allclose(found.map, map_, rtol=1e-3, atol=1e-7)
    assert get_logits_layer(model) is out
    assert find_layer(model) is model.layers[0].layers[0].get_layer("out_relu")
    assert spatial_layers(model)[-1].path == "features/backbone/out_relu"


def test_operations_of_tensorflow_are_layers():
    inputs = tf_keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    x = tf.image.resize(tf.pad(tf.nn.relu(x), [[0, 0], [1, 1], [1, 1], [0, 0]]), (20, 20))
    model = tf_keras.Model(inputs, layers.Dense(2)(tf.reduce_mean(x, (1, 2))))
    assert explain_prediction(model, models.doc()).layer == "tf.nn.relu"


def test_several_inputs_and_outputs_by_name():
    model = tf_keras_models.two_inputs_two_outputs()
    doc = {"image": models.doc(), "hint": np.ones((1, 3), np.float32)}
    for output, unit in (("kind", 1), ("box", 2)):
        [found] = explain_prediction(model, doc, targets=[(output, unit)]).targets
        said = found.score if found.proba is None else found.proba
        assert found.map.shape == (14, 14)
        assert said == pytest.approx(float(model(doc)[output][0, unit]), rel=1e-4)


def test_batch_norm_infers():
    model, doc = tf_keras_models.mobile(), models.doc(shape=(32, 32, 3))
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(np.concatenate([doc, doc + 1]), np.array([0, 1]), verbose=0)
    found = explain_prediction(model, doc, targets=0).targets[0]
    assert found.proba == pytest.approx(float(model(doc, training=False)[0, 0]), rel=1e-4)


# Wrong: the same words as for Keras 3


@pytest.mark.parametrize(
    "options",
    [
        {"doc": None},
        {"doc": "cat.jpg"},
        {"doc": models.doc()[0]},
        {"doc": models.doc()[:, :8]},
        {"doc": np.zeros((2, 16, 16, 3))},
        {"doc": models.doc() * np.nan},
        {"doc": {"picture": models.doc()}},
        {"layer": "lst"},
        {"layer": "head"},
        {"layer": 99},
        {"layer": 1.5},
        {"layer": []},
        {"layer": ["last", "last"]},
        {"layer": "last#3"},
        {"targets": 4},
        {"targets": True},
        {"targets": [1, 1]},
        {"targets": "cat"},
        {"targets": ("haed", 1)},
        {"targets": lambda outputs: outputs[0]},
        {"targets": lambda outputs: tf.argmax(outputs, 1)},
        {"target_names": "ant"},
        {"top_targets": 0},
        {"method": "gradcamm"},
        {"logit": False},
    ],
    ids=lambda options: re.sub(r" at 0x\w+", "", str(options)),
)
def test_errors_are_those_of_the_twin(options):
    said = []
    for model in twins(tf_keras_models.functional):
        with pytest.raises((TypeError, ValueError, LookupError)) as caught:
            explain_prediction(model, **({"doc": models.doc()} | options))
        said.append((caught.type, str(caught.value)))
    assert said[0] == said[1]


# Untouched


class Notes(layers.Layer):
    """Leaves on itself all that a layer may leave."""

    def call(self, x):
        self.seen = x
        self.add_loss(tf.reduce_mean(x))
        self.add_metric(tf.reduce_mean(x), name="mean")
        return x


class Stumbles(layers.Layer):
    stumbling = False

    def call(self, x):
        if self.stumbling:
            raise RuntimeError("stumbled")
        return x


def noting():
    body = tf_keras_models.body()
    body[1:1] = [
        layers.BatchNormalization(),
        Notes(),
        Stumbles(name="stumbles"),
        layers.ActivityRegularization(l2=0.1),
        layers.Dense(5, kernel_regularizer="l2"),
    ]
    return tf_keras.Sequential([tf_keras.Input(tf_keras_models.SHAPE), *body])


def trained(build):
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    docs = np.concatenate([models.doc(i) for i in range(8)])
    model.fit(docs, np.arange(8) % models.CLASSES, verbose=0)
    model(docs)  # somebody is in the middle of something: its losses are still wanted
    return model


@pytest.mark.parametrize(
    "build", [*tf_keras_models.BUILDS, tf_keras_models.deferred, noting], ids=lambda b: b.__name__
)
def test_an_explanation_changes_nothing(build):
    model = trained(build)
    before = state(model)
    explain_prediction(model, models.doc(), targets=[0, 1])
    explain_prediction(model, models.doc(1), layer="first", logits=False)
    assert state(model) == before


@each_build
def test_nor_is_a_model_marked_that_was_never_called(build):
    model = build()
    if model.built:
        before = state(model)
        explain_prediction(model, models.doc())
        assert state(model) == before


def test_nor_does_one_that_fails(monkeypatch):
    model = trained(noting)
    before = state(model)
    monkeypatch.setattr(Stumbles, "stumbling", True)
    with pytest.raises(RuntimeError, match="stumbled"):
        explain_prediction(model, models.doc())
    assert state(model) == before


class Counts(tf_keras.layers.Layer):
    """Counts its calls, when it infers too."""

    def build(self, _shape):
        self.count = self.add_weight(name="count", initializer="zeros", trainable=False)

    def call(self, x):
        self.count.assign_add(1.0)
        return x * 1.0


def test_what_a_layer_counts_is_not_counted_for_explanations():
    *features, head = tf_keras_models.body()
    model = tf_keras.Sequential([*features, Counts(), head])
    model(models.doc())
    before = state(model)
    for _ in range(2):
        explain_prediction(model, models.doc())
    assert state(model) == before


def test_threads_get_what_one_thread_gets():
    model = tf_keras_models.nested_three_deep()
    docs = [models.doc(i) for i in range(8)]
    copy = tf_keras_models.nested_three_deep()
    copy.set_weights(model.get_weights())
    expected = [explain_prediction(copy, doc, targets=0).targets[0].map for doc in docs]
    before, barrier, found = state(model), threading.Barrier(8), [None] * 8

    def work(i):
        barrier.wait()
        found[i] = explain_prediction(model, docs[i], targets=0).targets[0].map

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state(model) == before
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_asking_again_traces_nothing(monkeypatch):
    model, traced = tf_keras_models.functional(), []
    pull_back = TensorFlowEngine.pull_back
    monkeypatch.setattr(
        TensorFlowEngine, "pull_back", lambda self, run: traced.append(1) or pull_back(self, run)
    )
    explain_prediction(model, models.doc(), targets=0)
    count = len(traced)
    for target in range(models.CLASSES):
        explain_prediction(model, models.doc(target), targets=target)
    list(explain_predictions(model, np.concatenate([models.doc()] * 7), targets=1))
    assert len(traced) == count


@pytest.mark.parametrize("build", [*tf_keras_models.BUILDS, noting], ids=lambda b: b.__name__)
def test_a_deleted_model_is_freed(build):
    model = build()
    explain_prediction(model, models.doc(), targets=[0, 1])
    gone, identity = weakref.ref(model), id(model)
    del model
    gc.collect()
    assert gone() is None
    assert identity not in base.cache._shelves
