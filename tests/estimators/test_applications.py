"""Models of keras.applications are explained without `layer=`.

One of each family with Keras on TensorFlow, and some that differ most on other backends, for they
take a minute or two to build; all of them where the environment variable
EXPLAINKIT_TEST_ALL_ARCHITECTURES is set.
"""

import gc
import inspect
import os

import keras
import numpy as np
import pytest

import explainkit

CONSTRUCTORS = sorted(
    name
    for name, value in vars(keras.applications).items()
    if inspect.isfunction(value) and "weights" in inspect.signature(value).parameters
)

#: A small one of each family, and of both kinds of MobileNetV3.
FAMILIES = (
    *("ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0"),
    *("InceptionResNetV2", "InceptionV3", "MobileNet", "MobileNetV2"),
    *("MobileNetV3Large", "MobileNetV3Small", "NASNetMobile", "ResNet50"),
    *("ResNet50V2", "VGG16", "VGG19", "Xception"),
)

#: Residual sums that are operations, squeeze and excite, and maps that are flattened.
ELSEWHERE = ("ConvNeXtTiny", "EfficientNetB0", "MobileNetV2", "ResNet50V2", "VGG16")

NAMES = FAMILIES if keras.backend.backend() == "tensorflow" else ELSEWHERE
if os.environ.get("EXPLAINKIT_TEST_ALL_ARCHITECTURES"):
    NAMES = CONSTRUCTORS

#: At 96 pixels the maps that these two pool are of one cell: too small to explain.
SIZES = {"InceptionV3": 139, "InceptionResNetV2": 139}


def layer_that_feeds_the_pooling(model):
    """Walk up from the pooling in front of the head, past layers that hand a tensor on.

    Global pooling where there is some; VGG's heads flatten what its last pooling gives.
    """
    poolings = [x for x in model.layers if isinstance(x, keras.layers.GlobalAveragePooling2D)]
    poolings = poolings or [x for x in model.layers if isinstance(x, keras.layers.MaxPooling2D)]
    tensor = poolings[-1].input
    while True:
        operation = tensor._keras_history.operation
        kind = type(operation).__name__
        passes_on = "Padding" in kind or "Cropping" in kind or "Dropout" in kind
        # An activation that is linear gives its input back.
        linear = getattr(operation, "activation", None) is keras.activations.linear
        if not passes_on and not (linear and kind == "Activation"):
            return operation
        tensor = operation.input


def test_there_are_as_many_as_keras_says():
    assert len(CONSTRUCTORS) >= 38


def test_there_is_one_of_each_family():
    def families(names):
        return {getattr(keras.applications, name).__module__ for name in names}

    assert families(FAMILIES) == families(CONSTRUCTORS)


@pytest.mark.slow
@pytest.mark.skipif(NAMES is ELSEWHERE, reason="seen with Keras on TensorFlow")
def test_where_the_pooled_map_is_a_single_cell_the_last_larger_one_is_taken():
    model = keras.applications.InceptionV3(weights=None, input_shape=(96, 96, 3))
    expl = explainkit.explain_prediction(model, np.zeros((1, 96, 96, 3), np.float32), targets=0)
    assert model.get_layer(expl.layer).output.shape[1:3] == (4, 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_application_is_explained_at_the_layer_that_feeds_its_pooling(name):
    if name.startswith("NASNet") and keras.backend.backend() == "torch":
        pytest.skip("Keras has no NASNet on PyTorch")
    size = SIZES.get(name, 96)
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3))
    try:
        doc = np.random.default_rng(0).uniform(-1, 1, (1, size, size, 3)).astype(np.float32)
        expl = explainkit.explain_prediction(model, doc)
        assert expl.layer == layer_that_feeds_the_pooling(model).name
        heatmap = expl.targets[0].heatmap
        assert min(heatmap.shape) > 1
        # Compiled, as ours is: the logits of deep networks with random weights are
        # so large that rounding decides on the class.
        proba = model.predict_on_batch(doc)[0, expl.targets[0].target]
        np.testing.assert_allclose(expl.targets[0].proba, proba, rtol=1e-4)
    finally:
        del model
        keras.backend.clear_session()
        gc.collect()
