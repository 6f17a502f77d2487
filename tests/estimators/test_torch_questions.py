"""Questions of every kind, asked of PyTorch modules, and answered by differences.

What follows the features is the module's own head, run in float64 on moved features.
"""

import copy

import numpy as np
import pytest

from explainkit import explain_prediction
from explainkit.methods.heatmap import heatmap_of

torch = pytest.importorskip("torch")
nn = torch.nn


def doc(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=(1, *shape)).astype(np.float32)


def words(length, seed=0):
    return np.random.default_rng(seed).integers(1, 40, (1, length))


def seeded(make, *arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(*arguments).eval()


def check(answer, module, docs, score, step=1e-4):
    """Compare what is said of one target with Grad-CAM of its definition.

    The module has `features` and `head`; `score` takes what the head gives.
    """
    double = copy.deepcopy(module).double()

    def as_double(value):
        tensor = torch.as_tensor(value)
        return tensor.double() if tensor.is_floating_point() else tensor

    with torch.no_grad():
        features = double.features(as_double(docs[0]))
        rest = [as_double(one) for one in docs[1:]]

        def ask(features):
            return float(score(double.head(features, *rest)))

        gradient = np.zeros(features.shape[1:])
        for place in np.ndindex(gradient.shape):
            ends = []
            for sign in (1, -1):
                moved = features.clone()
                moved[(0, *place)] += sign * step
                ends.append(ask(moved))
            gradient[place] = (ends[0] - ends[1]) / (2 * step)
        assert answer.score == pytest.approx(ask(features), rel=1e-4, abs=1e-5)
    weights = gradient.mean(tuple(range(1, gradient.ndim)))
    expected = np.tensordot(weights, features[0].numpy(), axes=1)
    assert answer.map.shape == expected.shape
    tolerance = 1e-4 * abs(expected).max()
    assert tolerance > 0
    np.testing.assert_allclose(answer.map, expected, atol=tolerance)
    np.testing.assert_allclose(answer.heatmap, heatmap_of(expected), atol=1e-2)


class Classifier(nn.Module):
    def __init__(self, features, channels):
        super().__init__()
        self.features = features
        self.hidden = nn.Linear(channels, 6)
        self.output = nn.Linear(6, 3)

    def head(self, features):
        return self.output(torch.tanh(self.hidden(features.flatten(2).mean(2))))

    def forward(self, docs):
        return self.head(self.features(docs))


def of_signals():
    features = nn.Sequential(
        nn.Conv1d(2, 5, 5), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(5, 6, 3), nn.Tanh()
    )
    return Classifier(features, 6)


def of_volumes():
    return Classifier(nn.Sequential(nn.Conv3d(1, 3, 3), nn.Tanh()), 3)


@pytest.mark.parametrize(
    ("make", "shape", "size"),
    [(of_signals, (2, 40), (16,)), (of_volumes, (1, 6, 7, 8), (4, 5, 6))],
    ids=["signal", "volume"],
)
def test_what_is_no_picture(make, shape, size):
    module, given = seeded(make), doc(*shape)
    last = f"features.{len(module.features) - 1}"
    expl = explain_prediction(module, given, targets=[0, 2], layer=last)
    for answer, unit in zip(expl.targets, (0, 2), strict=True):
        assert answer.heatmap.shape == size
        check(answer, module, [given], lambda y, unit=unit: y[0, unit])
    assert explain_prediction(module, given).targets[0].heatmap.shape == size
    assert "image/png" not in expl._repr_mimebundle_()


class Answering(nn.Module):
    """A picture and a question about it."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Tanh())
        self.words = nn.Embedding(40, 4)
        self.reading = nn.GRU(4, 5, batch_first=True)
        self.output = nn.Linear(5, 4)

    def head(self, features, question):
        asked = self.reading(self.words(question))[0][:, -1]
        return self.output(features.mean((2, 3)) * asked)

    def forward(self, image, question):
        return self.head(self.features(image), question)


@pytest.mark.parametrize("form", [list, dict])
def test_a_question_about_a_picture(form):
    module = seeded(Answering)
    maps = []
    for seed in (0, 1):
        pair = [doc(3, 12, 12), words(6, seed)]
        docs = pair if form is list else {"question": pair[1], "image": pair[0]}
        expl = explain_prediction(module, docs, targets=2, layer="features.1")
        check(expl.targets[0], module, pair, lambda y: y[0, 2])
        maps.append(expl.targets[0].map)
    assert maps[0].shape == maps[1].shape == (10, 10)
    assert not np.allclose(maps[0], maps[1])


class Segmenting(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Tanh())
        self.head = nn.Sequential(nn.Conv2d(5, 4, 1), nn.Tanh(), nn.Conv2d(4, 3, 1))

    def forward(self, docs):
        return self.head(self.features(docs))


def class_over_region(outputs):
    return outputs[:, 1, 2:5, 3:7].mean((1, 2))


def test_segmentation():
    module, picture = seeded(Segmenting), doc(3, 12, 12)
    expl = explain_prediction(module, picture, targets=class_over_region, layer="features.1")
    assert expl.targets[0].target == "class_over_region"
    check(expl.targets[0], module, [picture], lambda y: class_over_region(y)[0])


def test_segmentation_asks_for_a_callable():
    with pytest.raises(ValueError, match="give targets= a callable from the outputs to a score"):
        explain_prediction(seeded(Segmenting), doc(3, 12, 12), targets=1)


class Detecting(nn.Module):
    def __init__(self, boxes=6, classes=3):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.Tanh())
        self.places = nn.Linear(5 * 5 * 5, boxes * 4)
        self.rows = nn.Linear(5 * 5 * 5, boxes * classes)
        self.boxes, self.classes = boxes, classes

    def head(self, features):
        seen = features.flatten(1)
        return {
            "boxes": self.places(seen).reshape(-1, self.boxes, 4),
            "scores": self.rows(seen).reshape(-1, self.boxes, self.classes).sigmoid(),
        }

    def forward(self, docs):
        return self.head(self.features(docs))


def test_detection():
    module, picture = seeded(Detecting), doc(3, 12, 12)
    expl = explain_prediction(
        module, picture, targets=lambda y: y["boxes"][:, 4, 0], layer="features.1"
    )
    check(expl.targets[0], module, [picture], lambda y: y["boxes"][0, 4, 0])
    expl = explain_prediction(
        module, picture, targets=lambda y: y["scores"][:, 4, 2], layer="features.1"
    )
    check(expl.targets[0], module, [picture], lambda y: y["scores"][0, 4, 2].logit())


class Captioning(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Tanh())
        self.telling = nn.GRU(5, 7, batch_first=True)
        self.vocabulary = nn.Linear(7, 40)

    def head(self, features):
        seen = features.mean((2, 3))[:, None].expand(-1, 4, -1)
        return self.vocabulary(self.telling(seen)[0])

    def forward(self, docs):
        return self.head(self.features(docs))


@pytest.mark.parametrize("step", [0, 3])
def test_one_word_of_a_caption(step):
    module, picture = seeded(Captioning), doc(3, 8, 8)
    expl = explain_prediction(module, picture, targets=lambda y: y[:, step, 17], layer="features.1")
    check(expl.targets[0], module, [picture], lambda y: y[0, step, 17])
