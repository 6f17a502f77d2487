import math
from itertools import pairwise

import numpy as np
import pytest

from explainkit.methods.base import Canvas
from explainkit.methods.integrated_gradients import IntegratedGradients, path_points

# Points and weights are float32 on purpose: they go to a model with its pictures.
PRECISION = 1e-6


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 50, 1000])
def test_points_are_the_middles_of_equal_steps(steps):
    edges = np.linspace(0, 1, steps + 1)
    expected = [(a + b) / 2 for a, b in pairwise(edges)]
    found = path_points(steps)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=PRECISION)


def test_one_step_takes_the_gradient_half_way():
    assert path_points(1).tolist() == [0.5]


@pytest.mark.parametrize("steps", [1, 2, 5, 50])
def test_a_path_of_straight_gradients_is_integrated_exactly(steps):
    # y = 3 x² - x has the gradient 6 x - 1; from 0 to 1 it gains 2.
    assert np.mean(6 * path_points(steps) - 1) == pytest.approx(2, abs=PRECISION)


def test_the_error_falls_with_the_square_of_the_steps():
    # The middles of steps; their ends would fall with the number of steps only.
    def error(steps):
        return abs(np.mean(np.exp(path_points(steps).astype(float))) - (math.e - 1))

    assert error(4) / error(8) == pytest.approx(4, rel=0.05)
    assert error(50) < 1e-4


@pytest.mark.parametrize(("steps", "batch_size"), [(1, 4), (5, 3), (50, 32), (7, 7), (6, 1)])
def test_what_a_turn_is_filled_up_with_does_not_count(steps, batch_size):
    (points, weights), baseline = IntegratedGradients(steps=steps).drawn(
        Canvas((4, 4, 3)), batch_size
    )
    assert points.shape == weights.shape
    assert points.shape[1] <= batch_size
    assert baseline == ()
    # The mean of any function of the points, here of their cubes.
    found = np.sum(weights * points.astype(float) ** 3)
    expected = sum(((i + 0.5) / steps) ** 3 for i in range(steps)) / steps
    assert found == pytest.approx(expected, abs=PRECISION)
