import numpy as np
import pytest
from PIL import Image

from explainkit.methods.fusion import fuse
from explainkit.methods.resampling import linear_weights


@pytest.mark.parametrize(("size", "new_size"), [(2, 7), (3, 3), (5, 14), (1, 4)])
def test_linear_weights_are_those_of_a_bilinear_enlargement(size, new_size):
    values = np.random.default_rng(size).normal(size=size).astype(np.float32)
    row = Image.fromarray(np.tile(values, (4, 1)))
    enlarged = np.asarray(row.resize((new_size, 4), Image.Resampling.BILINEAR))[0]
    np.testing.assert_allclose(linear_weights(size, new_size) @ values, enlarged, atol=1e-6)


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
