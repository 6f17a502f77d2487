import math

import numpy as np
import pytest

from explainkit.methods.channel_scores import ablationcam_weights, liveliest, scorecam_weights

from .by_loops import sizes_of


@pytest.mark.parametrize("seed", range(3))
def test_scorecam_weighs_by_the_softmax_of_the_gains(seed):
    rng = np.random.default_rng(seed)
    scores, baseline = 3 * rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 3))
    found = scorecam_weights(np, scores, baseline)
    for n, k in np.ndindex(2, 3):
        powers = [math.exp(score - baseline[n, k]) for score in scores[n, k]]
        for c in range(5):
            assert found[n, k, c] == pytest.approx(powers[c] / sum(powers), abs=1e-10)


def test_scorecam_weights_of_huge_scores_are_finite(recwarn):
    scores = np.array([[[1e4, 1e4 - 1, -1e4]]])
    found = scorecam_weights(np, scores, np.array([[-1e4]]))
    expected = [1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1)), 0]
    np.testing.assert_allclose(found, [[expected]], atol=1e-12)
    assert not recwarn.list


def test_scorecam_weighs_equal_channels_equally_and_a_single_one_wholly():
    np.testing.assert_allclose(
        scorecam_weights(np, np.full((1, 2, 4), 7.0), np.ones((1, 2))), np.full((1, 2, 4), 0.25)
    )
    np.testing.assert_allclose(
        scorecam_weights(np, np.array([[[-3.0]]]), np.array([[2.0]])), [[[1.0]]]
    )


@pytest.mark.parametrize("seed", range(3))
def test_ablationcam_weighs_by_the_share_that_is_lost(seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(2, 3, 5))
    whole = np.array([[1, -1, 1], [-1, 1, -1]]) * rng.uniform(0.1, 3, size=(2, 3))
    found = ablationcam_weights(np, scores, whole)
    for n, k, c in np.ndindex(2, 3, 5):
        # Of the absolute value: also a negative score loses when it gets lower.
        lost = (whole[n, k] - scores[n, k, c]) / abs(whole[n, k])
        assert found[n, k, c] == pytest.approx(lost, abs=1e-10)


def test_of_a_score_of_zero_what_is_lost_stands_for_itself(recwarn):
    found = ablationcam_weights(np, np.array([[[-2.0, 0.5], [3.0, 8.0]]]), np.array([[0.0, 4.0]]))
    np.testing.assert_allclose(found, [[[2.0, -0.5], [0.25, -1.0]]])
    assert not recwarn.list


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 3, 6])
def test_the_liveliest_channels_of_each_document_come_first(count, rank):
    activations = np.random.default_rng(rank).normal(size=(4, *sizes_of(rank), 6))
    # What a channel is on the average does not make it lively.
    activations += np.array([100, 0, 50, 0, 0, -100])
    found = liveliest(np, activations, count)
    assert found.shape == (4, count)
    for chosen, one in zip(found, activations, strict=True):
        spreads = {c: np.var(one[..., c]) for c in range(6)}
        assert chosen.tolist() == sorted(spreads, key=spreads.get, reverse=True)[:count]


def test_a_documents_channels_do_not_depend_on_its_neighbours():
    activations = np.random.default_rng(0).normal(size=(4, 3, 3, 6))
    alone = [liveliest(np, activations[n : n + 1], 3)[0].tolist() for n in range(4)]
    assert liveliest(np, activations, 3).tolist() == alone
    assert len(set(map(tuple, alone))) > 1  # or the test would tell nothing


@pytest.mark.parametrize("channels", [5, 40])
def test_even_channels_come_last_and_none_comes_twice(channels):
    activations = np.ones((1, 2, 2, channels)) * np.arange(channels)
    assert sorted(liveliest(np, activations, channels)[0]) == list(range(channels))
    activations[0, 0, 0, 3] += 1
    assert liveliest(np, activations, 2)[0, 0] == 3


def test_among_ties_any_is_taken_but_none_twice():
    one = np.random.default_rng(1).normal(size=(1, 3, 3, 1))
    activations = np.concatenate([one, 2 * one, 2 * one, 0 * one], axis=-1)
    assert set(liveliest(np, activations, 2)[0]) == {1, 2}
    assert liveliest(np, activations, 4)[0, 2:].tolist() == [0, 3]


def test_more_channels_than_there_are_gives_all():
    assert liveliest(np, np.ones((2, 3, 4)), 9).shape == (2, 4)
