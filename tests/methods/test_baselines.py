import math
from types import SimpleNamespace

import attrs
import numpy as np
import pytest

from explainkit import explain_prediction, methods
from explainkit.methods.baselines import baseline_field, baseline_of, blurred, drawn_baseline

#: Numpy, with a function that its older versions do not have.
XP = SimpleNamespace(
    asarray=np.asarray,
    astype=lambda array, dtype: array.astype(dtype),
    einsum=np.einsum,
    mean=np.mean,
    zeros_like=np.zeros_like,
)


@attrs.frozen
class Hiding:
    baseline: object = baseline_field(0.25)


def laid(baseline, pixels):
    return baseline_of(XP, baseline, drawn_baseline(baseline, pixels.shape[1:]), pixels)


@pytest.mark.parametrize("value", [0, 1, -0.5, np.float32(0.5), np.int64(3), np.array(0.5)])
def test_a_number_is_that_of_all_pixels(value):
    pixels = np.random.default_rng(0).normal(size=(2, 4, 5, 3))
    found = laid(Hiding(baseline=value).baseline, pixels)
    np.testing.assert_array_equal(found, np.full((2, 4, 5, 3), float(value)))


@pytest.mark.parametrize("sizes", [(4,), (4, 5), (4, 5, 2)])
def test_the_mean_is_each_pictures_own_colour(sizes):
    pixels = np.random.default_rng(1).normal(size=(3, *sizes, 3))
    found = laid("mean", pixels)
    assert found.shape == pixels.shape
    for n, *cell, c in np.ndindex(found.shape):
        channel = [float(pixels[(n, *at, c)]) for at in np.ndindex(sizes)]
        assert found[(n, *cell, c)] == pytest.approx(sum(channel) / len(channel), abs=1e-10)


def gaussian_of(values, sigma):
    """Blur a row: each cell by what is there, the nearer the more; beyond the edge is nothing."""
    found = []
    for i in range(len(values)):
        weights = [math.exp(-((i - j) ** 2) / (2 * sigma**2)) for j in range(len(values))]
        mixed = sum(w * float(v) for w, v in zip(weights, values, strict=True))
        found.append(mixed / sum(weights))
    return found


# Weights are float32 on purpose; beneath 20 pixels a blur is as wide as 1 pixel.
@pytest.mark.parametrize("sizes", [(1,), (7,), (20,), (33, 2), (5, 48), (3, 4, 2)])
def test_a_blur_is_a_gaussian_along_each_axis(sizes):
    pixels = np.random.default_rng(4).normal(size=(2, *sizes, 3))
    expected = pixels.copy()
    for axis, size in enumerate(sizes, start=1):
        sigma = size / 20 if size > 20 else 1
        expected = np.apply_along_axis(gaussian_of, axis, expected, sigma)
    found = laid("blur", pixels)
    assert found.dtype == pixels.dtype
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(1, 1), (8, 30), (224, 5)])
def test_a_picture_of_one_colour_is_blurred_to_itself(sizes, dtype):
    pixels = np.broadcast_to(np.array([0.25, -3, 100], dtype), (2, *sizes, 3)).copy()
    found = blurred(XP, pixels)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, pixels, rtol=2e-6)


def test_the_weights_of_a_blur_sum_to_one():
    for size in (1, 2, 19, 20, 21, 224):
        # Of each cell by itself, blurred: what it gives to all, and what each is made of.
        weights = blurred(XP, np.eye(size)[..., np.newaxis])[..., 0].T
        assert weights.min() >= 0
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
        assert (weights.argmax(axis=1) == np.arange(size)).all()


def test_a_blur_keeps_documents_and_channels_apart():
    pixels = np.zeros((2, 6, 6, 3))
    pixels[0, 2, 3, 1] = 1
    found = blurred(XP, pixels)
    assert found[0, ..., 1].min() > 0
    assert not found[1].any()
    assert not found[0, ..., [0, 2]].any()


@pytest.mark.parametrize("method", ["occlusion", "rise", "integrated_gradients", "scorecam"])
def test_methods_take_a_blur(method):
    assert methods.find_method(method, {"baseline": "blur"}).baseline == "blur"
    with pytest.raises(ValueError, match='give a number, "mean", "blur" or an array'):
        methods.find_method(method, {"baseline": "blurred"})


def test_a_blur_is_the_blurred_picture_given_as_an_array():
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    conv = keras.layers.Conv2D(4, 3, activation="tanh")
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((48, 8, 3)), conv, *head])
    doc = np.random.default_rng(6).normal(size=(1, 48, 8, 3)).astype(np.float32)
    picture = laid("blur", doc.astype(np.float64))[0]
    found, expected = (
        explain_prediction(
            model, doc, method="occlusion", targets=1, patch=8, stride=8, baseline=baseline
        ).targets[0]
        for baseline in ("blur", picture)
    )
    assert expected.map.any()
    np.testing.assert_allclose(found.map, expected.map, rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize("shape", [(4, 5, 3), (3,), (5, 1), (1, 1, 3), (4, 1, 1), (1,)])
def test_an_array_is_laid_over_each_picture(shape):
    # Pictures are given to models as float32, and so are baselines: these are exact.
    baseline = np.random.default_rng(2).integers(-8, 8, size=shape) / 4
    pixels = np.random.default_rng(3).normal(size=(2, 4, 5, 3))
    found = laid(baseline, pixels)
    assert found.dtype == pixels.dtype
    for n in range(2):
        np.testing.assert_array_equal(found[n], np.broadcast_to(baseline, (4, 5, 3)))


@pytest.mark.parametrize("shape", [(5, 4, 3), (1, 4, 5, 3), (4, 5), (2,), (0,), (4, 5, 4)])
def test_an_array_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"baseline has the shape .*; the picture has the shape"):
        drawn_baseline(np.zeros(shape), (4, 5, 3))


def test_what_is_no_array_is_not_drawn():
    assert [drawn_baseline(one, (4, 5, 3)) for one in (0.5, "mean", "blur")] == [()] * 3
    assert drawn_baseline(np.array(0.5), (4, 5, 3)) == ()


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("median", ValueError, 'give a number, "mean", "blur" or an array'),
        ("", ValueError, "baseline is ''"),
        ("Blur", ValueError, "baseline is 'Blur'"),
        (True, TypeError, 'baseline is a bool; give a number, "mean", "blur" or an array'),
        (None, TypeError, "baseline is a NoneType"),
        ([0.1, 0.2, 0.3], TypeError, "baseline is a list"),
        (float("nan"), ValueError, "no finite number"),
        (float("inf"), ValueError, "no finite number"),
        (np.array([0.0, np.nan, 1.0]), ValueError, "no finite number"),
        (np.array([0.0, -np.inf, 1.0]), ValueError, "no finite number"),
        (np.array([True, False, True]), ValueError, "no finite number"),
        (np.array(["a", "b", "c"]), ValueError, "no finite number"),
        (np.array([1j, 2j, 3j]), ValueError, "no finite number"),
    ],
)
def test_what_is_no_baseline_is_refused(value, error, message):
    with pytest.raises(error, match=message):
        Hiding(baseline=value)


def test_equal_baselines_are_one_question():
    same = [Hiding(baseline=np.arange(3.0)), Hiding(baseline=np.arange(3.0))]
    assert same[0] == same[1]
    assert hash(same[0]) == hash(same[1])
    assert Hiding(baseline="mean") == Hiding(baseline="mean")
    assert Hiding(baseline="blur") == Hiding(baseline="blur") != Hiding(baseline="mean")
    assert Hiding(baseline=0) == Hiding(baseline=0.0)


def test_other_baselines_are_other_questions(recwarn):
    kinds = [0.5, "mean", "blur", np.arange(3.0), np.arange(3.0) + 1, np.zeros((1, 3)), np.zeros(3)]
    for i, one in enumerate(kinds):
        for other in kinds[:i]:
            assert Hiding(baseline=one) != Hiding(baseline=other)
    assert not recwarn.list
