import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from explainkit.metrics import (
    EnergyPointing,
    PointingGame,
    UnmeasurableError,
    energy_pointing,
    pointing_game,
)

from .given import measured

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)


@st.composite
def cases(draw):
    shape = draw(SHAPES)
    map_ = draw(hnp.arrays(np.float64, shape, elements=st.floats(-2, 5)))
    mask = draw(hnp.arrays(bool, shape))
    map_[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))] = 3.0
    mask[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))] = True
    return map_, mask


def peaked(shape, row, column):
    map_ = np.random.default_rng(0).uniform(-1, 0.5, shape)
    map_[row, column] = 1
    return map_


def masked(shape, *cells):
    mask = np.zeros(shape, bool)
    for cell in cells:
        mask[cell] = True
    return mask


def hit(map_, mask, tolerance):
    best = None
    for cell in np.ndindex(map_.shape):
        if best is None or map_[cell] > map_[best]:
            best = cell
    return any(math.dist(cell, best) <= tolerance for cell in np.ndindex(mask.shape) if mask[cell])


def energy_in_box(map_, mask):
    rows = [cell[0] for cell in np.ndindex(mask.shape) if mask[cell]]
    columns = [cell[1] for cell in np.ndindex(mask.shape) if mask[cell]]
    inside = total = 0.0
    for row, column in np.ndindex(map_.shape):
        heat = max(map_[row, column], 0)
        total += heat
        within = min(rows) <= row <= max(rows) and min(columns) <= column <= max(columns)
        inside += heat if within else 0
    return inside / total


# The pointing game


def test_the_peak_is_on_the_object_or_not():
    mask = masked((8, 9), (2, 3), (2, 4), (3, 3))
    assert pointing_game(peaked((8, 9), 2, 4), mask) == 1
    # Neither row nor column may be taken for the other, nor a box for the object.
    assert pointing_game(peaked((8, 9), 4, 2), mask) == 0
    assert pointing_game(peaked((8, 9), 3, 4), mask) == 0


@pytest.mark.parametrize(("row", "column", "away"), [(6, 6, 5), (2, 7, 4), (6, 2, 3), (5, 8, 5.8)])
def test_as_far_as_the_tolerance_is_a_hit_and_no_farther(row, column, away):
    mask = masked((9, 10), (2, 3), (3, 2))
    map_ = peaked((9, 10), row, column)
    exactly = min(math.dist((row, column), (2, 3)), math.dist((row, column), (3, 2)))
    assert exactly == pytest.approx(away, abs=0.04)
    assert pointing_game(map_, mask, tolerance=exactly) == 1
    assert pointing_game(map_, mask, tolerance=exactly - 1e-6) == 0


def test_the_tolerance_is_a_circle_and_no_square():
    mask = masked((9, 9), (4, 4))
    assert pointing_game(peaked((9, 9), 4, 7), mask, tolerance=3) == 1
    assert pointing_game(peaked((9, 9), 7, 7), mask, tolerance=3) == 0
    assert pointing_game(peaked((9, 9), 7, 7), mask, tolerance=4.25) == 1


def test_a_small_map_is_laid_over_the_picture():
    # The middle of the cell (0, 1) of 2 × 2 lies in the upper right quarter.
    mask = np.zeros((8, 8), bool)
    mask[:4, 4:] = True
    assert pointing_game([[0, 1], [0, 0]], mask) == 1
    assert pointing_game([[0, 0], [1, 0]], mask) == 0
    assert pointing_game([[0, 0], [0, 1]], mask, tolerance=15) == 1


@settings(max_examples=40, deadline=None)
@given(cases(), st.floats(0, 6))
def test_it_is_what_loops_find(case, tolerance):
    map_, mask = case
    assert pointing_game(map_, mask, tolerance) == float(hit(map_, mask, tolerance))


def test_the_metric_is_tolerant_as_in_the_paper():
    maps = [peaked((40, 40), 0, column) for column in (0, 15, 16, 39)]
    masks = np.stack([masked((40, 40), (0, 0))] * 4)
    assert measured(PointingGame(), maps, masks=masks).tolist() == [1, 1, 0, 0]
    assert measured(PointingGame(tolerance=0), maps, masks=masks).tolist() == [1, 0, 0, 0]
    assert measured(PointingGame(tolerance=16.0), maps, masks=masks).tolist() == [1, 1, 1, 0]


# Its energy


def test_the_box_around_the_object_counts():
    map_ = np.arange(20.0).reshape(4, 5)
    # Two corners; between them nothing is masked.
    mask = masked((4, 5), (1, 1), (2, 3))
    inside = 6 + 7 + 8 + 11 + 12 + 13
    assert energy_pointing(map_, mask) == pytest.approx(inside / 190, abs=1e-12)
    filled = np.zeros((4, 5), bool)
    filled[1:3, 1:4] = True
    assert energy_pointing(map_, filled) == energy_pointing(map_, mask)


def test_what_speaks_against_the_target_has_no_energy():
    assert energy_pointing([[1.0, -5.0], [3.0, -7.0]], masked((2, 2), (0, 0))) == 0.25


@settings(max_examples=40, deadline=None)
@given(cases())
def test_the_energy_is_what_loops_find(case):
    map_, mask = case
    assert energy_pointing(map_, mask) == pytest.approx(energy_in_box(map_, mask), abs=1e-9)


def test_the_energy_of_a_small_map_is_that_of_the_map_laid_over_the_picture():
    # Linearly over 4 columns: 0, 1/4, 3/4, 1.
    mask = np.zeros((2, 4), bool)
    mask[:, 3] = True
    assert energy_pointing([[0.0, 1.0]], mask) == pytest.approx(0.5, abs=1e-6)
    mask[:, 2] = True
    assert energy_pointing([[0.0, 1.0]], mask) == pytest.approx(1.75 / 2, abs=1e-6)


def test_the_metric_looks_at_each_map_and_its_own_mask():
    rng = np.random.default_rng(1)
    maps = rng.normal(size=(4, 6, 7)).astype(np.float32)
    masks = rng.random((4, 6, 7)) < 0.05
    masks[:, 2, 2] = True
    expected = [energy_in_box(map_, mask) for map_, mask in zip(maps, masks, strict=True)]
    found = measured(EnergyPointing(), maps, masks=masks)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


# What cannot be measured


@pytest.mark.parametrize("measure", [pointing_game, energy_pointing])
def test_there_must_be_heat_and_an_object(measure):
    with pytest.raises(UnmeasurableError, match="the map has no positive part"):
        measure([[0.0, -1.0]], np.array([[True, False]]))
    with pytest.raises(UnmeasurableError, match="the mask is empty: no pixel belongs"):
        measure([[0.0, 1.0]], np.array([[False, False]]))
    with pytest.raises(TypeError, match="the mask holds int64; give an array of truth values"):
        measure([[0.0, 1.0]], np.array([[0, 1]], np.int64))
    with pytest.raises(ValueError, match=r"the maps have the shape \(2,\), and the pictures"):
        measure([0.0, 1.0], np.array([[False, True]]))
