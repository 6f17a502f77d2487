import numpy as np
import pytest

from explainkit.methods.cam import gradcam_map


def by_loops(activations, gradients):
    """Grad-CAM as its paper has it: α_k = 1/Z ΣΣ ∂y/∂A_k, map = Σ_k α_k A_k."""
    docs, targets, height, width, channels = gradients.shape
    maps = np.zeros((docs, targets, height, width))
    for n in range(docs):
        for k in range(targets):
            for c in range(channels):
                total = 0.0
                for i in range(height):
                    for j in range(width):
                        total += gradients[n, k, i, j, c]
                alpha = total / (height * width)
                for i in range(height):
                    for j in range(width):
                        maps[n, k, i, j] += alpha * activations[n, i, j, c]
    return maps


@pytest.mark.parametrize("seed", range(5))
def test_gradcam_is_the_papers(seed):
    rng = np.random.default_rng(seed)
    activations = rng.normal(size=(2, 3, 4, 5))
    gradients = rng.normal(size=(2, 3, 3, 4, 5))
    found = gradcam_map(np, activations, gradients)
    np.testing.assert_allclose(found, by_loops(activations, gradients), atol=1e-12)


@pytest.mark.parametrize("rank", [1, 3])
def test_gradcam_takes_maps_of_other_ranks(rank):
    rng = np.random.default_rng(0)
    sizes = (4, 3, 2)[:rank]
    activations = rng.normal(size=(2, *sizes, 5))
    gradients = rng.normal(size=(2, 3, *sizes, 5))
    flat = gradcam_map(
        np, activations.reshape(2, -1, 1, 5), gradients.reshape(2, 3, -1, 1, 5)
    ).reshape(2, 3, *sizes)
    np.testing.assert_allclose(gradcam_map(np, activations, gradients), flat, atol=1e-12)
