"""On pictures of which everything is known: boxes and masks lie on the objects."""

import numpy as np
import pytest

from explainkit import (
    explain_prediction,
    explain_predictions,
    format_as_image,
    scenes,
    show_prediction,
)
from explainkit.localization import (
    find_box,
    find_mask,
    iou,
    localization_error,
    localization_errors,
)

pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")


@pytest.fixture(scope="module")
def drawn():
    return list(scenes.draw_scenes(12))


@pytest.fixture(scope="module")
def found(drawn):
    """Each object, and the explanation of it."""
    asked = [(scene, thing) for scene in drawn for thing in scene.objects]
    targets = np.array([[thing.target] for _, thing in asked])
    docs = (scene.doc for scene, _ in asked)
    explanations = explain_predictions(scenes.load_network(), docs, targets=targets)
    return [(thing, expl) for (_, thing), expl in zip(asked, explanations, strict=True)]


def test_boxes_lie_on_their_objects(found):
    overlaps = [iou(find_box(expl), thing.box) for thing, expl in found]
    assert np.mean(np.array(overlaps) > 0) >= 0.95
    assert np.mean(np.array(overlaps) >= 0.5) >= 0.7
    wrong = localization_error([expl for _, expl in found], [thing.box for thing, _ in found])
    assert wrong == np.mean(np.array(overlaps) < 0.5)


def test_the_edges_of_the_picture_make_masks_better(found):
    rough, smooth = (
        np.mean([iou(find_mask(e, 0.5, smoothing=radius), thing.mask) for thing, e in found])
        for radius in (0, 8)
    )
    assert smooth > rough + 0.15


def test_the_table_over_scenes(drawn):
    network = scenes.load_network()
    explanations = explain_predictions(network, scenes.as_docs(drawn), top_targets=3)
    things = [scene.objects[0] for scene in drawn]
    errors = localization_errors(
        explanations, [one.target for one in things], [one.box for one in things], top=(1, 3)
    )
    first, third = errors.rows
    assert third.classification.share <= 0.1
    assert third.localization.share <= 0.5
    for row in errors.rows:
        assert row.classification.share <= row.localization.share
    assert third.localization.share <= first.localization.share


def test_what_is_shown_has_boxes_where_they_are_asked_for(drawn):
    network, doc = scenes.load_network(), drawn[0].doc
    expl = explain_prediction(network, doc)
    truth = [thing.box for thing in drawn[0].objects]
    assert show_prediction(network, doc, boxes=True) == format_as_image(expl, boxes=True)
    assert show_prediction(network, doc, boxes=iter(truth)) == format_as_image(expl, boxes=truth)
    assert format_as_image(expl, boxes=truth) != format_as_image(expl)
