"""Sanity: maps that would survive a network that knows nothing explain nothing.

The network's weights are drawn anew from the top down, in steps (Adebayo et al. 2018): an
explanation of the network must change with it. And with what it has learnt, every method
must point at the object that it is asked about.
"""

import warnings
from itertools import pairwise
from typing import ClassVar

import attrs
import numpy as np
import pytest

from explainkit import ExplanationWarning, explain_predictions
from explainkit.methods import Method, counterfactual
from explainkit.methods.base import Cost, Mapped
from explainkit.scenes import load_network

SCENES = 10


# Rank correlation


def ranks(values):
    """The rank of each number; equal ones share theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - counts / 2)[places.ravel()]


def rank_correlation(one, other):
    return np.corrcoef(ranks(one), ranks(other))[0, 1]


def test_the_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    one = rng.permutation(30)
    assert rank_correlation(one, np.exp(one / 9)) == pytest.approx(1)
    assert rank_correlation(one, -one) == pytest.approx(-1)
    other = rng.permutation(30)
    by_formula = 1 - 6 * np.sum((one - other) ** 2) / (30 * (30**2 - 1))
    assert rank_correlation(one, other) == pytest.approx(by_formula)
    # Equal numbers share the mean of their ranks: here 0, 2, 2, 2 and 4.
    assert rank_correlation([1, 5, 5, 5, 9], [0, 1, 2, 3, 4]) == pytest.approx(8 / 80**0.5)


# An explanation that does not look at the network


@attrs.frozen
class EdgeDetector(Method):
    """The edges of the picture, whatever is asked of whatever network."""

    name: ClassVar[str] = "edges"
    title: ClassVar[str] = "Edges"
    formula: ClassVar[str] = "the length of the gradient of the brightness, by Sobel"
    source: ClassVar[str] = "Sobel and Feldman 1968"
    cost: ClassVar[Cost] = Cost("1", "0")

    def maps(self, subject, drawn):
        xp, seen = subject.engine.xp, subject.look()
        grey = xp.mean(subject.pixels, axis=3)
        down = grey[:, 2:] - grey[:, :-2]
        right = grey[:, :, 2:] - grey[:, :, :-2]
        down = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
        right = right[:, :-2] + 2 * right[:, 1:-1] + right[:, 2:]
        edges = xp.sqrt(down * down + right * right)
        count = int(seen.scores.shape[1])
        return Mapped(seen.scores, seen.kept, xp.repeat(edges[:, None], count, axis=1))


# Drawn anew


def blocks_of(network):
    """List the layers that learn, the last first: the dense one, then blocks of convolutions."""
    learning = [layer for layer in reversed(network.layers) if layer.weights]
    assert len(learning) == 17
    # Each convolution has a norm behind it; three of them, a residual block and what shrinks the
    # picture before it, are one step, but for the last convolution and the first.
    cuts = [0, 1, 3, 9, 15, 17]
    return [learning[start:end] for start, end in pairwise(cuts)]


def draw_anew(layer, rng):
    """Give a layer weights as those of a network that was never trained."""
    drawn = []
    for weight in layer.weights:
        shape = tuple(weight.shape)
        if len(shape) > 1:
            drawn.append(rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1])))
        else:
            ones = "gamma" in weight.path or "variance" in weight.path
            drawn.append(np.full(shape, float(ones)))
    layer.set_weights(drawn)


@pytest.fixture(scope="module")
def fading(scenes):
    """Maps of the class that was the top one at first, after each step, for some methods."""
    network = load_network()
    docs = [scene.doc for scene in scenes[:SCENES]]
    tops = [[expl.targets[0].target] for expl in explain_predictions(network, docs)]
    methods = {
        "gradcam": "gradcam",
        "layercam": "layercam",
        "counterfactual": counterfactual("gradcam"),
        "edges": EdgeDetector(),
    }
    steps, rng = [], np.random.default_rng(0)
    with warnings.catch_warnings():
        # Of networks that know nothing, many a map is blank.
        warnings.simplefilter("ignore", ExplanationWarning)
        for block in [[], *blocks_of(network)]:
            for layer in block:
                draw_anew(layer, rng)
            steps.append(
                {
                    name: [
                        expl.targets[0].map
                        for expl in explain_predictions(
                            network, docs, method=method, targets=np.array(tops)
                        )
                    ]
                    for name, method in methods.items()
                }
            )
    return steps


def likeness(steps, method):
    """How like its first map each scene's is after each step, shape (steps, scenes)."""
    whole = steps[0][method]
    return np.array(
        [
            [rank_correlation(one, other) for one, other in zip(step[method], whole, strict=True)]
            for step in steps
        ]
    )


def passes(found):
    """Tell whether nothing of an explanation is left when nothing of the network is."""
    return bool(np.abs(found[-1]).mean() < 0.3)


@pytest.mark.parametrize("method", ["gradcam", "layercam", "counterfactual"])
def test_an_explanation_of_the_network_does_not_survive_it(fading, method):
    found = likeness(fading, method)
    np.testing.assert_allclose(found[0], 1)
    assert passes(found)


def test_it_is_lost_with_the_first_layers_that_are_drawn_anew(fading):
    # Not only once the whole network is: the dense layer alone says which class is meant.
    found = likeness(fading, "gradcam")
    assert (np.abs(found[1:]).mean(axis=1) < 0.5).all()


def test_an_edge_detector_is_found_out(fading):
    # It looks like an explanation, and is none: nothing of it changes with the network.
    found = likeness(fading, "edges")
    np.testing.assert_allclose(found, 1)
    assert not passes(found)


# Pointing

#: For each method, the least share of 20 scenes in which the hottest pixel lies in the box of
#: the object that was asked about, the foremost: what was measured, less a margin of three
#: scenes. The boxes are 8 pixels of 100.
POINTING = [
    ("gradcam", {}, 0.8),  # measured: 0.95
    ("layercam", {}, 0.85),  # 1.00
    ("occlusion", {}, 0.85),  # 1.00
    ("rise", {"masks": 200}, 0.85),  # 1.00
    ("scorecam", {"max_channels": 16}, 0.55),  # 0.70
    ("ablationcam", {"max_channels": 32}, 0.8),  # 0.95
    ("integrated_gradients", {}, 0.8),  # 0.95
]


@pytest.fixture(scope="module")
def network():
    return load_network()


def hottest(heatmap, size):
    """Row and column of the pixel in the middle of the hottest cell."""
    cell = np.unravel_index(heatmap.argmax(), heatmap.shape)
    return [(at + 0.5) * size / cells for at, cells in zip(cell, heatmap.shape, strict=True)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")
@pytest.mark.parametrize(("method", "options", "share"), POINTING)
def test_methods_point_at_the_object_that_was_asked_about(network, scenes, method, options, share):
    asked = [(scene, scene.objects[-1]) for scene in scenes[:20]]
    found = explain_predictions(
        network,
        (scene.doc for scene, _ in asked),
        method=method,
        targets=np.array([[thing.target] for _, thing in asked]),
        **options,
    )
    inside = []
    for (_, thing), expl in zip(asked, found, strict=True):
        row, column = hottest(expl.targets[0].heatmap, 96)
        left, top, right, bottom = thing.box
        inside.append(left <= column < right and top <= row < bottom)
    print(f"{method}: {np.mean(inside):.2f}")
    assert np.mean(inside) >= share


@pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")
def test_guided_gradcam_tells_objects_apart_and_guided_gradients_do_not(network, scenes):
    # So the paper on Grad-CAM says why it multiplies the two.
    alike = {"guided_gradcam": [], "guided_backprop": []}
    for method, found in alike.items():
        asked = [[thing.target for thing in scene.objects[:2]] for scene in scenes[:SCENES]]
        docs = [scene.doc for scene in scenes[:SCENES]]
        for expl in explain_predictions(network, docs, method=method, targets=np.array(asked)):
            one, other = (abs(target.map) for target in expl.targets)
            found.append(rank_correlation(one, other))
    print({method: np.mean(found).round(2) for method, found in alike.items()})
    assert np.mean(alike["guided_gradcam"]) < 0.4
    assert np.mean(alike["guided_gradcam"]) < np.mean(alike["guided_backprop"]) - 0.2
