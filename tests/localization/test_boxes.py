import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainkit.localization import BlankMapError, find_box, find_boxes


def parts_by_flooding(hot):
    """The sets of pixels that touch at sides or corners, in the order of their first pixels."""
    left = {(int(row), int(column)) for row, column in np.argwhere(hot)}
    parts = []
    for start in sorted(left):
        if start not in left:
            continue
        part, waiting = set(), [start]
        while waiting:
            row, column = waiting.pop()
            if (row, column) in left:
                left.remove((row, column))
                part.add((row, column))
                waiting += [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        parts.append(part)
    return parts


def boxes_by_flooding(heat, threshold):
    def order(part):
        return -len(part), -sum(heat[pixel] for pixel in part), min(part)

    found = []
    for part in sorted(parts_by_flooding(heat >= threshold * heat.max()), key=order):
        rows, columns = zip(*part, strict=True)
        found.append((min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return found


def painted(*parts, shape=(8, 12)):
    heat = np.zeros(shape)
    for rows, columns, strength in parts:
        heat[rows, columns] = strength
    return heat


def test_the_box_is_that_of_the_largest_part_to_the_pixel():
    heat = painted((slice(1, 3), slice(2, 5), 0.2), (slice(5, 7), slice(8, 10), 1))
    assert find_box(heat) == (2, 1, 5, 3)
    assert find_boxes(heat) == [(2, 1, 5, 3), (8, 5, 10, 7)]
    assert find_box(heat, 0.5) == (8, 5, 10, 7)


def test_the_threshold_is_a_share_of_the_maximum_and_belongs_to_what_is_hot():
    heat = painted((0, 0, 20), (slice(2, 4), slice(2, 4), 3), (slice(5, 8), slice(6, 9), 2.999))
    assert find_boxes(heat, 0.15) == [(2, 2, 4, 4), (0, 0, 1, 1)]  # 3 of 20 is 15 %


def test_pixels_that_touch_at_a_corner_are_of_one_part():
    heat = painted((1, 1, 1), (2, 2, 1), (3, 1, 1), (6, slice(5, 7), 1))
    assert find_boxes(heat) == [(1, 1, 3, 4), (5, 6, 7, 7)]


def test_of_equal_parts_the_hotter_comes_first_then_the_upper_then_the_left():
    parts = [(0, slice(0, 2), 0.5), (3, slice(5, 7), 1), (3, slice(9, 11), 1), (6, slice(0, 2), 1)]
    found = find_boxes(painted(*parts))
    assert found == [(5, 3, 7, 4), (9, 3, 11, 4), (0, 6, 2, 7), (0, 0, 2, 1)]


def test_pixels_count_and_not_the_area_of_boxes():
    ring = painted((slice(0, 5), slice(0, 5), 1), (slice(1, 5), slice(1, 5), 0))  # 9 in 25
    heat = np.maximum(ring, painted((slice(5, 7), slice(6, 11), 0.5)))  # 10 in 10
    assert find_boxes(heat) == [(6, 5, 11, 7), (0, 0, 5, 5)]


def test_small_parts_can_be_left_out():
    heat = painted((0, 0, 1), (2, slice(2, 4), 1), (4, slice(5, 9), 1))
    assert [len(find_boxes(heat, smallest=n)) for n in (1, 2, 3, 4, 5)] == [3, 2, 1, 1, 0]


def test_boxes_are_in_pixels_of_the_picture(explain):
    heat = painted((slice(1, 3), slice(2, 3), 1.0), shape=(4, 4))
    expl = explain(np.zeros((4, 4)), heat, size=(8, 4))
    assert find_box(expl, 0.8, target=1) == (4, 1, 6, 3)
    assert find_box(heat, 0.8, size=(8, 4)) == find_box(expl.targets[1], 0.8, size=(8, 4))
    assert find_box(expl.targets[1], 0.8) == (2, 1, 3, 3)
    assert all(type(edge) is int for edge in find_box(heat))
    with pytest.raises(BlankMapError):
        find_box(expl)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_parts_are_those_that_flooding_finds(data):
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    levels = data.draw(
        st.lists(st.integers(0, 8), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    )
    heat = np.reshape(levels, shape) / 8
    threshold = data.draw(st.sampled_from([0.1, 0.25, 0.5, 0.9]))
    if not heat.any():
        heat[0, 0] = 1
    heat /= heat.max()
    assert find_boxes(heat, threshold) == boxes_by_flooding(heat.astype(np.float32), threshold)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"threshold": 0}, ValueError, "threshold is 0; give a share of the greatest heat"),
        ({"threshold": 1}, ValueError, "threshold is 1;"),
        ({"threshold": -0.5}, ValueError, "threshold is -0.5"),
        ({"threshold": float("nan")}, ValueError, "threshold is nan"),
        ({"threshold": True}, TypeError, "threshold is True, of type bool"),
        ({"threshold": "15%"}, TypeError, "threshold is '15%', of type str"),
        ({"smallest": 0}, ValueError, "smallest is 0; give a number of pixels, 1 or more"),
        ({"smallest": 1.5}, TypeError, "smallest is 1.5, of type float"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        find_boxes(np.ones((2, 2)), **options)
