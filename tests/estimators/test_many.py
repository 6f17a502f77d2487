"""Many documents: in order, a batch at a time, with failures told apart."""

import keras
import numpy as np
import pytest
from PIL import Image

from explainkit import explain_prediction, explain_predictions
from explainkit.estimators import batches, documents

from . import models


@pytest.fixture(scope="module")
def model():
    return models.functional()


DOCS = np.concatenate([models.doc(i) for i in range(7)])


def assert_same(one, other):
    assert [t.target for t in one.targets] == [t.target for t in other.targets]
    for a, b in zip(one.targets, other.targets, strict=True):
        assert a.score == pytest.approx(b.score, rel=1e-5)
        np.testing.assert_allclose(a.map, b.map, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 32])
@pytest.mark.parametrize(
    "docs",
    [
        lambda: DOCS,
        lambda: list(DOCS),
        lambda: (doc for doc in DOCS),
        lambda: (doc[None] for doc in DOCS),
        lambda: DOCS.astype(np.float64),
    ],
    ids=["array", "list", "generator", "with the axis of docs", "float64"],
)
def test_many_are_explained_as_one_is_and_in_order(model, docs, batch_size):
    found = list(explain_predictions(model, docs(), batch_size=batch_size, top_targets=2))
    assert len(found) == len(DOCS)
    for i, expl in enumerate(found):
        one = explain_prediction(model, DOCS[i : i + 1], top_targets=2)
        assert_same(expl, one)
        assert expl.image == one.image


def test_each_doc_may_have_its_own_targets(model):
    rows = np.array([[i % 4, (i + 1) % 4] for i in range(7)])
    for docs in (DOCS, iter(DOCS)):
        found = list(explain_predictions(model, docs, targets=rows, batch_size=3))
        assert [[t.target for t in expl.targets] for expl in found] == rows.tolist()
        assert_same(found[4], explain_prediction(model, DOCS[4:5], targets=[0, 1]))


def test_one_list_of_targets_serves_all(model):
    found = explain_predictions(model, DOCS, targets=[3, 1])
    assert all([t.target for t in expl.targets] == [3, 1] for expl in found)


def test_memory_is_bounded_by_a_batch(model):
    drawn = []

    def docs():
        for doc in DOCS:
            drawn.append(doc)
            yield doc

    explanations = explain_predictions(model, docs(), batch_size=2)
    assert not drawn
    next(explanations)
    assert len(drawn) == 2
    next(explanations)
    next(explanations)
    assert len(drawn) == 4


def test_a_batch_is_run_once(model, monkeypatch):
    sizes = []
    explain = batches.explain

    def counted(explainer, docs, *rest):
        sizes.append(len(docs))
        return explain(explainer, docs, *rest)

    monkeypatch.setattr(batches, "explain", counted)
    list(explain_predictions(model, DOCS, batch_size=3))
    assert sizes == [3, 3, 1]


def test_docs_of_different_sizes_are_explained_in_order():
    model = models.subclassed()
    docs = [models.doc(i, (size, size, 3)) for i, size in enumerate([16, 16, 12, 16])]
    found = list(explain_predictions(model, docs, targets=0))
    for doc, expl in zip(docs, found, strict=True):
        assert_same(expl, explain_prediction(model, doc, targets=0))
        assert expl.image.size == doc.shape[2:0:-1]


def test_several_inputs_by_the_dozen():
    model = models.two_inputs_two_outputs()
    hints = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    together = {"image": DOCS, "hint": hints}
    apart = [{"image": DOCS[i], "hint": hints[i : i + 1]} for i in range(7)]
    for docs in (together, (DOCS, hints), [DOCS, hints], apart):
        found = list(explain_predictions(model, docs, targets=("kind", 1), batch_size=4))
        assert len(found) == 7
        one = {"image": DOCS[5:6], "hint": hints[5:6]}
        assert_same(found[5], explain_prediction(model, one, targets=("kind", 1)))


def test_pictures_go_with_their_docs(model):
    pictures = [Image.new("RGB", (40 + i, 30)) for i in range(7)]
    found = explain_predictions(model, DOCS, images=pictures, batch_size=3)
    assert [expl.image for expl in found] == pictures


BROKEN = [
    DOCS[0],
    DOCS[1] * np.nan,
    "a string",
    DOCS[3],
    DOCS[4, :5],
    DOCS[5],
]


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_docs_that_fail_alone_are_recorded(model, batch_size):
    found = list(
        explain_predictions(model, BROKEN, batch_size=batch_size, on_error="record", targets=1)
    )
    errors = [expl.error and expl.error.split(";")[0] for expl in found]
    assert errors == [
        None,
        "ValueError: doc holds NaN or infinite numbers, the first at (0, 0, 0, 0)",
        "TypeError: doc is a str",
        None,
        "ValueError: doc has the shape (1, 5, 16, 3)",
        None,
    ]
    for i in (0, 3, 5):
        assert_same(found[i], explain_prediction(model, DOCS[i : i + 1], targets=1))
    assert found[1].targets == ()
    assert (found[1].estimator, found[1].method) == ("functional", "gradcam")


def test_or_raised_with_their_index_after_those_before_them(model):
    explanations = explain_predictions(model, BROKEN, batch_size=4)
    next(explanations)
    with pytest.raises(ValueError, match="^doc 1: doc holds NaN"):
        next(explanations)


def test_one_bad_row_of_an_array_fails_alone(model):
    docs = DOCS.copy()
    docs[2, 0, 0, 0] = np.inf
    found = list(explain_predictions(model, docs, on_error="record"))
    assert [i for i, expl in enumerate(found) if expl.error] == [2]


def test_one_whose_scores_are_not_finite_fails_alone():
    class Relative(keras.Model):
        def __init__(self):
            super().__init__()
            self.convolution = keras.layers.Conv2D(3, 3)

        def call(self, x):
            features = self.convolution(x)
            return keras.ops.mean(features, axis=(1, 2)) / keras.ops.sum(x, axis=(1, 2))

    docs = DOCS.copy()
    docs[2] = 0
    found = list(explain_predictions(Relative(), docs, on_error="record", targets=0))
    assert [i for i, expl in enumerate(found) if expl.error] == [2]
    assert "NaN or infinite" in found[2].error


def test_a_batch_that_stumbles_is_asked_doc_by_doc(model, monkeypatch):
    explain = batches.explain

    def stumbling(explainer, docs, *rest):
        if (docs == DOCS[2]).all(axis=(1, 2, 3)).any():
            raise RuntimeError("stumbled")
        return explain(explainer, docs, *rest)

    monkeypatch.setattr(batches, "explain", stumbling)
    found = list(explain_predictions(model, DOCS, on_error="record"))
    assert [expl.error for expl in found] == [None] * 2 + ["RuntimeError: stumbled"] + [None] * 4


def test_a_picture_that_cannot_be_read_fails_alone(model, tmp_path):
    good = tmp_path / "good.png"
    Image.new("RGB", (20, 20)).save(good)
    images = [good, tmp_path / "missing.png", good]
    found = list(explain_predictions(model, DOCS[:3], images=images, on_error="record"))
    assert found[1].error.startswith("FileNotFoundError")
    assert found[2].image.size == (20, 20)


@pytest.mark.parametrize(
    ("docs", "options", "error", "message"),
    [
        (5, {}, TypeError, "docs is a int; give an array or an iterable"),
        ("docs", {}, TypeError, "docs is a str"),
        ([], {}, ValueError, "docs is empty"),
        (DOCS[:0], {}, ValueError, "docs is empty"),
        (DOCS[:, :4], {}, ValueError, r"docs has the shape \(7, 4, 16, 3\)"),
        (DOCS[0], {}, ValueError, r"give docs\[np.newaxis\]"),
        (DOCS, {"batch_size": 0}, ValueError, "batch_size is 0; give 1 or more"),
        (DOCS, {"batch_size": 2.5}, TypeError, "batch_size is 2.5"),
        (DOCS, {"on_error": "ignore"}, ValueError, "give 'raise' or 'record'"),
        (DOCS, {"layer": "lst"}, LookupError, "did you mean 'last'?"),
        (DOCS, {"layer": "lst", "on_error": "record"}, LookupError, "did you mean 'last'?"),
        (DOCS, {"targets": 9}, ValueError, "target 9 is out of range"),
        (DOCS, {"targets": np.zeros((3, 1), int)}, ValueError, "3 rows, but there are 7 docs"),
        (DOCS, {"image": 3}, TypeError, "'image' is no argument.*did you mean 'images'?"),
        (iter(DOCS), {"layer": "lst"}, LookupError, "did you mean 'last'?"),
        (iter(DOCS), {"targets": 9, "on_error": "record"}, ValueError, "target 9 is out of range"),
    ],
)
def test_what_is_wrong_with_all_is_said_at_once(model, docs, options, error, message):
    with pytest.raises(error, match=message):
        explain_predictions(model, docs, **options)


def test_an_array_is_given_its_dtype_a_doc_at_a_time(model, monkeypatch):
    sizes = []
    prepare = documents.Inputs.prepare
    monkeypatch.setattr(
        documents.Inputs,
        "prepare",
        lambda self, docs: sizes.append(len(docs)) or prepare(self, docs),
    )
    list(explain_predictions(model, DOCS.astype(np.float64), batch_size=2))
    assert max(sizes) == 1


def test_a_tuple_of_docs_is_several_docs(model):
    assert len(list(explain_predictions(model, tuple(DOCS)))) == 7


def test_more_arrays_than_inputs_are_refused(model):
    with pytest.raises(TypeError, match="doc 0: doc is a tuple"):
        list(explain_predictions(model, [(DOCS[0], 1), (DOCS[1], 2)]))


def test_too_many_pictures_or_rows(model):
    with pytest.raises(ValueError, match="images has more pictures than there are docs, 7"):
        list(explain_predictions(model, DOCS, images=[Image.new("L", (4, 4))] * 9))
    with pytest.raises(ValueError, match="targets has 9 rows, but there are only 7 docs"):
        list(explain_predictions(model, iter(DOCS), targets=np.zeros((9, 1), int)))


def test_too_few_pictures_or_rows(model):
    with pytest.raises(ValueError, match="images has only 2 pictures"):
        list(explain_predictions(model, DOCS, images=[Image.new("L", (4, 4))] * 2))
    with pytest.raises(ValueError, match="targets has 2 rows, but there are more docs"):
        list(explain_predictions(model, iter(DOCS), targets=np.zeros((2, 1), int)))
