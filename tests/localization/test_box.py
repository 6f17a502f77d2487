import numpy as np
import pytest

from explainkit.localization import Box, box_of
from explainkit.localization.box import as_box, as_boxes


def test_a_box_knows_its_size_and_area():
    box = Box(2, 1, 6, 4)
    assert (box.size, box.area) == ((4, 3), 12)
    assert box == (2, 1, 6, 4)
    assert Box(2, 1, 2, 4).area == 0


def test_the_box_of_a_mask_holds_all_of_it_and_no_row_or_column_more():
    mask = np.zeros((6, 9), bool)
    mask[1, 7] = mask[4, 2] = mask[3, 3] = True
    box = box_of(mask)
    assert box == (2, 1, 8, 5)
    assert all(type(edge) is int for edge in box)
    assert box_of(np.ones((6, 9), bool)) == (0, 0, 9, 6)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (np.zeros((2, 2), bool), ValueError, "True nowhere"),
        (np.ones((2, 2)), TypeError, "the mask is of dtype float64; give one of bool"),
        (np.ones((2, 2, 2), bool), ValueError, r"shape \(2, 2, 2\)"),
    ],
)
def test_what_has_no_box_is_refused(mask, error, message):
    with pytest.raises(error, match=message):
        box_of(mask)


@pytest.mark.parametrize(
    "given", [(1, 2, 3, 4), [1.0, 2, 3, 4], np.array([1, 2, 3, 4]), Box(1, 2, 3, 4)]
)
def test_four_whole_numbers_are_a_box(given):
    box = as_box(given)
    assert (box, type(box)) == ((1, 2, 3, 4), Box)
    assert all(type(edge) is int for edge in box)
    assert as_boxes(given) == as_boxes([given]) == as_boxes(iter([given])) == [box]


def test_several_boxes_and_none():
    assert as_boxes(np.arange(8).reshape(2, 4)) == [(0, 1, 2, 3), (4, 5, 6, 7)]
    assert as_boxes([]) == []


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (3, TypeError, "a box is 3, of type int; give four whole numbers: left, top"),
        ("1234", TypeError, "a box is '1234', of type str"),
        ((1, 2, 3), ValueError, "a box has 3 numbers"),
        ((1, 2, 3, True), TypeError, "holds what is no number"),
        ((1, 2, 3, 4.5), ValueError, "with parts of pixels"),
        ((1, 2, 3, float("nan")), ValueError, "with parts of pixels"),
        ((5, 2, 3, 4), ValueError, r"\(5, 2, 3, 4\), which ends before it begins.*not left, top"),
        ((1, 5, 3, 4), ValueError, "ends before it begins"),
    ],
)
def test_what_is_no_box_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        as_box(given)


@pytest.mark.parametrize("given", [None, 3, "boxes"])
def test_what_is_no_boxes_is_refused(given):
    with pytest.raises(TypeError, match=r"boxes is .*; give a box, which is four"):
        as_boxes(given)
