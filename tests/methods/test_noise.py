import numpy as np
import pytest

from explainkit.methods.base import Canvas
from explainkit.methods.noise import (
    SmoothGrad,
    mean_of_turns,
    noise_like,
    noisy_turns,
    variance_of_turns,
)


def test_noise_is_standard_normal_and_of_each_sample_another():
    noise = noise_like((40, 50, 3), 20, seed=0)
    assert noise.shape == (20, 40, 50, 3)
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(1, abs=0.02)
    # In 68.27 % of all cases, within one standard deviation.
    assert (np.abs(noise) < 1).mean() == pytest.approx(0.6827, abs=0.01)
    together = np.corrcoef(noise.reshape(20, -1))
    assert np.abs(together - np.eye(20)).max() < 0.1


def test_a_seed_says_which_noise_is_drawn():
    one = noise_like((4, 5, 3), 6, seed=3)
    np.testing.assert_array_equal(noise_like((4, 5, 3), 6, seed=3), one)
    assert (noise_like((4, 5, 3), 6, seed=4) != one).any()


def test_drawing_noise_leaves_the_global_generator_alone():
    np.random.seed(0)  # noqa: NPY002 - it is the generator of other people's programs
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    noise_like((4, 5, 3), 6, seed=3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def in_uneven_turns(maps, sizes):
    """Summarise maps as if they had been found in turns of these sizes."""
    ends = np.cumsum(sizes)
    turns = [maps[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    return (
        np.array([turn.mean(axis=0) for turn in turns]),
        np.array([turn.var(axis=0) for turn in turns]),
        np.array(sizes) / len(maps),
    )


@pytest.mark.parametrize("sizes", [(7,), (4, 3), (1, 1, 5), (3, 3, 1), (1,)])
@pytest.mark.parametrize("shape", [(2, 5), (2, 4, 3), (2, 2, 3, 4)])
def test_mean_and_variance_are_those_of_all_samples(shape, sizes):
    maps = np.random.default_rng(0).normal(size=(sum(sizes), *shape))
    found = in_uneven_turns(maps, sizes)
    np.testing.assert_allclose(mean_of_turns(np, *found), np.mean(maps, axis=0), atol=1e-10)
    np.testing.assert_allclose(variance_of_turns(np, *found), np.var(maps, axis=0), atol=1e-10)


def test_the_variance_of_large_numbers_is_not_lost():
    # The mean of squares less the square of the mean would be 0, or anything, here.
    maps = 1e9 + np.random.default_rng(1).normal(size=(8, 3, 4))
    found = variance_of_turns(np, *in_uneven_turns(maps, (5, 3)))
    np.testing.assert_allclose(found, np.var(maps - 1e9, axis=0), rtol=1e-5)


def test_what_never_changes_has_no_variance():
    maps = np.full((6, 2, 3), 0.1)
    assert np.abs(variance_of_turns(np, *in_uneven_turns(maps, (4, 2)))).max() < 1e-30


@pytest.mark.parametrize(("samples", "batch_size"), [(1, 4), (5, 3), (25, 32), (6, 6), (4, 1)])
def test_samples_that_fill_up_a_turn_do_not_count(samples, batch_size):
    method = SmoothGrad(samples=samples, seed=2)
    noise, weights, shares = noisy_turns(method, Canvas((2, 3, 1)), batch_size)
    assert noise.shape[:2] == weights.shape
    assert noise.shape[1] <= batch_size
    # The weights are float32 on purpose, as the noise is.
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    maps = noise.astype(float) ** 2
    means = np.einsum("tn,tn...->t...", weights, maps)
    variances = np.einsum("tn,tn...->t...", weights, (maps - means[:, None]) ** 2)
    every = noise_like((2, 3, 1), samples, 2).astype(float) ** 2
    found = mean_of_turns(np, means, variances, shares)
    np.testing.assert_allclose(found, every.mean(axis=0), rtol=1e-5, atol=1e-6)
    found = variance_of_turns(np, means, variances, shares)
    np.testing.assert_allclose(found, every.var(axis=0), rtol=1e-5, atol=1e-5)
