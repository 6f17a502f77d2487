import subprocess
import sys

import numpy as np
import pytest

from explainkit.localization import BlankMapError, heat_of


def enlarged_by_loops(heat, width, height):
    """Linear interpolation between the centres of cells, which are areas, in float64."""

    def around(place, new, old):
        centre = min(max((place + 0.5) * old / new - 0.5, 0), old - 1)
        low = int(centre)
        return low, min(low + 1, old - 1), centre - low

    found = np.zeros((height, width))
    for row in range(height):
        top, bottom, down = around(row, height, heat.shape[0])
        for column in range(width):
            left, right, along = around(column, width, heat.shape[1])
            found[row, column] = (
                heat[top, left] * (1 - down) * (1 - along)
                + heat[top, right] * (1 - down) * along
                + heat[bottom, left] * down * (1 - along)
                + heat[bottom, right] * down * along
            )
    return found


def test_a_map_is_its_positive_part_over_its_maximum():
    heat = heat_of([[-8.0, 1.0, 0.0], [2.0, 4.0, -1.0]])
    np.testing.assert_array_equal(heat, [[0, 0.25, 0], [0.5, 1, 0]])
    assert heat.dtype == np.float32


@pytest.mark.parametrize("scale", [1e-300, 1e-60, 1, 1e60, 1e300])
def test_no_scale_is_too_small_or_too_large(scale):
    np.testing.assert_array_equal(heat_of(np.array([[1.0, 4.0]]) * scale), [[0.25, 1]])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float64])
def test_every_kind_of_number_is_taken(dtype):
    np.testing.assert_array_equal(heat_of(np.array([[0, 1]], dtype), (2, 1)), [[0, 1]])


def test_it_is_laid_over_the_picture_linearly_without_what_speaks_against():
    raw = np.random.default_rng(0).normal(size=(5, 7))
    raw[2, 3] = 0.01
    raw[1:4, 2:5] -= 2  # speaks against, next to what speaks for
    wanted = enlarged_by_loops(np.maximum(raw, 0), 40, 31)
    heat = heat_of(raw, (40, 31))
    assert heat.shape == (31, 40)
    assert heat.max() == 1
    assert heat.min() >= 0
    np.testing.assert_allclose(heat, wanted / wanted.max(), atol=1e-6)


def test_the_maximum_is_that_of_the_pixels():
    raw = np.zeros((4, 4))
    raw[1, 1] = 3
    assert heat_of(raw, (6, 6)).max() == 1  # no pixel has the cell's centre
    assert heat_of(raw, (2, 2)).max() == 1


def test_of_records_it_is_the_heatmap_and_over_the_picture(explain):
    one, other = np.array([[1.0, 0.5]]), np.array([[0.0, 0.5]])
    expl = explain(one, other, size=(4, 2))
    np.testing.assert_allclose(heat_of(expl), [[1, 0.875, 0.625, 0.5]] * 2)
    np.testing.assert_allclose(heat_of(expl, target=1), [[0, 0.25, 0.75, 1]] * 2)
    np.testing.assert_array_equal(heat_of(expl, (2, 1)), one)
    np.testing.assert_array_equal(heat_of(expl.targets[1]), [[0, 1]])
    np.testing.assert_allclose(heat_of(expl.targets[1], (4, 1)), [[0, 0.25, 0.75, 1]])


def test_without_a_picture_a_size_must_be_given(explain):
    expl = explain([[0.0, 1.0]], image=None)
    np.testing.assert_array_equal(heat_of(expl, (2, 1)), [[0, 1]])
    with pytest.raises(ValueError, match=r"no picture to lay the map over; pass image= .* size="):
        heat_of(expl)


@pytest.mark.parametrize("given", [np.zeros((2, 2)), -np.ones((2, 2))])
def test_a_map_that_is_positive_nowhere_is_blank(given):
    with pytest.raises(BlankMapError, match="nothing that speaks for the target") as caught:
        heat_of(given)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([[1.0, np.nan]], ValueError, "holds NaN or infinity; give a map of real numbers"),
        ([[1.0, np.inf]], ValueError, "holds NaN or infinity"),
        ([1.0, 2.0], ValueError, r"shape \(2,\)"),
        (np.ones((1, 2, 2)), ValueError, r"shape \(1, 2, 2\)"),
        (np.ones((0, 2)), ValueError, r"shape \(0, 2\)"),
        ("cat.jpg", TypeError, "the map is a str of dtype"),
        ([[1j]], TypeError, "dtype complex128"),
    ],
)
def test_what_is_no_map_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        heat_of(given)


def test_explanations_without_a_map_are_refused(explain):
    heat = [[0.0, 1.0]]
    with pytest.raises(ValueError, match="the explanation failed: no such layer"):
        heat_of(explain(heat, error="no such layer"))
    with pytest.raises(ValueError, match="has no targets"):
        heat_of(explain())
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        heat_of(explain(np.ones(3)))
    with pytest.raises(IndexError, match="target is 2; .* end at 1"):
        heat_of(explain(heat, heat), target=2)
    with pytest.raises(ValueError, match="target is -1; give a position"):
        heat_of(explain(heat), target=-1)
    with pytest.raises(TypeError, match="target is 'cat', of type str; give a position"):
        heat_of(explain(heat), target="cat")


@pytest.mark.parametrize(
    ("size", "error", "message"),
    [
        (5, TypeError, r"size is 5; give \(width, height\)"),
        ((5, 5, 3), TypeError, r"size is \(5, 5, 3\)"),
        ((0, 5), ValueError, "the width in size is 0"),
        ((5, 2.5), TypeError, "the height in size is 2.5, of type float"),
    ],
)
def test_what_is_no_size_is_refused(size, error, message):
    with pytest.raises(error, match=message):
        heat_of([[0.0, 1.0]], size)


def test_the_room_is_entered_without_scipy_models_or_drawing():
    asked = (
        "import sys, explainkit.localization; "
        "print([m for m in sys.modules if m.startswith(('scipy', 'keras', 'matplotlib', "
        "'explainkit.formatters', 'explainkit.methods', 'explainkit.estimators'))])"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
