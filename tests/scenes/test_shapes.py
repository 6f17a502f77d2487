import itertools

import numpy as np
import pytest

from explainkit.scenes import KINDS
from explainkit.scenes.arranging import MIN_VISIBLE
from explainkit.scenes.plane import direction, grid, pixels
from explainkit.scenes.shapes import SHAPES

STEPS = np.linspace(-1.1, 1.1, 111)
POINTS = grid(STEPS, STEPS)


def test_there_are_ten_kinds_named_after_their_shapes():
    assert len(set(KINDS)) == 10
    assert all(SHAPES[kind].__name__ == kind for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_shape_fills_a_good_part_of_the_unit_circle_and_nothing_beyond(kind):
    inside = SHAPES[kind](POINTS)
    assert not inside[abs(POINTS) > 1.001].any()
    assert 0.15 < inside[abs(POINTS) <= 1].mean() < 0.8


@pytest.mark.parametrize(("kind", "hollow"), [("disc", False), ("ring", True), ("crescent", True)])
def test_hollow_shapes_leave_their_middle_free(kind, hollow):
    assert SHAPES[kind](np.zeros(1, complex))[0] != hollow


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(KINDS, 2)))
def test_no_shape_is_another_one_turned(one, other):
    turns = np.exp(2j * np.pi * np.arange(36) / 36)
    still = SHAPES[one](POINTS)
    overlaps = []
    for turn in turns:
        turned = SHAPES[other](POINTS * turn)
        overlaps.append((still & turned).sum() / (still | turned).sum())
    assert max(overlaps) < 0.85


def test_pixels_are_points_of_the_unit_square_rows_downwards():
    points = pixels(4)
    assert points[0, 0] == 0.125 + 0.125j
    assert points[3, 0] == 0.125 + 0.875j


def test_a_direction_turns_and_does_not_stretch():
    assert abs(direction(np.random.default_rng(0))) == pytest.approx(1)


def test_no_object_can_hide_what_makes_an_arrow_an_arrow():
    inside = SHAPES["arrow"](POINTS)
    head = inside[POINTS.real >= 0.15].sum() / inside.sum()
    assert 1 - MIN_VISIBLE < head < MIN_VISIBLE
