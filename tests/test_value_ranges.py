import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainkit.explanation import ExplanationWarning
from explainkit.value_ranges import BYTES, KNOWN, SWITCHES, WORDS, recognise_range

# What keras.applications' preprocessing does, and torchvision's, by their documents.
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
PREPROCESS = {
    "bytes": lambda levels: levels.astype(np.float64),
    "unit": lambda levels: levels / 255,
    "signed": lambda levels: levels / 127.5 - 1,
    "torch": lambda levels: (levels / 255 - MEAN) / STD,
    "caffe": lambda levels: levels[..., ::-1] - np.array([103.939, 116.779, 123.68]),
}
DTYPES = (np.float16, np.float32, np.float64)


def noise(low=0, high=255, shape=(20, 30, 3), seed=0):
    return np.random.default_rng(seed).integers(low, high + 1, shape).astype(np.uint8)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def assert_read_back(levels, name, dtype):
    array = PREPROCESS[name](levels).astype(dtype)
    recognised = recognise_range(array)
    assert recognised.name == name
    error = recognised.to_uint8(array).astype(int) - levels
    assert np.abs(error).max() == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PREPROCESS)
def test_pictures_read_back_level_for_level(name, dtype):
    assert_read_back(noise(), name, dtype)


AMBIGUOUS = {
    "low contrast": (100, 140),
    "dark": (0, 60),
    "bright": (128, 255),
    "very bright": (200, 255),
    "nearly white": (245, 255),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("levels", AMBIGUOUS.values(), ids=AMBIGUOUS)
@pytest.mark.parametrize("name", PREPROCESS)
def test_pictures_of_little_contrast_too(name, levels, dtype):
    assert_read_back(noise(*levels), name, dtype)


@pytest.mark.parametrize("name", ["unit", "signed", "bytes"])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 4)])
def test_any_number_of_channels(name, shape):
    array = PREPROCESS[name](noise(shape=shape))
    assert recognise_range(array).name == name


@pytest.mark.parametrize("name", PREPROCESS)
def test_resized_pictures_whose_levels_are_not_whole(name):
    levels = np.random.default_rng(0).uniform(0, 255, (20, 30, 3))
    array = PREPROCESS[name](levels).astype(np.float32)
    recognised = recognise_range(array)
    assert recognised.name == name
    assert np.abs(recognised.to_uint8(array) - levels).max() <= 0.51


@settings(max_examples=200, deadline=None)
@given(
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    name=st.sampled_from(["unit", "bytes", "signed"]),
)
def test_constant_pictures_are_safe(colour, name):
    levels = np.full((5, 4, 3), colour, np.uint8)
    recognised = recognise_range(PREPROCESS[name](levels))
    assert recognised in KNOWN
    if name == "unit":  # a few shades are not enough to think otherwise
        assert recognised.name == "unit"
        assert (recognised.to_uint8(levels / 255) == levels).all()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("value", [0, 1])
def test_all_zeros_and_all_ones(dtype, value):
    array = np.full((4, 4, 3), value, dtype)
    white = 1 if dtype is np.uint8 else 255
    assert (recognise_range(array).to_uint8(array) == value * white).all()


def test_white_as_caffe_has_it():
    white = np.full((4, 4, 3), 255, np.uint8)
    array = PREPROCESS["caffe"](white).astype(np.float32)
    assert (recognise_range(array).to_uint8(array) == 255).all()


def test_dtypes_that_say_it_by_themselves():
    dark = noise(high=1)
    assert recognise_range(dark) is BYTES
    assert (BYTES.to_uint8(dark) == dark).all()
    assert recognise_range(dark > 0) is SWITCHES
    assert (SWITCHES.to_uint8(dark > 0) == 255 * dark).all()
    wide = noise().astype(np.uint16) * 257
    assert recognise_range(wide) is WORDS
    assert (WORDS.to_uint8(wide) == noise()).all()
    assert recognise_range(noise().astype(np.int64)) is BYTES


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = PREPROCESS["signed"](noise()).astype(ml_dtypes.bfloat16)
    recognised = recognise_range(array)
    assert recognised.name == "signed"
    assert np.abs(recognised.to_uint8(array).astype(int) - noise()).max() <= 1


@pytest.mark.parametrize(
    "array", [[[-3.0, 5.0]], [[0.0, 1000.0]], [[-1e30, 1e30]], [[7e5, 7e5 + 4]]]
)
def test_unknown_ranges_are_stretched_and_said_so(array):
    array = np.array(array)
    with pytest.warns(ExplanationWarning, match="in no range that .*; pass image= to show"):
        recognised = recognise_range(array)
    assert recognised.name == "stretched"
    assert recognised.to_uint8(array).tolist() == [[0, 255]]


@pytest.mark.parametrize("value", [-7.0, 1000.0, 1e38, -1.7e308])
def test_unknown_constants_are_safe(value):
    array = np.full((3, 3), value)
    with pytest.warns(ExplanationWarning):
        recognised = recognise_range(array)
    assert (recognised.to_uint8(array) == 0).all()


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.array([[np.nan, 1.0]]), ValueError, "holds NaN or infinity"),
        (np.array([[np.inf, 1.0]]), ValueError, "holds NaN or infinity"),
        (np.zeros((0, 3)), ValueError, r"shape \(0, 3\)"),
        (np.zeros(3), ValueError, r"shape \(3,\); give \(H, W\) or \(H, W, C\)"),
        (np.zeros((3, 3), complex), TypeError, "holds complex128; a picture needs real numbers"),
        (np.array([["a"]]), TypeError, "a picture needs real numbers"),
    ],
)
def test_arrays_that_are_no_picture(array, error, message):
    with pytest.raises(error, match=message):
        recognise_range(array)
