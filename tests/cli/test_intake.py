import numpy as np
import pytest
from PIL import Image

from explainkit.cli.intake import (
    family_scale,
    intake_of,
    parse_range,
    parse_size,
    scale_to,
    scales_by_itself,
)
from explainkit.cli.shell import UsageError


@pytest.mark.parametrize(
    ("text", "ends"), [("0..255", (0, 255)), ("0..1", (0, 1)), ("-1..1", (-1, 1)), ("-.5..1", None)]
)
def test_ranges(text, ends):
    scale = parse_range(text)
    if ends is None:
        assert scale is None
    else:
        assert tuple(scale(np.array([0, 255], np.float32))) == ends


@pytest.mark.parametrize("text", ["1..1", "255..0"])
def test_ranges_that_are_none(text):
    with pytest.raises(UsageError, match="from the lower to the higher"):
        parse_range(text)


@pytest.mark.parametrize("text", ["", "0", "12x", "12x0", "ax3", "-3"])
def test_sizes_that_are_none(text):
    with pytest.raises(UsageError, match="give HEIGHTxWIDTH"):
        parse_size(text)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_documents_have_the_shape_of_the_model(small_model, channels):
    intake = intake_of(small_model(shape=(24, 32, channels)), scale_to(0, 1), None)
    doc = intake.doc(Image.new("RGBA", (7, 9), "white"))
    assert doc.shape == intake.blank().shape == (1, 24, 32, channels)
    assert doc.min() == doc.max() == 1


def test_open_sizes(small_model):
    model = small_model(shape=(None, None, 3))
    assert intake_of(model, scale_to(0, 1), None).size == (224, 224)
    assert intake_of(model, scale_to(0, 1), (20, 30)).size == (20, 30)
    half = small_model(shape=(None, 32, 3))
    assert intake_of(half, scale_to(0, 1), None).size == (224, 32)
    with pytest.raises(UsageError, match="--size is 20x30, but model 'small' takes anyx32"):
        intake_of(half, scale_to(0, 1), (20, 30))


@pytest.mark.parametrize("family", ["mobilenet_v2", "resnet", "densenet", "efficientnet", "vgg16"])
def test_families_scale_as_keras_does(family):
    import keras

    doc = np.random.default_rng(0).uniform(0, 255, (1, 5, 6, 3)).astype(np.float32)
    expected = getattr(keras.applications, family).preprocess_input(doc.copy())
    np.testing.assert_array_equal(family_scale(keras, family)(doc.copy()), expected)


def test_models_that_scale_by_themselves(small_model):
    import keras

    layers = keras.layers
    flip = keras.Sequential([layers.RandomFlip()])
    within = keras.Sequential([keras.Input((24, 32, 3)), layers.Rescaling(1 / 255)])
    assert scales_by_itself(small_model(first=[flip, within]))
    assert scales_by_itself(
        small_model(first=[layers.Normalization(mean=[0, 0, 0], variance=[1, 1, 1])])
    )
    assert not scales_by_itself(small_model())
    assert not scales_by_itself(small_model(first=[layers.Conv2D(3, 1), layers.Rescaling(2)]))
