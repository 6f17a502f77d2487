"""Explanations that were kept are measured as those that are made."""

import attrs
import numpy as np
import pytest

from explainkit import ExplanationWarning, explain_predictions
from explainkit.metrics import evaluate, relevance_mass

from . import given
from .given import DOCS, SIZES

COUNT = len(DOCS)


@pytest.fixture(scope="module")
def model():
    return given.given("keras", "softmax").model


@pytest.fixture(scope="module")
def docs():
    return given.given("keras").docs


@pytest.fixture(scope="module")
def masks():
    found = np.random.default_rng(5).random((COUNT, *SIZES)) < 0.3
    found[:, 0, 0] = True
    return found


@pytest.fixture(scope="module")
def expls(model, docs):
    return list(explain_predictions(model, docs, method="gradients", top_targets=2))


def measured(found, name):
    return [
        (one.doc, one.target, one.metric, one.value, one.reason)
        for one in found.measurements
        if one.method == name
    ]


def test_they_are_measured_as_if_they_were_made_now(model, docs, masks, expls):
    methods = {"kept": expls, "now": "gradients"}
    metrics = ["deletion", "average_drop", "relevance_mass", "sparseness"]
    found = evaluate(model, docs, methods, metrics, masks=masks, batch_size=2)
    assert measured(found, "kept") == measured(found, "now")
    by_hand = [
        relevance_mass(expl.targets[0].heatmap, mask)
        for expl, mask in zip(expls, masks, strict=True)
    ]
    np.testing.assert_allclose(found.values("kept", "relevance_mass"), by_hand, atol=1e-6)


def test_the_model_is_not_asked_for_what_needs_no_answer(docs, masks, expls, model, monkeypatch):
    monkeypatch.setattr(model, "call", lambda *_, **__: pytest.fail("the model ran"))
    evaluate(model, docs, {"kept": expls}, ["relevance_mass", "sparseness"], masks=masks)


def test_of_several_targets_the_one_that_is_asked_about_is_measured(model, docs, masks, expls):
    seconds = [expl.targets[1].target for expl in expls]
    methods = {"kept": expls, "now": "gradients"}
    found = evaluate(model, docs, methods, "relevance_mass", targets=seconds, masks=masks)
    assert measured(found, "kept") == measured(found, "now")
    assert [target for _, target, *_ in measured(found, "kept")] == seconds


def test_labels_and_functions_are_found_by_their_names(model, docs):
    names = [f"class {i}" for i in range(given.CLASSES)]

    def lead(outputs):
        return outputs[:, 0] - outputs[:, 1]

    for target, options in (("class 2", {"target_names": names}), (lead, {})):
        expls = list(
            explain_predictions(model, docs, method="gradients", targets=[target], **options)
        )
        methods = {"kept": expls, "now": "gradients"}
        found = evaluate(model, docs, methods, "deletion", targets=target, **options)
        assert not np.isnan(found.values("kept", "deletion")).any()
        assert measured(found, "kept") == measured(found, "now")


def test_what_is_not_kept_has_no_number_but_a_reason(model, docs, expls):
    broken = list(expls)
    broken[1] = attrs.evolve(broken[1], targets=(), error="OSError: gone")
    lowest = next(
        unit
        for unit in range(given.CLASSES)
        if unit not in {one.target for one in broken[0].targets}
    )
    asked = [lowest, None, None, None, None]
    found = evaluate(model, docs, {"kept": broken}, "sparseness", targets=asked)
    reasons = [reason for *_, reason in measured(found, "kept")]
    told = ", ".join(str(one.target) for one in expls[0].targets)
    assert reasons[0] == (f"LookupError: it is kept for the target {lowest}, and there is: {told}")
    assert reasons[1] == "OSError: gone"
    assert reasons[2:] == [None] * 3


def test_a_saved_evaluation_knows_them_again(model, docs, expls, tmp_path):
    path = tmp_path / "measured.jsonl"
    first = evaluate(model, docs, {"kept": expls}, "sparseness", save=path)
    again = evaluate(model, docs, {"kept": list(expls)}, "sparseness", save=path)
    assert measured(first, "kept") == measured(again, "kept")
    others = list(explain_predictions(model, docs, method="input_x_gradient"))
    with pytest.raises(ValueError, match="holds another evaluation: its methods is"):
        evaluate(model, docs, {"kept": others}, "sparseness", save=path)


@pytest.mark.parametrize("metric", ["max_sensitivity", "parameter_randomization", "random_logit"])
def test_metrics_that_explain_anew_refuse_them(metric, model, docs, expls):
    with pytest.raises(ValueError, match=f"{metric} explains documents anew, and 'mine' names"):
        evaluate(model, docs, {"mine": expls}, metric)


def test_there_must_be_one_for_each_document(model, docs, expls):
    with pytest.raises(ValueError, match="methods has 3 explanations as 'mine', but there are 5"):
        evaluate(model, docs, {"mine": expls[:3]}, "sparseness")
    with pytest.raises(ValueError, match="methods has 0 explanations as 'mine'"):
        evaluate(model, docs, {"mine": []}, "sparseness")
    one_by_one = (doc[None] for doc in docs)
    with pytest.raises(ValueError, match="3 explanations as 'mine', but there are more docs"):
        evaluate(model, one_by_one, {"mine": expls[:3]}, "sparseness")
    with pytest.warns(ExplanationWarning, match="5 explanations as 'mine', and there were only 2"):
        evaluate(model, (doc[None] for doc in docs[:2]), {"mine": expls}, "sparseness")


def test_a_list_of_something_else_is_no_explanations(model, docs):
    with pytest.raises(TypeError, match="method is a list; give a name"):
        evaluate(model, docs, {"both": ["gradcam", "layercam"]}, "sparseness")
