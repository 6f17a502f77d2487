import numpy as np
import pytest

from explainkit.methods.gradients import together

from .by_loops import sizes_of


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("channels", ["sum", "max"])
def test_channels_are_brought_together_in_each_pixel(channels, rank):
    sizes = sizes_of(rank)
    parts = np.random.default_rng(rank).normal(size=(2, 3, *sizes, 4))
    found = together(np, parts, channels)
    assert found.shape == (2, 3, *sizes)
    for place in np.ndindex(found.shape):
        numbers = [float(parts[(*place, c)]) for c in range(4)]
        expected = sum(numbers) if channels == "sum" else max(abs(n) for n in numbers)
        assert found[place] == pytest.approx(expected, abs=1e-10)


def test_the_largest_is_that_of_absolute_values():
    parts = np.array([[[[-5.0, 3.0], [2.0, 1.0]]]])
    np.testing.assert_array_equal(together(np, parts, "max"), [[[5.0, 2.0]]])


def test_the_sum_keeps_the_sign_and_loses_nothing():
    parts = np.random.default_rng(0).normal(size=(1, 1, 5, 6, 3))
    found = together(np, parts, "sum")
    assert found.sum() == pytest.approx(parts.sum(), abs=1e-10)
    np.testing.assert_allclose(together(np, -parts, "sum"), -found)


def test_a_single_channel_is_itself_or_its_absolute_value():
    parts = np.array([[[[-5.0], [2.0]]]])
    np.testing.assert_array_equal(together(np, parts, "sum"), [[[-5.0, 2.0]]])
    np.testing.assert_array_equal(together(np, parts, "max"), [[[5.0, 2.0]]])
