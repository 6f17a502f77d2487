"""Questions of every kind, asked of Keras models on any backend, and answered by arithmetic.

The features are those of the model, cut off for the test's own use; what follows them is
written out in numpy, in float64, and differentiated by differences.
"""

from functools import lru_cache

import keras
import numpy as np
import pytest
from keras import layers, ops

from explainkit import explain_prediction
from explainkit.methods.heatmap import heatmap_of

SIZE = 12
WORDS = 40


def numbers(tensor):
    return ops.convert_to_numpy(tensor).astype(np.float64)


def doc(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=(1, *shape)).astype(np.float32)


def words(length, seed=0):
    return np.random.default_rng(seed).integers(1, WORDS, (1, length)).astype(np.int32)


def cut(model, name, docs):
    """Say what a layer gives for a batch of one, without the axis of docs."""
    inputs = model.inputs if len(model.inputs) > 1 else model.inputs[0]
    if isinstance(docs, dict):
        inputs = dict(zip(docs, inputs, strict=True))
    return numbers(keras.Model(inputs, model.get_layer(name).output)(docs))[0]


@lru_cache(maxsize=8)
def weights(model, name):
    return [array.astype(np.float64) for array in model.get_layer(name).get_weights()]


def dense(model, name, x):
    kernel, bias = weights(model, name)
    return x @ kernel + bias


def pooled(features):
    return features.mean(tuple(range(features.ndim - 1)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gradient(score, features, step=1e-4):
    found = np.empty_like(features)
    for place in np.ndindex(features.shape):
        ends = []
        for sign in (1, -1):
            moved = features.copy()
            moved[place] += sign * step
            ends.append(score(moved))
        found[place] = (ends[0] - ends[1]) / (2 * step)
    return found


def check(answer, features, score):
    """Compare what is said of one target with Grad-CAM of its definition."""
    assert answer.score == pytest.approx(score(features), rel=1e-4, abs=1e-5)
    expected = features @ pooled(gradient(score, features))
    assert answer.map.shape == features.shape[:-1]
    tolerance = 1e-4 * abs(expected).max()
    assert tolerance > 0
    np.testing.assert_allclose(answer.map, expected, atol=tolerance)
    np.testing.assert_allclose(answer.heatmap, heatmap_of(expected), atol=1e-2)


def of_pictures(*head):
    """A network whose features, of 10 x 10 cells, are the layer "last"."""
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3), name="image"),
            layers.Conv2D(5, 3, activation="tanh", name="last"),
            *head,
        ]
    )


# One score in a row


def test_regression():
    model = of_pictures(layers.GlobalAveragePooling2D(), layers.Dense(1, name="head"))
    picture = doc(SIZE, SIZE, 3)
    expl = explain_prediction(model, picture)
    assert expl.is_regression
    [answer] = expl.targets
    assert answer.proba is None
    check(answer, cut(model, "last", picture), lambda f: dense(model, "head", pooled(f))[0])


def test_several_labels_at_once():
    head = layers.Dense(4, activation="sigmoid", name="head")
    model = of_pictures(layers.GlobalAveragePooling2D(), head)
    picture = doc(SIZE, SIZE, 3)
    names = ["cat", "dog", "indoors", "night"]
    expl = explain_prediction(model, picture, targets=["cat", "indoors"], target_names=names)
    assert not expl.is_regression
    features = cut(model, "last", picture)
    for answer, unit in zip(expl.targets, (0, 2), strict=True):
        assert (answer.target, answer.label) == (unit, names[unit])
        assert answer.proba == pytest.approx(sigmoid(answer.score), abs=1e-5)
        check(answer, features, lambda f, unit=unit: dense(model, "head", pooled(f))[unit])


def test_several_outputs():
    image = keras.Input((SIZE, SIZE, 3), name="image")
    both = layers.Conv2D(5, 3, activation="tanh", name="last")(image)
    both = layers.GlobalAveragePooling2D()(both)
    model = keras.Model(
        image,
        {
            "kind": layers.Dense(3, activation="softmax", name="kind")(both),
            "box": layers.Dense(4, activation="tanh", name="box")(both),
        },
    )
    picture = doc(SIZE, SIZE, 3)
    expl = explain_prediction(model, picture, targets=[("kind", 2), ("box", 1)])
    features = cut(model, "last", picture)
    kind, box = expl.targets
    assert (kind.target, box.target) == (("kind", 2), ("box", 1))
    check(kind, features, lambda f: dense(model, "kind", pooled(f))[2])
    check(box, features, lambda f: np.tanh(dense(model, "box", pooled(f))[1]))


# A picture and a question about it


def answering(form, reading):
    image = keras.Input((SIZE, SIZE, 3), name="image")
    question = keras.Input((6,), dtype="int32", name="question")
    seen = layers.Conv2D(4, 3, activation="relu")(image)
    seen = layers.Conv2D(5, 3, activation="tanh", name="last")(seen)
    asked = reading()(layers.Embedding(WORDS, 5)(question))
    asked = layers.Dense(5, activation="tanh", name="asked")(asked)
    both = layers.Multiply()([layers.GlobalAveragePooling2D()(seen), asked])
    answer = layers.Dense(4, activation="softmax", name="head")(both)
    inputs = [image, question] if form is list else {"image": image, "question": question}
    return keras.Model(inputs, answer, name="answering")


READING = {"gru": lambda: layers.GRU(5), "mean": layers.GlobalAveragePooling1D}


@pytest.mark.parametrize("form", [list, dict])
@pytest.mark.parametrize("reading", READING)
def test_a_question_about_a_picture(form, reading):
    model = answering(form, READING[reading])
    picture = doc(SIZE, SIZE, 3)
    maps = []
    for seed in (0, 1):
        pair = [picture, words(6, seed)]
        docs = pair if form is list else {"image": pair[0], "question": pair[1]}
        expl = explain_prediction(model, docs, targets=2)
        assert expl.layer == "last"
        asked, features = cut(model, "asked", docs), cut(model, "last", docs)
        assert features.shape[:2] == (8, 8)
        check(
            expl.targets[0],
            features,
            lambda f, asked=asked: dense(model, "head", pooled(f) * asked)[2],
        )
        maps.append(expl.targets[0].map)
    # The same cells whatever is asked, but not the same heat.
    assert maps[0].shape == maps[1].shape
    assert not np.allclose(maps[0], maps[1])


@pytest.mark.parametrize("form", [list, dict])
def test_the_picture_shown_is_the_one_asked_about(form):
    model = answering(form, READING["mean"])
    pair = [doc(SIZE, SIZE, 3), words(6)]
    docs = pair if form is list else {"image": pair[0], "question": pair[1]}
    assert explain_prediction(model, docs).image.size == (SIZE, SIZE)


# Outputs that are no row of units


def segmenting():
    return of_pictures(
        layers.Conv2D(4, 1, activation="tanh", name="mixed"),
        layers.Conv2D(3, 1, activation="softmax", name="classes"),
    )


def one_by_one(model, name, x):
    kernel, bias = weights(model, name)
    return x @ kernel[0, 0] + bias


def class_over_region(outputs):
    return ops.mean(outputs[:, 2:5, 3:7, 1], axis=(1, 2))


def test_segmentation():
    model = segmenting()
    picture = doc(SIZE, SIZE, 3)
    expl = explain_prediction(model, picture, targets=class_over_region, layer="last")
    [answer] = expl.targets
    assert answer.target == "class_over_region"

    def score(features):
        mixed = np.tanh(one_by_one(model, "mixed", features))
        return one_by_one(model, "classes", mixed)[2:5, 3:7, 1].mean()

    check(answer, cut(model, "last", picture), score)


def test_segmentation_of_a_region_does_not_look_beyond_it():
    model = segmenting()
    picture = doc(SIZE, SIZE, 3)
    elsewhere = doc(SIZE, SIZE, 3, seed=1)
    elsewhere[:, 2:7, 3:9] = picture[:, 2:7, 3:9]  # what the region's cells are made of
    first, second = (
        explain_prediction(model, one, targets=class_over_region, layer="last").targets[0]
        for one in (picture, elsewhere)
    )
    assert first.score == pytest.approx(second.score, abs=1e-5)
    inside = (slice(2, 5), slice(3, 7))
    np.testing.assert_allclose(first.map[inside], second.map[inside], atol=1e-6)
    assert not np.allclose(first.map, second.map, atol=1e-6)


def test_segmentation_without_a_layer_takes_the_last_map_before_the_scores():
    expl = explain_prediction(segmenting(), doc(SIZE, SIZE, 3), targets=class_over_region)
    assert expl.layer == "mixed"
    assert expl.targets[0].map.shape == (10, 10)


def test_segmentation_asks_for_a_callable():
    with pytest.raises(ValueError, match="give targets= a callable from the outputs to a score"):
        explain_prediction(segmenting(), doc(SIZE, SIZE, 3), targets=1)


def detecting(boxes=6, classes=3):
    image = keras.Input((SIZE, SIZE, 3), name="image")
    seen = layers.Conv2D(5, 3, strides=2, activation="tanh", name="last")(image)
    seen = layers.Flatten()(seen)
    places = layers.Dense(boxes * 4, name="places")(seen)
    scores = layers.Dense(boxes * classes, name="rows")(seen)
    return keras.Model(
        image,
        {
            "boxes": layers.Reshape((boxes, 4))(places),
            "scores": layers.Activation("sigmoid")(layers.Reshape((boxes, classes))(scores)),
        },
        name="detecting",
    )


def test_detection():
    model = detecting()
    picture = doc(SIZE, SIZE, 3)
    targets = [lambda y: y["scores"][:, 4, 2], lambda y: y["boxes"][:, 4, 0]]
    expl = explain_prediction(model, picture, targets=targets, layer="last")
    features = cut(model, "last", picture)
    score, edge = expl.targets
    check(score, features, lambda f: dense(model, "rows", f.reshape(-1)).reshape(6, 3)[4, 2])
    check(edge, features, lambda f: dense(model, "places", f.reshape(-1)).reshape(6, 4)[4, 0])


def captioning(steps=4):
    return of_pictures(
        layers.GlobalAveragePooling2D(),
        layers.RepeatVector(steps),
        layers.SimpleRNN(7, return_sequences=True, name="telling"),
        layers.Dense(WORDS, activation="softmax", name="vocabulary"),
    )


@pytest.mark.parametrize("step", [0, 3])
def test_one_word_of_a_caption(step):
    model = captioning()
    picture = doc(SIZE, SIZE, 3)
    expl = explain_prediction(model, picture, targets=lambda y: y[:, step, 17], layer="last")

    def score(features):
        kernel, recurrent, bias = weights(model, "telling")
        state, seen = np.zeros(7), pooled(features)
        for _ in range(step + 1):
            state = np.tanh(seen @ kernel + state @ recurrent + bias)
        return dense(model, "vocabulary", state)[17]

    check(expl.targets[0], cut(model, "last", picture), score)


# What is no picture


def classifier(pooling, name="hidden"):
    return [
        pooling,
        layers.Dense(6, activation="tanh", name=name),
        layers.Dense(3, activation="softmax", name="head"),
    ]


def score_of(model, unit):
    def score(features):
        return dense(model, "head", np.tanh(dense(model, "hidden", pooled(features))))[unit]

    return score


def test_signal():
    model = keras.Sequential(
        [
            keras.Input((40, 2)),
            layers.Conv1D(5, 5, activation="relu"),
            layers.MaxPooling1D(),
            layers.Conv1D(6, 3, activation="tanh", name="last"),
            *classifier(layers.GlobalAveragePooling1D()),
        ]
    )
    signal = doc(40, 2)
    expl = explain_prediction(model, signal, targets=[0, 1])
    assert expl.layer == "last"
    assert expl.targets[0].heatmap.shape == (16,)
    for unit, answer in enumerate(expl.targets):
        check(answer, cut(model, "last", signal), score_of(model, unit))
    assert "image/png" not in expl._repr_mimebundle_()


def test_text():
    model = keras.Sequential(
        [
            keras.Input((9,), dtype="int32"),
            layers.Embedding(WORDS, 5),
            layers.Conv1D(6, 3, padding="same", activation="tanh", name="last"),
            *classifier(layers.GlobalAveragePooling1D()),
        ]
    )
    text = words(9)
    expl = explain_prediction(model, text, targets=1)
    assert expl.layer == "last"
    assert expl.targets[0].heatmap.shape == (9,)  # one number for each word
    assert expl.image is None
    check(expl.targets[0], cut(model, "last", text), score_of(model, 1))


def test_volume():
    model = keras.Sequential(
        [
            keras.Input((6, 7, 8, 1)),
            layers.Conv3D(3, 3, activation="tanh", name="last"),
            *classifier(layers.GlobalAveragePooling3D()),
        ]
    )
    volume = doc(6, 7, 8, 1)
    expl = explain_prediction(model, volume, targets=2)
    assert expl.targets[0].heatmap.shape == (4, 5, 6)
    check(expl.targets[0], cut(model, "last", volume), score_of(model, 2))
    assert "image/png" not in expl._repr_mimebundle_()


# Tokens that nothing else says the grid of


@pytest.mark.parametrize("given", ["grid", "callable"])
def test_tokens_of_a_grid_that_somebody_says(given):
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Conv2D(5, 3, strides=(2, 3), padding="same", activation="tanh"),
            layers.Reshape((24, 5)),
            layers.Dense(4, activation="tanh", name="tokens"),
            *classifier(layers.GlobalAveragePooling1D()),
        ]
    )
    picture = doc(SIZE, SIZE, 3)
    reshape = (6, 4) if given == "grid" else lambda y: ops.reshape(y, (-1, 6, 4, 4))
    expl = explain_prediction(model, picture, targets=0, layer="tokens", reshape=reshape)
    features = cut(model, "tokens", picture).reshape(6, 4, 4)
    check(expl.targets[0], features, score_of(model, 0))
