import numpy as np
import pytest

from explainkit.metrics import Infidelity, evaluate, infidelity
from explainkit.metrics.infidelity import ranges_of, square_masks

from . import given
from .given import BASELINES, DOCS, SIZES, TOPS, on_each_framework


@pytest.fixture(scope="module")
def keras_given():
    return given.given("keras")


EXACT = {
    "input_x_gradient": {
        "squares": Infidelity(),
        "as they are": Infidelity(scaled=False),
        "many": Infidelity(samples=5, side=0.5, seed=3, scaled=False),
    },
    "gradients": {
        "noise": Infidelity(change="noise"),
        "as it is": Infidelity(change="noise", scaled=False, noise=0.3, seed=1),
    },
}


@on_each_framework
@pytest.mark.parametrize("method", EXACT)
def test_of_a_linear_model_the_exact_explanation_foretells_all(framework, method):
    case = given.given(framework)
    found = evaluate(case.model, case.docs, method, EXACT[method], batch_size=3)
    for name in EXACT[method]:
        np.testing.assert_allclose(found.values(method, name), 0, atol=case.close)


def test_what_is_no_explanation_foretells_less(keras_given):
    maps = np.random.default_rng(0).normal(size=(len(DOCS), *SIZES))
    more = {"model": keras_given.model, "docs": DOCS, "targets": TOPS}
    for metric in (Infidelity(), Infidelity(change="noise")):
        assert (given.measured(metric, maps, **more) > 0.01).all()


# By hand


def squares(count, side, seed):
    """Rectangles drawn as the metric says, axis by axis."""
    rng, found = np.random.default_rng(seed), np.ones((count, *SIZES))
    lengths = [max(1, round(side * size)) for size in SIZES]
    tops, lefts = (
        rng.integers(0, size - length + 1, count)
        for size, length in zip(SIZES, lengths, strict=True)
    )
    for i, row, column in np.ndindex(found.shape):
        inside = 0 <= row - tops[i] < lengths[0] and 0 <= column - lefts[i] < lengths[1]
        found[i, row, column] = inside
    return found


def best_scale(said, seen):
    """The scale of the least squares, by a search: the error is a parabola of it."""
    errors = [np.mean((scale * said - seen) ** 2) for scale in (-1.0, 0.0, 1.0)]
    a, b = (errors[0] + errors[2]) / 2 - errors[1], (errors[2] - errors[0]) / 2
    return -b / (2 * a)


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("baseline", list(BASELINES))
def test_squares_are_hidden_one_by_one(keras_given, baseline, scaled):
    rng = np.random.default_rng(1)
    maps = rng.normal(size=(len(DOCS), *SIZES)).astype(np.float32)
    metric = Infidelity(samples=6, side=0.4, seed=2, baseline=baseline, scaled=scaled)
    found = given.measured(metric, maps, model=keras_given.model, docs=DOCS, targets=TOPS)
    for row, target in enumerate(TOPS):
        said, seen = [], []
        for mask in squares(6, 0.4, 2):
            changed = DOCS[row].copy()
            changed[mask == 1] = BASELINES[baseline](DOCS[row])[mask == 1]
            before, after = given.scores_of(np.stack([DOCS[row], changed]))[:, target]
            said.append((maps[row].astype(float) * mask).sum())
            seen.append(before - after)
        said, seen = np.array(said), np.array(seen)
        scale = best_scale(said, seen) if scaled else 1
        expected = np.mean((scale * said - seen) ** 2)
        assert found[row] == pytest.approx(expected, rel=1e-6, abs=keras_given.close)


@pytest.mark.parametrize("scaled", [True, False])
def test_noise_is_subtracted_from_all_channels_alike(keras_given, scaled):
    maps = np.random.default_rng(1).normal(size=(len(DOCS), *SIZES)).astype(np.float32)
    metric = Infidelity(change="noise", samples=6, noise=0.2, seed=5, scaled=scaled)
    found = given.measured(metric, maps, model=keras_given.model, docs=DOCS, targets=TOPS)
    noise = np.random.default_rng(5).standard_normal((6, *SIZES), np.float32).astype(float)
    for row, target in enumerate(TOPS):
        scale = 0.2 * (DOCS[row].max() - DOCS[row].min())
        said = np.array([(maps[row] * scale * one).sum() for one in noise])
        before = given.scores_of(DOCS[row : row + 1])[0, target]
        changed = np.stack([DOCS[row] - scale * one[..., None] for one in noise])
        seen = before - given.scores_of(changed)[:, target]
        factor = best_scale(said, seen) if scaled else 1
        expected = np.mean((factor * said - seen) ** 2)
        assert found[row] == pytest.approx(expected, rel=1e-6, abs=keras_given.close)


def test_what_makes_probabilities_is_not_asked(keras_given):
    metric, method = Infidelity(scaled=False), "input_x_gradient"
    found = evaluate(keras_given.model, keras_given.docs, method, metric, activation="softmax")
    np.testing.assert_allclose(found.values(method, "infidelity"), 0, atol=keras_given.close)


def test_the_score_is_compared_that_was_explained():
    # Before the softmax, or behind it, as the explanation was asked for.
    case = given.given("keras", "softmax")
    metric = Infidelity(scaled=False)
    found = evaluate(case.model, case.docs, "input_x_gradient", metric)
    np.testing.assert_allclose(found.values("input_x_gradient", "infidelity"), 0, atol=case.close)
    found = evaluate(case.model, case.docs, "input_x_gradient", metric, logits=False)
    assert (found.values("input_x_gradient", "infidelity") > 1e-5).all()


# The formula


def test_a_map_may_be_scaled_until_it_foretells_best():
    said, seen = np.array([1.0, 2.0, -1.0]), np.array([2.0, 1.0, 0.0])
    scale = 4 / 6
    expected = np.mean([(scale - 2) ** 2, (2 * scale - 1) ** 2, scale**2])
    assert infidelity(said, seen) == pytest.approx(expected, abs=1e-12)
    assert infidelity(-50 * said, seen) == pytest.approx(expected, abs=1e-12)
    assert infidelity(said, seen, scaled=False) == pytest.approx((1 + 1 + 1) / 3, abs=1e-12)


def test_a_map_that_foretells_nothing_leaves_all():
    for scaled in (True, False):
        assert infidelity(np.zeros(2), np.array([3.0, 1.0]), scaled=scaled) == 5


@pytest.mark.parametrize(("said", "seen"), [([1.0], [1.0, 2.0]), ([], []), ([[1.0]], [[1.0]])])
def test_there_is_a_number_of_each_for_every_change(said, seen):
    with pytest.raises(ValueError, match="give one number of each for every change"):
        infidelity(said, seen)


@pytest.mark.parametrize("side", [0.01, 0.25, 0.99])
def test_squares_are_of_one_size_and_anywhere(side):
    masks = square_masks(300, (6, 5), side, 0)
    length = [max(1, round(side * size)) for size in (6, 5)]
    assert (masks.sum(axis=(1, 2)) == length[0] * length[1]).all()
    assert (masks.max(axis=0) == 1).all()
    np.testing.assert_array_equal(squares(300, side, 0), masks)


def test_a_picture_of_one_colour_has_the_range_1():
    pictures = np.stack([np.full((2, 2, 1), 7.0), np.arange(4.0).reshape(2, 2, 1)])
    np.testing.assert_array_equal(ranges_of(pictures), [1, 3])
