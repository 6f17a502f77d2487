"""Models of unusual shape: branches, heads, attention, many inputs, functions within."""

from collections import OrderedDict

import keras
import numpy as np
import pytest
from keras import layers

import explainkit
from explainkit import explain_prediction, explain_predictions

from . import backend, models

DOC = models.doc()
POOL = layers.GlobalAveragePooling2D


def two_branches():
    inputs = keras.Input((16, 16, 3))
    stem = layers.Conv2D(4, 3, activation="tanh", name="stem")(inputs)
    other = layers.Conv2D(4, 3, activation="tanh", name="b")(stem)
    main = layers.Conv2D(4, 3, activation="tanh", name="a")(stem)
    heads = {
        "main": layers.Dense(3, activation="softmax")(POOL()(main)),
        "other": layers.Dense(3, activation="softmax")(POOL()(other)),
    }
    return keras.Model(inputs, heads)


def test_the_layer_chosen_is_one_that_leads_to_the_score():
    model = two_branches()
    assert explain_prediction(model, DOC).layer == "a"
    assert explain_prediction(model, DOC, targets=("other", 0)).layer == "b"
    both = explain_prediction(model, DOC, targets=[("other", 0), ("main", 1)])
    assert both.layer == "stem"


def test_an_auxiliary_output_of_pixels_is_not_where_the_classes_come_from():
    inputs = keras.Input((16, 16, 3))
    features = layers.Conv2D(4, 3, padding="same", activation="tanh", name="features")(inputs)
    classes = layers.Dense(3, activation="softmax", name="classes")(POOL()(features))
    pixels = layers.Conv2D(1, 1, activation="sigmoid", name="pixels")(features)
    expl = explain_prediction(keras.Model(inputs, [pixels, classes]), DOC)
    assert expl.layer == "features"
    assert expl.targets[0].target[0] == "classes"


def test_a_segmentation_is_explained_before_its_last_layer():
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(4, 3, padding="same", activation="tanh", name="features"),
            layers.Conv2D(2, 1, activation="softmax", name="pixels"),
        ]
    )

    def upper_half(outputs):
        return keras.ops.mean(outputs[:, :8, :, 1], axis=(1, 2))

    expl = explain_prediction(model, DOC, targets=upper_half)
    assert expl.layer == "features"
    assert expl.targets[0].heatmap.shape == (16, 16)


def test_what_is_inside_attention_is_no_map():
    inputs = keras.Input((16, 16, 3))
    tokens = layers.Conv2D(8, 3, strides=2, activation="tanh", name="patches")(inputs)
    flat = layers.Reshape((49, 8))(tokens)
    mixed = layers.MultiHeadAttention(2, 4)(flat, flat)
    outputs = layers.Dense(3)(layers.GlobalAveragePooling1D()(mixed))
    assert explain_prediction(keras.Model(inputs, outputs), DOC).layer == "patches"


class Outputs(keras.Model):
    """Its outputs are made by a function of the pooled features."""

    def __init__(self, make):
        super().__init__()
        self.make = make
        self.features = layers.Conv2D(4, 3, activation="tanh", name="features")
        self.one = layers.Dense(3, name="one")
        self.two = layers.Dense(3, name="two")

    def call(self, x):
        pooled = keras.ops.mean(self.features(x), axis=(1, 2))
        return self.make(self.one(pooled), self.two(pooled))


def test_outputs_in_an_ordered_dict_keep_their_names():
    model = Outputs(lambda one, two: OrderedDict(z=one, a=two))
    outputs = model(DOC)
    for name in ("z", "a"):
        [found] = explain_prediction(model, DOC, targets=(name, 1)).targets
        assert found.score == pytest.approx(float(outputs[name][0, 1]), rel=1e-4)


def test_outputs_that_are_no_scores_are_left_alone():
    def make(one, two):
        return one, None, keras.ops.cast(keras.ops.argmax(two, axis=1), "int32"), two

    model = Outputs(make)
    one, _, _, two = model(DOC)
    first, last = explain_prediction(model, DOC, targets=[(0, 2), (3, 1)]).targets
    assert first.score == pytest.approx(float(one[0, 2]), rel=1e-4)
    assert last.score == pytest.approx(float(two[0, 1]), rel=1e-4)
    with pytest.raises(ValueError, match="holds no real numbers"):
        explain_prediction(model, DOC, targets=(2, 0))


def test_two_outputs_of_one_head_have_names_of_their_own():
    inputs = keras.Input((16, 16, 3))
    pooled = POOL()(layers.Conv2D(4, 3, activation="tanh")(inputs))
    head = layers.Dense(4, name="head")
    model = keras.Model(inputs, [head(pooled), head(-pooled)])
    names = [t.target for t in explain_prediction(model, DOC, targets=[(0, 1), (1, 1)]).targets]
    assert names == [("head#0", 1), ("head#1", 1)]


def siamese():
    left, right = keras.Input((16, 16, 3), name="left"), keras.Input((12, 12, 3), name="right")
    convolution = layers.Conv2D(4, 3, activation="tanh", name="c")
    joined = layers.Concatenate()([POOL()(convolution(left)), POOL()(convolution(right))])
    return keras.Model({"left": left, "right": right}, layers.Dense(2)(joined))


@pytest.mark.parametrize("names", [("left", "right"), ("right", "left")])
def test_the_picture_is_of_the_input_that_the_heatmap_is_of(names):
    docs = {"left": models.doc(), "right": models.doc(1, (12, 12, 3))}
    doc = {name: docs[name] for name in names}
    model = siamese()
    for application in (0, 1):
        expl = explain_prediction(model, doc, targets=0, layer=("c", application))
        # An unpadded 3 by 3 convolution takes one pixel from each side.
        assert expl.image.size == tuple(size + 2 for size in expl.targets[0].heatmap.shape)


def test_a_doc_that_the_model_itself_turns_round_has_a_picture():
    model = keras.Sequential(
        [keras.Input((3, 16, 16)), layers.Permute((2, 3, 1)), *models.body()[:-1], layers.Dense(2)]
    )
    assert explain_prediction(model, DOC.transpose(0, 3, 1, 2)).image.size == (16, 16)


def test_subclassed_models_may_take_lists():
    class Pair(keras.Model):
        def __init__(self):
            super().__init__()
            self.features = layers.Conv2D(4, 3, activation="tanh", name="features")
            self.head = layers.Dense(2)

        def call(self, inputs):
            picture, hint = inputs
            return self.head(keras.ops.mean(self.features(picture), axis=(1, 2)) + hint)

    hint = np.ones((1, 4), np.float32)
    assert explain_prediction(Pair(), [DOC, hint]).layer == "features"
    assert len(list(explain_predictions(Pair(), [[DOC, hint], [DOC, hint]]))) == 2


@backend.not_on_torch
def test_a_model_that_hides_in_a_compiled_function_says_so():
    class Hidden(keras.Model):
        def __init__(self):
            super().__init__()
            self.features = layers.Conv2D(4, 3, name="features")

        def call(self, x):
            hidden = backend.compiled(lambda x: keras.ops.mean(self.features(x), axis=(1, 2)))
            return keras.ops.softmax(hidden(x))

    with pytest.raises(ValueError, match="has no layer whose output has spatial axes"):
        explain_prediction(Hidden(), DOC)


@pytest.mark.skipif(
    backend.NAME == "jax",
    reason="JAX has no double precision unless it is switched on for the whole process",
)
def test_doubles_are_fused_too():
    keras.config.set_dtype_policy("float64")
    try:
        model = models.functional()
    finally:
        keras.config.set_dtype_policy("float32")
    expl = explain_prediction(model, DOC.astype(np.float64), layer=["first", "last"], targets=0)
    assert expl.targets[0].map.dtype == np.float64
    assert expl.targets[0].heatmap.dtype == np.float32


@pytest.mark.parametrize("behind", ["cast", "reshape"])
def test_the_logits_layer_is_found_behind_casts_and_reshapes(behind):
    first = models.body()[:-1]
    if behind == "cast":
        policy = keras.DTypePolicy("mixed_float16")
        tail = [
            layers.Dense(4, dtype=policy, name="logits"),
            layers.Activation("softmax", dtype="float32"),
        ]
    else:
        tail = [layers.Dense(4, name="logits"), layers.Softmax(), layers.Reshape((4,))]
    model = keras.Sequential([keras.Input((16, 16, 3)), *first, *tail])
    assert explainkit.inspection.get_logits_layer(model).name == "logits"
    found = explain_prediction(model, DOC, targets=1).targets[0]
    assert found.score != found.proba == pytest.approx(float(model(DOC)[0, 1]), rel=1e-2)


def test_whole_numbers_are_given_as_such():
    model = keras.Sequential(
        [keras.Input((16, 16, 3), dtype="uint8"), layers.Rescaling(1 / 255), *models.body()]
    )
    levels = np.random.default_rng(0).integers(0, 256, DOC.shape)
    one = explain_prediction(model, levels.astype(np.uint8), targets=0)
    other = explain_prediction(model, levels.astype(np.float32), targets=0)
    assert one.targets[0].score == other.targets[0].score
    with pytest.raises(ValueError, match="fractions or numbers out of range.*takes uint8"):
        explain_prediction(model, DOC)
    with pytest.raises(ValueError, match="NaN or infinite"):
        explain_prediction(model, DOC * np.nan)


def test_values_for_the_variables_may_be_given_to_programs(monkeypatch):
    # As engines need that take a model's variables for constants when they compile.
    model = models.functional()
    expected = explain_prediction(model, DOC, targets=0).targets[0]
    monkeypatch.setattr(backend.ENGINE, "reads_variables", False)
    copy = models.functional()
    copy.set_weights(model.get_weights())
    for factor in (1, 2):
        copy.get_layer("head").set_weights(
            [w * factor for w in model.get_layer("head").get_weights()]
        )
        found = explain_prediction(copy, DOC, targets=0).targets[0]
        assert found.score == pytest.approx(factor * expected.score, rel=1e-4)
