import pickle
import re

import attrs
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("keras")

from explainkit.intake import (
    family_scale,
    find_scale,
    intake_of,
    make_intake,
    parse_range,
    scale_to,
    scales_by_itself,
)
from tests.small_models import make_small_model


@pytest.fixture(scope="module")
def model():
    return make_small_model()


@pytest.fixture(scope="module")
def any_size():
    return make_small_model(shape=(None, None, 3))


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
    with pytest.raises(ValueError, match="from the lower to the higher"):
        parse_range(text)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_documents_have_the_shape_of_the_model(channels):
    intake = intake_of(make_small_model(shape=(24, 32, channels)), scale_to(0, 1))
    doc = intake.doc(Image.new("RGBA", (7, 9), "white"))
    assert doc.shape == intake.blank().shape == (1, 24, 32, channels)
    assert doc.min() == doc.max() == 1


def test_channels_come_where_the_model_takes_them():
    import keras

    model = keras.Sequential([keras.Input((3, 24, 32)), keras.layers.Flatten()])
    intake = make_intake(model, "0..255")
    doc = intake.doc(Image.new("RGB", (7, 9), (10, 20, 30)))
    assert doc.shape == intake.blank().shape == (1, 3, 24, 32)
    assert [set(plane.flat) for plane in doc[0]] == [{10}, {20}, {30}]


def test_open_sizes(any_size):
    assert make_intake(any_size).size == (224, 224)
    assert make_intake(any_size, size=(20, 30)).size == (20, 30)
    half = make_small_model(shape=(None, 32, 3))
    assert make_intake(half).size == (224, 32)
    with pytest.raises(ValueError, match="^size is 20x30, but model 'small' takes anyx32$"):
        make_intake(half, size=(20, 30))


@pytest.mark.parametrize(
    ("size", "error"),
    [(224, TypeError), ((2.5, 3), TypeError), ((1,), TypeError), ((0, 3), ValueError)],
)
def test_sizes_that_are_none(any_size, size, error):
    with pytest.raises(error, match=re.escape(f"size is {size!r}; give (height, width) in pixels")):
        make_intake(any_size, size=size)


@pytest.mark.parametrize("family", ["mobilenet_v2", "resnet", "densenet", "efficientnet", "vgg16"])
def test_families_scale_as_keras_does(family):
    import keras

    doc = np.random.default_rng(0).uniform(0, 255, (1, 5, 6, 3)).astype(np.float32)
    expected = getattr(keras.applications, family).preprocess_input(doc.copy())
    np.testing.assert_array_equal(family_scale(keras, family)(doc.copy()), expected)


def test_what_is_said_is_done(model):
    picture = Image.new("RGB", (32, 24), (255, 0, 0))
    [[red, green, blue]] = make_intake(model, "-1..1").doc(picture)[0, :1, 0]
    assert (red, green, blue) == (1, -1, -1)
    # The networks of torchvision and DenseNet: (x / 255 - mean) / deviation, in RGB.
    red = make_intake(model, family="densenet").doc(picture)[0, 0, 0, 0]
    assert red == pytest.approx((1 - 0.485) / 0.229, rel=1e-5)


def test_preprocess_wins_over_the_family_of_the_name(model):
    picture = Image.new("RGB", (32, 24), "white")
    assert make_intake(model, "0..1", family="mobilenet_v2").doc(picture).min() == 1
    vgg = make_intake(model, "vgg16", family="mobilenet_v2").doc(picture)[0, 0, 0]
    np.testing.assert_allclose(vgg, 255 - np.array([103.939, 116.779, 123.68]), rtol=1e-5)


def test_what_is_assumed_is_told(model):
    import keras

    white = Image.new("RGB", (32, 24), "white")
    intake = make_intake(model)
    assert intake.doc(white).max() == 1
    assert intake.assumed == (
        "pictures are scaled to 0..1, for the model does not begin with a layer that scales them"
    )
    scaling = make_intake(make_small_model(first=[keras.layers.Rescaling(1 / 255)]))
    assert scaling.doc(white).max() == 255
    assert scaling.assumed == (
        "pictures are scaled to 0..255, for the model begins with a layer that scales them"
    )
    assert make_intake(model, "0..1").assumed == make_intake(model, family="resnet").assumed == ""


@pytest.mark.parametrize("preprocess", ["-1..1", "resnet", None])
def test_it_can_be_sent_to_another_process(model, preprocess):
    intake = make_intake(model, preprocess)
    sent = pickle.loads(pickle.dumps(intake))
    assert sent == intake
    assert attrs.evolve(sent, scale=scale_to(0, 2)) != intake
    picture = Image.new("RGB", (7, 9), (10, 20, 30))
    np.testing.assert_array_equal(sent.doc(picture), intake.doc(picture))


def test_models_that_scale_by_themselves(model):
    import keras

    layers = keras.layers
    flip = keras.Sequential([layers.RandomFlip()])
    within = keras.Sequential([keras.Input((24, 32, 3)), layers.Rescaling(1 / 255)])
    assert scales_by_itself(make_small_model(first=[flip, within]))
    assert scales_by_itself(
        make_small_model(first=[layers.Normalization(mean=[0, 0, 0], variance=[1, 1, 1])])
    )
    assert not scales_by_itself(model)
    assert not scales_by_itself(make_small_model(first=[layers.Conv2D(3, 1), layers.Rescaling(2)]))


def test_names_of_families():
    message = r"^preprocess is 'mobilenetv2'; give a range .* did you mean 'mobilenet_v2'\?$"
    with pytest.raises(LookupError, match=message):
        find_scale("mobilenetv2")
    with pytest.raises(TypeError, match="^preprocess is a int; give a range, such as '0..1', or"):
        find_scale(255)


def test_families_are_for_three_channels():
    grey = make_small_model(shape=(24, 32, 1))
    with pytest.raises(ValueError, match="^preprocess is 'resnet', which is for 3 channels; model"):
        make_intake(grey, "resnet")
    assert make_intake(grey, "0..1", family="resnet").channels == 1


def test_models_that_take_no_pictures():
    import keras

    rows = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="rows")
    with pytest.raises(ValueError, match=r"^model 'rows' takes \(4,\); pictures can be given to"):
        make_intake(rows)


@pytest.mark.parametrize("kind", ["torch", "subclassed"])
def test_models_that_do_not_say_what_they_take(kind):
    if kind == "torch":
        model = pytest.importorskip("torch").nn.Linear(2, 2)
    else:
        import keras

        class Own(keras.Model):
            def call(self, x):
                return x

        model = Own(name="Linear")
    message = (
        "^model 'Linear' takes what it does not say; .*; for others, give "
        "explainkit.explain_dataset a function from a picture to a document, as preprocess=$"
    )
    with pytest.raises(ValueError, match=message):
        make_intake(model, "0..1")


def test_models_of_keras_2_take_pictures_alike():
    pytest.importorskip("tf_keras")
    from tests.estimators import tf_keras_models

    intake = make_intake(tf_keras_models.mobile(), "mobilenet_v2")
    doc = intake.doc(Image.new("L", (9, 9), 255))
    assert (doc.shape, doc.min(), doc.max()) == ((1, 32, 32, 3), 1, 1)
