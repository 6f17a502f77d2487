"""Keras models as they come: every build, every way to name a layer and a target."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image

import explainkit
from explainkit import ExplanationWarning, explain_prediction

from . import models, oracle


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(7)


def flattened(model):
    return {layer.name: layer for layer in model._flatten_layers(include_self=False)}


# Right


@pytest.mark.parametrize("build", models.BUILDS, ids=lambda build: build.__name__)
@pytest.mark.parametrize("target", [0, 3])
def test_maps_scores_and_probabilities_are_those_of_the_definition(build, target):
    model, doc = build(), models.doc()
    expl = explain_prediction(model, doc, targets=target)
    parts = flattened(model)
    # The features, by running the layers one by one.
    features = doc
    if "middle" in parts:
        features = parts["backbone"](features)
    elif build is models.subclassed:
        features = parts["last"](keras.ops.tanh(parts["first"](features)))
    else:
        for name in ("first", "max_pooling2d", "last"):
            found = next(part for part in parts if part.startswith(name))
            features = parts[found](features)
    head = oracle.pooling_head(parts["head"])
    through = (lambda f: head(tf.tanh(f))) if build is models.subclassed else head
    score, map_ = oracle.gradcam(features[0], through, target)

    [found] = expl.targets
    assert found.target == target
    assert found.score == pytest.approx(score, rel=1e-4, abs=1e-5)
    np.testing.assert_allclose(found.map, map_, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(
        found.heatmap, np.maximum(map_, 0) / map_.max(), rtol=1e-3, atol=1e-4
    )
    # The subclassed model drops when it trains, which is its own default.
    output = model(doc, training=False) if build is models.subclassed else model(doc)
    assert found.proba == pytest.approx(float(output[0, target]), rel=1e-4)


@pytest.mark.parametrize("target", [0, 2])
def test_without_logits_the_gradient_is_of_the_probability(target):
    model, doc = models.sequential(), models.doc()
    [found] = explain_prediction(model, doc, targets=target, logits=False).targets
    features = model.layers[2](model.layers[1](model.layers[0](doc)))
    dense = oracle.pooling_head(model.layers[-1])
    score, map_ = oracle.gradcam(features[0], lambda f: tf.nn.softmax(dense(f)), target)
    assert found.score == found.proba == pytest.approx(score, rel=1e-5)
    np.testing.assert_allclose(found.map, map_, rtol=1e-3, atol=1e-7)


def test_the_class_map_of_a_pooling_head_is_cam():
    # On pooling + dense heads, Grad-CAM is CAM over the number of cells.
    model, doc = models.functional(), models.doc()
    [found] = explain_prediction(model, doc, targets=1).targets
    features = models.said(keras.Model(model.input, model.get_layer("last").output), doc)[0]
    kernel = model.get_layer("head").get_weights()[0]
    cells = features.shape[0] * features.shape[1]
    np.testing.assert_allclose(found.map, features @ kernel[:, 1] / cells, atol=1e-6)


def test_a_counterfactual_negates_the_map():
    model, doc = models.functional(), models.doc()
    plain = explain_prediction(model, doc, targets=1).targets[0]
    against = explain_prediction(model, doc, targets=1, counterfactual=True).targets[0]
    np.testing.assert_allclose(against.map, -plain.map, rtol=1e-5)
    assert against.score == plain.score


def test_the_top_classes_come_highest_first():
    model, doc = models.functional(), models.doc()
    probas = models.said(model, doc)[0]
    expl = explain_prediction(model, doc, top_targets=3)
    assert [t.target for t in expl.targets] == np.argsort(-probas)[:3].tolist()


def test_targets_do_not_change_each_others_maps():
    model, doc = models.functional(), models.doc()
    together = explain_prediction(model, doc, targets=[2, 0, 1])
    for found in together.targets:
        alone = explain_prediction(model, doc, targets=found.target).targets[0]
        np.testing.assert_allclose(found.map, alone.map, rtol=1e-4, atol=1e-7)
        assert found.score == pytest.approx(alone.score, rel=1e-5)


def test_channels_first_gives_what_channels_last_gives():
    last = models.sequential()
    first = keras.Sequential(
        [keras.Input((3, models.SIZE, models.SIZE)), *models.body(data_format="channels_first")]
    )
    first.set_weights(last.get_weights())
    doc = models.doc()
    one = explain_prediction(last, doc, targets=[0, 1])
    other = explain_prediction(first, doc.transpose(0, 3, 1, 2), targets=[0, 1])
    for a, b in zip(one.targets, other.targets, strict=True):
        np.testing.assert_allclose(a.map, b.map, rtol=1e-4, atol=1e-6)
    assert other.image.size == (models.SIZE, models.SIZE)
    assert other.image == one.image


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("logits", [True, False])
def test_mixed_precision_agrees_with_full(policy, logits):
    full = models.sequential()
    keras.config.set_dtype_policy(policy)
    try:
        mixed = models.sequential()
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(full.get_weights())
    doc = models.doc()
    for a, b in zip(
        explain_prediction(full, doc, targets=[0, 1], logits=logits).targets,
        explain_prediction(mixed, doc, targets=[0, 1], logits=logits).targets,
        strict=True,
    ):
        assert b.map.dtype == np.float32
        scale = np.abs(a.map).max()
        np.testing.assert_allclose(a.map / scale, b.map / scale, atol=0.05)
        assert a.score == pytest.approx(b.score, abs=0.02)


def test_the_same_model_three_deep_gives_the_same_heatmap():
    flat = models.functional()
    middle = keras.Sequential(
        [keras.Input((models.SIZE, models.SIZE, 3)), layers.Rescaling(0.5), flat], name="middle"
    )
    deep = keras.Sequential(
        [keras.Input((models.SIZE, models.SIZE, 3)), layers.Rescaling(2.0), middle], name="outer"
    )
    doc = models.doc()
    one, other = explain_prediction(flat, doc), explain_prediction(deep, doc)
    assert other.layer == "middle/functional/last"
    np.testing.assert_allclose(one.targets[0].heatmap, other.targets[0].heatmap, atol=1e-5)


# Layers


def test_the_layer_is_given_by_name_path_index_instance_or_end_of_path():
    model, doc = models.nested_three_deep(), models.doc()
    backbone = model.get_layer("middle").get_layer("backbone")
    for layer, path in [
        ("first", "middle/backbone/first"),
        ("backbone/first", "middle/backbone/first"),
        ("middle/backbone/first", "middle/backbone/first"),
        (backbone.get_layer("first"), "middle/backbone/first"),
        (1, "middle"),
        ("backbone", "middle/backbone"),
        (backbone, "middle/backbone"),
    ]:
        assert explain_prediction(model, doc, layer=layer).layer == path


def test_a_container_gives_what_its_last_layer_gives():
    model, doc = models.nested_three_deep(), models.doc()
    inner = explain_prediction(model, doc, targets=0)
    outer = explain_prediction(model, doc, targets=0, layer="middle")
    np.testing.assert_array_equal(inner.targets[0].map, outer.targets[0].map)


def shared_twice():
    inputs = keras.Input((8, 8, 3))
    twice = layers.Conv2D(3, 3, padding="same", activation="tanh", name="twice")
    pooled = layers.GlobalAveragePooling2D()(twice(twice(inputs)))
    return keras.Model(inputs, layers.Dense(2)(pooled))


@pytest.mark.parametrize(
    ("layer", "application"),
    [("twice#0", 0), (("twice", 0), 0), ("twice#1", 1), ("twice", 1), (None, 1)],
)
@pytest.mark.parametrize("as_instance", [False, True])
def test_which_application_of_a_shared_layer_can_be_said(layer, application, as_instance):
    model, doc = shared_twice(), models.doc(shape=(8, 8, 3))
    twice, dense = model.get_layer("twice"), model.layers[-1]
    if as_instance and isinstance(layer, tuple):
        layer = (twice, layer[1])
    expl = explain_prediction(model, doc, targets=1, layer=layer)
    assert expl.layer == f"twice#{application}"

    head, again = oracle.pooling_head(dense), oracle.convolution(twice)
    if application:
        features, behind = twice(twice(doc)), head
    else:
        features, behind = twice(doc), lambda features: head(again(features))
    _, map_ = oracle.gradcam(features[0], behind, 1)
    np.testing.assert_allclose(expl.targets[0].map, map_, rtol=1e-3, atol=1e-6)


def test_several_layers_are_fused():
    model, doc = models.functional(), models.doc()
    first = explain_prediction(model, doc, targets=1, layer="first").targets[0].map
    last = explain_prediction(model, doc, targets=1, layer="last").targets[0].map
    fused = explain_prediction(model, doc, targets=1, layer=["last", "first"])
    assert fused.layer == "last + first"
    enlarged = Image.fromarray(last / np.abs(last).max()).resize(
        first.shape[::-1], Image.Resampling.BILINEAR
    )
    expected = (np.asarray(enlarged) + first / np.abs(first).max()) / 2
    np.testing.assert_allclose(fused.targets[0].map, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "behind",
    [
        lambda: [layers.ZeroPadding2D()],
        lambda: [layers.Dropout(0.5), layers.ZeroPadding2D()],
        lambda: [layers.Dropout(0.5), layers.Cropping2D(1)],
        lambda: [layers.SpatialDropout2D(0.5), layers.Activation("linear")],
        lambda: [layers.MaxPooling2D()],
        lambda: [layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(3, 1)],
    ],
)
def test_layers_that_only_hand_on_are_not_chosen(behind):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="last"),
            *behind(),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    assert explainkit.inspection.find_layer(model).name == "last"


def test_a_residual_sum_is_chosen_though_it_is_an_operation_and_no_layer():
    inputs = keras.Input((8, 8, 3))
    branch = layers.Conv2D(4, 3, padding="same", name="branch")(inputs)
    summed = layers.Conv2D(4, 1, name="shortcut")(inputs) + branch
    outputs = layers.Dense(2)(layers.GlobalAveragePooling2D()(summed))
    model, doc = keras.Model(inputs, outputs), models.doc(shape=(8, 8, 3))
    expl = explain_prediction(model, doc, targets=0)
    assert explainkit.inspection.find_layer(model).output is summed
    features = models.said(keras.Model(inputs, summed), doc)[0]
    _, map_ = oracle.gradcam(features, oracle.pooling_head(model.layers[-1]), 0)
    np.testing.assert_allclose(expl.targets[0].map, map_, rtol=1e-3, atol=1e-6)


def test_the_last_in_order_of_execution_is_chosen_not_of_registration():
    class Backwards(keras.Model):
        def __init__(self):
            super().__init__()
            self.late = layers.Conv2D(3, 3, name="late")
            self.early = layers.Conv2D(3, 3, name="early")

        def call(self, x):
            return keras.ops.mean(self.late(self.early(x)), axis=(1, 2))

    assert explain_prediction(Backwards(), models.doc()).layer == "late"


# Targets


def test_a_target_is_given_in_every_form():
    model, doc = models.functional(), models.doc()
    names = ["ant", "bee", "cat", "dog"]
    for targets in (2, np.int64(2), [2], np.array([2]), "cat", ["cat"], np.array([[2]])):
        [found] = explain_prediction(model, doc, targets=targets, target_names=names).targets
        assert (found.target, found.label) == (2, "cat")
    expl = explain_prediction(model, doc, targets=[3, 0], target_names={0: "ant", 3: "dog"})
    assert [(t.target, t.label) for t in expl.targets] == [(3, "dog"), (0, "ant")]


def test_a_callable_is_given_the_scores_and_gives_its_own():
    model, doc = models.functional(), models.doc()

    def two_against_one(outputs):
        return outputs[:, 2] - outputs[:, 1]

    [found] = explain_prediction(model, doc, targets=two_against_one).targets
    one, two = explain_prediction(model, doc, targets=[1, 2]).targets
    assert (found.target, found.proba) == ("two_against_one", None)
    assert found.score == pytest.approx(two.score - one.score, abs=1e-5)
    np.testing.assert_allclose(found.map, two.map - one.map, atol=1e-6)


def test_a_single_sigmoid_has_two_classes():
    model, doc = models.functional(classes=1, activation="sigmoid"), models.doc()
    proba = float(model(doc)[0, 0])
    against, in_favour = explain_prediction(model, doc, targets=[0, 1]).targets
    assert in_favour.proba == pytest.approx(proba, rel=1e-5)
    assert against.proba == pytest.approx(1 - proba, rel=1e-5)
    assert against.score == pytest.approx(-in_favour.score)
    assert in_favour.score == pytest.approx(np.log(proba / (1 - proba)), rel=1e-4)
    np.testing.assert_allclose(against.map, -in_favour.map, rtol=1e-6)
    top = explain_prediction(model, doc).targets[0]
    assert top.target == int(proba > 0.5)


def test_sigmoids_of_several_labels_are_each_a_class():
    model, doc = models.functional(classes=3, activation="sigmoid"), models.doc()
    for unit, found in enumerate(explain_prediction(model, doc, targets=[0, 1, 2]).targets):
        assert found.proba == pytest.approx(float(model(doc)[0, unit]), rel=1e-5)
        assert found.score == pytest.approx(np.log(found.proba / (1 - found.proba)), rel=1e-3)


def test_one_linear_unit_is_a_regression():
    model, doc = models.functional(classes=1, activation=None), models.doc()
    expl = explain_prediction(model, doc)
    assert expl.is_regression
    assert (expl.targets[0].target, expl.targets[0].proba) == (0, None)
    assert expl.targets[0].score == pytest.approx(float(model(doc)[0, 0]), rel=1e-5)


def test_several_inputs_and_outputs():
    model = models.two_inputs_two_outputs()
    doc = {"image": models.doc(), "hint": np.ones((1, 3), np.float32)}
    outputs = models.said(model, doc)
    expl = explain_prediction(model, doc, targets=[("box", 2), ("kind", 1)])
    box, kind = expl.targets
    assert (box.target, kind.target) == (("box", 2), ("kind", 1))
    assert box.score == pytest.approx(float(outputs["box"][0, 2]), rel=1e-4)
    assert kind.proba == pytest.approx(float(outputs["kind"][0, 1]), rel=1e-4)
    assert expl.image.size == (models.SIZE, models.SIZE)
    # Classes are told apart by the softmax: that output is the default.
    top = explain_prediction(model, doc).targets[0].target
    assert top == ("kind", int(np.argmax(outputs["kind"])))


# Inspection


def test_spatial_layers_are_listed_with_paths_and_shapes():
    found = explainkit.inspection.spatial_layers(models.nested_three_deep())
    assert [(call.path, call.map_shape, call.kind) for call in found] == [
        ("middle/backbone/first", (14, 14), "Conv2D"),
        ("middle/backbone/last", (5, 5), "Conv2D"),
    ]


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (models.sequential, "head"),
        (models.separate_softmax, "head"),
        (models.nested_functional, "head"),
        (models.subclassed, "head"),
    ],
)
def test_the_logits_layer_is_the_one_that_works_the_scores_out(build, name):
    assert explainkit.inspection.get_logits_layer(build(), doc=models.doc()).name == name


def test_a_model_that_does_not_say_what_it_takes_needs_a_doc():
    with pytest.raises(ValueError, match="does not say what inputs it takes; give doc="):
        explainkit.inspection.spatial_layers(models.subclassed())
    assert explainkit.inspection.find_layer(models.subclassed(), doc=models.doc()).name == "last"


# Warnings


def test_a_blank_heatmap_is_zeros_and_said_so():
    model, doc = models.functional(), models.doc()
    head = model.get_layer("head")
    head.set_weights([np.zeros_like(w) for w in head.get_weights()])
    with pytest.warns(ExplanationWarning, match="nothing at layer 'last' speaks for target 0"):
        expl = explain_prediction(model, doc, targets=0)
    assert not expl.targets[0].heatmap.any()
