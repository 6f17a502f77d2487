"""What metrics are tried on: maps made by hand, and models that numpy alone works out."""

import functools

import attrs
import numpy as np
import pytest

from explainkit import Explanation, TargetExplanation
from explainkit.metrics.batch import Batch

SIZES, CHANNELS, CLASSES, COUNT = (6, 5), 3, 4, 5
PIXELS = SIZES[0] * SIZES[1]

_rng = np.random.default_rng(7)
WEIGHTS = _rng.normal(size=(*SIZES, CHANNELS, CLASSES)) / 3
BIASES = _rng.normal(size=CLASSES)
DOCS = _rng.normal(size=(COUNT, *SIZES, CHANNELS))


# By numpy alone


def scores_of(pictures):
    """What the linear model says of pictures, shape (N, height, width, C)."""
    return np.tensordot(np.asarray(pictures, np.float64), WEIGHTS, axes=3) + BIASES


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(scores):
    return 1 / (1 + np.exp(-scores))


ACTIVATIONS = {None: lambda scores: scores, "softmax": softmax, "sigmoid": sigmoid}

#: The unit of the highest score.
TOPS = scores_of(DOCS).argmax(axis=1)


def shares_of(picture, target):
    """What each pixel adds to the score: input × gradient, and of a linear model all there is."""
    return (picture * WEIGHTS[..., target]).sum(axis=2)


def read_order(map_):
    """The pixels from the highest to the lowest, equal ones in the order of reading."""
    cells = [tuple(int(i) for i in cell) for cell in np.ndindex(map_.shape)]
    return sorted(cells, key=lambda cell: -map_[cell])


def gaussian_blur(picture):
    """The mean of all pixels of an axis, weighed by a bell of a twentieth of it, or of 1 pixel."""
    found = np.asarray(picture, np.float64)
    for axis in (0, 1):
        size, moved = found.shape[axis], np.moveaxis(found, axis, 0)
        width = max(1.0, size / 20)
        mixed = np.zeros_like(moved)
        for i in range(size):
            bell = [np.exp(-((i - j) ** 2) / (2 * width**2)) for j in range(size)]
            mixed[i] = sum(w * moved[j] for j, w in enumerate(bell)) / sum(bell)
        found = np.moveaxis(mixed, 0, axis)
    return found


BASELINES = {
    0.0: np.zeros_like,
    0.5: lambda picture: np.full_like(picture, 0.5),
    "mean": lambda picture: np.zeros_like(picture) + picture.mean(axis=(0, 1)),
    "blur": gaussian_blur,
}


# The same, as a model


@attrs.frozen(eq=False)
class Given:
    model: object
    docs: np.ndarray
    close: float


def keras_model(keras, activation=None, dtype="float64"):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((*SIZES, CHANNELS), dtype=dtype),
            layers.Flatten(dtype=dtype),
            layers.Dense(CLASSES, activation=activation, dtype=dtype, name="head"),
        ]
    )
    model.set_weights([WEIGHTS.reshape(-1, CLASSES), BIASES])
    return model


def torch_model(activation=None):
    import torch

    head = torch.nn.Linear(PIXELS * CHANNELS, CLASSES, dtype=torch.float64)
    with torch.no_grad():
        head.weight[:] = torch.tensor(WEIGHTS.transpose(3, 2, 0, 1).reshape(CLASSES, -1))
        head.bias[:] = torch.tensor(BIASES)
    last = {None: [], "softmax": [torch.nn.Softmax(dim=1)], "sigmoid": [torch.nn.Sigmoid()]}
    return torch.nn.Sequential(torch.nn.Flatten(), head, *last[activation]).eval()


@functools.cache
def given(framework, activation=None):
    """The linear model on some framework, and the documents as it takes them: for all tests."""
    return fresh(framework, activation)


def fresh(framework, activation=None):
    """The same, for tests that change the model."""
    if framework == "torch":
        pytest.importorskip("torch")
        return Given(torch_model(activation), DOCS.transpose(0, 3, 1, 2).copy(), 1e-6)
    keras = pytest.importorskip(framework)
    in_double = framework == "tf_keras" or keras.backend.backend() != "jax"
    dtype = "float64" if in_double else "float32"
    return Given(keras_model(keras, activation, dtype), DOCS, 1e-6 if in_double else 1e-4)


FRAMEWORKS = ("keras", "torch", "tf_keras")
on_each_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


# Explanations made by hand


def explanation_of(map_, target=0):
    positive = np.maximum(np.asarray(map_, np.float32), 0)
    heatmap = positive / (positive.max() or 1)
    found = TargetExplanation(target, None, 1.0, None, heatmap, np.asarray(map_, np.float32))
    return Explanation("a model", "by hand", targets=[found])


def batch_of(maps, *, model=None, docs=None, targets=None, sizes=None, **more):
    """A batch of documents that were explained by these maps."""
    count = len(maps)
    targets = [0] * count if targets is None else [int(one) for one in targets]
    if docs is None:
        docs = np.zeros((count, *(sizes or np.shape(maps[0])), 1))
    found = [explanation_of(one, target) for one, target in zip(maps, targets, strict=True)]
    more = {"asked": {"method": "input_x_gradient"}, "positions": range(count), **more}
    return Batch(model, docs, found, targets, **more)


def measured(metric, *args, **more):
    return np.array([float(one) for one in metric.measure(batch_of(*args, **more))])
