import numpy as np
import pytest
from PIL import Image

from explainkit.methods.resampling import linear_weights, mix, resize, spreading_weights

from .by_loops import enlarged

# Weights are float32 on purpose; PIL knows no other floats either.
PRECISION = 1e-6

SIZES = [(2, 7), (3, 3), (5, 14), (1, 4), (7, 224), (4, 4), (1, 1)]
SHRINKING = [(7, 2), (14, 5), (4, 1), (8, 4), (9, 3), (5, 4)]


@pytest.mark.parametrize(("size", "new_size"), SIZES)
def test_linear_weights_are_those_of_a_bilinear_enlargement(size, new_size):
    values = np.random.default_rng(size).normal(size=size).astype(np.float32)
    row = Image.fromarray(np.tile(values, (4, 1)))
    enlarged_row = np.asarray(row.resize((new_size, 4), Image.Resampling.BILINEAR))[0]
    found = linear_weights(size, new_size) @ values
    np.testing.assert_allclose(found, enlarged_row, atol=PRECISION)


@pytest.mark.parametrize(("size", "new_size"), [*SIZES, *SHRINKING])
def test_linear_weights_interpolate_at_the_centres_of_the_new_cells(size, new_size):
    # Also of an axis that shrinks, where PIL averages instead.
    values = np.random.default_rng(size).normal(size=size)
    weights = linear_weights(size, new_size)
    assert weights.shape == (new_size, size)
    assert weights.dtype == np.float32
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=PRECISION)
    expected = enlarged(values, [new_size], leading=0)
    np.testing.assert_allclose(weights @ values, expected, atol=PRECISION)


@pytest.mark.parametrize(("size", "new_size"), [*SIZES, *SHRINKING, (100, 3)])
def test_spreading_weights_keep_the_sum(size, new_size):
    weights = spreading_weights(size, new_size)
    assert weights.shape == (new_size, size)
    assert weights.dtype == np.float32
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=PRECISION)


@pytest.mark.parametrize(("size", "new_size"), SIZES)
def test_spreading_goes_where_enlarging_does(size, new_size):
    spread, linear = spreading_weights(size, new_size), linear_weights(size, new_size)
    for cell in range(size):
        expected = linear[:, cell] / linear[:, cell].sum(dtype=float)
        np.testing.assert_allclose(spread[:, cell], expected, atol=PRECISION)


def test_cells_that_are_passed_over_are_spread_to_the_pixel_that_they_lie_in():
    # The new centres are the cells 1 and 4.
    expected = [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
    np.testing.assert_allclose(spreading_weights(6, 2), expected, atol=PRECISION)


@pytest.mark.parametrize(
    ("old", "new"),
    [((3, 5), (6, 10)), ((7, 7), (56, 56)), ((1, 3), (4, 3)), ((2, 2), (5, 7))],
)
def test_pictures_are_enlarged_as_pil_does_it(old, new):
    maps = np.random.default_rng(0).normal(size=(2, 3, *old))
    found = resize(np, maps, new)
    for n, k in np.ndindex(2, 3):
        picture = Image.fromarray(maps[n, k].astype(np.float32))
        expected = np.asarray(picture.resize(new[::-1], Image.Resampling.BILINEAR))
        np.testing.assert_allclose(found[n, k], expected, atol=PRECISION)


# Of these sizes the weights are exact in float32.
@pytest.mark.parametrize(
    ("old", "new"),
    [((3,), (8,)), ((8,), (4,)), ((3, 4), (4, 8)), ((8, 2), (2, 4)), ((2, 1, 3), (4, 2, 8))],
)
@pytest.mark.parametrize("leading", [0, 1, 2, 3])
def test_each_axis_of_a_map_is_resampled(leading, old, new):
    maps = np.random.default_rng(1).normal(size=(*(2, 3, 2)[:leading], *old))
    found = resize(np, maps, new, leading=leading)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, enlarged(maps, new, leading), atol=1e-12)


def test_channels_behind_the_map_stay():
    pictures = np.random.default_rng(2).normal(size=(2, 3, 4, 5))
    found = resize(np, pictures, (8, 8), leading=1)
    for c in range(5):
        expected = enlarged(pictures[..., c], (8, 8), leading=1)
        np.testing.assert_allclose(found[..., c], expected, atol=1e-12)


def test_maps_of_the_right_size_are_left_as_they_are():
    maps = np.random.default_rng(3).normal(size=(2, 3, 4, 5))
    assert resize(np, maps, (4, 5)) is maps


def test_even_maps_stay_even():
    found = resize(np, np.full((1, 1, 3, 5), 7.0), (11, 2))
    np.testing.assert_allclose(found, np.full((1, 1, 11, 2), 7.0), atol=1e-5)


@pytest.mark.parametrize(("old", "new"), [((3, 4), (7, 9)), ((9, 7), (4, 3)), ((2, 9), (8, 4))])
def test_other_weights_may_be_given(old, new):
    maps = np.random.default_rng(4).uniform(1, 2, size=(2, 3, *old))
    found = resize(np, maps, new, weigh=spreading_weights)
    np.testing.assert_allclose(found.sum(axis=(2, 3)), maps.sum(axis=(2, 3)), rtol=PRECISION)


@pytest.mark.parametrize("rank", [1, 2, 4, 6])
@pytest.mark.parametrize("new", [1, 3, 5])
def test_the_cells_of_any_axis_are_mixed(rank, new):
    rng = np.random.default_rng(5)
    maps = rng.normal(size=(2, 3, 2, 4, 3, 2)[:rank])
    for axis, size in enumerate(maps.shape):
        # Eighths are exact in float32.
        weights = (rng.integers(-8, 8, size=(new, size)) / 8).astype(np.float32)
        found = mix(np, maps, axis, weights)
        assert found.dtype == maps.dtype
        expected = np.apply_along_axis(lambda row, weights=weights: weights @ row, axis, maps)
        np.testing.assert_allclose(found, expected, atol=1e-12)
