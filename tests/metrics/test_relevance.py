import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from explainkit.metrics import (
    RelevanceMass,
    RelevanceRank,
    TopKIntersection,
    UnmeasurableError,
    relevance_mass,
    relevance_rank,
    top_k_intersection,
)

from .given import measured, read_order


@st.composite
def cases(draw):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=6))
    # Whole numbers, so that many are equal.
    map_ = draw(hnp.arrays(np.int64, shape, elements=st.integers(-2, 4))).astype(float)
    mask = draw(hnp.arrays(bool, shape))
    map_[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))] = 3.0
    mask[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))] = True
    return map_, mask


def mass(map_, mask):
    inside = sum(max(map_[cell], 0) for cell in np.ndindex(map_.shape) if mask[cell])
    return inside / sum(max(one, 0) for one in map_.ravel())


def share_of_hottest(map_, mask, count):
    hottest = read_order(np.maximum(map_, 0))[:count]
    return sum(bool(mask[cell] and map_[cell] > 0) for cell in hottest) / len(hottest)


HAND = np.array([[5.0, 1.0, -9.0], [4.0, 3.0, 2.0]])
MASK = np.array([[True, False, True], [False, True, False]])


def test_by_hand():
    assert relevance_mass(HAND, MASK) == pytest.approx(8 / 15)
    assert relevance_rank(HAND, MASK) == pytest.approx(2 / 3)  # of 5, 4 and 3
    assert [top_k_intersection(HAND, MASK, k) for k in (1, 2, 3, 4)] == [1, 0.5, 2 / 3, 0.5]


def test_all_pixels_are_taken_where_there_are_no_more():
    # The object's pixel without heat is none of its hits.
    for k in ((6,), (1000,), ()):
        assert top_k_intersection(HAND, MASK, *k) == 2 / 6


def test_of_equal_pixels_the_first_are_taken():
    map_ = np.array([[1.0, 1.0], [1.0, 1.0]])
    assert relevance_rank(map_, np.array([[True, False], [False, False]])) == 1
    assert relevance_rank(map_, np.array([[False, False], [False, True]])) == 0


@pytest.mark.parametrize("cold", [0.0, -1.0])
def test_pixels_without_heat_are_no_hits_whatever_the_order_of_reading(cold):
    map_ = np.full((3, 4), cold)
    map_[1, 2] = 2.0
    # Of an object at the beginning or the end, two pixels without heat.
    for cells in ([(0, 0), (0, 1)], [(2, 2), (2, 3)]):
        mask = np.zeros((3, 4), bool)
        mask[tuple(zip(*cells, strict=True))] = True
        assert relevance_rank(map_, mask) == 0
        assert top_k_intersection(map_, mask, 12) == 0
        mask[1, 2] = True
        assert relevance_rank(map_, mask) == pytest.approx(1 / 3)
        assert top_k_intersection(map_, mask, 12) == pytest.approx(1 / 12)
        # Turned around, nothing changes.
        turned = map_[::-1, ::-1], mask[::-1, ::-1]
        assert relevance_rank(*turned) == pytest.approx(1 / 3)
        assert top_k_intersection(*turned, 12) == pytest.approx(1 / 12)


@pytest.mark.parametrize("k", [0, -3])
def test_there_is_no_share_of_no_pixels(k):
    with pytest.raises(ValueError, match=f"k is {k}; give 1 or more"):
        top_k_intersection(HAND, MASK, k)


def test_numbers_may_be_as_large_as_there_are():
    map_ = np.array([[1e308, 1e308], [0.0, 1e308]])
    mask = np.array([[True, False], [True, False]])
    assert relevance_mass(map_, mask) == pytest.approx(1 / 3)
    assert relevance_rank(map_, mask) == 0.5


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(1, 40))
def test_they_are_what_loops_find(case, k):
    map_, mask = case
    assert relevance_mass(map_, mask) == pytest.approx(mass(map_, mask), abs=1e-12)
    expected = share_of_hottest(map_, mask, int(mask.sum()))
    assert relevance_rank(map_, mask) == pytest.approx(expected, abs=1e-12)
    expected = share_of_hottest(map_, mask, min(k, mask.size))
    assert top_k_intersection(map_, mask, k) == pytest.approx(expected, abs=1e-12)


def test_a_small_map_is_laid_over_the_picture():
    # Linearly over 4 columns: 0, 1/4, 3/4, 1.
    mask = np.array([[False, False, True, False]] * 2)
    assert relevance_mass([[0.0, 1.0]], mask) == pytest.approx(0.75 / 2, abs=1e-6)
    # The column beside the hottest is not among as many as there are.
    assert relevance_rank([[0.0, 1.0]], mask) == 0
    assert top_k_intersection([[0.0, 1.0]], mask, 4) == 0.5


def test_the_metrics_look_at_each_map_and_its_own_mask():
    rng = np.random.default_rng(2)
    maps = rng.normal(size=(4, 6, 7)).astype(np.float32)
    masks = rng.random((4, 6, 7)) < 0.3
    rows = list(zip(maps, masks, strict=True))
    for metric, expected in (
        (RelevanceMass(), [mass(*row) for row in rows]),
        (RelevanceRank(), [share_of_hottest(*row, int(row[1].sum())) for row in rows]),
        (TopKIntersection(k=5), [share_of_hottest(*row, 5) for row in rows]),
        (TopKIntersection(), [share_of_hottest(*row, 42) for row in rows]),
    ):
        found = measured(metric, maps, masks=masks)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("measure", [relevance_mass, relevance_rank, top_k_intersection])
def test_there_must_be_heat_and_an_object(measure):
    with pytest.raises(UnmeasurableError, match="the map has no positive part"):
        measure([[0.0, -1.0]], np.array([[True, False]]))
    with pytest.raises(UnmeasurableError, match="the mask is empty"):
        measure([[0.0, 1.0]], np.array([[False, False]]))
    with pytest.raises(TypeError, match="the mask holds float64"):
        measure([[0.0, 1.0]], np.array([[0.0, 1.0]]))
    with pytest.raises(ValueError, match="the map holds NaN"):
        measure([[0.0, np.nan]], np.array([[False, True]]))
