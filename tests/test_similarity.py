"""Similarities against hand-made cases, explicit loops and other people's code."""

import math
import subprocess
import sys

import numpy as np
import pytest

from explainkit import similarity
from explainkit.similarity import SIMILARITIES, pearson, spearman, ssim

RNG = np.random.default_rng(0)
#: Pairs of maps, some of which have ties.
PAIRS = {
    "noise": (RNG.normal(size=(14, 17)), RNG.normal(size=(14, 17))),
    "ties": (RNG.integers(0, 4, (13, 11)), RNG.integers(0, 3, (13, 11))),
    "alike": (PAIR := RNG.normal(size=(15, 12)), PAIR + RNG.normal(size=(15, 12)) / 3),
    "far from 0": (1e3 + RNG.normal(size=(12, 12)), 1e3 + RNG.normal(size=(12, 12))),
    "half zeros": tuple(np.maximum(RNG.normal(size=(2, 16, 16)), 0)),
}
every_pair = pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
every_similarity = pytest.mark.parametrize("function", SIMILARITIES.values(), ids=SIMILARITIES)


def pearson_by_loops(one, other):
    one, other = ([float(cell) for cell in array.ravel()] for array in (one, other))
    mean_one, mean_other = math.fsum(one) / len(one), math.fsum(other) / len(other)
    pairs = list(zip(one, other, strict=True))
    covariance = math.fsum((a - mean_one) * (b - mean_other) for a, b in pairs)
    var_one = math.fsum((a - mean_one) ** 2 for a in one)
    var_other = math.fsum((b - mean_other) ** 2 for b in other)
    return covariance / math.sqrt(var_one * var_other)


def ssim_by_loops(one, other):
    """As the paper has it: a window, weighted means in it, and the mean of all windows."""
    one, other = np.asarray(one, float), np.asarray(other, float)
    weight = {
        (i, j): math.exp(-(i * i + j * j) / (2 * 1.5**2))
        for i in range(-5, 6)
        for j in range(-5, 6)
    }
    total = math.fsum(weight.values())
    span = max(one.max(), other.max()) - min(one.min(), other.min())
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    found = []
    for y in range(5, one.shape[0] - 5):
        for x in range(5, one.shape[1] - 5):
            cells = [
                (w / total, one[y + i, x + j], other[y + i, x + j]) for (i, j), w in weight.items()
            ]
            mean_a = math.fsum(w * a for w, a, _ in cells)
            mean_b = math.fsum(w * b for w, _, b in cells)
            var_a = math.fsum(w * (a - mean_a) ** 2 for w, a, _ in cells)
            var_b = math.fsum(w * (b - mean_b) ** 2 for w, _, b in cells)
            both = math.fsum(w * (a - mean_a) * (b - mean_b) for w, a, b in cells)
            found.append(
                (2 * mean_a * mean_b + c1)
                * (2 * both + c2)
                / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
            )
    return math.fsum(found) / len(found)


@every_pair
def test_pearson_is_what_loops_find(one, other):
    assert pearson(one, other) == pytest.approx(pearson_by_loops(one, other), abs=1e-12)


@every_pair
def test_spearman_is_what_scipy_finds(one, other):
    stats = pytest.importorskip("scipy.stats")
    oracle = stats.spearmanr(np.ravel(one), np.ravel(other)).statistic
    assert spearman(one, other) == pytest.approx(oracle, abs=1e-12)


@every_pair
def test_ssim_is_what_loops_find(one, other):
    # Far from 0 what is left of the squares has fewer digits.
    assert ssim(one, other) == pytest.approx(ssim_by_loops(one, other), abs=1e-7)


@every_pair
def test_ssim_is_what_scikit_image_finds(one, other):
    metrics = pytest.importorskip("skimage.metrics")
    one, other = np.asarray(one, float), np.asarray(other, float)
    oracle = metrics.structural_similarity(
        one,
        other,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=max(one.max(), other.max()) - min(one.min(), other.min()),
    )
    assert ssim(one, other) == pytest.approx(oracle, abs=1e-7)


def test_ranks_of_ties_are_shared():
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
    assert spearman([0, 7, 7, 9], [1, 2, 3, 4]) == pytest.approx(math.sqrt(0.9), abs=1e-15)


def test_correlations_of_a_line_are_exact():
    line = np.arange(24.0).reshape(2, 3, 4)
    for correlation in (pearson, spearman):
        assert correlation(line, 3 * line + 1) == 1
        assert correlation(line, -line) == -1
    assert pearson(line, line**9) < 0.8
    assert spearman(line, line**9) == 1


@every_similarity
def test_similarities_are_symmetric_and_1_of_a_map_with_itself(function):
    one, other = PAIRS["alike"]
    assert function(one, other) == pytest.approx(function(other, one), abs=1e-15)
    assert function(one, one) == pytest.approx(1, abs=1e-12)
    assert isinstance(function(one, other), float)


@every_similarity
@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_squares_neither_overflow_nor_underflow(function, size):
    one, other = PAIRS["noise"]
    assert function(one * size, other * size) == pytest.approx(function(one, other), abs=1e-12)


@pytest.mark.filterwarnings("error")
@every_similarity
@pytest.mark.parametrize("level", [0.0, 0.1, -3.0])
def test_two_equal_constants_have_no_similarity(function, level):
    constant = np.full((12, 12), level)
    assert math.isnan(function(constant, constant))


@pytest.mark.parametrize("correlation", [pearson, spearman])
def test_a_constant_correlates_with_nothing(correlation):
    constant = np.full((5, 3), 0.1)  # whose mean is not quite 0.1
    assert math.isnan(correlation(constant, RNG.normal(size=(5, 3))))
    assert math.isnan(correlation(RNG.normal(size=(5, 3)), constant))


def test_ssim_of_different_constants():
    # No structure is in either; the levels 0 and 1 have in common what C1 leaves.
    assert ssim(np.zeros((11, 11)), np.ones((11, 11))) == pytest.approx(1e-4 / (1 + 1e-4))


@every_similarity
@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float16, np.float32])
def test_maps_of_any_real_dtype(function, dtype):
    one, other = (np.asarray(array > 0, dtype) for array in PAIRS["noise"])
    expected = function(one.astype(np.float64), other.astype(np.float64))
    assert function(one, other) == expected


@every_similarity
@pytest.mark.parametrize(
    ("one", "other", "error", "message"),
    [
        (
            np.ones((12, 12)),
            np.ones((12, 13)),
            ValueError,
            r"the maps have the shapes \(12, 12\) and \(12, 13\); bring them to one shape first",
        ),
        (1.0, 1.0, ValueError, r"one has the shape \(\); give a map with at least one cell"),
        (
            np.ones((12, 12)),
            np.ones((0, 12)),
            ValueError,
            r"other has the shape \(0, 12\); give a map with at least one cell",
        ),
        ([0, np.nan], [0, 1], ValueError, "one holds NaN or infinity; give finite numbers"),
        ([0, 1], [0, -np.inf], ValueError, "other holds NaN or infinity; give finite numbers"),
        ([1j, 0], [0, 1], TypeError, "one is an array of complex128; give a map of real numbers"),
        ([0, 1], ["a", "b"], TypeError, "other is an array of <U1; give a map of real numbers"),
    ],
)
def test_what_cannot_be_compared(function, one, other, error, message):
    with pytest.raises(error, match=message):
        function(one, other)


def test_maps_too_small_for_a_window():
    with pytest.raises(
        ValueError, match=r"shape \(10, 40\); ssim looks through windows of 11 .* e"
    ):
        ssim(np.ones((10, 40)), np.ones((10, 40)))


def test_the_names():
    assert dict(SIMILARITIES) == {"pearson": pearson, "spearman": spearman, "ssim": ssim}
    with pytest.raises(TypeError):
        SIMILARITIES["mine"] = pearson


def test_scipy_is_imported_only_when_called():
    code = (
        f"import sys, {similarity.__name__}; "
        "assert not {'scipy', 'matplotlib'}.intersection(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
