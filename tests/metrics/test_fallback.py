"""Estimators that only explain: what they say of changed pictures is what metrics go by."""

import attrs
import numpy as np
import pytest

from explainkit import Explanation, TargetExplanation, explain_prediction
from explainkit.metrics import (
    Deletion,
    Infidelity,
    Insertion,
    MaxSensitivity,
    ROADMostRelevantFirst,
    evaluate,
)

from . import given
from .given import DOCS, PIXELS, SIZES, TOPS, WEIGHTS, shares_of

METHODS = {"shares": {}}


@attrs.frozen(eq=False)
class Estimator:
    """Knows nothing of what metrics ask: not how it is asked, nor where its pictures are."""

    asked: list = attrs.field(factory=list)


@attrs.frozen(eq=False)
class Grey:
    """As the example plug-in: its pictures have no channels."""

    weights: np.ndarray


@pytest.fixture(scope="module", autouse=True)
def registered():
    @explain_prediction.register
    def explain_estimator(estimator: Estimator, doc, *, targets=None):
        estimator.asked.append(doc.shape)
        if not np.isfinite(doc).all():
            raise ValueError("doc holds NaN or infinite numbers")
        scores = given.scores_of(doc)[0]
        return answer(scores, lambda target: shares_of(doc[0], target), targets)

    @explain_prediction.register
    def explain_grey(estimator: Grey, doc, *, targets=None):
        scores = np.einsum("hw,chw->c", doc[0], estimator.weights)
        return answer(scores, lambda target: doc[0] * estimator.weights[target], targets)


def answer(scores, map_of, targets):
    shown = [scores.argmax()] if targets is None else np.atleast_1d(targets)
    found = []
    for target in map(int, shown):
        map_ = np.float32(map_of(target))
        heatmap = np.maximum(map_, 0) / max(map_.max(), 1e-9)
        found.append(TargetExplanation(target, None, float(scores[target]), None, heatmap, map_))
    return Explanation("an estimator", "shares", targets=found)


def curve_of(shares, whole, steps, pixels=PIXELS):
    found = [whole]
    for step in range(1, steps + 1):
        hidden = sorted(np.ravel(shares), reverse=True)[: -(-pixels * step // steps)]
        found.append(whole - sum(hidden))
    return np.array(found)


def trapezoids(points):
    return np.mean((points[:-1] + points[1:]) / 2)


@pytest.mark.parametrize("targets", [None, [2, 0, 1, 3, 1], 1])
def test_deletion_goes_by_the_scores_that_are_explained(targets):
    metric = Deletion(steps=7, baseline=0.0)
    found = evaluate(Estimator(), DOCS, METHODS, metric, targets=targets, batch_size=3)
    units = TOPS if targets is None else np.broadcast_to(targets, len(DOCS))
    for row, target in enumerate(units):
        whole = given.scores_of(DOCS[row : row + 1])[0, target]
        expected = trapezoids(curve_of(shares_of(DOCS[row], target), whole, 7))
        assert found.measurements[row].target == target
        assert found.values("shares", "deletion")[row] == pytest.approx(expected, abs=1e-6)


def test_one_doc_is_explained_at_the_target_that_it_has():
    metric = Deletion(steps=7, baseline=0.0)
    for row, target in enumerate([2, 0, 1, 3, 1]):
        found = evaluate(Estimator(), DOCS[row : row + 1], METHODS, metric, targets=[target])
        whole = given.scores_of(DOCS[row : row + 1])[0, target]
        expected = trapezoids(curve_of(shares_of(DOCS[row], target), whole, 7))
        assert found.values("shares", "deletion")[0] == pytest.approx(expected, abs=1e-6)


def test_it_is_measured_as_a_model_of_the_same_numbers():
    metrics = [
        Deletion(steps=7),
        Insertion(steps=7),
        Infidelity(),
        MaxSensitivity(samples=2),
        ROADMostRelevantFirst(),
        "sparseness",
    ]
    case = given.given("keras")
    # One by one, each at its own target.
    for row in range(2):
        one = slice(row, row + 1)
        found = evaluate(Estimator(), DOCS[one], METHODS, metrics)
        other = evaluate(case.model, case.docs[one], "input_x_gradient", metrics)
        for name in found.metrics:
            assert found.values("shares", name) == pytest.approx(
                other.values("input_x_gradient", name), abs=10 * case.close
            )


def test_a_doc_that_cannot_be_explained_has_no_number():
    docs = DOCS[:2].copy()
    docs[0, 0, 0, 0] = np.nan
    found = evaluate(Estimator(), docs, METHODS, "sparseness")
    assert found.measurements[0].reason == "ValueError: doc holds NaN or infinite numbers"
    assert np.isfinite(found.values("shares", "sparseness")[1])


def test_an_estimator_without_weights_that_could_be_drawn_is_named():
    with pytest.raises(TypeError, match="Estimator"):
        evaluate(Estimator(), DOCS, METHODS, "parameter_randomization")


def test_pictures_without_channels_are_measured_too():
    # As those of the example plug-in.
    weights = WEIGHTS[:, :, 0].transpose(2, 0, 1)
    docs = DOCS[:1, ..., 0]
    found = evaluate(Grey(weights), docs, METHODS, Deletion(steps=7, baseline=0.0), targets=1)
    shares = docs[0] * weights[1]
    expected = trapezoids(curve_of(shares, shares.sum(), 7))
    assert found.values("shares", "deletion")[0] == pytest.approx(expected, abs=1e-6)
    assert docs.shape[1:] == SIZES
