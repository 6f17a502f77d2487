import numpy as np
import pytest

from explainkit.methods.fusion import fuse

from .by_loops import enlarged


def test_one_map_is_left_as_it_is():
    maps = np.array([[[[1.0, -5.0]]]])
    assert fuse(np, [maps]) is maps


def test_layers_have_equal_say_whatever_the_size_of_their_gradients():
    small = np.array([[[[1.0, -2.0], [0.0, 1.0]]]])
    large = np.array([[[[300.0, 600.0], [0.0, -150.0]]]])
    expected = np.array([[[[(0.5 + 0.5) / 2, (-1 + 1) / 2], [0.0, (0.5 - 0.25) / 2]]]])
    np.testing.assert_allclose(fuse(np, [small, large]), expected)


def test_maps_are_brought_to_the_size_of_the_largest():
    low = np.array([[[[2.0]]]])
    high = np.arange(12, dtype=float).reshape(1, 1, 3, 4)
    np.testing.assert_allclose(fuse(np, [low, high]), (1 + high / 11) / 2)


def test_documents_and_targets_are_scaled_by_themselves_and_zeros_stay_zero():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 4, 4)), rng.normal(size=(2, 3, 2, 2))
    a[1, 2] = b[1, 2] = 0
    together = fuse(np, [a, b])
    for n, k in np.ndindex(2, 3):
        alone = fuse(np, [a[n : n + 1, k : k + 1], b[n : n + 1, k : k + 1]])
        np.testing.assert_allclose(together[n, k], alone[0, 0])
    assert not together[1, 2].any()


def by_loops(maps, how):
    """Scale each map by itself, enlarge it, and take the mean or the maximum of each cell."""
    docs, targets = maps[0].shape[:2]
    sizes = tuple(max(m.shape[axis] for m in maps) for axis in range(2, maps[0].ndim))
    fused = np.empty((docs, targets, *sizes))
    for n, k in np.ndindex(docs, targets):
        alike = [enlarged(m[n, k] / np.abs(m[n, k]).max(), sizes, leading=0) for m in maps]
        for cell in np.ndindex(sizes):
            values = [float(one[cell]) for one in alike]
            fused[(n, k, *cell)] = sum(values) / len(values) if how == "mean" else max(values)
    return fused


# Of these sizes the weights, float32 on purpose, are exact.
@pytest.mark.parametrize(
    "shapes",
    [
        [(4,), (2,), (8,)],
        [(3, 4), (3, 4)],
        [(2, 3), (4, 6), (1, 1)],
        [(8, 2), (2, 8)],  # none is the largest both ways
        [(2, 2, 1), (4, 2, 2)],
    ],
)
@pytest.mark.parametrize("how", ["mean", "max"])
def test_maps_are_fused_cell_by_cell(how, shapes):
    rng = np.random.default_rng(0)
    maps = [10.0**i * rng.normal(size=(2, 3, *shape)) for i, shape in enumerate(shapes)]
    np.testing.assert_allclose(fuse(np, maps, how), by_loops(maps, how), atol=1e-10)


def test_the_mean_is_what_is_done_when_nothing_is_said():
    a, b = np.random.default_rng(1).normal(size=(2, 1, 1, 3, 3))
    np.testing.assert_array_equal(fuse(np, [a, b]), fuse(np, [a, b], "mean"))
    assert (fuse(np, [a, b], "max") != fuse(np, [a, b])).any()


def test_the_largest_is_taken_with_its_sign():
    a, b = np.array([[[-4.0, 1.0]]]), np.array([[[2.0, -1.0]]])
    np.testing.assert_allclose(fuse(np, [a, b], "max"), [[[1.0, 0.25]]])


@pytest.mark.parametrize("how", ["mean", "max"])
def test_the_order_of_the_layers_is_of_no_importance(how):
    rng = np.random.default_rng(2)
    maps = [rng.normal(size=(1, 2, size, size)) for size in (2, 4, 8)]
    np.testing.assert_allclose(fuse(np, maps, how), fuse(np, maps[::-1], how), atol=1e-12)
