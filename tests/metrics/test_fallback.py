"""Estimators that only explain: what they say of changed pictures is what metrics go by."""

import threading
import warnings

import attrs
import numpy as np
import pytest

from explainkit import (
    Explanation,
    TargetExplanation,
    explain_prediction,
    explain_predictions,
)
from explainkit.explanation import warn
from explainkit.metrics import (
    Deletion,
    Infidelity,
    Insertion,
    MaxSensitivity,
    ROADMostRelevantFirst,
    evaluate,
)

from . import given
from .counting import Counting
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


@attrs.frozen(eq=False)
class Sure:
    """Says that the mean of its picture is a probability."""


@attrs.frozen(eq=False)
class Loud:
    """Warns of all that it explains."""


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

    @explain_prediction.register
    def explain_sure(estimator: Sure, doc, *, targets=None):
        said, half = float(doc.mean()), np.full((1, 4), 0.5, np.float32)
        map_ = np.arange(4, dtype=np.float32)[None]
        return Explanation(
            "a sure one", "shares", targets=[TargetExplanation(0, None, said, said, half, map_)]
        )

    @explain_prediction.register
    def explain_loud(estimator: Loud, doc, *, targets=None):
        warn("it is loud")
        return answer(given.scores_of(doc)[0], lambda target: shares_of(doc[0], target), targets)


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


@pytest.mark.parametrize("targets", [None, 1])
def test_without_weights_or_other_classes_there_is_no_number_and_the_others_go_on(targets):
    names = ["parameter_randomization", "random_logit"]
    found = evaluate(Estimator(), DOCS, METHODS, [*names, "sparseness"], targets=targets)
    whys = ["weights", "other classes"]
    for name, why in zip(names, whys, strict=True):
        assert np.isnan(found.values("shares", name)).all()
        reasons = {one.reason for one in found.measurements if one.metric == name}
        assert reasons == {f"nobody knows the {why} of a Estimator"}
    assert np.isfinite(found.values("shares", "sparseness")).all()


def test_of_whom_only_explains_no_probabilities_can_be_made():
    asked = {"activation": "softmax", "targets": 1}
    for name in ("deletion", "average_drop", "road_morf"):
        with pytest.raises(ValueError, match=r"Estimator .*: let it explain probabilities$"):
            evaluate(Estimator(), DOCS, METHODS, name, **asked)
    # What goes by the score alone needs none.
    found = evaluate(Estimator(), DOCS, METHODS, "infidelity", **asked)
    assert np.isfinite(found.values("shares", "infidelity")).all()


def test_probabilities_that_are_explained_are_measured():
    docs = np.full((2, 1, 4, 1), 0.5)
    docs[1] = 0.25
    asked = {"metrics": ["average_drop", "increase", "average_gain", "deletion"]}
    found = evaluate(Sure(), docs, METHODS, **asked)
    # Dimmed, a half of it is left.
    assert found.values("shares", "average_drop") == pytest.approx([0.5, 0.5])
    assert found.values("shares", "increase") == pytest.approx([0, 0])
    assert found.values("shares", "average_gain") == pytest.approx([0, 0])
    with pytest.raises(ValueError, match="makes probabilities itself, for target 0; leave it out"):
        evaluate(Sure(), docs, METHODS, activation="sigmoid", **asked)


@pytest.mark.parametrize(("said", "known"), [(1.0005, True), (1.002, False), (-0.002, False)])
def test_what_is_no_probability_but_for_rounding_is_said(said, known):
    names = ["average_drop", "increase", "average_gain"]
    found = evaluate(Sure(), np.full((1, 1, 4, 1), said), METHODS, [*names, "insertion"])
    rows = {one.metric: one for one in found.measurements}
    assert np.isfinite(rows["insertion"].value)
    if known:
        assert rows["average_drop"].value == pytest.approx(0.5)
        assert rows["increase"].value == 0
        assert rows["average_gain"].reason.startswith("the picture's probability is 1")
        return
    for name in names:
        assert np.isnan(rows[name].value)
        assert rows[name].reason == f"the model gives {said}, which is no probability"


def test_an_array_of_docs_is_explained_one_by_one():
    estimator = Estimator()
    found = list(explain_predictions(estimator, DOCS, batch_size=3))
    assert estimator.asked == [(1, *DOCS.shape[1:])] * len(DOCS)
    assert [one.targets[0].target for one in found] == TOPS.tolist()
    one_by_one = list(explain_predictions(estimator, (doc[None] for doc in DOCS)))
    assert found == one_by_one
    assert list(explain_predictions(estimator, DOCS[:0])) == []
    bad = DOCS.copy()
    bad[1, 0, 0, 0] = np.nan
    recorded = list(explain_predictions(estimator, bad, on_error="record"))
    assert [bool(one.error) for one in recorded] == [False, True, False, False, False]


def test_warnings_of_others_are_left_as_they_are_also_by_two_at_once():
    # The second begins and ends after the first, so that neither is within the other.
    loud, begun, ended = Loud(), threading.Event(), threading.Event()
    found, filters = {}, list(warnings.filters)

    @attrs.frozen
    class Waiting(Counting):
        here: threading.Event
        there: threading.Event

        def measure(self, batch):
            self.here.set()
            assert self.there.wait(10)
            return [1.0] * len(batch)

    def run(name, here, there):
        found[name] = evaluate(loud, DOCS[:2], METHODS, Waiting(here, there))

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        within = list(warnings.filters)
        waiting = threading.Event()

        def run_first():
            run("first", waiting, begun)
            ended.set()

        def run_second():
            assert waiting.wait(10)
            run("second", begun, ended)

        threads = [threading.Thread(target=one) for one in (run_first, run_second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert warnings.filters == within
        assert told == []
        list(explain_predictions(loud, DOCS[:1]))
        assert [str(one.message) for one in told] == ["it is loud"]
    assert warnings.filters == filters
    assert {name: one.values("shares", "counting").tolist() for name, one in found.items()} == {
        "first": [1, 1],
        "second": [1, 1],
    }


def test_pictures_without_channels_are_measured_too():
    # As those of the example plug-in.
    weights = WEIGHTS[:, :, 0].transpose(2, 0, 1)
    docs = DOCS[:1, ..., 0]
    found = evaluate(Grey(weights), docs, METHODS, Deletion(steps=7, baseline=0.0), targets=1)
    shares = docs[0] * weights[1]
    expected = trapezoids(curve_of(shares, shares.sum(), 7))
    assert found.values("shares", "deletion")[0] == pytest.approx(expected, abs=1e-6)
    assert docs.shape[1:] == SIZES
