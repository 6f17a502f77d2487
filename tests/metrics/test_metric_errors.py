import numpy as np
import pytest

from explainkit import ExplanationWarning, metrics
from explainkit.metrics import METRICS, Deletion, evaluate, find_metric

from . import given
from .given import DOCS, SIZES

COUNT = len(DOCS)
MASKS = np.ones((COUNT, *SIZES), bool)


@pytest.fixture(scope="module")
def model():
    return given.given("keras").model


def ask(model, **more):
    asked = {"docs": DOCS, "methods": "gradients", "metrics": "deletion", **more}
    return evaluate(model, asked.pop("docs"), **asked)


def no_number(_outputs):
    raise AssertionError("nobody should come here")


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        # Metrics
        ({"metrics": "deletoin"}, ValueError, r"no metric 'deletoin'; there are: deletion, .*"),
        ({"metrics": "deletoin"}, ValueError, r"mean 'deletion'"),
        ({"metrics": ["deletion", "deletion"]}, ValueError, "metrics has a name twice: .*a dict"),
        (
            {"metrics": [Deletion(steps=3), Deletion(steps=4)]},
            ValueError,
            "metrics has a name twice",
        ),
        ({"metrics": []}, ValueError, "metrics is empty; there are: deletion, "),
        ({"metrics": {}}, ValueError, "metrics is empty"),
        ({"metrics": 3}, TypeError, "a metric is given by a int; give a name"),
        ({"metrics": [int]}, TypeError, r"by a type; give a name .*such as Deletion\(steps=16"),
        ({"metrics": [Deletion, "deletion"]}, ValueError, "metrics has a name twice"),
        ({"metrics": set()}, ValueError, "metrics is empty"),
        # Methods
        ({"methods": "gradcan"}, ValueError, "no method 'gradcan'; .*mean 'gradcam'"),
        ({"methods": []}, ValueError, "methods is empty; give the name of one"),
        ({"methods": {}}, ValueError, "methods is empty"),
        (
            {"methods": ["gradients", "gradients"]},
            ValueError,
            r"methods has a name twice: \['gradients', 'gradients'\]; give a dict",
        ),
        ({"methods": {"a": {"method": "gradients", "steps": 3}}}, TypeError, "steps"),
        ({"top_targets": 2}, TypeError, "top_targets is no argument of evaluate"),
        ({"on_error": "raise"}, TypeError, "on_error is no argument of evaluate"),
        ({"images": None}, TypeError, "images is no argument of evaluate"),
        ({"stepps": 3}, TypeError, "stepps"),
        # Masks
        (
            {"metrics": ["deletion", "iou", "pointing_game"]},
            ValueError,
            "^iou, pointing_game must know which pixels belong to the target: give masks",
        ),
        ({"metrics": {"mine": "iou"}}, ValueError, "^mine must know which pixels"),
        ({"masks": MASKS[:3]}, ValueError, "masks has 3 entries, but there are 5 docs"),
        ({"masks": 3}, TypeError, "masks is a int; give an array of truth values"),
        ({"masks": iter(MASKS[:3])}, ValueError, "masks has fewer entries than there are docs"),
        (
            {"masks": MASKS[:, :2]},
            ValueError,
            r"a mask has the shape \(2, 5\); give masks of the shape of the pictures, \(6, 5\)",
        ),
        (
            {"masks": MASKS.astype(np.uint8)},
            TypeError,
            "a mask holds uint8; give truth values: mask > 0, say",
        ),
        ({"masks": MASKS[:, :2].astype(float)}, TypeError, "a mask holds float64; give truth"),
        ({"masks": MASKS[..., None]}, ValueError, r"a mask has the shape \(6, 5, 1\); give"),
        ({"masks": [*MASKS[:4], MASKS[4].T]}, ValueError, r"a mask has the shape \(5, 6\); give"),
        # Targets
        ({"targets": [1, 2]}, ValueError, "targets has 2 entries, but there are 5 docs"),
        ({"targets": np.ones(2, int)}, ValueError, "targets has 2 entries, but there are 5 docs"),
        (
            {"targets": np.ones((5, 2), int)},
            ValueError,
            r"targets has the shape \(5, 2\); evaluate explains one target .*shape \(N,\)",
        ),
        ({"targets": 9}, ValueError, "target 9 is out of range"),
        ({"targets": [0, 1, 2, 3, 9]}, ValueError, "9 is out of range"),
        ({"targets": "cat"}, (LookupError, ValueError, TypeError), "target_names"),
        # Numbers
        ({"batch_size": 0}, ValueError, "batch_size is 0; give a whole number, 1 or more"),
        ({"batch_size": 2.5}, ValueError, "batch_size is 2.5"),
        ({"batch_size": True}, ValueError, "batch_size is True"),
        ({"confidence": 1}, ValueError, "confidence is 1; give a number between 0 and 1"),
        ({"confidence": 1.0}, ValueError, "confidence is 1.0; give a number between 0 and 1"),
        ({"confidence": 0.0}, ValueError, "confidence is 0.0"),
        ({"confidence": "much"}, ValueError, "confidence is 'much'"),
        ({"activation": "relu"}, ValueError, "activation is 'relu'; give 'softmax', 'sigmoid' or"),
        # Docs
        ({"docs": DOCS[:0]}, ValueError, "docs is empty"),
        ({"docs": []}, ValueError, "docs is empty"),
        ({"docs": iter(())}, ValueError, "docs is empty"),
        ({"docs": "cat.png"}, TypeError, "docs is a str; give an array of docs, or an iterable"),
        ({"docs": 3}, TypeError, "docs is a int; give an array of docs"),
        ({"docs": None}, TypeError, "docs is a NoneType; give an array of docs"),
        ({"docs": DOCS[:, :3]}, ValueError, r"has the shape \(.*3, 5, 3\)"),
        ({"docs": DOCS[0]}, ValueError, "lacks the axis of docs"),
        ({"docs": list(DOCS)}, ValueError, r"lacks the axis of docs|shape \(1, \.\.\.\)"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(model, more, error, message):
    with pytest.raises(error, match=message):
        ask(model, **more)


def test_targets_of_an_iterable_are_counted_as_it_goes(model):
    docs = (doc[None] for doc in DOCS)
    with pytest.raises(ValueError, match="targets has 2 entries, but there are more docs"):
        ask(model, docs=docs, targets=[0, 1])


@pytest.mark.parametrize("name", ["targets", "top_targets", "on_error", "image", "docs"])
def test_what_evaluate_sees_to_is_no_option_of_one_method_either(model, name):
    value = {"targets": 1, "on_error": "raise", "top_targets": 2}.get(name)
    with pytest.raises(TypeError, match=f"^{name} is no argument of evaluate"):
        ask(model, methods={"mine": {"method": "gradients", name: value}})


def test_what_cannot_be_explained_at_all_is_said():
    with pytest.raises(TypeError, match="object"):
        ask(object())


def test_masks_may_be_had_though_nobody_asks_for_them(model):
    found = ask(model, masks=MASKS)
    assert np.isfinite(found.values("gradients", "deletion")).all()


def test_an_activation_makes_probabilities_of_units_of_the_only_output(model):
    # Of what a function makes of the scores it makes none.
    def first(outputs):
        return outputs[:, 0]

    for name in ("average_drop", "deletion", "sparseness"):
        with pytest.raises(ValueError, match="target 'first' is none of them; leave it out$"):
            ask(model, metrics=name, activation="softmax", targets=first)


def test_what_is_left_over_beside_an_iterable_is_told_at_the_end(model):
    def more(**given_more):
        with pytest.warns(ExplanationWarning) as told:
            found = ask(model, docs=(doc[None] for doc in DOCS[:3]), **given_more)
        assert len(found.measurements) == 3
        assert all(np.isfinite(one.value) for one in found.measurements)
        # The line that asked, not one of the package.
        assert {one.filename for one in told} == {__file__}
        return [str(one.message) for one in told]

    many = "targets has 5 entries, and there were only 3 docs"
    assert more(targets=[0, 1, 2, 3, 0]) == [many]
    assert more(masks=iter(MASKS)) == ["masks has more entries than there were docs, 3"]
    both = more(masks=MASKS, targets=np.zeros(5, int))
    assert both == [many, "masks has more entries than there were docs, 3"]


def test_as_many_as_there_are_docs_is_no_reason_to_warn(model, recwarn):
    ask(model, docs=(doc[None] for doc in DOCS), targets=[0, 1, 2, 3, 0], masks=iter(MASKS))
    assert not [one for one in recwarn if issubclass(one.category, ExplanationWarning)]


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("Deletion", {"steps": 1}, ValueError, "steps is 1; give 2 or more"),
        ("Insertion", {"steps": 1.5}, TypeError, "steps is 1.5; give a whole number"),
        ("Deletion", {"baseline": "black"}, ValueError, "baseline is 'black'; give a number, \"m"),
        ("Insertion", {"baseline": None}, TypeError, "baseline is a NoneType"),
        ("AverageDrop", {"baseline": np.nan}, ValueError, "baseline holds what is no finite"),
        ("MaskIoU", {"threshold": 0}, ValueError, "threshold is 0; give a number between 0 and 1"),
        ("MaskIoU", {"threshold": 1.0}, ValueError, "threshold is 1.0"),
        ("MaskIoU", {"threshold": "low"}, TypeError, "threshold is 'low'; give a number"),
        ("LocalizationError", {"overlap": 1}, ValueError, "overlap is 1"),
        ("PointingGame", {"tolerance": -1}, ValueError, "tolerance is -1; give a finite number"),
        ("PointingGame", {"tolerance": np.inf}, ValueError, "tolerance is inf"),
        ("TopKIntersection", {"k": 0}, ValueError, "k is 0; give 1 or more"),
        ("ROADMostRelevantFirst", {"shares": ()}, ValueError, "shares is empty; give shares of"),
        ("ROADMostRelevantFirst", {"shares": (0.5, 1)}, ValueError, "shares is 1; give a number"),
        ("ROADLeastRelevantFirst", {"shares": (0,)}, ValueError, "shares is 0; give a number"),
        ("ROADLeastRelevantFirst", {"noise": -0.1}, ValueError, "noise is -0.1; give a finite"),
        ("ROADLeastRelevantFirst", {"noise": np.nan}, ValueError, "noise is nan; give a finite"),
        ("ROADLeastRelevantFirst", {"noise": "much"}, TypeError, "noise is 'much'; give a number"),
        ("ROADLeastRelevantFirst", {"shares": 0}, ValueError, "shares is 0; give a number"),
        ("ROADLeastRelevantFirst", {"shares": None}, TypeError, "shares is None; give a number"),
        ("Infidelity", {"change": "holes"}, ValueError, "change is 'holes'; give one of 'squares"),
        ("Infidelity", {"samples": 1}, ValueError, "samples is 1; give 2 or more"),
        ("Infidelity", {"side": 1.0}, ValueError, "side is 1.0"),
        ("Infidelity", {"scaled": 1}, TypeError, "scaled is 1; give True or False"),
        ("Infidelity", {"seed": -1}, ValueError, "seed is -1; give 0 or more"),
        ("MaxSensitivity", {"samples": 0}, ValueError, "samples is 0; give 1 or more"),
        ("MaxSensitivity", {"radius": 0}, ValueError, "radius is 0"),
        ("ParameterRandomization", {"similarity": "cos"}, ValueError, "similarity is 'cos'; give"),
        ("ParameterRandomization", {"stages": 0}, ValueError, "stages is 0; give 1 or more"),
        ("RandomLogit", {"similarity": None}, ValueError, "similarity is None; give one of"),
    ],
)
def test_options_that_make_no_sense_are_refused(name, options, error, message):
    with pytest.raises(error, match=message):
        getattr(metrics, name)(**options)


def test_a_baseline_must_fit_the_picture(model):
    with pytest.raises(ValueError, match=r"baseline has the shape \(2, 2\); the picture has the"):
        ask(model, metrics=Deletion(baseline=np.zeros((2, 2))))


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_says_what_it_is(name):
    metric = find_metric(name)
    assert metric is not None
    assert type(metric) is METRICS[name]
    assert metric.name == name
    assert metric.better in ("higher", "lower")
    for text in (metric.title, metric.formula, metric.source, metric.cost):
        assert isinstance(text, str)
        assert text
    assert metric == METRICS[name]()
    assert type(metric).__name__ in metrics.__all__


def test_what_is_asked_where_nothing_is_said():
    assert metrics.Deletion() == metrics.Deletion(steps=32, baseline="mean")
    assert metrics.Insertion() == metrics.Insertion(steps=32, baseline="blur")
    for kind in (metrics.AverageDrop, metrics.Increase, metrics.AverageGain):
        assert kind() == kind(baseline=0.0) != kind(baseline="mean")
    shares = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
    for kind in (metrics.ROADMostRelevantFirst, metrics.ROADLeastRelevantFirst):
        assert kind() == kind(shares=shares, noise=0.01, seed=0)
    squares = {"change": "squares", "samples": 32, "side": 0.25, "baseline": 0.0, "scaled": True}
    assert metrics.Infidelity() == metrics.Infidelity(**squares, noise=0.1, seed=0)
    assert metrics.MaxSensitivity() == metrics.MaxSensitivity(samples=10, radius=0.02, seed=0)
    assert metrics.PointingGame() == metrics.PointingGame(tolerance=15)
    assert metrics.TopKIntersection() == metrics.TopKIntersection(k=1000)
    assert metrics.MaskIoU() == metrics.MaskIoU(threshold=0.15)
    least = {"threshold": 0.15, "overlap": 0.5}
    assert metrics.LocalizationError() == metrics.LocalizationError(**least)
    drawn = {"similarity": "spearman", "stages": 4, "seed": 0}
    assert metrics.ParameterRandomization() == metrics.ParameterRandomization(**drawn)
    assert metrics.RandomLogit() == metrics.RandomLogit(similarity="ssim", seed=0)
