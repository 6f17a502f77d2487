import numpy as np
import pytest

from explainkit.localization import guided_filter


def filtered_by_windows(source, guide, radius, epsilon):
    """The paper's algorithm, a line fitted to each window by least squares."""
    height, width = source.shape
    lines = {}

    def window(row, column):
        return (
            slice(max(row - radius, 0), row + radius + 1),
            slice(max(column - radius, 0), column + radius + 1),
        )

    for row in range(height):
        for column in range(width):
            i, p = guide[window(row, column)].ravel(), source[window(row, column)].ravel()
            # min over a, b of the mean of (a i + b - p)^2 + epsilon a^2, by its normal equations
            normal = [[np.mean(i * i) + epsilon, np.mean(i)], [np.mean(i), 1]]
            lines[row, column] = np.linalg.solve(normal, [np.mean(i * p), np.mean(p)])
    found = np.zeros_like(source)
    for row in range(height):
        for column in range(width):
            rows, columns = window(row, column)
            near = [lines[r, c] for r in range(height)[rows] for c in range(width)[columns]]
            found[row, column] = np.mean([a * guide[row, column] + b for a, b in near])
    return found


@pytest.mark.parametrize("radius", [1, 2, 20])
@pytest.mark.parametrize("epsilon", [1e-4, 0.1])
def test_it_is_what_windows_say_one_by_one(radius, epsilon):
    rng = np.random.default_rng(radius)
    source, guide = rng.random((9, 11)), rng.random((9, 11))
    found = guided_filter(source, guide, radius, epsilon)
    np.testing.assert_allclose(
        found, filtered_by_windows(source, guide, radius, epsilon), atol=1e-10
    )


def test_edges_of_the_guide_are_kept_and_others_are_not():
    guide = np.zeros((20, 20))
    guide[:, 10:] = 1
    source = np.zeros((20, 20))
    source[:, 8:] = 1  # an edge near that of the guide
    found = guided_filter(source, guide, 4)[10]
    assert found[10] - found[9] > 0.4
    assert found[8] - found[7] < 0.12  # a ninth: nothing but the mean of the window


def test_a_flat_guide_only_smooths_and_a_constant_stays():
    spot = np.zeros((9, 9))
    spot[4, 4] = 1
    found = guided_filter(spot, np.ones((9, 9)), 1)
    along = np.array([0, 0, 1, 2, 3, 2, 1, 0, 0]) / 9  # the mean of means
    np.testing.assert_allclose(found, np.outer(along, along), atol=1e-12)
    guide = np.random.default_rng(0).random((9, 9))
    np.testing.assert_allclose(guided_filter(np.full((9, 9), 0.3), guide, 3), 0.3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones((2, 2)), np.ones((2, 3)), 1), ValueError, r"\(2, 2\) and the guide \(2, 3\)"),
        ((np.ones(2), np.ones(2), 1), ValueError, r"\(2,\)"),
        ((np.ones((2, 2)), np.ones((2, 2)), 0), ValueError, "radius is 0"),
        ((np.ones((2, 2)), np.ones((2, 2)), 1.5), TypeError, "radius is 1.5"),
        ((np.ones((2, 2)), np.ones((2, 2)), 1, 0), ValueError, "epsilon is 0; give a number above"),
        ((np.ones((2, 2)), np.ones((2, 2)), 1, "little"), TypeError, "epsilon is 'little'"),
    ],
)
def test_what_cannot_be_filtered_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        guided_filter(*arguments)
