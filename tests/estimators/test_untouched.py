"""The model is left as it was found, whatever happens, and serves threads meanwhile."""

import functools
import gc
import subprocess
import sys
import textwrap
import threading
import weakref

import keras
import numpy as np
import pytest
from keras import layers

from explainkit import explain_prediction, explain_predictions
from explainkit.estimators import base, batches
from explainkit.pictures import DocPicture

from . import backend, models


def state(model):
    """Everything about a model that an explanation could have changed."""
    found = {}
    for layer in model._flatten_layers():
        found[id(layer)] = (
            sorted(layer.__dict__),
            layer.trainable,
            layer.built,
            layer._called,
            getattr(layer, "activation", None),
            [keras.ops.convert_to_numpy(w).tobytes() for w in layer.weights],
            [keras.ops.convert_to_numpy(v).tobytes() for v in layer.variables],
            len(layer._inbound_nodes),
            len(layer._outbound_nodes),
            [float(loss) for loss in layer.losses],
        )
    if getattr(model, "optimizer", None) is not None:
        found["optimizer"] = [
            keras.ops.convert_to_numpy(v).tobytes() for v in model.optimizer.variables
        ]
    found["doors"] = (keras.Layer.__call__, keras.Operation.__call__)
    return found


def trained(build):
    """A model with an optimizer, batch norm statistics, losses and a metric's state."""
    keras.utils.set_random_seed(3)
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    docs = np.concatenate([models.doc(i) for i in range(8)])
    model.fit(docs, np.arange(8) % models.CLASSES, verbose=0)
    model(docs)  # somebody is in the middle of something: its losses are still wanted
    return model


def with_state():
    body = models.body()
    body[1:1] = [
        layers.BatchNormalization(),
        layers.GaussianNoise(0.1),
        layers.ActivityRegularization(l2=0.1),
    ]
    return keras.Sequential([keras.Input((models.SIZE, models.SIZE, 3)), *body])


class Unreached(keras.Model):
    """One of its layers never runs when it infers; by its own default it trains."""

    def __init__(self):
        super().__init__()
        self.augment = layers.RandomFlip()
        self.unused = layers.Dense(2)
        self.first = layers.Conv2D(5, 3, name="first", activity_regularizer="l2")
        self.norm = layers.BatchNormalization()
        self.drop = layers.Dropout(0.5)
        self.head = layers.Dense(models.CLASSES, activation="softmax")

    def call(self, x, training=True):
        if training:
            x = self.augment(x)
        x = self.drop(self.norm(self.first(x), training=training), training=training)
        return self.head(keras.ops.mean(x, axis=(1, 2)))


@pytest.mark.parametrize(
    "build", [*models.BUILDS, with_state, Unreached], ids=lambda build: build.__name__
)
@pytest.mark.parametrize("options", [{}, {"targets": [0, 1]}, {"layer": "first", "logits": False}])
def test_an_explanation_changes_nothing(build, options):
    model = trained(build)
    before = state(model)
    explain_prediction(model, models.doc(), **options)
    explain_prediction(model, models.doc(1), **options)
    assert state(model) == before


def test_a_model_that_an_explanation_builds_is_as_its_own_first_call_builds_it():
    called, explained = models.subclassed(), models.subclassed()
    called(models.doc())
    explain_prediction(explained, models.doc())
    assert [w.path for w in explained.weights] == [w.path for w in called.weights]
    explained.set_weights(called.get_weights())
    np.testing.assert_array_equal(
        models.said(explained, models.doc(), training=False),
        models.said(called, models.doc(), training=False),
    )


@pytest.mark.parametrize("build", [models.functional, models.subclassed])
def test_an_explanation_amid_somebodys_own_function_is_the_same(build):
    if backend.NAME == "jax" and build is models.subclassed:
        pytest.skip("no Keras model can be built while JAX traces: its weights would be tracers")
    model, doc = build(), models.doc()
    one = backend.amid_somebodys_own(lambda: explain_prediction(model, doc, targets=0)).targets[0]
    other = explain_prediction(model, doc, targets=0).targets[0]
    np.testing.assert_allclose(one.map, other.map, rtol=1e-5, atol=1e-7)
    assert one.score == pytest.approx(other.score, rel=1e-5)


class Stumbles(layers.Layer):
    """Raises while the model is traced, or while it runs, or on the way back."""

    stage = None

    def call(self, x):
        return backend.stumbling(x, self._stumble)

    @staticmethod
    def _stumble(stage):
        if stage == Stumbles.stage:
            raise RuntimeError("stumbled")


@pytest.mark.parametrize("stage", ["trace", "backward trace", "forward", "backward"])
@pytest.mark.parametrize("targets", [0, [0, 1]])
def test_nor_does_one_that_fails(stage, targets, monkeypatch):
    body = models.body()
    body.insert(3, Stumbles())
    model = keras.Sequential([keras.Input((models.SIZE, models.SIZE, 3)), *body])
    model.compile("adam", "mse")
    before = state(model)
    monkeypatch.setattr(Stumbles, "stage", stage)
    with pytest.raises(Exception, match="stumbled"):
        explain_prediction(model, models.doc(), targets=targets, layer="last")
    assert state(model) == before
    monkeypatch.setattr(Stumbles, "stage", None)
    explain_prediction(model, models.doc(), targets=targets, layer="last")
    assert state(model) == before


def test_threads_get_what_one_thread_gets():
    model = models.nested_three_deep()
    docs = [models.doc(i) for i in range(8)]
    expected = [explain_prediction(models_copy(model), doc, top_targets=2) for doc in docs]
    before = state(model)
    barrier, found = threading.Barrier(8), [None] * 8

    def work(i):
        barrier.wait()
        found[i] = [explain_prediction(model, docs[i], top_targets=2) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state(model) == before
    for i in range(8):
        for expl in found[i]:
            assert expl.targets[0].target == expected[i].targets[0].target
            for a, b in zip(expl.targets, expected[i].targets, strict=True):
                np.testing.assert_allclose(a.map, b.map, rtol=1e-5, atol=1e-7)


def models_copy(model):
    copy = models.nested_three_deep()
    copy.set_weights(model.get_weights())
    return copy


def test_other_threads_use_models_while_one_is_being_traced():
    model, doc = models.functional(), models.doc()
    expected = models.said(model, doc)
    stop, wrong = threading.Event(), []

    def use():
        while not stop.is_set():
            if not np.array_equal(models.said(model, doc), expected):
                wrong.append(1)

    thread = threading.Thread(target=use)
    thread.start()
    for _ in range(5):
        explain_prediction(models.functional(), doc, targets=[0, 1])
        explain_prediction(model, doc, layer="first")
        base.cache._shelves.clear()
    stop.set()
    thread.join()
    assert not wrong


@backend.not_on_torch
def test_asking_again_traces_nothing(monkeypatch):
    model = models.functional()
    docs = np.concatenate([models.doc(i) for i in range(7)])
    traced = []
    observe = backend.ENGINE.pull_back
    monkeypatch.setattr(
        backend.ENGINE, "pull_back", lambda self, run: traced.append(1) or observe(self, run)
    )
    explain_prediction(model, models.doc(), targets=0)
    if backend.NAME == "jax":  # which compiles once for each number of docs
        list(explain_predictions(model, docs, targets=0))
    count = len(traced)
    assert count
    for target in range(models.CLASSES):
        explain_prediction(model, models.doc(target), targets=target)
    list(explain_predictions(model, docs, targets=1))
    assert len(traced) == count


def test_no_picture_is_made_that_nobody_looks_at(monkeypatch):
    made = []
    monkeypatch.setattr(DocPicture, "__call__", lambda self: made.append(self))
    expl = explain_prediction(models.functional(), models.doc())
    list(explain_predictions(models.functional(), np.concatenate([models.doc()] * 3)))
    assert not made
    assert expl.image is None  # which is what the stand-in makes
    assert len(made) == 1


def test_a_changed_model_is_looked_at_again():
    model, doc = models.functional(), models.doc()
    explain_prediction(model, doc, targets=0, logits=False)
    model.get_layer("head").activation = keras.activations.linear
    found = explain_prediction(model, doc, targets=0, logits=False).targets[0]
    assert found.score == pytest.approx(float(model(doc)[0, 0]), rel=1e-5)
    assert found.proba is None


@pytest.mark.parametrize("change", ["lora", "quantize"])
def test_so_is_one_whose_layers_compute_otherwise(change):
    model, doc = models.functional(), models.doc()
    explain_prediction(model, doc, targets=0)
    if change == "lora":
        head = model.get_layer("head")
        head.enable_lora(2)
        head.lora_kernel_b.assign(np.full(head.lora_kernel_b.shape, 3.0))
    else:
        model.quantize("int8")
    found = explain_prediction(model, doc, targets=0).targets[0]
    assert found.proba == pytest.approx(float(model(doc)[0, 0]), rel=1e-5)


def test_new_weights_are_used_at_once():
    model, doc = models.functional(), models.doc()
    explain_prediction(model, doc, targets=0)
    model.set_weights([w + 0.1 for w in model.get_weights()])
    found = explain_prediction(model, doc, targets=0).targets[0]
    assert found.proba == pytest.approx(float(model(doc)[0, 0]), rel=1e-5)


@pytest.mark.parametrize("build", models.BUILDS, ids=lambda build: build.__name__)
def test_a_deleted_model_is_freed(build):
    model = build()
    explain_prediction(model, models.doc())
    explain_prediction(model, models.doc(), targets=[0, 1], layer="first")
    gone, identity = weakref.ref(model), id(model)
    assert identity in base.cache._shelves
    del model
    gc.collect()
    assert gone() is None
    assert identity not in base.cache._shelves


def test_so_is_one_that_its_own_targets_hold():
    class Margin:
        def __init__(self, model):
            self.model = model

        def __call__(self, outputs):
            return outputs[:, 0] - outputs[:, 1]

        def negated(self, outputs):
            return -self(outputs)

    model = models.functional()
    margin = Margin(model)
    explain_prediction(model, models.doc(), targets=margin)
    explain_prediction(model, models.doc(), targets=margin.negated)
    explain_prediction(model, models.doc(), targets=functools.partial(margin.negated))
    gone = weakref.ref(model)
    del model, margin
    gc.collect()
    assert gone() is None


def second_unit():
    return lambda outputs: outputs[:, 1]


def test_a_function_made_anew_in_a_loop_is_traced_once(monkeypatch):
    model, traced = models.functional(), []
    compile_ = backend.ENGINE.compile
    monkeypatch.setattr(
        backend.ENGINE,
        "compile",
        lambda self, *arguments: traced.append(1) or compile_(self, *arguments),
    )
    for i in range(5):
        explain_prediction(model, models.doc(i), targets=second_unit())
    assert len(traced) == 1


def test_nor_is_the_first_of_them_missed_where_more_docs_are_traced_anew(monkeypatch):
    model, sizes = models.functional(), []
    explain_prediction(model, models.doc(), targets=second_unit())
    gc.collect()
    explain = batches.explain
    monkeypatch.setattr(
        batches,
        "explain",
        lambda explainer, docs, *rest: sizes.append(len(docs)) or explain(explainer, docs, *rest),
    )
    docs = np.concatenate([models.doc(i) for i in range(7)])
    list(explain_predictions(model, docs, targets=second_unit()))
    assert sizes == [7]  # and not doc by doc, as after a failure


def test_one_record_does_not_keep_its_batch():
    docs = np.concatenate([models.doc(i) for i in range(8)])
    target = next(explain_predictions(models.functional(), docs)).targets[0]
    assert target.map.base is None


def test_who_wraps_layers_meanwhile_keeps_the_wrapper():
    from explainkit.estimators.calls import NamedObservation, ObservedCalls

    original = keras.Layer.__call__
    with ObservedCalls(keras.Layer).by(NamedObservation(lambda call: call.output)):
        ours = keras.Layer.__call__

        def theirs(layer, *args, **kwargs):
            return ours(layer, *args, **kwargs)

        keras.Layer.__call__ = theirs
    assert keras.Layer.__call__ is theirs
    explain_prediction(models.functional(), models.doc())
    assert keras.Layer.__call__ is theirs
    keras.Layer.__call__ = original


def test_a_document_changed_afterwards_does_not_change_its_picture():
    model, doc = models.functional(), models.doc()
    expl = explain_prediction(model, doc)
    expected = explain_prediction(model, doc.copy()).image
    doc[...] = 0
    assert expl.image == expected


@pytest.mark.slow
def test_a_thousand_explanations_do_not_grow_memory():
    code = """
        import psutil, numpy as np
        from explainkit import explain_prediction
        from tests.estimators import models
        model, process = models.functional(), psutil.Process()
        for i in range(100):
            explain_prediction(model, models.doc(i))
        before = process.memory_info().rss
        for i in range(1000):
            explain_prediction(model, models.doc(i), targets=i % 4)
        print((process.memory_info().rss - before) / 1e6)
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert float(ran.stdout) < 20
