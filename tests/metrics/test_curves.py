from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from explainkit import explain_predictions
from explainkit.metrics import Deletion, Insertion, area_under, evaluate
from explainkit.metrics.batch import Batch

from . import given
from .given import BASELINES, DOCS, PIXELS, TOPS, on_each_framework, read_order, shares_of

METHOD = "input_x_gradient"


def curve(scores, picture, map_, other, shown):
    """The scores of pictures of which so many of the highest pixels are shown, or not."""
    order, points = read_order(map_), []
    for count, from_picture in shown:
        changed = other.copy() if from_picture else picture.copy()
        for cell in order[:count]:
            changed[cell] = picture[cell] if from_picture else other[cell]
        points.append(scores(changed))
    return np.array(points)


def hidden_counts(steps, pixels=PIXELS):
    """How many pixels are hidden: of a pixel that lies on the edge of a share, the whole."""
    return [
        (sum(Fraction(r, pixels) < Fraction(k, steps) for r in range(pixels)), False)
        for k in range(steps + 1)
    ]


def shown_counts(steps, pixels=PIXELS):
    """How many pixels are shown: as many as are hidden."""
    return [(count, True) for count, _ in hidden_counts(steps, pixels)]


def trapezoids(points):
    width = 1 / (len(points) - 1)
    return sum((one + other) / 2 * width for one, other in pairwise(points))


def by_hand(row, counts, baseline, activation=None):
    target = TOPS[row]
    act = given.ACTIVATIONS[activation]
    map_ = np.float32(shares_of(DOCS[row], target))
    return curve(
        lambda picture: act(given.scores_of(picture[None]))[0, target],
        DOCS[row],
        map_,
        BASELINES[baseline](DOCS[row]),
        counts,
    )


@pytest.fixture(scope="module")
def keras_given():
    return given.given("keras")


@pytest.fixture(scope="module")
def batch(keras_given):
    model, docs = keras_given.model, keras_given.docs
    found = list(explain_predictions(model, docs, method=METHOD))
    targets = [one.targets[0].target for one in found]
    return Batch(model, docs, found, targets, {"method": METHOD}, range(len(docs)))


# On a linear model


@pytest.mark.parametrize("baseline", list(BASELINES))
def test_deletion_follows_a_linear_model_down(batch, keras_given, baseline):
    metric = Deletion(steps=7, baseline=baseline)
    found = metric.curves(batch)
    expected = np.array([by_hand(row, hidden_counts(7), baseline) for row in range(len(DOCS))])
    np.testing.assert_allclose(found, expected, rtol=0, atol=keras_given.close)
    areas = [trapezoids(points) for points in expected]
    np.testing.assert_allclose(metric.measure(batch), areas, rtol=0, atol=keras_given.close)


@pytest.mark.parametrize("baseline", list(BASELINES))
def test_insertion_follows_a_linear_model_up(batch, keras_given, baseline):
    metric = Insertion(steps=7, baseline=baseline)
    found = metric.curves(batch)
    expected = np.array([by_hand(row, shown_counts(7), baseline) for row in range(len(DOCS))])
    np.testing.assert_allclose(found, expected, rtol=0, atol=keras_given.close)
    areas = [trapezoids(points) for points in expected]
    np.testing.assert_allclose(metric.measure(batch), areas, rtol=0, atol=keras_given.close)


def test_of_a_linear_model_curves_are_sums_of_shares(batch, keras_given):
    # With nothing in place of what is hidden, a pixel's share is what goes with it.
    for row, points in enumerate(Deletion(steps=PIXELS, baseline=0.0).curves(batch)):
        target = TOPS[row]
        shares = np.sort(shares_of(DOCS[row], target), axis=None)[::-1]
        whole = given.scores_of(DOCS[row : row + 1])[0, target]
        expected = whole - np.concatenate([[0], np.cumsum(shares)])
        np.testing.assert_allclose(points, expected, rtol=0, atol=keras_given.close)
        assert points[-1] == pytest.approx(given.BIASES[target], abs=keras_given.close)


# Whether or not the shares are numbers that the float knows: 3 of 10 are 9 of 30 pixels.
at_each_number_of_steps = pytest.mark.parametrize("steps", [2, 3, 5, 6, 10, 15, 30, 32, 45])


@at_each_number_of_steps
def test_steps_that_end_with_a_pixel_hide_it_and_no_more(batch, keras_given, steps):
    found = Deletion(steps=steps, baseline=0.0).curves(batch)
    expected = [by_hand(row, hidden_counts(steps), 0.0) for row in range(len(DOCS))]
    np.testing.assert_allclose(found, expected, rtol=0, atol=keras_given.close)


@at_each_number_of_steps
def test_steps_that_end_with_a_pixel_show_it_and_no_more(batch, keras_given, steps):
    found = Insertion(steps=steps, baseline=0.0).curves(batch)
    expected = [by_hand(row, shown_counts(steps), 0.0) for row in range(len(DOCS))]
    np.testing.assert_allclose(found, expected, rtol=0, atol=keras_given.close)


def test_a_picture_may_stand_in_place_of_what_is_hidden(batch, keras_given):
    other = np.random.default_rng(3).normal(size=DOCS.shape[1:])
    found = Deletion(steps=5, baseline=other).curves(batch)
    for row, target in enumerate(TOPS):
        expected = curve(
            lambda picture, target=target: given.scores_of(picture[None])[0, target],
            DOCS[row],
            np.float32(shares_of(DOCS[row], target)),
            np.float64(np.float32(other)),
            hidden_counts(5),
        )
        np.testing.assert_allclose(found[row], expected, rtol=0, atol=keras_given.close)


def test_equal_pixels_go_in_the_order_of_reading(keras_given):
    map_ = np.zeros(given.SIZES)
    map_[2, 1] = map_[4, 3] = 1.0
    found = Deletion(steps=PIXELS, baseline=0.0).curves(
        given.batch_of([map_], model=keras_given.model, docs=DOCS[:1], targets=[2])
    )
    cells = [(2, 1), (4, 3), *(c for c in np.ndindex(map_.shape) if c not in ((2, 1), (4, 3)))]
    shares = [shares_of(DOCS[0], 2)[cell] for cell in cells]
    expected = given.scores_of(DOCS[:1])[0, 2] - np.concatenate([[0], np.cumsum(shares)])
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=keras_given.close)


def test_a_small_map_is_laid_over_the_picture(keras_given):
    # The hotter half are the upper rows; within them, the order of reading.
    map_ = np.array([[1.0], [0.0]])
    more = {"model": keras_given.model, "docs": DOCS[:1], "targets": [1]}
    found = Deletion(steps=2, baseline=0.0).curves(given.batch_of([map_], **more))
    changed = DOCS[:1].copy()
    changed[:, : given.SIZES[0] // 2] = 0
    expected = given.scores_of(changed)[0, 1]
    assert found[0, 1] == pytest.approx(expected, abs=keras_given.close)


def test_signals_are_measured_as_pictures_are():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    network = keras.Sequential([keras.Input((12, 2)), layers.Flatten(), layers.Dense(3)])
    rng = np.random.default_rng(0)
    weights, docs = rng.normal(size=(12, 2, 3)), rng.normal(size=(2, 12, 2)).astype(np.float32)
    network.set_weights([weights.reshape(-1, 3), np.zeros(3)])
    metrics = [Deletion(steps=4, baseline=0.0), "road_morf", "sparseness", "relevance_mass"]
    boxed = ["iou", "localization_error"]
    masks = docs[..., 0] > 0
    found = evaluate(network, docs, METHOD, [*metrics, *boxed], targets=2, masks=masks)
    for row, doc in enumerate(docs.astype(float)):
        shares = np.sort((doc * weights[..., 2]).sum(axis=1))[::-1]
        expected = trapezoids([shares[3 * step :].sum() for step in range(5)])
        assert found.values(METHOD, "deletion")[row] == pytest.approx(expected, abs=1e-4)
    for name in ("sparseness", "relevance_mass"):
        assert np.isfinite(found.values(METHOD, name)).all()
    reasons = {one.reason for one in found.measurements if one.metric in boxed}
    assert reasons == {"boxes lie in pictures; this has 1 axes"}
    reasons = {one.reason for one in found.measurements if one.metric == "road_morf"}
    assert reasons == {"pixels are made up in pictures; these have 1 axes"}


# On each framework


@on_each_framework
def test_curves_of_probabilities_are_those_worked_out_by_hand(framework):
    case = given.given(framework, "softmax")
    metrics = [Deletion(steps=7, baseline="mean"), Insertion(steps=7, baseline="blur")]
    found = evaluate(case.model, case.docs, METHOD, metrics, batch_size=3)
    for row in range(len(DOCS)):
        deleted = by_hand(row, hidden_counts(7), "mean", "softmax")
        inserted = by_hand(row, shown_counts(7), "blur", "softmax")
        assert found.values(METHOD, "deletion")[row] == pytest.approx(
            trapezoids(deleted), abs=case.close
        )
        assert found.values(METHOD, "insertion")[row] == pytest.approx(
            trapezoids(inserted), abs=case.close
        )


# The area


@pytest.mark.parametrize("points", [2, 3, 10])
def test_the_area_is_the_mean_height_of_its_trapezoids(points):
    heights = np.random.default_rng(points).normal(size=points)
    assert area_under(heights) == pytest.approx(trapezoids(heights), abs=1e-12)
    assert area_under(np.ones(points)) == 1
    assert area_under(np.linspace(3, -1, points)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("bad", [[], [1.0], [[1.0, 2.0]], 3.0])
def test_an_area_has_two_points_or_more(bad):
    with pytest.raises(ValueError, match=r"the curve has the shape \(.*\); give two points"):
        area_under(bad)
