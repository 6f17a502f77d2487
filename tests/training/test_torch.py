"""A training loop in PyTorch, watched."""

import copy
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402
from torch import nn  # noqa: E402

from explainkit import explain_prediction, format_as_image  # noqa: E402
from explainkit.training import Watch  # noqa: E402
from tests.training.made_up import Kept  # noqa: E402

DOCS = np.random.default_rng(0).normal(size=(2, 3, 10, 12)).astype(np.float32)


class Net(nn.Sequential):
    """Draws random numbers in training, and notes statistics of what passes."""

    def __init__(self):
        super().__init__(
            *(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5)),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
        )


class Restless(Net):
    """Draws random numbers whenever it is asked."""

    def forward(self, x):
        return super().forward(x + 0.01 * torch.randn(1) + 0.01 * random.random())


def trained(kind, watching=None):
    """Train a network; `watching` may look at it between a gradient and its step."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - the stream that others share
    model = kind()
    record = watching(model) if watching else lambda step: None
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for step in range(4):
        x, y = torch.randn(8, 3, 10, 12), torch.randint(3, (8,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        record(step)
        assert model.training
        optimizer.step()
    shared = np.random.get_state()[1].tobytes()  # noqa: NPY002
    streams = (torch.get_rng_state().numpy().tobytes(), shared)
    return model.state_dict(), optimizer.state_dict()["state"], streams, random.getstate()


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


@pytest.mark.parametrize("method", ["gradcam", "smoothgrad"])
@pytest.mark.parametrize("kind", [Net, Restless])
def test_training_goes_as_without(kind, method):
    kept = Kept()
    without = trained(kind)
    watched = trained(kind, lambda model: Watch(model, DOCS, kept, method=method).record)
    assert len(kept.entries) == 4
    for one, other in zip(without, watched, strict=True):
        assert same(one, other)


def test_each_picture_is_that_of_the_weights_of_its_step(tmp_path):
    found = []
    pictures = [Image.new("RGB", (30, 20), colour) for colour in ("navy", "red")]

    def watching(model):
        watch = Watch(model, DOCS, tmp_path, targets=[2], images=iter(pictures), names=["a", "b"])

        def record(step):
            found.append(copy.deepcopy(model))
            watch.record(step)

        return record

    trained(Net, watching)
    drawn = set()
    for step, model in enumerate(found):
        for name, doc, image in zip("ab", DOCS, pictures, strict=True):
            wanted = format_as_image(explain_prediction(model, doc[None], targets=2, image=image))
            with Image.open(tmp_path / name / f"step-{step:06d}.png") as picture:
                assert picture.tobytes() == wanted.tobytes()
            drawn.add(wanted.tobytes())
    assert len(drawn) == 8
