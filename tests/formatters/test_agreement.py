import re

import numpy as np
import pytest
from PIL import Image

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters.reports.agreement import Agreement, Truth, agreement_of, as_truth


def made(heat, target=3, label="cat", size=(8, 6), **more):
    heat = np.asarray(heat, np.float32)
    found = TargetExplanation(target, label, 1.5, 0.8, heat, heat)
    other = TargetExplanation(4, "dog", 0.5, 0.1, heat[::-1], heat)
    image = None if size is None else Image.new("RGB", size)
    return Explanation("net", "gradcam", targets=[found, other], image=image, **more)


class Tensor:
    """What libraries other than numpy have for an array."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


def spot(rows, columns, shape=(6, 8)):
    heat = np.zeros(shape, np.float32)
    heat[rows, columns] = 1
    return heat


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, Truth()),
        (3, Truth(target=3)),
        (np.int64(3), Truth(target=3)),
        (np.array([3]), Truth(target=3)),
        (np.array("cat"), Truth(target="cat")),
        (Tensor(3), Truth(target=3)),
        (Tensor([0, 1, 2, 3]), Truth(boxes=[(0, 1, 2, 3)])),
        (Tensor([[True, False]]), Truth(mask=np.array([[True, False]]))),
        (np.array([[True]]), Truth(mask=np.array([[True]]))),
        ("cat", Truth(target="cat")),
        (("kinds", 2), Truth(target=("kinds", 2))),
        ((0, 1, 2, 3), Truth(boxes=[(0, 1, 2, 3)])),
        (np.array([0, 1, 2, 3]), Truth(boxes=[(0, 1, 2, 3)])),
        ([(0, 1, 2, 3), (4, 4, 5, 5)], Truth(boxes=[(0, 1, 2, 3), (4, 4, 5, 5)])),
        (np.eye(2, dtype=bool), Truth(mask=np.eye(2, dtype=bool))),
        (Truth("cat", boxes=(0, 1, 2, 3)), Truth("cat", boxes=(0, 1, 2, 3))),
    ],
)
def test_what_a_caller_has_is_read(given, meant):
    assert as_truth(given) == meant


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (1.5, TypeError, "the truth is 1.5, of type float; give the unit or the label"),
        (b"cat", TypeError, "of type bytes; give the unit or the label"),
        (True, TypeError, "the target of the truth is True, of type bool"),
        (-1, ValueError, "the target of the truth is -1; give the number of the unit"),
        (("kinds", 1.5), TypeError, "the unit of the truth is 1.5"),
        ([], ValueError, "the truth is empty; give the unit"),
        ((1, 2, 3), ValueError, "a box has 3 numbers"),
        ((1, 2, 1, 5), ValueError, "with a box of no area"),
        (np.zeros((2, 2), bool), ValueError, "the mask is True nowhere"),
        (np.ones(2, bool), ValueError, "the mask has shape (2,)"),
    ],
)
def test_what_is_no_truth_is_refused(given, error, message):
    with pytest.raises(error) as caught:
        as_truth(given)
    assert message in str(caught.value)


def test_a_truth_is_refused_that_says_twice_where_it_is():
    with pytest.raises(ValueError, match="has boxes and a mask; give one of them"):
        Truth(boxes=(0, 0, 1, 1), mask=np.ones((2, 2), bool))
    with pytest.raises(TypeError, match="the mask is of dtype float64; give one of bool"):
        Truth(mask=np.ones((2, 2)))


@pytest.mark.parametrize(
    ("truth", "right"),
    [(3, True), (4, False), ("cat", True), ("dog", False), ("3", False), (None, None)],
)
def test_the_first_target_is_right_or_wrong(truth, right):
    found = agreement_of(made(spot(1, 1)), as_truth(truth))
    assert found == Agreement(right, None, None)


def test_units_of_outputs_and_names_of_functions_are_compared():
    of_output = made(spot(1, 1), target=("kinds", 2), label=None)
    assert agreement_of(of_output, as_truth(("kinds", 2))).right is True
    assert agreement_of(of_output, as_truth(("kinds", 1))).right is False
    of_function = made(spot(1, 1), target="brightness", label=None)
    assert agreement_of(of_function, as_truth("brightness")).right is True


@pytest.mark.parametrize(
    ("target", "label", "truth", "message"),
    [
        (3, None, "cat", "the truth is the label 'cat', but the target 3 has no label"),
        (("kinds", 3), "cat", 3, "is about a target named ('kinds', 3); name the truth as"),
        (3, "cat", ("kinds", 3), "the truth is ('kinds', 3), but"),
        ("brightness", None, 3, "is about a target named 'brightness'"),
    ],
)
def test_truths_named_otherwise_than_targets_are_refused(target, label, truth, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        agreement_of(made(spot(1, 1), target, label), as_truth(truth))


def test_boxes_are_compared_with_the_box_of_the_heatmap():
    # The picture is of the heatmap's size, so that the box is that of the hot cells.
    expl = made(spot(slice(1, 3), slice(2, 6)))
    assert agreement_of(expl, as_truth((2, 1, 6, 3))) == Agreement(None, True, 1.0)
    half = agreement_of(expl, as_truth((2, 1, 4, 3)))
    assert half == Agreement(None, True, pytest.approx(4 / 8))
    beside = agreement_of(expl, as_truth((3, 1, 7, 3)))
    assert beside == Agreement(
        None, False, pytest.approx(6 / 10)
    )  # the first hottest is left of it
    either = agreement_of(expl, as_truth([(0, 5, 1, 6), (2, 1, 6, 4)]))
    assert either == Agreement(None, True, pytest.approx(8 / 12))


def test_boxes_end_before_their_right_and_lower_edges():
    expl = made(spot(3, 2))  # one hot pixel
    assert agreement_of(expl, as_truth((2, 3, 3, 4))).hit is True
    for box in ((0, 3, 2, 4), (2, 0, 3, 3), (3, 3, 5, 4), (2, 4, 3, 5)):
        assert agreement_of(expl, as_truth(box)).hit is False


def test_masks_are_compared_with_the_hot_pixels():
    hot = spot(slice(1, 3), slice(2, 6)) > 0
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:5] = True
    overlap = (hot & mask).sum() / (hot | mask).sum()
    assert agreement_of(made(hot), as_truth(mask)) == Agreement(None, True, pytest.approx(overlap))
    assert agreement_of(made(hot), as_truth(~mask)).hit is False
    # A mask says itself how large the picture is.
    assert agreement_of(made(hot, size=None), as_truth(mask)).overlap == pytest.approx(overlap)


def test_what_points_nowhere_misses():
    blank = made(np.zeros((6, 8)))
    assert agreement_of(blank, Truth(3, boxes=(0, 0, 4, 4))) == Agreement(True, False, 0.0)


def test_what_failed_or_has_no_target_is_not_judged():
    for expl in (Explanation("net", "gradcam", error="no"), Explanation("net", "gradcam")):
        assert agreement_of(expl, Truth(3, boxes=(0, 0, 4, 4))) == Agreement()


def test_places_that_do_not_fit_the_picture_are_refused():
    with pytest.raises(ValueError, match=r"the mask has shape \(3, 3\), but the picture 6 rows of"):
        agreement_of(made(spot(1, 1)), as_truth(np.ones((3, 3), bool)))
    with pytest.raises(
        ValueError, match=r"the box \(8, 0, 9, 6\) lies outside the picture of 8 x 6"
    ):
        agreement_of(made(spot(1, 1)), as_truth([(0, 0, 1, 1), (8, 0, 9, 6)]))
    with pytest.raises(ValueError, match="this explanation has no picture"):
        agreement_of(made(spot(1, 1), size=None), as_truth((0, 0, 1, 1)))
