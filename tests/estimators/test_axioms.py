"""What must hold of explanations of any model: sums, linearity, invariances, signs.

Nothing here looks at how the package finds its maps. The models are written down, asked by
their own framework, and what they answer is set against what the maps say.
"""

import functools
import math
import warnings

import keras
import numpy as np
import pytest
from keras import layers

from explainkit import ExplanationWarning, explain_prediction, explain_predictions
from explainkit.methods import METHODS

from . import backend

SIZE = 10
CLASSES = 3

#: Small numbers of variants, which no batch size divides; the rest of an option's meaning
#: is that of its default.
OPTIONS = {
    "integrated_gradients": {"steps": 5},
    "smoothgrad": {"samples": 5},
    "vargrad": {"samples": 5},
    "occlusion": {"patch": 4, "stride": 3},
    "rise": {"masks": 11, "cells": 3},
}
#: Of the six channels three are tried, which are not the same for each document.
CASES = {
    **{name: (name, OPTIONS.get(name, {})) for name in METHODS},
    "scorecam of 3": ("scorecam", {"max_channels": 3}),
    "ablationcam of 3": ("ablationcam", {"max_channels": 3}),
}

# Random pictures leave some heatmaps blank; here maps are compared.
pytestmark = pytest.mark.filterwarnings("ignore:nothing .* speaks:explainkit.ExplanationWarning")


# Models and what they say


def docs_like(seed=0, count=1, shape=(SIZE, SIZE, 3)):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)


DOC = docs_like()


def shaken(model, seed=0):
    """Give a model random weights, biases and statistics; none of them is 0."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        shape = tuple(weight.shape)
        if "variance" in weight.path or "gamma" in weight.path:
            weight.assign(rng.uniform(0.5, 2, shape))
        elif len(shape) > 1:
            weight.assign(rng.normal(size=shape) * 1.5 / math.sqrt(math.prod(shape[:-1])))
        else:
            weight.assign(rng.normal(size=shape) / 2)
    return model


def stacked(*parts, seed=0, name=None):
    return shaken(keras.Sequential([keras.Input((SIZE, SIZE, 3)), *parts], name=name), seed)


def pooled(classes=CLASSES, activation=None):
    return [layers.GlobalAveragePooling2D(), layers.Dense(classes, activation)]


#: With these weights, each class has something that speaks for it.
SEED = 3


def cnn(activation="relu", seed=SEED):
    return stacked(
        layers.Conv2D(5, 3, activation=activation),
        layers.AveragePooling2D(2),
        layers.Conv2D(6, 2, activation=activation, name="last"),
        *pooled(),
        seed=seed,
    )


def arrays(tensors):
    return keras.tree.map_structure(keras.ops.convert_to_numpy, tensors)


def said(model, docs):
    """What a Keras model or a PyTorch module says, as float64."""
    if isinstance(model, keras.Model):
        return arrays(model(docs, training=False)).astype(np.float64)
    import torch

    with torch.no_grad():
        return model.eval()(torch.tensor(docs)).numpy().astype(np.float64)


def explained(model, doc, method, targets=1, **options):
    return explain_prediction(model, doc, method=method, targets=targets, **options).targets


def map_of(model, doc, method, target=1, **options):
    return explained(model, doc, method, target, **options)[0].map.astype(np.float64)


def totals(model, doc, method, targets=(0, 1, 2), **options):
    found = explained(model, doc, method, list(targets), **options)
    return np.array([one.map.sum(dtype=np.float64) for one in found])


def assert_same(found, expected, share=1e-5):
    """Tell that maps are the same, to a share of the largest number in them."""
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * np.abs(expected).max())


def first(doc):
    """A document as PyTorch takes it."""
    return np.ascontiguousarray(doc.transpose(0, 3, 1, 2))


def ranks(values):
    """The rank of each number; equal ones share theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - counts / 2)[places.ravel()]


def rank_correlation(one, other):
    return np.corrcoef(ranks(one), ranks(other))[0, 1]


def torch_cnn(activation="relu"):
    """`cnn`, with its weights, in PyTorch."""
    torch = pytest.importorskip("torch")
    nn, model = torch.nn, cnn(activation)
    act = {"relu": nn.ReLU, "tanh": nn.Tanh}[activation]
    module = nn.Sequential(
        *(nn.Conv2d(3, 5, 3), act(), nn.AvgPool2d(2), nn.Conv2d(5, 6, 2), act()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES)),
    )
    weights = iter(arrays(model.weights))
    for part in module:
        if hasattr(part, "weight"):
            kernel, bias = torch.tensor(next(weights)), torch.tensor(next(weights))
            order = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
            part.weight.data, part.bias.data = kernel.permute(order).contiguous(), bias
    return module


def either(activation="relu"):
    """The network in Keras and in PyTorch, each with a document."""
    yield cnn(activation), DOC
    try:
        import torch  # noqa: F401 - only whether it is there
    except ImportError:
        return
    yield torch_cnn(activation), first(DOC)


# CAM and those that it agrees with


def test_cam_is_gradcam_times_the_number_of_cells_behind_pooling_and_a_dense_layer():
    for model, doc in either():
        of_gradcam = map_of(model, doc, "gradcam")
        assert of_gradcam.size == 9
        assert_same(map_of(model, doc, "cam"), of_gradcam * of_gradcam.size)


def test_hirescam_is_gradcam_behind_pooling_and_a_dense_layer():
    for model, doc in either():
        assert_same(map_of(model, doc, "hirescam"), map_of(model, doc, "gradcam"))


def test_hirescam_and_the_mean_of_cam_add_up_to_the_score_but_for_the_bias():
    for model, doc in either():
        bias = arrays(cnn().layers[-1].bias)
        scores = said(model, doc)[0] - bias
        cam = explained(model, doc, "cam", [0, 1, 2])
        np.testing.assert_allclose(totals(model, doc, "hirescam"), scores, atol=1e-5)
        np.testing.assert_allclose([one.map.mean() for one in cam], scores, atol=1e-5)


def test_cam_takes_the_weights_of_the_dense_layer():
    model = cnn()
    seen = keras.Model(model.inputs[0], model.get_layer("last").output)(DOC)
    expected = arrays(seen)[0] @ arrays(model.layers[-1].kernel)[:, 1]
    assert_same(map_of(model, DOC, "cam"), expected)


HEADS = {
    "max pooling": lambda: [layers.GlobalMaxPooling2D(), layers.Dense(CLASSES)],
    "flatten": lambda: [layers.Flatten(), layers.Dense(CLASSES)],
    "two dense layers": lambda: [
        *(layers.GlobalAveragePooling2D(), layers.Dense(8, "relu"), layers.Dense(CLASSES)),
    ],
    "a smooth layer": lambda: [
        *(layers.GlobalAveragePooling2D(), layers.Dense(8, "tanh"), layers.Dense(CLASSES)),
    ],
    # Without biases its scores are as proportional to the channels as those of a linear head.
    "two dense layers without biases": lambda: [
        layers.GlobalAveragePooling2D(),
        layers.Dense(8, "relu", use_bias=False),
        layers.Dense(CLASSES, use_bias=False),
    ],
}


@pytest.mark.parametrize("head", HEADS)
def test_cam_of_another_head_is_an_error_that_names_other_methods(head):
    model = stacked(layers.Conv2D(6, 3, activation="relu"), *HEADS[head]())
    with pytest.raises(ValueError, match="'cam' needs .* such as 'gradcam'"):
        explain_prediction(model, DOC, method="cam", targets=1)


@pytest.mark.parametrize("head", ["max pooling", "flatten"])
def test_cam_of_another_head_of_pytorch_is_an_error_that_names_other_methods(head):
    nn = pytest.importorskip("torch").nn
    ends = {
        "max pooling": [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES)],
        "flatten": [nn.Flatten(), nn.Linear(6 * 64, CLASSES)],
    }
    module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), *ends[head])
    with pytest.raises(ValueError, match="'cam' needs .* such as 'gradcam'"):
        explain_prediction(module, first(DOC), method="cam", targets=1)


# Linear models


def linear():
    return stacked(layers.Flatten(), layers.Dense(CLASSES))


def torch_linear():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * SIZE * SIZE, CLASSES))


def test_the_gradient_of_a_linear_model_is_its_weights():
    model = linear()
    weights = arrays(model.layers[-1].kernel)[:, 2].reshape(SIZE, SIZE, 3)
    assert_same(map_of(model, DOC, "gradients", 2), weights.sum(axis=-1))
    assert_same(map_of(model, DOC, "gradients", 2, channels="max"), abs(weights).max(axis=-1))


def test_the_gradient_of_a_linear_module_is_its_weights():
    module = torch_linear()
    weights = module[1].weight.detach().numpy()[2].reshape(3, SIZE, SIZE)
    assert_same(map_of(module, first(DOC), "gradients", 2), weights.sum(axis=0))
    found = map_of(module, first(DOC), "gradients", 2, channels="max")
    assert_same(found, abs(weights).max(axis=0))


@pytest.mark.parametrize("method", ["input_x_gradient", "integrated_gradients"])
def test_the_parts_of_a_linear_model_add_up_to_its_score_but_for_the_bias(method):
    model = linear()
    expected = said(model, DOC)[0] - arrays(model.layers[-1].bias)
    found = totals(model, DOC, method, **OPTIONS.get(method, {}))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    module = torch_linear()
    expected = said(module, first(DOC))[0] - module[1].bias.detach().numpy()
    found = totals(module, first(DOC), method, **OPTIONS.get(method, {}))
    np.testing.assert_allclose(found, expected, atol=1e-5)


# What integrated gradients find adds up to what the score gained

#: For each, the picture where the path begins.
BASELINES = {
    "a number": (0.0, np.zeros_like),
    "another number": (0.5, lambda doc: np.full_like(doc, 0.5)),
    "mean": ("mean", lambda doc: np.zeros_like(doc) + doc.mean(axis=(1, 2), keepdims=True)),
    "an array": (docs_like(1)[0] / 4, lambda doc: docs_like(1) / 4),
}


def assert_gained(found, gained):
    assert np.abs(gained).max() > 0.1
    np.testing.assert_allclose(found, gained, rtol=1e-3, atol=1e-3 * np.abs(gained).max())


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_integrated_gradients_add_up_to_what_the_score_gained(activation, baseline):
    given, picture = BASELINES[baseline]
    # A path across the kinks of relus takes more steps than a smooth one.
    options = {"baseline": given, "steps": 640 if activation == "relu" else 64}
    model = cnn(activation)
    gained = (said(model, DOC) - said(model, picture(DOC)))[0]
    found = totals(model, DOC, "integrated_gradients", **options)
    assert_gained(found, gained)


@pytest.mark.parametrize("baseline", BASELINES)
def test_integrated_gradients_of_pytorch_add_up_to_what_the_score_gained(baseline):
    given, picture = BASELINES[baseline]
    module = torch_cnn("tanh")
    gained = (said(module, first(DOC)) - said(module, first(picture(DOC))))[0]
    # An array that stands for a picture has its channels last, whatever the model takes.
    found = totals(module, first(DOC), "integrated_gradients", baseline=given, steps=64)
    assert_gained(found, gained)


# What FullGrad finds adds up to the score


def two_outputs():
    picture = keras.Input((SIZE, SIZE, 3))
    seen = layers.Conv2D(4, 3, activation="relu")(picture)
    kind, box = layers.GlobalAveragePooling2D()(seen), layers.Conv2D(4, 3, activation="relu")(seen)
    outputs = {
        "kind": layers.Dense(CLASSES, name="kind")(layers.Dense(5, "relu")(kind)),
        "box": layers.Dense(4, name="box")(layers.GlobalAveragePooling2D()(box)),
    }
    return shaken(keras.Model(picture, outputs))


def nested():
    inner = keras.Sequential(
        [keras.Input((8, 8, 4)), layers.Conv2D(5, 3), layers.BatchNormalization(), layers.ReLU()]
    )
    middle = keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), layers.Conv2D(4, 3, activation="relu"), inner]
    )
    return stacked(middle, layers.MaxPooling2D(2), *pooled())


def shared():
    picture = keras.Input((SIZE, SIZE, 3))
    convolution = layers.Conv2D(3, 3, padding="same", activation="relu")
    bare = layers.Conv2D(3, 3, padding="same")
    twice = convolution(convolution(picture))
    twice = layers.ReLU()(bare(layers.ReLU()(bare(twice))))
    dense = layers.Dense(3, "relu")
    scores = dense(dense(layers.GlobalAveragePooling2D()(twice)))
    return shaken(keras.Model(picture, layers.Dense(CLASSES)(scores)))


def shared_submodel():
    picture = keras.Input((SIZE, SIZE, 3))
    inner = keras.Sequential(
        [
            *(keras.Input((SIZE, SIZE, 3)), layers.Conv2D(3, 3, padding="same")),
            *(layers.BatchNormalization(), layers.ReLU()),
        ]
    )
    seen = layers.Add()([inner(inner(picture)), picture])
    outputs = seen
    for layer in pooled():
        outputs = layer(outputs)
    return shaken(keras.Model(picture, outputs))


class Written(keras.Model):
    """Its relus are operations, and its layers are applied in a call that is Python."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = layers.Conv2D(4, 3), layers.BatchNormalization()
        self.last, self.head = layers.Conv2D(5, 3), layers.Dense(CLASSES)

    def call(self, x, training=False):
        x = keras.ops.relu(self.norm(self.first(x), training=training))
        return self.head(keras.ops.mean(keras.ops.relu(self.last(x)), axis=(1, 2)))


def written():
    model = Written()
    model(DOC)
    return shaken(model)


def normalised(**options):
    norm = layers.BatchNormalization(**options)
    return stacked(layers.Conv2D(4, 3, use_bias=False), norm, layers.ReLU(), *pooled())


def standardised():
    known = layers.Normalization(mean=[0.5, -1.0, 2.0], variance=[0.5, 2.0, 3.0])
    return stacked(known, layers.Conv2D(4, 3, activation="relu"), *pooled())


#: Networks that are linear between the kinks of their relus, and all biased.
BIASED = {
    "conv": lambda: stacked(layers.Conv2D(4, 3, strides=2, activation="relu"), *pooled()),
    "depthwise": lambda: stacked(
        layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"), *pooled()
    ),
    "separable": lambda: stacked(
        layers.SeparableConv2D(4, 3, padding="same", activation="relu"), *pooled()
    ),
    "transpose": lambda: stacked(
        layers.Conv2DTranspose(4, 3, strides=2, activation="relu"), *pooled()
    ),
    "grouped and dilated": lambda: stacked(
        layers.Conv2D(6, 3, groups=3, activation="relu"),
        layers.Conv2D(4, 3, dilation_rate=2, activation="leaky_relu"),
        *pooled(),
    ),
    "batch norm": normalised,
    "batch norm without scale": lambda: normalised(scale=False, epsilon=0.3),
    "batch norm without centre": lambda: normalised(center=False, epsilon=0.3),
    "batch norm of neither": lambda: normalised(center=False, scale=False),
    "batch norm along rows": lambda: normalised(axis=1),
    "batch norm behind dense": lambda: stacked(
        *(layers.Flatten(), layers.Dense(6), layers.BatchNormalization(), layers.ReLU()),
        layers.Dense(CLASSES),
    ),
    "dense, fused and not": lambda: stacked(
        *(layers.Flatten(), layers.Dense(8, "relu"), layers.Dense(7), layers.ReLU()),
        *(layers.Dense(6), layers.Activation("relu"), layers.Dense(CLASSES)),
    ),
    "dense on cells": lambda: stacked(
        *(layers.Dense(4, "relu"), layers.Dense(4), layers.LeakyReLU()), *pooled()
    ),
    "einsum": lambda: stacked(
        layers.EinsumDense("bhwc,cd->bhwd", (None, None, 4), activation="relu", bias_axes="d"),
        *pooled(),
    ),
    "rescaled": lambda: stacked(
        layers.Rescaling(2.0, offset=-1.0), layers.Conv2D(4, 3, activation="relu"), *pooled()
    ),
    "standardised": standardised,
    "relu of the scores": lambda: stacked(
        layers.Conv2D(4, 3, activation="relu"), *pooled(activation="leaky_relu")
    ),
    "nested": nested,
    "shared": shared,
    "shared submodel": shared_submodel,
    "written in a call": written,
}


def assert_adds_up(found, scores):
    np.testing.assert_allclose(found, scores, rtol=0, atol=1e-4 * np.abs(scores).max())


@pytest.mark.parametrize("build", BIASED)
def test_the_parts_of_fullgrad_add_up_to_the_score(build):
    model = BIASED[build]()
    scores = said(model, DOC)[0]
    assert_adds_up(totals(model, DOC, "fullgrad", psi="none"), scores)


def test_what_the_biases_add_is_not_nothing():
    # Else the tests of what adds up would say nothing about biases.
    for build in ("conv", "batch norm", "shared"):
        model = BIASED[build]()
        scores = said(model, DOC)[0]
        away = totals(model, DOC, "input_x_gradient") - scores
        assert np.abs(away).max() > 0.05 * np.abs(scores).max()


def test_the_parts_of_fullgrad_add_up_to_the_score_before_a_softmax():
    plain = stacked(layers.Conv2D(4, 3, activation="relu"), *pooled())
    fused = stacked(layers.Conv2D(4, 3, activation="relu"), *pooled(activation="softmax"))
    scores = said(plain, DOC)[0]
    found = explained(fused, DOC, "fullgrad", [0, 1, 2], psi="none", logits=True)
    np.testing.assert_allclose([one.score for one in found], scores, atol=1e-5)
    assert_adds_up([one.map.sum(dtype=np.float64) for one in found], scores)


def test_the_parts_of_fullgrad_add_up_to_one_score_of_several_outputs():
    model = two_outputs()
    scores = {name: array[0] for name, array in arrays(model(DOC)).items()}
    for name, units in (("kind", 3), ("box", 4)):
        targets = [(name, unit) for unit in range(units)]
        assert_adds_up(totals(model, DOC, "fullgrad", targets, psi="none"), scores[name])


def test_the_parts_of_fullgrad_add_up_to_a_score_that_is_a_callable():
    def difference(outputs):
        return outputs[:, 0] - 2 * outputs[:, 2]

    def lower(outputs):
        return keras.ops.minimum(outputs[:, 0], outputs[:, 1])

    model = BIASED["conv"]()
    scores = said(model, DOC)[0]
    expected = [scores[0] - 2 * scores[2], min(scores[0], scores[1])]
    assert_adds_up(totals(model, DOC, "fullgrad", [difference, lower], psi="none"), expected)

    model = two_outputs()
    scores = arrays(model(DOC))
    expected = scores["kind"][0, 1] + scores["box"][0, 3]
    found = totals(
        *(model, DOC, "fullgrad"),
        [lambda outputs: outputs["kind"][:, 1] + outputs["box"][:, 3]],
        psi="none",
    )
    assert_adds_up(found, [expected])


def torch_nets():
    nn = pytest.importorskip("torch").nn
    convolution = nn.Conv2d(3, 3, 3, padding=1)

    def head(channels):
        return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)

    return {
        "conv": nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(inplace=True), *head(4)),
        "batch norm": nn.Sequential(
            nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, eps=0.3), nn.ReLU(), *head(4)
        ),
        "batch norm of neither": nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False), nn.ReLU(), *head(4)
        ),
        "grouped": nn.Sequential(
            nn.Conv2d(3, 6, 3, groups=3), nn.LeakyReLU(), nn.MaxPool2d(2), *head(6)
        ),
        "transpose": nn.Sequential(nn.ConvTranspose2d(3, 4, 3, stride=2), nn.ReLU(), *head(4)),
        "linear": nn.Sequential(
            *(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 8), nn.BatchNorm1d(8), nn.ReLU()),
            *(nn.Linear(8, 6), nn.ReLU(inplace=True), nn.Linear(6, CLASSES)),
        ),
        "shared": nn.Sequential(convolution, nn.ReLU(), convolution, nn.ReLU(), *head(3)),
    }


@pytest.mark.parametrize(
    "build",
    ["conv", "batch norm", "batch norm of neither", "grouped", "transpose", "linear", "shared"],
)
def test_the_parts_of_fullgrad_of_a_module_add_up_to_the_score(build):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch_nets()[build]
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.ndim == 1:
                positive = "var" in name or "weight" in name
                tensor.uniform_(0.5, 2) if positive else tensor.normal_()
    scores = said(module, first(DOC))[0]
    assert_adds_up(totals(module, first(DOC), "fullgrad", psi="none"), scores)


def test_the_parts_of_fullgrad_of_a_module_add_up_to_a_callable_and_one_of_several_outputs():
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.seen, self.further = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
            self.kind, self.box = nn.Linear(4, CLASSES), nn.Linear(4, 4)

        def forward(self, x):
            seen = self.seen(x).relu()
            further = torch.relu(self.further(seen))
            return {"kind": self.kind(seen.mean((2, 3))), "box": self.box(further.mean((2, 3)))}

    module, doc = Two(), first(DOC)
    with torch.no_grad():
        scores = {k: v[0].double().numpy() for k, v in module(torch.tensor(doc)).items()}
    found = totals(module, doc, "fullgrad", [("kind", 0), ("kind", 1)], psi="none")
    assert_adds_up(found, scores["kind"][:2])
    found = totals(module, doc, "fullgrad", [("box", 3)], psi="none")
    assert_adds_up(found, scores["box"][3:])
    found = totals(
        module, doc, "fullgrad", [lambda y: y["kind"][:, 1] - y["box"][:, 0]], psi="none"
    )
    assert_adds_up(found, [scores["kind"][1] - scores["box"][0]])


# Implementation invariance. FullGrad, and all that is built at layers, is not invariant.

INVARIANT = [
    ("gradients", {}),
    ("integrated_gradients", {"steps": 7}),
    ("smoothgrad", {"samples": 5}),
    ("occlusion", {"patch": 4, "stride": 3}),
    ("rise", {"masks": 11, "cells": 3}),
]


def folded(model):
    """Write a batch norm into the convolution before it."""
    convolution, norm, _, _, head = model.layers
    gamma, beta, mean, variance = (np.float64(one) for one in arrays(norm.weights))
    kernel, bias = (np.float64(one) for one in arrays(convolution.weights))
    scale = gamma / np.sqrt(variance + norm.epsilon)
    made = stacked(layers.Conv2D(4, 3, activation="relu"), *pooled())
    made.layers[0].set_weights([kernel * scale, (bias - mean) * scale + beta])
    made.layers[-1].set_weights(arrays(head.weights))
    return made


@functools.cache
def norm_and_folded():
    norm = layers.BatchNormalization(epsilon=0.1)
    model = stacked(layers.Conv2D(4, 3), norm, layers.ReLU(), *pooled())
    return model, folded(model)


@functools.cache
def fused_and_separate():
    fused = stacked(layers.Flatten(), layers.Dense(8, "relu"), layers.Dense(CLASSES))
    separate = stacked(
        *(layers.Flatten(), layers.Dense(8), layers.Activation("relu"), layers.Dense(CLASSES))
    )
    return fused, separate


@pytest.mark.parametrize("pair", [norm_and_folded, fused_and_separate])
@pytest.mark.parametrize(("method", "options"), INVARIANT)
def test_one_function_written_twice_is_explained_alike(pair, method, options):
    one, other = pair()
    np.testing.assert_allclose(said(one, DOC), said(other, DOC), atol=1e-5)
    found = map_of(other, DOC, method, **options)
    assert_same(found, map_of(one, DOC, method, **options), 1e-4)


# Where the answer is known: a model that counts red pixels

SQUARE = (slice(9, 13), slice(3, 7))


def red_square(size=16):
    """A grey picture with blots of green and blue, and one red square."""
    picture = np.random.default_rng(0).uniform(0.4, 0.6, (size, size, 1)).repeat(3, axis=2)
    picture[1:6, 8:14] = (0.1, 1, 0.1)
    picture[10:15, 10:15] = (0.1, 0.1, 1)
    picture[SQUARE] = (1, 0.1, 0.1)
    return picture[None].astype(np.float32)


#: Channels of the red that is more than green, of green and of blue.
COLOURS = np.array([[1, 0, 0], [-1, 1, 0], [0, 0, 1]], np.float32)
#: Only red counts; the mean is over 256 cells, so that it counts for much.
COUNTS = np.array([[100, 0], [0, 0], [0, 0]], np.float32)


def red_counter():
    model = keras.Sequential(
        [
            *(keras.Input((16, 16, 3)), layers.Conv2D(3, 1, activation="relu")),
            *pooled(classes=2),
        ]
    )
    model.set_weights([COLOURS[None, None], np.zeros(3), COUNTS, np.zeros(2)])
    return model


def torch_red_counter():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    module = nn.Sequential(
        *(nn.Conv2d(3, 3, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(3, 2, bias=False),
    )
    module[0].weight.data = torch.tensor(COLOURS.T[..., None, None].copy())
    module[4].weight.data = torch.tensor(COUNTS.T.copy())
    return module


@pytest.mark.parametrize("framework", ["keras", "torch"])
@pytest.mark.parametrize(
    ("method", "options"),
    [("occlusion", {"patch": 3, "stride": 1}), ("rise", {"masks": 300}), ("scorecam", {})],
)
def test_a_model_that_counts_red_pixels_is_explained_by_the_red_square(method, options, framework):
    model, doc = (
        (red_counter(), red_square())
        if framework == "keras"
        else (torch_red_counter(), first(red_square()))
    )
    heatmap = explained(model, doc, method, 0, **options)[0].heatmap
    assert heatmap.shape == (16, 16)
    inside = np.zeros((16, 16), bool)
    inside[SQUARE] = True
    assert inside[np.unravel_index(heatmap.argmax(), heatmap.shape)]
    # Nor is it the hottest by a hair.
    assert heatmap[inside].mean() > 2 * heatmap[~inside].mean()


# Eigen-CAM's sign


@pytest.mark.parametrize("seed", range(4))
def test_eigencam_has_the_sign_of_the_sum_of_the_channels(seed):
    model = stacked(
        layers.Conv2D(5, 3, activation="relu", name="seen"),
        layers.Rescaling(-1.0, name="mirrored"),
        layers.Rescaling(-1.0),
        *pooled(),
        seed=seed,
    )
    plain, mirrored = (map_of(model, DOC, "eigencam", layer=at) for at in ("seen", "mirrored"))
    channels = arrays(keras.Model(model.inputs[0], model.get_layer("seen").output)(DOC))[0]
    assert np.corrcoef(plain.ravel(), channels.sum(-1).ravel())[0, 1] > 0.3
    assert np.corrcoef(mirrored.ravel(), -channels.sum(-1).ravel())[0, 1] > 0.3
    assert_same(mirrored, -plain, 1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_eigencam_has_the_sign_of_the_sum_of_the_channels_of_a_module(seed):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(seed)

    class Mirrored(nn.Module):
        def forward(self, x):
            return -x

    module = nn.Sequential(
        *(nn.Conv2d(3, 5, 3), nn.ReLU(), Mirrored(), Mirrored()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, CLASSES)),
    )
    plain, mirrored = (map_of(module, first(DOC), "eigencam", layer=at) for at in ("1", "2"))
    with torch.no_grad():
        channels = module[:2](torch.tensor(first(DOC)))[0].numpy()
    assert np.corrcoef(plain.ravel(), channels.sum(0).ravel())[0, 1] > 0.3
    assert_same(mirrored, -plain, 1e-4)


# Rewritten relus

HIDDEN = (9, 7)
_rng = np.random.default_rng(0)
#: Of three dense layers, a kernel and a bias each: large enough that some sums are above 6.
WEIGHTS = [
    one
    for before, after in ((48, HIDDEN[0]), (HIDDEN[0], HIDDEN[1]), (HIDDEN[1], CLASSES))
    for one in (
        _rng.normal(size=(before, after)).astype(np.float32),
        _rng.normal(size=after).astype(np.float32),
    )
]
SMALL = docs_like(5, shape=(4, 4, 3))


def dense(weights, x):
    """A dense layer by loops."""
    kernel, bias = weights
    return [sum(x[i] * kernel[i, j] for i in range(len(x))) + bias[j] for j in range(len(bias))]


def by_loops(rule, target, limit=math.inf):
    """The gradient of the hand-made network, its relus passed by a rule, summed over channels."""
    x = SMALL.astype(np.float64).ravel()
    weights = [one.astype(np.float64) for one in WEIGHTS]
    sums, into = [], list(x)
    for at in (0, 2):
        sums.append(dense(weights[at : at + 2], into))
        into = [min(max(z, 0), limit) for z in sums[-1]]
    back = list(weights[4][:, target])
    for at, z in ((2, sums[1]), (0, sums[0])):
        passed = []
        for unit, g in zip(z, back, strict=True):
            active, raised = 0 < unit < limit, g > 0
            lets = {"plain": active, "guided": active and raised, "deconvnet": raised}[rule]
            passed.append(g if lets else 0.0)
        kernel = weights[at]
        back = [
            sum(kernel[i, j] * passed[j] for j in range(len(passed))) for i in range(len(kernel))
        ]
    return np.array(back).reshape(4, 4, 3).sum(axis=-1)


class WithRelu(keras.Model):
    """Its relus are a function that is called."""

    def __init__(self, relu, after=None):
        super().__init__()
        self.parts = [layers.Dense(n) for n in (*HIDDEN, CLASSES)]
        self.relus = [relu, after or relu]

    def call(self, x):
        x = keras.ops.reshape(x, (-1, 48))
        for part, relu in zip(self.parts, self.relus, strict=False):
            x = relu(part(x))
        return self.parts[-1](x)


def hand_made(relu=None, fused=None):
    """The network; `relu` makes its layers, `fused` names an activation."""
    parts = []
    for units in HIDDEN:
        parts += [layers.Dense(units, fused), *([] if relu is None else [relu()])]
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), layers.Flatten(), *parts, layers.Dense(CLASSES)]
    )
    model.set_weights(WEIGHTS)
    return model


def called(*relus):
    model = WithRelu(*relus)
    model(SMALL)
    model.set_weights(WEIGHTS)
    return model


#: How relus may be written in Keras, and what they are limited to.
WRITINGS = {
    "a layer": (lambda: hand_made(layers.ReLU), math.inf),
    "an activation layer": (lambda: hand_made(lambda: layers.Activation("relu")), math.inf),
    "fused": (lambda: hand_made(fused="relu"), math.inf),
    "an operation": (lambda: called(keras.ops.relu), math.inf),
    "a function of Keras": (lambda: called(keras.activations.relu), math.inf),
    "a layer with a maximum": (lambda: hand_made(lambda: layers.ReLU(max_value=6)), 6),
    "fused relu6": (lambda: hand_made(fused="relu6"), 6),
    "the operation relu6": (lambda: called(keras.ops.relu6), 6),
}
RULES = {"guided_backprop": "guided", "deconvnet": "deconvnet"}


def gradient_by_the_framework(model, doc, target):
    """The gradient that anybody would take, summed over channels."""
    if backend.NAME == "torch" or not isinstance(model, keras.Model):
        import torch

        x = torch.tensor(doc, requires_grad=True)
        return torch.autograd.grad(model(x)[0, target], x)[0].numpy()[0].sum(axis=-1)
    if backend.NAME == "jax":
        import jax

        return np.asarray(jax.grad(lambda x: model(x)[0, target])(doc))[0].sum(axis=-1)
    import tensorflow as tf

    x = tf.constant(doc)
    with tf.GradientTape() as tape:
        tape.watch(x)
        score = model(x)[0, target]
    return tape.gradient(score, x).numpy()[0].sum(axis=-1)


def test_the_three_rules_differ_on_the_hand_made_network():
    for limit in (math.inf, 6):
        found = [by_loops(rule, 1, limit) for rule in ("plain", "guided", "deconvnet")]
        for one, other in ((0, 1), (0, 2), (1, 2)):
            assert np.abs(found[one] - found[other]).max() > 0.1 * np.abs(found[one]).max()
    assert np.abs(by_loops("guided", 1) - by_loops("guided", 1, 6)).max() > 0.1


@pytest.mark.parametrize("writing", WRITINGS)
def test_relus_are_rewritten_however_they_are_written(writing):
    build, limit = WRITINGS[writing]
    model = build()
    before = arrays(model.weights)
    for method, rule in RULES.items():
        for one, target in zip(explained(model, SMALL, method, [0, 1]), (0, 1), strict=True):
            assert_same(one.map, by_loops(rule, target, limit))
    # The model is as it was found, and so is what anybody makes of it.
    for one, other in zip(arrays(model.weights), before, strict=True):
        assert one.tobytes() == other.tobytes()
    plain = by_loops("plain", 1, limit)
    assert_same(gradient_by_the_framework(model, SMALL, 1), plain)
    assert_same(map_of(model, SMALL, "gradients"), plain)


def torch_writings():
    torch = pytest.importorskip("torch")
    nn, functional = torch.nn, torch.nn.functional
    return {
        "nn.ReLU": (nn.ReLU(), math.inf),
        "nn.ReLU in place": (nn.ReLU(inplace=True), math.inf),
        "functional.relu": (functional.relu, math.inf),
        "functional.relu in place": (lambda x: functional.relu(x, inplace=True), math.inf),
        "torch.relu": (torch.relu, math.inf),
        "Tensor.relu": (lambda x: x.relu(), math.inf),
        "Tensor.relu_": (lambda x: x.relu_(), math.inf),
        "nn.ReLU6": (nn.ReLU6(), 6),
        "nn.ReLU6 in place": (nn.ReLU6(inplace=True), 6),
        "functional.relu6": (functional.relu6, 6),
        "nn.Hardtanh": (nn.Hardtanh(0, 6), 6),
    }


def torch_called(*relus):
    """The hand-made network in PyTorch, its channels first."""
    torch = pytest.importorskip("torch")

    class Called(torch.nn.Module):
        def __init__(self):
            super().__init__()
            sizes = (48, *HIDDEN, CLASSES)
            self.parts = torch.nn.ModuleList(map(torch.nn.Linear, sizes, sizes[1:]))
            self.relus = relus if len(relus) == 2 else relus * 2
            for position, part in enumerate(self.parts):
                kernel, bias = WEIGHTS[2 * position : 2 * position + 2]
                part.weight.data = torch.tensor(kernel.T.copy())
                part.bias.data = torch.tensor(bias)

        def forward(self, x):
            x = x.permute(0, 2, 3, 1).reshape(-1, 48)
            for part, relu in zip(self.parts, self.relus, strict=False):
                x = relu(part(x))
            return self.parts[-1](x)

    return Called()


@pytest.mark.parametrize(
    "writing",
    [
        *("nn.ReLU", "nn.ReLU in place", "functional.relu", "functional.relu in place"),
        *("torch.relu", "Tensor.relu", "Tensor.relu_"),
        *("nn.ReLU6", "nn.ReLU6 in place", "functional.relu6", "nn.Hardtanh"),
    ],
)
def test_relus_of_pytorch_are_rewritten_however_they_are_written(writing):
    torch = pytest.importorskip("torch")
    relu, limit = torch_writings()[writing]
    module, doc = torch_called(relu), first(SMALL)
    before = {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}
    for method, rule in RULES.items():
        for one, target in zip(explained(module, doc, method, [0, 1]), (0, 1), strict=True):
            assert_same(one.map, by_loops(rule, target, limit))
    assert before == {name: t.numpy().tobytes() for name, t in module.state_dict().items()}
    assert all(tensor.grad is None for tensor in module.parameters())
    plain = by_loops("plain", 1, limit)
    x = torch.tensor(doc, requires_grad=True)
    [gradient] = torch.autograd.grad(module(x)[0, 1], x)
    assert_same(gradient[0].sum(dim=0).numpy(), plain)
    assert_same(map_of(module, doc, "gradients"), plain)


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet", "guided_gradcam"])
def test_a_model_without_relus_has_none_to_be_rewritten(method):
    with pytest.raises(ValueError, match="relu"):
        explain_prediction(cnn("tanh"), DOC, method=method, targets=1)
    with pytest.raises(ValueError, match="relu"):
        explain_prediction(torch_cnn("tanh"), first(DOC), method=method, targets=1)


@pytest.mark.parametrize("way_round", ["x, 0", "0, x"])
def test_a_maximum_that_cannot_be_rewritten_is_named(way_round):
    def maximum(x):
        return keras.ops.maximum(*((x, 0) if way_round == "x, 0" else (0, x)))

    model = called(keras.ops.relu, maximum)
    with pytest.warns(ExplanationWarning, match="could not rewrite .*maximum"):
        found = map_of(model, SMALL, "guided_backprop")
    assert np.isfinite(found).all()


def test_a_clamp_that_cannot_be_rewritten_is_named():
    torch = pytest.importorskip("torch")
    module = torch_called(torch.relu, lambda x: torch.clamp(x, min=0))
    with pytest.warns(ExplanationWarning, match="could not rewrite .*clamp"):
        found = map_of(module, first(SMALL), "guided_backprop")
    assert np.isfinite(found).all()


@pytest.mark.skipif(backend.NAME != "tensorflow", reason="functions that TensorFlow compiled")
def test_a_compiled_function_that_cannot_be_rewritten_is_named():
    import tensorflow as tf

    @tf.function
    def my_own_relu(x):
        return tf.nn.relu(x)

    model = called(keras.ops.relu, my_own_relu)
    with pytest.warns(ExplanationWarning, match="could not rewrite .*my_own_relu"):
        found = map_of(model, SMALL, "guided_backprop")
    assert np.isfinite(found).all()


@backend.not_on_torch
@pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")
def test_a_compiled_function_is_rewritten_or_named_whoever_called_it_before():
    # Compiled functions are kept as they were traced: here once for a document by itself, by
    # whoever called the model first, and once for two, by the explanation.
    model = called(backend.compiled(lambda x: keras.ops.relu(x)), keras.ops.relu)
    asked = {"method": "guided_backprop", "targets": 1}
    for docs in (SMALL, np.concatenate([SMALL, SMALL])):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found, *_ = explain_predictions(model, docs, batch_size=2, **asked)
        named = any("could not rewrite" in str(one.message) for one in caught)
        expected = by_loops("guided", 1)
        same = np.abs(found.targets[0].map - expected).max() < 1e-5 * np.abs(expected).max()
        assert same or named


@backend.not_on_torch
@pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")
@pytest.mark.parametrize("method", RULES)
def test_somebodys_compiled_function_keeps_its_gradient(method):
    model = called(backend.compiled(lambda x: keras.ops.relu(x)), keras.ops.relu)
    # Of two documents nobody has asked it before: it is traced by the explanation.
    two = np.concatenate([SMALL, SMALL])
    list(explain_predictions(model, two, method=method, targets=1, batch_size=2))
    assert_same(gradient_by_the_framework(model, two, 1), by_loops("plain", 1))
    assert_same(map_of(model, SMALL, "gradients"), by_loops("plain", 1))


@pytest.mark.filterwarnings("error::explainkit.ExplanationWarning")
def test_relus_that_can_all_be_rewritten_are_not_warned_of():
    found = map_of(called(keras.ops.relu), SMALL, "guided_backprop")
    assert np.isfinite(found).all()


#: Of two classes, the same channels speak for each, and others against it.
FOR_AND_AGAINST = np.array([[2, 1, 1, -4, 0, 0], [2, 1, 1, 0, -4, -1], [0] * 6], np.float32).T


def test_guided_gradcam_tells_classes_apart_that_are_alike_to_guided_gradients():
    for model, doc in either():
        if isinstance(model, keras.Model):
            model.layers[-1].set_weights([FOR_AND_AGAINST, np.zeros(CLASSES)])
        else:
            model[-1].weight.data.copy_(model[-1].weight.data.new_tensor(FOR_AND_AGAINST.T))
        # Only what is raised passes the last relus: what speaks against a class does not.
        one, other = (map_of(model, doc, "guided_backprop", target) for target in (0, 1))
        assert_same(one, other)
        one, other = (map_of(model, doc, "guided_gradcam", target) for target in (0, 1))
        assert one.any()
        assert other.any()
        assert rank_correlation(one, other) < 0.8


def test_guided_gradients_and_deconvnet_are_not_the_gradient():
    for model, doc in either():
        plain = map_of(model, doc, "gradients")
        for method in RULES:
            assert rank_correlation(map_of(model, doc, method), plain) < 0.95


# Each document by itself


@functools.cache
def the_network():
    return cnn()


THREE = docs_like(7, 3)


@functools.cache
def each_alone(case):
    method, options = CASES[case]
    return [
        explain_prediction(the_network(), doc[None], method=method, targets=[1, 2], **options)
        for doc in THREE
    ]


def assert_same_explanations(found, expected, share=1e-5):
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(one.targets, other.targets, strict=True):
            assert a.target == b.target
            assert a.score == pytest.approx(b.score, abs=max(share, 1e-6))
            assert_same(a.map, b.map, share)


@pytest.mark.parametrize("case", CASES)
def test_documents_together_are_explained_as_each_alone(case):
    method, options = CASES[case]
    together = explain_predictions(
        the_network(), THREE, method=method, targets=[1, 2], batch_size=3, **options
    )
    assert_same_explanations(together, each_alone(case))


def test_the_channels_that_are_tried_differ_between_the_documents():
    # Else it would not show if they were chosen for the batch.
    model = the_network()
    seen = arrays(keras.Model(model.inputs[0], model.get_layer("last").output)(THREE))
    chosen = [frozenset(np.argsort(-one.var(axis=(0, 1)))[:3].tolist()) for one in seen]
    assert len(set(chosen)) > 1


@pytest.mark.parametrize("case", [case for case in CASES if METHODS[CASES[case][0]]().varies])
def test_variants_few_at_once_are_explained_as_many(case):
    method, options = CASES[case]
    few = explain_predictions(
        the_network(), THREE[:1], method=method, targets=[1, 2], batch_size=2, **options
    )
    assert_same_explanations(few, each_alone(case)[:1])


@pytest.mark.parametrize("case", CASES)
def test_documents_of_pytorch_together_are_explained_as_each_alone(case):
    method, options = CASES[case]
    module, asked = torch_cnn(), {"method": method, "targets": [1, 2], **options}
    alone = [explain_prediction(module, first(doc[None]), **asked) for doc in THREE]
    for batch_size in (3, 2):
        together = explain_predictions(module, first(THREE), batch_size=batch_size, **asked)
        assert_same_explanations(together, alone)


@pytest.mark.parametrize("case", CASES)
def test_channels_first_or_last_is_the_same_to_an_explanation(case):
    method, options = CASES[case]
    module = torch_cnn()
    asked = {"method": method, "targets": [1, 2], **options}
    found = [explain_prediction(module, first(doc[None]), **asked) for doc in THREE]
    assert_same_explanations(found, each_alone(case), 1e-4)


# Half precision


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    ("method", "options"), [("gradients", {}), ("gradcam", {}), ("smoothgrad", {"samples": 5})]
)
def test_modules_of_half_precision_are_explained(method, options, dtype):
    torch = pytest.importorskip("torch")
    half = getattr(torch, dtype)
    doc = torch.tensor(first(DOC))
    [found] = explained(torch_cnn().to(half), doc.to(half), method, **options)
    assert found.map.dtype == found.heatmap.dtype == np.float32
    assert np.isfinite(found.map).all()
    # It is the same explanation, as far as so few digits tell.
    expected = map_of(torch_cnn(), first(DOC), method, **options)
    assert np.corrcoef(found.map.ravel(), expected.ravel())[0, 1] > 0.98
