import math

import numpy as np
import pytest

from explainkit.intervals import interval_of


def wilson(hits, count, z):
    share = hits / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    reach /= 1 + z**2 / count
    return middle - reach, middle + reach


@pytest.mark.parametrize(("hits", "count"), [(0, 2), (1, 2), (5, 10), (7, 10), (10, 10), (81, 263)])
@pytest.mark.parametrize(
    ("confidence", "z"), [(0.95, 1.9599639845400545), (0.9, 1.6448536269514722)]
)
def test_the_interval_of_a_share_is_wilsons(hits, count, confidence, z):
    values = np.array([1.0] * hits + [0.0] * (count - hits))
    found = interval_of(values, True, confidence)
    assert found.mean == hits / count
    np.testing.assert_allclose(found[1:], wilson(hits, count, z), rtol=0, atol=1e-9)


def test_numbers_that_are_in_books():
    # Newcombe 1998, table I: 81 of 263, and 15 of 148.
    for hits, count, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        found = interval_of(np.arange(count) < hits, True)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_the_interval_of_a_mean_is_that_of_means_drawn_again():
    values = np.random.default_rng(0).exponential(size=40)
    found = interval_of(values, False)
    assert found.mean == pytest.approx(values.mean(), abs=1e-12)
    assert values.min() <= found.low < found.mean < found.high <= values.max()
    # By the central limit, about two standard errors to each side.
    error = values.std() / math.sqrt(len(values))
    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.25 * error)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.25 * error)
    assert interval_of(values, False) == found  # seeded
    narrower = interval_of(values, False, 0.5)
    assert found.low < narrower.low < narrower.high < found.high


def test_one_number_has_no_interval_and_none_has_no_mean():
    one = interval_of(np.array([0.25]), False)
    assert one.mean == 0.25
    assert np.isnan(one[1:]).all()
    for is_share in (True, False):
        assert np.isnan(interval_of(np.array([]), is_share)).all()


@pytest.mark.parametrize("hit", [0.0, 1.0])
def test_of_a_share_one_number_has_an_interval_too(hit):
    found = interval_of(np.array([hit]), True)
    z = 1.9599639845400545
    assert found.mean == hit
    np.testing.assert_allclose(found[1:], wilson(hit, 1, z), rtol=0, atol=1e-9)
    assert found.high - found.low == pytest.approx(z**2 / (1 + z**2))


def test_many_numbers_are_drawn_again_a_part_at_a_time():
    values = np.random.default_rng(0).normal(3, 2, 20_000)
    found = interval_of(values, False)
    error = values.std() / math.sqrt(len(values))
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_equal_numbers_are_all_there_is():
    assert interval_of(np.full(5, 0.25), False) == (0.25, 0.25, 0.25)
    # But five hits of five are no certainty.
    assert interval_of(np.ones(5), True).low < 0.6
