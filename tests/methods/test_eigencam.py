import numpy as np
import pytest

from explainkit.methods.eigencam import eigencam_map

#: More cells than channels, as many, and fewer: the package goes different ways.
SHAPES = [(4, 5, 3), (2, 3, 6), (2, 2, 9), (7, 4), (3, 8), (3, 2, 4, 5), (2, 1, 2, 30)]


def by_svd(activations):
    """Project each document on its first right singular vector, and choose the sign."""
    maps = []
    for one in activations:
        matrix = one.reshape(-1, one.shape[-1])
        projection = matrix @ np.linalg.svd(matrix, full_matrices=False)[2][0]
        if np.corrcoef(projection, matrix.sum(axis=1))[0, 1] < 0:
            projection = -projection
        maps.append(projection.reshape(one.shape[:-1]))
    return np.array(maps)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_maps_are_projections_on_the_first_right_singular_vector(seed, shape):
    activations = np.random.default_rng(seed).normal(size=(3, *shape))
    expected = by_svd(activations)
    np.testing.assert_allclose(eigencam_map(np, activations), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_maps_go_along_with_the_sum_of_the_channels(shape):
    # As behind a relu, and its mirror image: there the projection must be mirrored, too.
    activations = np.abs(np.random.default_rng(0).normal(size=(3, *shape)))
    found, mirrored = eigencam_map(np, activations), eigencam_map(np, -activations)
    np.testing.assert_allclose(mirrored, -found, atol=1e-12)
    for map_, other, one in zip(found, mirrored, activations, strict=True):
        sums = one.sum(axis=-1).ravel()
        assert np.corrcoef(map_.ravel(), sums)[0, 1] > 0
        assert np.corrcoef(other.ravel(), -sums)[0, 1] > 0


@pytest.mark.parametrize("shape", SHAPES)
def test_the_order_of_the_channels_is_of_no_importance(shape):
    rng = np.random.default_rng(1)
    activations = rng.normal(size=(2, *shape))
    permuted = activations[..., rng.permutation(shape[-1])]
    found, other = eigencam_map(np, activations), eigencam_map(np, permuted)
    np.testing.assert_allclose(other, found, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_maps_scale_with_the_activations(shape):
    activations = np.random.default_rng(2).normal(size=(2, *shape))
    found = eigencam_map(np, activations)
    np.testing.assert_allclose(eigencam_map(np, 1000 * activations), 1000 * found, atol=1e-8)


def test_documents_do_not_influence_each_other():
    activations = np.random.default_rng(3).normal(size=(3, 4, 4, 3))
    alone = [eigencam_map(np, activations[n : n + 1])[0] for n in range(3)]
    np.testing.assert_allclose(eigencam_map(np, activations), alone, atol=1e-12)


@pytest.mark.parametrize("channels", [2, 20])
def test_of_one_pattern_in_all_channels_the_map_is_that_pattern(channels):
    # A = p wᵀ projected on w / |w| is p |w|; all of w positive, the sum goes along with p.
    rng = np.random.default_rng(4)
    pattern, weights = rng.normal(size=(3, 4)), rng.uniform(0.5, 2, size=channels)
    found = eigencam_map(np, (pattern[..., None] * weights)[None])
    np.testing.assert_allclose(found[0], pattern * np.linalg.norm(weights), atol=1e-10)


@pytest.mark.parametrize("channels", [2, 20])
def test_a_layer_of_zeros_has_a_map_of_zeros(channels, recwarn):
    assert not eigencam_map(np, np.zeros((2, 3, 4, channels))).any()
    assert not recwarn.list


def test_a_single_cell_is_as_large_as_all_its_channels():
    # Of one cell there is no correlation, so that nothing says which sign it has.
    found = eigencam_map(np, np.array([[[[3.0, 4.0]]]]))
    np.testing.assert_allclose(np.abs(found), [[[5.0]]])
