import numpy as np
import pytest

from explainkit.metrics import (
    AverageDrop,
    AverageGain,
    Deletion,
    Increase,
    UnmeasurableError,
    average_drop,
    average_gain,
    evaluate,
    increase,
)

from . import given
from .given import BASELINES, DOCS, TOPS, on_each_framework, shares_of

METHOD = "input_x_gradient"
NAMES = ["average_drop", "increase", "average_gain"]


def heatmap(row, target):
    positive = np.maximum(shares_of(DOCS[row], target), 0)
    return positive / positive.max()


def probabilities(row, activation="softmax", baseline=0.0, target=None):
    """Of the picture, and of what is left of it where it is hot."""
    target = TOPS[row] if target is None else target
    other = BASELINES[baseline](DOCS[row])
    weights = heatmap(row, target)[..., None]
    seen = weights * DOCS[row] + (1 - weights) * other
    scores = given.scores_of(np.stack([DOCS[row], seen]))
    return given.ACTIVATIONS[activation](scores)[:, target]


def expected(row, **more):
    before, after = probabilities(row, **more)
    return [
        max(0, before - after) / before,
        1.0 if after > before else 0.0,
        max(0, after - before) / (1 - before),
    ]


@on_each_framework
def test_they_compare_the_probabilities_worked_out_by_hand(framework):
    case = given.given(framework, "softmax")
    found = evaluate(case.model, case.docs, METHOD, NAMES, batch_size=3)
    values = np.stack([found.values(METHOD, name) for name in NAMES], axis=1)
    worked_out = [expected(row) for row in range(len(DOCS))]
    np.testing.assert_allclose(values, worked_out, rtol=0, atol=case.close)
    # Some rise, and some fall.
    assert 0 < values[:, 1].mean() <= 1


@pytest.mark.parametrize("baseline", list(BASELINES))
def test_another_baseline_may_be_seen_where_nothing_is_hot(baseline):
    case = given.given("keras", "softmax")
    metrics = [metric(baseline=baseline) for metric in (AverageDrop, Increase, AverageGain)]
    found = evaluate(case.model, case.docs, METHOD, metrics, targets=[1] * len(DOCS))
    values = np.stack([found.values(METHOD, name) for name in NAMES], axis=1)
    worked_out = [expected(row, baseline=baseline, target=1) for row in range(len(DOCS))]
    np.testing.assert_allclose(values, worked_out, rtol=0, atol=case.close)
    assert values.any()


def test_baselines_are_not_taken_for_each_other():
    case = given.given("keras", "softmax")
    against = -given.WEIGHTS[..., 3]
    baselines = [0.0, "mean", against, 2 * against]
    metrics = {str(i): AverageDrop(baseline=one) for i, one in enumerate(baselines)}
    found = evaluate(case.model, case.docs, METHOD, metrics, targets=3)
    for name, metric in metrics.items():
        alone = evaluate(case.model, case.docs, METHOD, metric, targets=3)
        np.testing.assert_array_equal(
            found.values(METHOD, name), alone.values(METHOD, "average_drop")
        )
    values = [found.values(METHOD, name) for name in metrics]
    assert (values[2] != values[3]).all()
    assert (values[0] != values[2]).any()


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_a_model_of_raw_scores_is_measured_as_one_with_the_activation_built_in(
    framework, activation
):
    raw, built_in = given.given(framework), given.given(framework, activation)
    # As for raw scores, the map is that of the score before the activation.
    metrics = [*NAMES, "deletion", "road_morf"]
    asked = {"targets": [0, 1, 2, 3, 0], "batch_size": 3}
    found = evaluate(raw.model, raw.docs, METHOD, metrics, activation=activation, **asked)
    other = evaluate(built_in.model, built_in.docs, METHOD, metrics, **asked)
    for name in metrics:
        np.testing.assert_allclose(
            found.values(METHOD, name), other.values(METHOD, name), rtol=0, atol=raw.close
        )
    for row, target in enumerate(asked["targets"]):
        worked_out = expected(row, activation=activation, target=target)
        assert found.values(METHOD, "average_drop")[row] == pytest.approx(
            worked_out[0], abs=raw.close
        )


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_a_single_sigmoid_gives_the_other_class_what_is_left(activation):
    keras = pytest.importorskip("keras")
    layers = keras.layers
    last = layers.Dense(1, activation=None if activation else "sigmoid")
    network = keras.Sequential([keras.Input((*given.SIZES, 3)), layers.Flatten(), last])
    network.set_weights([given.WEIGHTS[..., :1].reshape(-1, 1), given.BIASES[:1]])
    # A raw score is of the one class that there is.
    targets = [0] * len(DOCS) if activation else [0, 1, 1, 0, 1]
    asked = {"targets": targets, "activation": activation}
    found = evaluate(network, np.float32(DOCS), METHOD, "average_drop", **asked)
    for row, target in enumerate(targets):
        sign = 1 if target or activation else -1
        positive = np.maximum(sign * shares_of(DOCS[row], 0), 0)
        seen = DOCS[row] * (positive / positive.max())[..., None]
        scores = given.scores_of(np.stack([DOCS[row], seen]))[:, 0]
        before, after = given.sigmoid(sign * scores)
        assert found.values(METHOD, "average_drop")[row] == pytest.approx(
            max(0, before - after) / before, abs=1e-4
        )


@pytest.mark.parametrize("asked", ["softmax", "sigmoid"])
@pytest.mark.parametrize("name", ["average_drop", "deletion", "sparseness"])
def test_an_activation_that_is_built_in_is_not_applied_twice(name, asked):
    case = given.given("keras", "softmax")
    message = f"^activation='{asked}' was given, but .* makes probabilities itself, for target"
    with pytest.raises(ValueError, match=message + r" \d; leave it out$"):
        evaluate(case.model, case.docs, METHOD, name, activation=asked)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_raw_scores_has_no_probabilities_of_itself(name):
    case = given.given("keras")
    message = rf"{name} must know probabilities, and .* gives a score as it is for target \d: "
    with pytest.raises(ValueError, match=message + "give activation='softmax' or 'sigmoid'"):
        evaluate(case.model, case.docs, METHOD, ["deletion", name])


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_of_a_score_that_a_function_chose_there_is_no_probability(framework):
    # Nor does an activation make one.
    case = given.given(framework)
    message = r"^average_drop must know probabilities, and .* for target 'first': leave these"
    with pytest.raises(ValueError, match=message + " metrics out$"):
        evaluate(case.model, case.docs, METHOD, "average_drop", targets=first)
    message = "makes probabilities of the units of the only output, and target 'first' is none"
    with pytest.raises(ValueError, match=message + " of them; leave it out"):
        evaluate(case.model, case.docs, METHOD, "deletion", targets=first, activation="softmax")


def first(outputs):
    return outputs[:, 0]


def test_a_quantity_is_no_probability_either():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential([keras.Input((*given.SIZES, 3)), layers.Flatten(), layers.Dense(1)])
    with pytest.raises(ValueError, match="for target 0: leave these metrics out$"):
        evaluate(model, np.float32(DOCS), METHOD, "average_drop")


def test_a_model_that_falls_over_the_dimmed_picture_has_no_number():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((*given.SIZES, 3)),
            layers.Activation(keras.ops.log),
            layers.Flatten(),
            layers.Dense(given.CLASSES, activation="softmax"),
        ]
    )
    network.set_weights([given.WEIGHTS.reshape(-1, given.CLASSES), given.BIASES])
    docs = np.random.default_rng(0).uniform(1, 2, DOCS.shape).astype(np.float32)
    asked = ["deletion", Deletion(baseline=1.0), *NAMES]
    names = ["plain", "of ones", *NAMES]
    found = evaluate(network, docs, METHOD, dict(zip(names, asked, strict=True)))
    for one in found.measurements:
        if one.metric in NAMES:
            # Not 0, as a comparison with NaN would have it.
            assert np.isnan(one.value)
            assert one.reason == "the model gives nan, which is no probability"
        else:
            assert np.isfinite(one.value)
    # Where it is not dimmed to black, there is no fault.
    whole = evaluate(network, docs, METHOD, AverageDrop(baseline=1.0))
    assert np.isfinite(whole.values(METHOD, "average_drop")).all()


def test_the_formulas_by_hand():
    assert average_drop(0.8, 0.2) == pytest.approx(0.75)
    assert average_drop(0.2, 0.8) == 0
    assert average_drop(0.3, 0) == 1
    assert average_gain(0.2, 0.8) == pytest.approx(0.75)
    assert average_gain(0.8, 0.2) == 0
    assert average_gain(0, 0.4) == pytest.approx(0.4)
    assert (increase(0.5, 0.6), increase(0.5, 0.5), increase(0.5, 0.4)) == (1, 0, 0)


def test_where_nothing_can_be_lost_or_gained_there_is_no_number():
    with pytest.raises(UnmeasurableError, match="probability is 0: there is none to be lost"):
        average_drop(0.0, 0.5)
    with pytest.raises(UnmeasurableError, match="probability is 1: there is none to be gained"):
        average_gain(1.0, 0.5)
