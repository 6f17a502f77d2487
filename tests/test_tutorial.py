"""ELI5's tutorial on Grad-CAM, relived on Keras 3 with real weights and the real picture."""

import json

import keras
import matplotlib as mpl
import numpy as np
import pytest
from keras import layers
from keras.applications import mobilenet_v2
from PIL import Image

import explainkit


@pytest.fixture(scope="module")
def model(shared):
    return mobilenet_v2.MobileNetV2(weights=str(shared / "models/mobilenet_v2_imagenet.weights.h5"))


@pytest.fixture(scope="module")
def doc(shared):
    # The tutorial's own lines, on Keras 3.
    im = keras.utils.load_img(shared / "images/cat_dog.jpg", target_size=(224, 224))
    doc = keras.utils.img_to_array(im)
    doc = np.expand_dims(doc, axis=0)
    mobilenet_v2.preprocess_input(doc)
    return doc


@pytest.fixture(scope="module")
def reference(shared):
    return json.loads((shared / "reference/tutorial.json").read_text())


@pytest.fixture(scope="module")
def names(shared):
    return (shared / "models/imagenet_labels.txt").read_text().splitlines()


def peak(target):
    return tuple(int(i) for i in np.unravel_index(target.heatmap.argmax(), target.heatmap.shape))


def test_the_dog_is_found_as_the_tutorial_printed_it(model, doc, reference):
    expl = explainkit.explain_prediction(model, doc, logits=False)
    [dog] = expl.targets
    assert dog.target == 243
    assert dog.score == pytest.approx(0.808, abs=0.005)
    assert dog.heatmap.shape == (7, 7)
    assert (dog.heatmap.min(), dog.heatmap.max()) == (0, 1)
    printed = np.array(reference["tutorial"]["heatmap"])
    assert np.corrcoef(dog.heatmap.ravel(), printed.ravel())[0, 1] >= 0.94
    assert peak(dog) == (2, 4)


def test_the_cat_is_found_when_asked_for(model, doc):
    [cat] = explainkit.explain_prediction(model, doc, targets=[282], logits=False).targets
    assert cat.target == 282
    assert peak(cat) == (6, 2)
    assert cat.score == pytest.approx(0.0048, abs=0.0005)


def test_the_score_before_softmax_is_the_default(model, doc):
    dog, cat = explainkit.explain_prediction(model, doc, targets=[243, 282]).targets
    assert dog.score == pytest.approx(13.08, abs=0.05)
    assert cat.score == pytest.approx(7.95, abs=0.05)
    assert dog.proba == pytest.approx(0.808, abs=0.005)
    assert peak(dog) == (0, 2)
    assert peak(cat) == (6, 2)


@pytest.mark.parametrize(
    ("name", "size"), [("block_2_expand", 56), ("block_9_expand", 14), ("Conv_1", 7)]
)
def test_hidden_layers_by_name_index_and_instance(model, doc, name, size):
    layer = model.get_layer(name)
    by_name = explainkit.explain_prediction(model, doc, layer=name)
    assert by_name.layer == name
    assert by_name.targets[0].heatmap.shape == (size, size)
    for given in (model.layers.index(layer), layer):
        expl = explainkit.explain_prediction(model, doc, layer=given)
        np.testing.assert_array_equal(expl.targets[0].map, by_name.targets[0].map)


def test_wrapped_three_deep_with_preprocessing_and_a_head_of_its_own(model, doc):
    # The head apart, the scaling inside: what people build for their own classes.
    backbone = keras.Model(model.input, model.get_layer("out_relu").output, name="backbone")
    own_head = layers.Dense(1000, activation="softmax", name="own_head")
    inner = keras.Sequential([keras.Input((224, 224, 3)), backbone], name="inner")
    middle = keras.Sequential(
        [keras.Input((224, 224, 3)), layers.Rescaling(1 / 127.5, offset=-1), inner],
        name="middle",
    )
    outer = keras.Sequential(
        [
            keras.Input((224, 224, 3)),
            layers.RandomFlip(),
            middle,
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            own_head,
        ],
        name="outer",
    )
    own_head.set_weights(model.get_layer("predictions").get_weights())
    raw = (doc + 1) * 127.5
    flat = explainkit.explain_prediction(model, doc, targets=[243, 282])
    deep = explainkit.explain_prediction(outer, raw, targets=[243, 282])
    assert deep.layer == "middle/inner/backbone/out_relu"
    for a, b in zip(flat.targets, deep.targets, strict=True):
        np.testing.assert_allclose(a.heatmap, b.heatmap, atol=1e-5)
        assert a.score == pytest.approx(b.score, abs=1e-3)


def test_the_record_prints_as_in_the_tutorial(model, doc):
    text = repr(explainkit.explain_prediction(model, doc))
    for part in (
        "Explanation(estimator='mobilenetv2_1.00_224'",
        "method='gradcam'",
        "layer='out_relu'",
        "is_regression=False",
        "targets=(TargetExplanation(target=243, label=None, score=13.08",
        "heatmap=array([[",
        "image=<PIL.Image.Image image mode=RGB size=224x224",
        "error=None",
    ):
        assert part in text


def test_the_picture_is_the_one_that_was_loaded(model, doc, shared):
    im = keras.utils.load_img(shared / "images/cat_dog.jpg", target_size=(224, 224))
    expl = explainkit.explain_prediction(model, doc)
    difference = np.asarray(expl.image, int) - np.asarray(im, int)
    assert np.abs(difference).max() <= 1


def test_under_the_hood(model, doc, names):
    expl = explainkit.explain_prediction(model, doc, target_names=names)
    assert expl.targets[0].label == names[243]
    heatmap = expl.targets[0].heatmap
    assert explainkit.formatters.image.heatmap_to_image(heatmap).size == (7, 7)
    expanded = explainkit.formatters.image.expand_heatmap(
        heatmap, expl.image, resampling_filter=Image.BOX
    )
    assert expanded.size == (224, 224)
    picture = explainkit.format_as_image(expl, alpha_limit=1.0, colormap=mpl.cm.cividis)
    assert picture.size == (224, 224)


def test_another_model_explains_otherwise(model, doc):
    keras.utils.set_random_seed(0)
    other = keras.applications.MobileNet(weights=None)
    one = explainkit.explain_prediction(model, doc, targets=243)
    two = explainkit.explain_prediction(other, doc, targets=243)
    assert one.targets[0].heatmap.shape == two.targets[0].heatmap.shape == (7, 7)
    agreement = np.corrcoef(one.targets[0].map.ravel(), two.targets[0].map.ravel())[0, 1]
    assert abs(agreement) < 0.9


def test_show_prediction_shows_it(model, doc):
    shown = explainkit.show_prediction(model, doc, targets=[282], alpha_limit=0.3)
    assert shown.size == (224, 224)
    two = explainkit.show_prediction(model, doc, targets=[243, 282])
    assert two.width > 2 * 224
