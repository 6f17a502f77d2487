"""Filters against loops: each map by itself, whatever stands before its two axes."""

import numpy as np
import pytest

from explainkit import filters

RNG = np.random.default_rng(0)

#: Maps of documents and targets whose sizes differ by orders of magnitude.
MAPS = RNG.normal(size=(3, 4, 5, 6)) * 10.0 ** RNG.integers(-3, 4, size=(3, 4, 1, 1))


def positive(cells):
    return [max(cell, 0.0) for cell in cells]


def negative(cells):
    return [max(-cell, 0.0) for cell in cells]


def absolute(cells):
    return [cell if cell >= 0 else -cell for cell in cells]


def normalize(cells):
    lowest, highest = min(cells), max(cells)
    return [(cell - lowest) / (highest - lowest or 1.0) for cell in cells]


def scale(cells):
    largest = max(absolute(cells))
    return [cell / (largest or 1.0) for cell in cells]


#: What each filter does to one map, cell by cell.
BY_LOOPS = {
    "positive": positive,
    "negative": negative,
    "absolute": absolute,
    "normalize": normalize,
    "scale": scale,
    "positive_normalize": lambda cells: scale(positive(cells)),
    "negative_normalize": lambda cells: scale(negative(cells)),
    "absolute_normalize": lambda cells: scale(absolute(cells)),
}
every_filter = pytest.mark.parametrize("name", BY_LOOPS)


def by_loops(name, maps):
    found = np.empty(maps.shape)
    for place in np.ndindex(maps.shape[:-2]):
        cells = BY_LOOPS[name]([float(cell) for cell in maps[place].ravel()])
        found[place] = np.reshape(cells, maps.shape[-2:])
    return found


def test_every_filter_of_the_module_is_tried():
    public = {
        name
        for name, value in vars(filters).items()
        if callable(value) and getattr(value, "__module__", "") == filters.__name__
    }
    assert {name for name in public if not name.startswith("_")} == {*BY_LOOPS, "compose"}


@every_filter
@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (12, 5, 6), (360 // 6, 6)], ids=str)
def test_a_filter_does_to_each_map_what_loops_do(name, shape):
    maps = MAPS.reshape(shape)
    np.testing.assert_allclose(getattr(filters, name)(maps), by_loops(name, maps), rtol=1e-12)


@every_filter
def test_a_map_does_not_depend_on_its_neighbours(name):
    together = getattr(filters, name)(MAPS)
    for place in np.ndindex(MAPS.shape[:2]):
        alone = getattr(filters, name)(MAPS[place][None, None])
        np.testing.assert_array_equal(together[place], alone[0, 0])


@every_filter
def test_a_filter_leaves_what_it_was_given(name):
    maps = MAPS.copy()
    maps.flags.writeable = False
    found = getattr(filters, name)(maps)
    np.testing.assert_array_equal(maps, MAPS)
    assert not np.shares_memory(found, maps)


@every_filter
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_filter_keeps_shape_and_dtype(name, dtype):
    found = getattr(filters, name)(MAPS.astype(dtype))
    assert found.shape == MAPS.shape
    assert found.dtype == dtype


@every_filter
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("level", [0.0, 2.5, -2.5])
def test_even_maps(name, level):
    maps = np.full((2, 2, 3, 3), level)
    maps[1] = RNG.normal(size=(2, 3, 3))  # beside others that are not
    np.testing.assert_allclose(getattr(filters, name)(maps), by_loops(name, maps), rtol=1e-12)


@every_filter
@pytest.mark.filterwarnings("error")
def test_maps_of_negative_numbers_only(name):
    maps = -np.abs(MAPS) - 0.1
    np.testing.assert_allclose(getattr(filters, name)(maps), by_loops(name, maps), rtol=1e-12)


def test_what_zeros_and_even_maps_become():
    zeros, even = np.zeros((1, 1, 2, 2)), np.full((1, 1, 2, 2), -3.0)
    for name in BY_LOOPS:
        np.testing.assert_array_equal(getattr(filters, name)(zeros), zeros)
    np.testing.assert_array_equal(filters.normalize(even), zeros)
    np.testing.assert_array_equal(filters.scale(even), even / 3)
    np.testing.assert_array_equal(filters.positive_normalize(even), zeros)
    np.testing.assert_array_equal(filters.negative_normalize(even), -even / 3)


def test_ranges():
    inside = {"scale": (-1, 1)}
    for name in ("normalize", "scale", *(n for n in BY_LOOPS if n.endswith("_normalize"))):
        lowest, highest = inside.get(name, (0, 1))
        found = getattr(filters, name)(MAPS)
        assert found.min() >= lowest
        assert found.max() <= highest
        # Each map reaches an end of the range by itself, not only the largest of all.
        np.testing.assert_allclose(np.abs(found).max(axis=(-2, -1)), 1, rtol=1e-12)


def test_negative_is_not_positive():
    """A trap in others' code: both were the same function."""
    assert not np.array_equal(filters.negative(MAPS), filters.positive(MAPS))
    np.testing.assert_array_equal(filters.negative(MAPS), filters.positive(-MAPS))
    np.testing.assert_array_equal(
        filters.negative_normalize(MAPS), filters.positive_normalize(-MAPS)
    )
    np.testing.assert_array_equal(filters.positive(MAPS) - filters.negative(MAPS), MAPS)
    np.testing.assert_array_equal(filters.positive(MAPS) + filters.negative(MAPS), np.abs(MAPS))
    # Where one says something the other is silent.
    assert not (filters.positive(MAPS) * filters.negative(MAPS)).any()


def test_compose_applies_the_first_first():
    applied = []

    def noting(name, change):
        return lambda maps: applied.append(name) or change(maps)

    composed = filters.compose(
        noting("double", lambda maps: maps * 2), noting("add", lambda maps: maps + 1)
    )
    np.testing.assert_array_equal(composed(MAPS), MAPS * 2 + 1)
    assert applied == ["double", "add"]


def test_the_order_of_filters_matters():
    one = filters.compose(filters.normalize, filters.negative)(MAPS)
    other = filters.compose(filters.negative, filters.normalize)(MAPS)
    assert not one.any()  # nothing is negative any more
    assert other.any()


def test_compose_of_nothing_and_of_composed():
    np.testing.assert_array_equal(filters.compose()(MAPS), MAPS)
    inner = filters.compose(filters.negative, filters.scale)
    nested = filters.compose(inner, filters.normalize)
    flat = filters.compose(filters.negative, filters.scale, filters.normalize)
    np.testing.assert_array_equal(nested(MAPS), flat(MAPS))


@pytest.mark.parametrize("sign", ["positive", "negative", "absolute"])
def test_the_normalised_filters_are_composed(sign):
    composed = filters.compose(getattr(filters, sign), filters.scale)
    found = getattr(filters, f"{sign}_normalize")(MAPS)
    np.testing.assert_array_equal(found, composed(MAPS))
