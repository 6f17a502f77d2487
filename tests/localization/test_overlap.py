import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explainkit.localization import Box, iou


def mask_of(box, size=12):
    mask = np.zeros((size, size), bool)
    for row in range(box[1], box[3]):
        for column in range(box[0], box[2]):
            mask[row, column] = True
    return mask


def boxes(least):
    """Boxes within 12 x 12 pixels, at least so wide and high."""

    def made(left, top, width, height):
        return Box(left, top, left + width, top + height)

    side = st.integers(least, 6)
    return st.builds(made, st.integers(0, 6), st.integers(0, 6), side, side)


def test_by_hand():
    assert iou((0, 0, 4, 2), (2, 0, 6, 2)) == pytest.approx(4 / 12)
    assert iou((0, 0, 4, 4), (1, 1, 3, 3)) == pytest.approx(4 / 16)
    assert iou(Box(0, 0, 2, 2), [2, 0, 4, 2]) == 0  # side by side
    assert iou((0, 0, 2, 2), (5, 5, 9, 9)) == 0  # apart on both axes
    assert iou((3, 3, 3, 5), (0, 0, 4, 4)) == 0  # one has no area


@given(boxes(0), boxes(1))
def test_boxes_have_the_iou_of_their_masks(one, other):
    found = iou(one, other)
    pixels = {(r, c) for r, c in np.argwhere(mask_of(one)).tolist()}
    others = {(r, c) for r, c in np.argwhere(mask_of(other)).tolist()}
    assert found == pytest.approx(len(pixels & others) / len(pixels | others))
    assert found == iou(mask_of(one), mask_of(other)) == iou(other, one)
    assert 0 <= found <= 1
    assert (found == 1) == (one == other)
    assert iou(other, other) == 1


@pytest.mark.parametrize(
    ("one", "other", "error", "message"),
    [
        ((0, 0, 2, 2), np.ones((4, 4), bool), TypeError, r"not of one of each; box_of\(mask\)"),
        (np.ones((4, 4), bool), (0, 0, 2, 2), TypeError, "not of one of each"),
        (np.ones((2, 2)), np.ones((2, 2)), TypeError, "dtype float64 .* is no mask"),
        (np.ones((4, 4), bool), np.ones((4, 5), bool), ValueError, r"\(4, 4\) and \(4, 5\)"),
        (np.zeros((4, 4), bool), np.zeros((4, 4), bool), ValueError, "IoU of nothing"),
        ((1, 1, 1, 5), (0, 0, 3, 0), ValueError, "IoU of nothing"),
        ((5, 0, 1, 5), (0, 0, 3, 3), ValueError, "ends before it begins"),
        ((0, 0, 1), (0, 0, 3, 3), ValueError, "a box has 3 numbers"),
        (None, (0, 0, 3, 3), TypeError, "a box is None"),
    ],
)
def test_what_has_no_iou_is_refused(one, other, error, message):
    with pytest.raises(error, match=message):
        iou(one, other)
