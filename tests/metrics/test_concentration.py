import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from explainkit.metrics import Complexity, Sparseness, UnmeasurableError, complexity, sparseness

from .given import measured

MAPS = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=4),
    elements=st.integers(-1000, 1000).map(lambda whole: whole / 8),
).filter(np.any)


def gini(map_):
    """Half the mean difference of all pairs, as a share of the mean."""
    sizes = [abs(float(one)) for one in np.ravel(map_)]
    mean = sum(sizes) / len(sizes)
    pairs = sum(abs(one - other) for one in sizes for other in sizes) / len(sizes) ** 2
    return pairs / (2 * mean)


def entropy(map_):
    total, found = sum(abs(float(one)) for one in np.ravel(map_)), 0.0
    for one in np.ravel(map_):
        share = abs(float(one)) / total
        found -= share * math.log(share) if share > 0 else 0
    return found


def one_hot(count):
    map_ = np.zeros(count)
    map_[count // 2] = -3
    return map_


@settings(max_examples=40, deadline=None)
@given(MAPS)
def test_they_are_the_gini_index_and_the_entropy(map_):
    assert sparseness(map_) == pytest.approx(gini(map_), abs=1e-9)
    assert complexity(map_) == pytest.approx(entropy(map_), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(MAPS, st.floats(0.1, 10))
def test_neither_sign_nor_scale_nor_place_matters(map_, factor):
    other = (-factor * map_).ravel()[::-1]
    assert sparseness(other) == pytest.approx(sparseness(map_), abs=1e-9)
    assert complexity(other) == pytest.approx(complexity(map_), abs=1e-9)


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_one_pixel_is_all_there_is(count):
    assert sparseness(one_hot(count)) == pytest.approx(1 - 1 / count, abs=1e-12)
    assert complexity(one_hot(count)) == 0


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_all_pixels_are_equal(count):
    assert sparseness(np.full(count, -0.3)) == pytest.approx(0, abs=1e-12)
    assert complexity(np.full(count, -0.3)) == pytest.approx(math.log(count), abs=1e-12)


@pytest.mark.parametrize(("few", "many"), [(1, 3), (5, 20), (2, 2)])
def test_of_two_values_there_is_a_closed_form(few, many):
    low, high = 1.0, 4.0
    map_ = np.array([high] * few + [low] * many)
    total, count = high * few + low * many, few + many
    # Of all heat, less of all pixels, the share that the few have.
    assert sparseness(map_) == pytest.approx(high * few / total - few / count, abs=1e-12)
    expected = sum(
        -n * one / total * math.log(one / total) for n, one in ((few, high), (many, low))
    )
    assert complexity(map_) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("metric", "loops"), [(Sparseness(), gini), (Complexity(), entropy)])
def test_the_metrics_look_at_the_raw_map_over_the_picture(metric, loops):
    maps = np.random.default_rng(0).normal(size=(3, 4, 5))
    np.testing.assert_allclose(measured(metric, maps), [loops(np.float32(m)) for m in maps])
    # A map of another size is laid over it: here, of equal ones.
    flat = np.array([[[2.0, 2.0]], [[-1.0, -1.0]]])
    expected = loops(np.ones((4, 6)))
    np.testing.assert_allclose(measured(metric, flat, sizes=(4, 6)), expected, atol=1e-6)


def test_what_is_too_small_to_have_a_share_has_none():
    # 5e-324 is the least of all numbers: its half is 0.
    assert complexity([1.0, 1.0, 5e-324]) == pytest.approx(math.log(2))


def test_numbers_may_be_as_large_as_there_are():
    map_ = np.array([[1e308, -1e308], [0.0, 1e308]])
    assert sparseness(map_) == pytest.approx(sparseness(map_ / 1e308)) == pytest.approx(0.25)
    assert complexity(map_) == pytest.approx(math.log(3))


@pytest.mark.parametrize("measure", [sparseness, complexity])
def test_a_map_of_zeros_has_neither(measure):
    with pytest.raises(UnmeasurableError, match="the map is zero everywhere"):
        measure(np.zeros((2, 2)))


@pytest.mark.parametrize("measure", [sparseness, complexity])
@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ([[1.0, np.nan]], ValueError, "the map holds NaN or infinite numbers"),
        ([[1.0, np.inf]], ValueError, "the map holds NaN or infinite numbers"),
        (np.zeros((0, 3)), ValueError, r"the map has the shape \(0, 3\); give at least one cell"),
        (3.0, ValueError, r"the map has the shape \(\); give at least one cell"),
        ([["a"]], TypeError, "the map holds <U1; give an array of real numbers"),
        ([[1j]], TypeError, "the map holds complex128"),
    ],
)
def test_what_is_no_map_is_refused(measure, bad, error, message):
    with pytest.raises(error, match=message):
        measure(bad)
