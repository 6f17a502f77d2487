import numpy as np
import pytest

from explainkit.methods.cam import (
    cam_map,
    gradcam_map,
    gradcampp_map,
    hirescam_map,
    layercam_map,
    weighted_sum,
    xgradcam_map,
)

from .by_loops import sizes_of

ALL = [cam_map, gradcam_map, gradcampp_map, hirescam_map, layercam_map, xgradcam_map]


def cell_weights(formula, activations, gradients):
    """Weigh the cells of one channel of one document, for one target, by one score."""
    cells = list(np.ndindex(activations.shape))
    if formula is hirescam_map:
        return {cell: gradients[cell] for cell in cells}
    if formula is layercam_map:
        return {cell: max(gradients[cell], 0) for cell in cells}
    if formula is cam_map:
        weight = sum(gradients[cell] for cell in cells)
    elif formula is gradcam_map:
        weight = sum(gradients[cell] for cell in cells) / len(cells)
    elif formula is xgradcam_map:
        total = sum(activations[cell] for cell in cells)
        weight = sum(gradients[cell] * activations[cell] for cell in cells) / total
    elif formula is gradcampp_map:
        total, weight = sum(activations[cell] for cell in cells), 0.0
        for cell in cells:
            g = gradients[cell]
            if g > 0:
                weight += g**2 / (2 * g**2 + total * g**3) * g
    return dict.fromkeys(cells, weight)


def by_loops(formula, activations, gradients):
    """Sum the channels as the papers have it, one cell after the other."""
    docs, targets, *sizes, channels = gradients.shape
    maps = np.zeros((docs, targets, *sizes))
    for n, k, c in np.ndindex(docs, targets, channels):
        weights = cell_weights(formula, activations[n, ..., c], gradients[n, k, ..., c])
        for cell, weight in weights.items():
            maps[(n, k, *cell)] += weight * activations[(n, *cell, c)]
    return maps


def drawn(seed, rank=2, docs=2, targets=3, channels=5):
    rng = np.random.default_rng(seed)
    sizes = sizes_of(rank)
    return (
        rng.normal(size=(docs, *sizes, channels)),
        rng.normal(size=(docs, targets, *sizes, channels)),
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("formula", ALL)
def test_maps_are_the_papers(formula, seed, rank):
    activations, gradients = drawn(seed, rank)
    found = formula(np, activations, gradients)
    expected = by_loops(formula, activations, gradients)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("formula", ALL)
def test_maps_of_other_ranks_are_those_of_the_cells_in_a_row(formula, rank):
    activations, gradients = drawn(0, rank)
    flat = formula(np, activations.reshape(2, -1, 1, 5), gradients.reshape(2, 3, -1, 1, 5))
    found = formula(np, activations, gradients)
    np.testing.assert_allclose(found, flat.reshape(found.shape), atol=1e-12)


@pytest.mark.parametrize("formula", ALL)
def test_documents_and_targets_do_not_influence_each_other(formula):
    activations, gradients = drawn(1)
    together = formula(np, activations, gradients)
    for n, k in np.ndindex(2, 3):
        alone = formula(np, activations[n : n + 1], gradients[n : n + 1, k : k + 1])
        np.testing.assert_allclose(together[n, k], alone[0, 0], atol=1e-12)


@pytest.mark.parametrize("formula", ALL)
def test_channels_of_zeros_add_nothing_and_give_no_warning(formula, recwarn):
    activations, gradients = drawn(2)
    activations[..., 1] = 0
    gradients[..., 2] = 0
    left = [0, 3, 4]
    found = formula(np, activations, gradients)
    alone = formula(np, activations[..., left], gradients[..., left])
    np.testing.assert_allclose(found, alone, atol=1e-12)
    assert not recwarn.list


@pytest.mark.parametrize("formula", ALL)
def test_a_model_that_is_blind_to_the_layer_has_maps_of_zeros(formula, recwarn):
    activations, gradients = drawn(3)
    assert not formula(np, activations, np.zeros_like(gradients)).any()
    assert not recwarn.list


@pytest.mark.parametrize("formula", [cam_map, gradcam_map, xgradcam_map, hirescam_map])
def test_signed_maps_turn_round_with_the_gradients(formula):
    activations, gradients = drawn(4)
    found = formula(np, activations, gradients)
    np.testing.assert_allclose(formula(np, activations, -gradients), -found, atol=1e-12)


@pytest.mark.parametrize("formula", [gradcampp_map, layercam_map])
def test_gradients_that_are_all_negative_weigh_nothing(formula):
    activations, gradients = drawn(5)
    assert not formula(np, activations, -np.abs(gradients)).any()
    assert formula(np, activations, np.abs(gradients)).any()


def test_gradcam_plus_plus_takes_cells_without_gradient_for_nothing():
    # α is 0 over 0 there; the other two cells have α = 4 / (8 + 6·8) and 1 / (2 + 6).
    activations = np.array([[[1.0], [2.0], [3.0]]])
    gradients = np.array([[[[2.0], [0.0], [1.0]]]])
    weight = 2 * 4 / 56 + 1 / 8
    found = gradcampp_map(np, activations, gradients)
    np.testing.assert_allclose(found, [[[weight, 2 * weight, 3 * weight]]], rtol=1e-12)


def test_xgradcam_gives_a_channel_no_weight_whose_activations_cancel():
    activations = np.array([[[1.0, 2.0], [-1.0, 4.0]]])
    gradients = np.array([[[[5.0, 3.0], [7.0, 6.0]]]])
    weight = (2 * 3 + 4 * 6) / (2 + 4)
    found = xgradcam_map(np, activations, gradients)
    np.testing.assert_allclose(found, [[[2 * weight, 4 * weight]]], rtol=1e-12)


@pytest.mark.parametrize("formula", [cam_map, gradcam_map, xgradcam_map, hirescam_map])
def test_a_single_cell_is_worth_its_activations_times_its_gradients(formula):
    activations, gradients = np.array([[[2.0, -3.0]]]), np.array([[[[5.0, 7.0]]]])
    np.testing.assert_allclose(formula(np, activations, gradients), [[[2 * 5 - 3 * 7]]])


def test_behind_a_mean_and_a_dense_layer_cam_finds_the_layers_weights():
    # y = Σ_c w_c mean(A_c) has the gradient w_c / cells in each cell.
    rng = np.random.default_rng(6)
    activations, dense = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(5, 3))
    gradients = np.broadcast_to(dense.T[None, :, None, None] / 12, (2, 3, 3, 4, 5))
    expected = np.moveaxis(activations @ dense, -1, 1)
    np.testing.assert_allclose(cam_map(np, activations, gradients), expected, atol=1e-12)
    # There, Grad-CAM is the same but for the number of cells.
    found = gradcam_map(np, activations, gradients)
    np.testing.assert_allclose(found, expected / 12, atol=1e-12)


def test_hirescam_adds_up_to_what_the_layer_contributes():
    activations, gradients = drawn(7)
    totals = hirescam_map(np, activations, gradients).sum(axis=(2, 3))
    for n, k in np.ndindex(2, 3):
        assert totals[n, k] == pytest.approx(np.vdot(activations[n], gradients[n, k]))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_channels_are_summed_with_their_weights(rank):
    rng = np.random.default_rng(8)
    activations, weights = rng.normal(size=(2, *sizes_of(rank), 5)), rng.normal(size=(2, 3, 5))
    found = weighted_sum(np, weights, activations)
    for n, k in np.ndindex(2, 3):
        expected = sum(weights[n, k, c] * activations[n, ..., c] for c in range(5))
        np.testing.assert_allclose(found[n, k], expected, atol=1e-12)
