import numpy as np
import pytest

from explainkit.metrics import (
    ROADLeastRelevantFirst,
    ROADMostRelevantFirst,
    evaluate,
    impute,
)

from . import given
from .given import DOCS, PIXELS, SIZES, TOPS, read_order, shares_of


def by_solving(picture, hidden):
    """Every pixel an unknown, known ones too: a dense system, a row for each."""
    height, width, _ = picture.shape
    count = height * width
    system, known = np.zeros((count, count)), np.zeros((count, picture.shape[2]))
    for row in range(height):
        for column in range(width):
            here = row * width + column
            if not hidden[row, column]:
                system[here, here] = 1
                known[here] = picture[row, column]
                continue
            for down in (-1, 0, 1):
                for right in (-1, 0, 1):
                    to_row, to_column = row + down, column + right
                    inside = 0 <= to_row < height and 0 <= to_column < width
                    if not inside or (down == 0 and right == 0):
                        continue
                    weight = 1 / 6 if down == 0 or right == 0 else 1 / 12
                    system[here, here] += weight
                    system[here, to_row * width + to_column] -= weight
    return np.linalg.solve(system, known).reshape(picture.shape)


@pytest.mark.parametrize("shape", [(5, 6, 3), (1, 7, 1), (8, 2, 2)])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_hidden_pixels_solve_a_linear_system(shape, share):
    rng = np.random.default_rng(0)
    for _ in range(3):
        picture, hidden = rng.normal(size=shape), rng.random(shape[:2]) < share
        hidden.flat[0], hidden.flat[-1] = True, False
        found = impute(picture, hidden)
        np.testing.assert_allclose(found, by_solving(picture, hidden), rtol=0, atol=1e-9)
        np.testing.assert_array_equal(found[~hidden], picture[~hidden])


def test_a_slope_is_made_up_as_it_was():
    # A plane is the mean of its neighbours, wherever there is one on each side.
    rows, columns = np.mgrid[:7, :8].astype(float)
    picture = np.stack([2 * rows - columns, rows + 3 * columns], axis=2)
    hidden = np.zeros((7, 8), bool)
    hidden[2:5, 1:6] = True
    np.testing.assert_allclose(impute(picture, hidden), picture, rtol=0, atol=1e-12)


def test_nothing_hidden_is_as_it_was_and_all_hidden_is_the_mean():
    picture = np.random.default_rng(0).normal(size=(4, 5, 3))
    np.testing.assert_array_equal(impute(picture, np.zeros((4, 5), bool)), picture)
    found = impute(picture, np.ones((4, 5), bool))
    np.testing.assert_allclose(found, np.broadcast_to(picture.mean(axis=(0, 1)), picture.shape))


def test_the_picture_that_was_given_is_left_as_it_was():
    picture = np.random.default_rng(0).normal(size=(4, 5, 1))
    before = picture.copy()
    impute(picture, np.random.default_rng(1).random((4, 5)) < 0.5)
    np.testing.assert_array_equal(picture, before)


def test_neighbours_across_a_corner_count_half():
    picture = np.array([[[6.0], [1.0]], [[0.0], [2.0]]])
    found = impute(picture, np.array([[False, False], [True, False]]))
    assert found[1, 0, 0] == pytest.approx((6 / 6 + 2 / 6 + 1 / 12) / (1 / 6 + 1 / 6 + 1 / 12))


@pytest.mark.parametrize(
    ("picture", "hidden"), [((4, 5), (4, 5)), ((4, 5, 1), (5, 4)), ((4, 5, 1), (4, 5, 1))]
)
def test_a_picture_has_channels_and_what_is_hidden_has_none(picture, hidden):
    with pytest.raises(ValueError, match=r"give \(height, width, channels\) and"):
        impute(np.zeros(picture), np.zeros(hidden, bool))


# On a model


def by_hand(row, target, cells, shares, noise, seed, activation=None):
    """The mean of the model's output while pixels, in this order, are made up."""
    rng, found = np.random.default_rng(seed), []
    scale = noise * (DOCS[row].max() - DOCS[row].min())
    for share in shares:
        hidden = np.zeros(SIZES, bool)
        for rank, cell in enumerate(cells):
            hidden[cell] = rank / PIXELS < share - 1e-9
        made_up = by_solving(DOCS[row], hidden) if not hidden.all() else None
        drawn = rng.standard_normal(DOCS[row].shape)
        made_up = made_up + hidden[..., None] * drawn * scale
        found.append(given.ACTIVATIONS[activation](given.scores_of(made_up[None]))[0, target])
    return np.mean(found)


@pytest.mark.parametrize(("framework", "activation"), [("keras", None), ("torch", "softmax")])
def test_it_is_the_mean_over_shares_in_both_orders(framework, activation):
    case = given.given(framework, activation)
    shares = (0.1, 0.25, 0.5, 0.9)
    metrics = [
        ROADMostRelevantFirst(shares=shares, noise=0.05, seed=3),
        ROADLeastRelevantFirst(shares=shares, noise=0.05, seed=3),
    ]
    found = evaluate(case.model, case.docs, "input_x_gradient", metrics, batch_size=3)
    for row, target in enumerate(TOPS):
        map_ = np.float32(shares_of(DOCS[row], target))
        for name, sign in (("road_morf", 1), ("road_lerf", -1)):
            cells = read_order(sign * map_)
            expected = by_hand(row, target, cells, shares, 0.05, 3, activation)
            assert found.values("input_x_gradient", name)[row] == pytest.approx(
                expected, abs=case.close
            )


def test_of_a_picture_that_is_a_slope_nothing_can_be_removed():
    case = given.given("keras")
    rows, columns = np.mgrid[: SIZES[0], : SIZES[1]].astype(float)
    doc = np.repeat((rows + columns)[None, ..., None], 3, axis=3)
    map_ = np.zeros(SIZES)
    map_[2:4, 2] = 1  # within: the edges of a plane cannot be made up
    metric = ROADMostRelevantFirst(shares=(0.06,), noise=1e-9)
    found = given.measured(metric, [map_], model=case.model, docs=doc, targets=[1])
    expected = given.scores_of(doc)[0, 1]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=case.close)


@pytest.mark.parametrize("kind", [ROADMostRelevantFirst, ROADLeastRelevantFirst])
def test_one_share_may_be_given_by_itself(kind):
    assert kind(shares=0.5) == kind(shares=(0.5,)) == kind(shares=[np.float64(0.5)])
    assert kind(shares=np.array([0.25, 0.5])).shares == (0.25, 0.5)
    with pytest.raises(ValueError, match=r"shares is 1\.5; give a number"):
        kind(shares=1.5)


def test_there_may_be_no_noise():
    case = given.given("keras")
    metrics = {seed: ROADMostRelevantFirst(shares=0.5, noise=0, seed=int(seed)) for seed in "01"}
    found = evaluate(case.model, case.docs, "input_x_gradient", metrics)
    for row, target in enumerate(TOPS):
        cells = read_order(np.float32(shares_of(DOCS[row], target)))
        expected = by_hand(row, target, cells, [0.5], 0, 0)
        for seed in "01":
            value = found.values("input_x_gradient", seed)[row]
            assert value == pytest.approx(expected, abs=case.close)


def test_all_but_one_pixel_may_be_hidden():
    picture = np.random.default_rng(0).normal(size=(12, 9, 2))
    hidden = np.ones((12, 9), bool)
    hidden[4, 7] = False
    found = impute(picture, hidden)
    np.testing.assert_allclose(found, by_solving(picture, hidden), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found, np.broadcast_to(picture[4, 7], picture.shape), atol=1e-9)


def test_holes_apart_from_each_other_are_solved_together():
    rng = np.random.default_rng(1)
    picture, hidden = rng.normal(size=(20, 23, 3)), np.zeros((20, 23), bool)
    for top, left, height, width in ((0, 0, 5, 6), (9, 8, 1, 1), (12, 3, 8, 2), (3, 15, 9, 8)):
        hidden[top : top + height, left : left + width] = True
    found = impute(np.float32(picture), hidden)
    np.testing.assert_allclose(found, by_solving(np.float32(picture), hidden), rtol=0, atol=1e-9)
    # Mirrored, the same is found.
    mirrored = impute(np.float32(picture)[:, ::-1], hidden[:, ::-1])
    np.testing.assert_allclose(mirrored[:, ::-1], found, rtol=0, atol=1e-9)
