"""The ground truth: the heatmap of an object is hottest on that object."""

import numpy as np
import pytest
from PIL import Image

from explainkit import explain_predictions
from explainkit.scenes import draw_scenes, load_network

CELL = 8  # pixels of a 96-pixel scene under one cell of the 12 by 12 map


@pytest.fixture(scope="module")
def peaks():
    """The hottest pixel of the heatmap of each object of 200 unseen scenes, and the object."""
    asked = [(scene, thing) for scene in draw_scenes(200) for thing in scene.objects]
    targets = np.array([[thing.target] for _, thing in asked])
    explanations = explain_predictions(
        load_network(), (scene.doc for scene, _ in asked), targets=targets
    )
    found = []
    for (_, thing), expl in zip(asked, explanations, strict=True):
        assert expl.targets[0].heatmap.shape == (12, 12)
        large = Image.fromarray(expl.targets[0].heatmap).resize((96, 96), Image.BILINEAR)
        found.append((np.unravel_index(np.asarray(large).argmax(), (96, 96)), thing))
    return found


@pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")
def test_the_peak_lies_in_the_box_of_the_object(peaks):
    inside = [
        thing.box[0] <= column < thing.box[2] and thing.box[1] <= row < thing.box[3]
        for (row, column), thing in peaks
    ]
    assert len(inside) > 400
    assert np.mean(inside) >= 0.97


@pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")
def test_the_peak_lies_within_a_cell_of_the_object(peaks):
    near = []
    for (row, column), thing in peaks:
        rows, columns = (slice(max(0, at - CELL), at + CELL + 1) for at in (row, column))
        near.append(thing.mask[rows, columns].any())
    assert np.mean(near) >= 0.96


def test_the_peak_of_one_object_is_not_that_of_another(peaks):
    # Explanations that did not ask about the target would point at one place in a scene.
    nearest = []
    for (row, column), thing in peaks:
        left, top, right, bottom = thing.box
        nearest.append(abs(row - (top + bottom) / 2) + abs(column - (left + right) / 2))
    shuffled = np.roll(np.array([peak for peak, _ in peaks]), 1, axis=0)
    elsewhere = [
        abs(row - (t.box[1] + t.box[3]) / 2) + abs(column - (t.box[0] + t.box[2]) / 2)
        for (row, column), (_, t) in zip(shuffled, peaks, strict=True)
    ]
    assert np.median(nearest) * 4 < np.median(elsewhere)
