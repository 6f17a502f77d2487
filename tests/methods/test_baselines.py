from types import SimpleNamespace

import attrs
import numpy as np
import pytest

from explainkit.methods.baselines import baseline_field, baseline_of, drawn_baseline

#: Numpy, with a function that its older versions do not have.
XP = SimpleNamespace(
    zeros_like=np.zeros_like, mean=np.mean, astype=lambda array, dtype: array.astype(dtype)
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
    assert [drawn_baseline(one, (4, 5, 3)) for one in (0.5, "mean", np.array(0.5))] == [()] * 3


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("median", ValueError, "baseline is 'median'; give a number, \"mean\" or an array"),
        ("", ValueError, "baseline is ''"),
        (True, TypeError, "baseline is a bool"),
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
    assert Hiding(baseline=0) == Hiding(baseline=0.0)


def test_other_baselines_are_other_questions(recwarn):
    kinds = [0.5, "mean", np.arange(3.0), np.arange(3.0) + 1, np.zeros((1, 3)), np.zeros(3)]
    for i, one in enumerate(kinds):
        for other in kinds[:i]:
            assert Hiding(baseline=one) != Hiding(baseline=other)
    assert not recwarn.list
