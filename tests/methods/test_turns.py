import numpy as np
import pytest

from explainkit.methods.turns import in_turns, positions_in_turns, turns_of, weights_in_turns

CASES = [(count, batch) for count in (1, 2, 3, 5, 7, 12, 47, 50) for batch in (1, 2, 3, 5, 32)]


@pytest.mark.parametrize(("count", "batch_size"), CASES)
def test_turns_are_as_few_as_there_may_be_and_as_small_as_they_can(count, batch_size):
    turns, size = turns_of(count, batch_size)
    assert size <= batch_size
    assert turns * size >= count
    assert (turns - 1) * batch_size < count  # fewer turns would not hold them
    assert turns * (size - 1) < count  # neither would smaller ones
    assert (turns - 1) * size < count  # the last turn is not only filled up


@pytest.mark.parametrize(("count", "batch_size"), CASES)
def test_all_variants_come_in_their_order_and_then_from_the_first(count, batch_size):
    positions = positions_in_turns(count, batch_size)
    assert positions.dtype == np.int32
    assert positions.shape == turns_of(count, batch_size)
    assert positions.ravel().tolist() == [i % count for i in range(positions.size)]


@pytest.mark.parametrize(("count", "batch_size"), CASES)
def test_each_variant_counts_once_however_often_it_comes(count, batch_size):
    positions, weights = positions_in_turns(count, batch_size), weights_in_turns(count, batch_size)
    assert weights.shape == positions.shape
    shares = np.zeros(count)
    for position, weight in zip(positions.flat, weights.flat, strict=True):
        shares[position] += weight
    # They are float32 on purpose: they go with what passes through a model.
    np.testing.assert_allclose(shares, 1 / count, rtol=1e-6)
    assert (weights.sum(axis=1) > 0).all()


def test_variants_are_arranged_with_all_their_axes():
    variants = np.random.default_rng(0).normal(size=(5, 2, 3))
    found = in_turns(variants, 3)
    assert found.shape == (2, 3, 2, 3)
    for turn, places in zip(found, [(0, 1, 2), (3, 4, 0)], strict=True):
        np.testing.assert_array_equal(turn, variants[list(places)])
