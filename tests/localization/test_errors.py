from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest

from explainkit.intervals import interval_of
from explainkit.localization import ErrorRate, localization_error, localization_errors


def heat_in(box):
    heat = np.zeros((6, 8))
    heat[box[1] : box[3], box[0] : box[2]] = 1
    return heat


BLANK = np.zeros((6, 8))
HERE, THERE = (0, 0, 4, 2), (5, 3, 8, 6)


@pytest.fixture
def dataset(explain):
    """Eight docs, their labels and true boxes; what is right of each is in the comment."""
    here, there = heat_in(HERE), heat_in(THERE)
    docs = [
        (explain(here, there, there), 100, HERE),  # label and box first
        (explain(here, here, there), 102, [THERE]),  # both third
        (explain(here, there, there), 100, (0, 0, 3, 3)),  # label first; IoU 6/11
        (explain(here, there, there), 100, (0, 0, 3, 6)),  # label first; IoU 6/20: no box
        (explain(here, there, there), 999, HERE),  # no label, though there is a box
        (explain(error="no such layer"), 100, HERE),  # neither
        (explain(BLANK, here, here), 100, HERE),  # label first, no box
        (explain(here, there, here), 101, [HERE, THERE, (0, 0, 1, 1)]),  # both second
    ]
    return tuple(zip(*docs, strict=True))


def shares(errors):
    return [
        (row.top, row.classification.share * 8, row.localization.share * 8) for row in errors.rows
    ]


def test_the_table_worked_by_hand(dataset):
    # Labels are first in docs 0, 2, 3, 6; second in 7; third in 1; missed in 4 and 5.
    # Boxes are right in 0, 2, 7, 1 of these.
    errors = localization_errors(*dataset, top=(1, 2, 3))
    assert shares(errors) == [(1, 4, 6), (2, 3, 5), (3, 2, 4)]
    assert (errors.count, errors.threshold, errors.overlap) == (8, 0.15, 0.5)
    assert shares(localization_errors(*dataset, top=[3], overlap=0.3)) == [(3, 2, 3)]
    assert shares(localization_errors(*dataset, top=[3], overlap=0.55)) == [(3, 2, 5)]
    assert shares(localization_errors(*dataset, top=(1,), overlap=1)) == [(1, 4, 7)]


def test_an_iou_of_the_limit_is_right(explain):
    expl = explain(heat_in(HERE))
    assert localization_error([expl], [(0, 0, 4, 4)]) == 0  # 8 of 16
    assert localization_error([expl], [(0, 0, 4, 4)], overlap=0.51) == 1


def test_the_threshold_is_that_of_the_boxes(explain):
    heat = np.full((6, 8), 0.3)
    heat[:2, :4] = 1
    arguments = ([explain(heat)], [100], [HERE])
    assert localization_errors(*arguments, top=[1]).rows[0].localization.share == 1
    errors = localization_errors(*arguments, top=[1], threshold=0.4)
    assert errors.rows[0].localization.share == 0
    assert errors.threshold == 0.4
    assert localization_error(arguments[0], arguments[2], threshold=0.4) == 0


def test_of_a_known_label_only_its_box_counts(dataset):
    explanations, _, boxes = dataset
    assert localization_error(explanations, boxes) == 4 / 8  # right in 0, 2, 4 and 7
    assert localization_error(explanations[:1], [THERE], target=2) == 0
    assert localization_error(iter(explanations), iter(boxes), overlap=0.3) == 3 / 8
    with pytest.raises(IndexError, match="target is 3"):
        localization_error(explanations, boxes, target=3)


def test_intervals_are_wilsons(dataset):
    rate = localization_errors(*dataset, top=[1]).rows[0].localization
    z, n, p = NormalDist().inv_cdf(0.975), 8, 6 / 8
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (rate.low, rate.high) == pytest.approx((centre - half, centre + half))
    none = localization_errors(dataset[0][:1], dataset[1][:1], dataset[2][:1], top=[1])
    assert none.rows[0].classification.low == pytest.approx(0)
    assert none.rows[0].classification.high == pytest.approx(z**2 / (1 + z**2))


def test_intervals_are_those_of_the_metrics(dataset):
    for row in localization_errors(*dataset, top=(1, 2, 3)).rows:
        for rate in (row.classification, row.localization):
            wrong = np.arange(8) < round(8 * rate.share)
            found = interval_of(wrong.astype(float), is_share=True)
            assert (rate.share, rate.low, rate.high) == tuple(found)


def test_the_table_can_be_read(dataset):
    told = str(localization_errors(*dataset, top=(1, 3)))
    *table, remark = told.splitlines()
    assert table == [
        "       classification error    localization error",
        "top 1  50.0% (21.5% to 78.5%)  75.0% (40.9% to 92.9%)",
        "top 3  25.0% (7.1% to 59.1%)   50.0% (21.5% to 78.5%)",
    ]
    assert remark.startswith("8 documents; boxes at 0.15 of the greatest heat, right from an IoU")
    assert str(ErrorRate(0.25, 0.125, 0.5)) == "25.0% (12.5% to 50.0%)"


def test_units_of_several_outputs_are_named_as_targets_are(explain):
    names = [("kinds", 3), ("colours", 3)]
    expl = explain(heat_in(HERE), heat_in(THERE), names=names)
    labels = [("kinds", np.int64(3)), ("colours", 3), ("kinds", 4)]
    errors = localization_errors([expl] * 3, labels, [HERE, THERE, HERE], top=(1, 2))
    assert [row.localization.share * 3 for row in errors.rows] == pytest.approx([2, 1])
    with pytest.raises(ValueError, match=r"labels\[0\] is 3, .* named \('kinds', 3\); name the"):
        localization_errors([expl], [3], [HERE], top=[1])


def test_arrays_of_labels_and_of_boxes_will_do(dataset):
    explanations, labels, _ = dataset
    boxes = np.array([HERE] * 8)
    found = localization_errors(iter(explanations), np.array(labels), boxes, top=[1])
    assert found == localization_errors(explanations, labels, [HERE] * 8, top=[1])


def test_explanations_are_held_one_at_a_time_and_after_the_rest_is_checked(dataset):
    def never():
        raise AssertionError("asked for an explanation")
        yield

    for labels, boxes in ([[1, 2], [HERE]], [["cat"], [HERE]], [[1], [7]], [[], []]):
        with pytest.raises((TypeError, ValueError)):
            localization_errors(never(), labels, boxes)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"labels": [100] * 7}, ValueError, "7 and 8 are the numbers of explanations, labels"),
        ({"boxes": [HERE] * 9}, ValueError, "8 and 9 are the numbers"),
        ({"explanations": []}, ValueError, "0 and 8 are the numbers"),
        ({"explanations": [], "labels": [], "boxes": []}, ValueError, "there are no documents"),
        ({"top": (1, 5)}, ValueError, r"explanations\[0\] has 3 targets.*top_targets=5 would do"),
        ({"top": 5}, TypeError, r"top is 5; give several numbers of targets, such as \(1, 5\)"),
        ({"top": []}, ValueError, "top is empty"),
        ({"top": [0]}, ValueError, "a number in top is 0; give a number of targets, 1 or more"),
        ({"threshold": 15}, ValueError, "threshold is 15"),
        ({"overlap": 0}, ValueError, "overlap is 0; give the least IoU"),
        ({"overlap": 1.1}, ValueError, "overlap is 1.1"),
        ({"overlap": None}, TypeError, "overlap is None"),
        ({"labels": ["cat"] * 8}, TypeError, r"labels\[0\] is 'cat', .* give the number of the"),
        ({"labels": [True] * 8}, TypeError, r"labels\[0\] is True"),
        ({"labels": [-1] * 8}, ValueError, r"labels\[0\] is -1"),
        ({"labels": [("a", "b")] * 8}, TypeError, r"the unit in labels\[0\] is 'b'"),
        ({"labels": 5}, TypeError, "labels is 5, of type int; give one for each document"),
        ({"boxes": None}, TypeError, "boxes is None"),
        ({"boxes": [HERE] * 7 + [(3, 3, 1, 1)]}, ValueError, r"boxes\[7\]: .* ends before"),
        ({"boxes": [HERE] * 7 + [5]}, TypeError, r"boxes\[7\]: boxes is 5"),
        ({"boxes": [HERE] * 7 + [[]]}, ValueError, r"boxes\[7\] is empty"),
        ({"boxes": [HERE] * 7 + [(3, 3, 3, 5)]}, ValueError, r"boxes\[7\] .* no area"),
        ({"explanations": [None] * 8}, TypeError, r"explanations\[0\] is of type NoneType"),
        ({"explanations": None}, TypeError, "explanations is of type NoneType"),
    ],
)
def test_what_makes_no_table_is_refused(dataset, changed, error, message):
    given = dict(zip(("explanations", "labels", "boxes"), dataset, strict=True))
    with pytest.raises(error, match=message):
        localization_errors(**{"top": [1], **given, **changed})


def test_an_explanation_alone_is_no_dataset(dataset):
    with pytest.raises(TypeError, match="explanations is of type Explanation"):
        localization_error(dataset[0][0], [HERE])


@pytest.mark.parametrize(("count", "which"), [(7, "fewer"), (9, "more")])
def test_a_stream_of_another_length_is_refused_when_one_side_ends(dataset, count, which):
    explanations, labels, boxes = dataset
    stream = (explanations[place % 8] for place in range(count))
    with pytest.raises(ValueError, match=f"there are {which} explanations than the 8 boxes given"):
        localization_errors(stream, labels, boxes, top=[1])


def test_maps_that_cannot_be_judged_are_no_errors_of_the_model(explain):
    with pytest.raises(ValueError, match="holds NaN"):
        localization_error([explain([[np.nan, 1.0]])], [HERE])
    with pytest.raises(ValueError, match="no picture to lay the map over"):
        localization_error([explain([[0.0, 1.0]], image=None)], [HERE])
