"""Rows say what the doors say of the same documents, whatever batch and shard they were in."""

import functools
import json
from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image

from explainkit import (
    Explanation,
    TargetExplanation,
    datasets,
    explain_prediction,
    explain_predictions,
    scenes,
)
from explainkit.datasets import models
from explainkit.datasets.questions import check_targets
from explainkit.intake import make_intake

from .conftest import as_doc, draw_picture, explain, load_squares, rows_of

DOCS = 7


def half_ulp(heatmap):
    """Give how far the nearest number of 16 bits may be."""
    return np.spacing(np.float16(heatmap)).astype(np.float64) / 2


def assert_rows_say(output, keys, expected, but=0):
    """Compare rows with explanations of the same documents; scores but for their last bits."""
    rows = rows_of(output).to_pylist()
    said = [
        (key, target, expl)
        for key, expl in zip(keys, expected, strict=True)
        for target in expl.targets
    ]
    assert len(rows) == len(said)
    for row, (key, found, expl) in zip(rows, said, strict=True):
        output_name, unit = (
            found.target if isinstance(found.target, tuple) else (None, found.target)
        )
        named = isinstance(found.target, str)
        assert (row["key"], row["label"]) == (key, found.label)
        assert (row["output"], row["target"]) == (output_name, None if named else unit)
        assert row["chosen_by"] == (found.target if named else None)
        assert (row["method"], row["layer"]) == (expl.method, expl.layer)
        assert (row["description"], row["estimator"]) == (expl.description, expl.estimator)
        assert row["error"] is None
        assert row["score"] == pytest.approx(found.score, rel=but, abs=but)
        assert row["proba"] == (
            None if found.proba is None else pytest.approx(found.proba, rel=but, abs=but)
        )
        heatmap = np.float64(found.heatmap)
        kept = np.float64(row["heatmap"]).reshape(row["map_shape"])
        assert (np.abs(kept - heatmap) <= half_ulp(heatmap) + but).all()


@pytest.fixture(scope="module")
def network():
    pytest.importorskip("keras")
    return scenes.load_network()


@pytest.fixture(scope="module")
def docs():
    return {f"scene {scene.seed}": scene.doc for scene in scenes.draw_scenes(DOCS)}


#: What is asked of the network of the scenes, and in what batches and shards.
ASKED = {
    "the first class": ({}, 4, 5),
    "several": ({"top_targets": 3}, 3, 2),
    "units": ({"targets": [2, 0]}, 7, 3),
    "a label": ({"targets": "circle", "target_names": {1: "circle"}}, 4, 256),
    "a function": ({"targets": lambda outputs: outputs[:, 0] - outputs[:, 1]}, 2, 256),
    "a signed method": ({"method": "gradients"}, 4, 5),
    "options": ({"method": "smoothgrad", "samples": 3}, 4, 5),
    "a layer": ({"layer": 2, "logits": False}, 4, 5),
}


@pytest.mark.parametrize("name", ASKED)
def test_rows_are_what_explain_predictions_says(network, docs, tmp_path, name):
    options, batch_size, shard_size = ASKED[name]
    expected = explain_predictions(network, list(docs.values()), **options, batch_size=DOCS)
    summary = datasets.explain_dataset(
        network,
        docs,
        tmp_path,
        **options,
        batch_size=batch_size,
        shard_size=shard_size,
        progress=False,
    )
    assert summary.failed == 0
    # Batches of other sizes are other programs, which round their last bits otherwise.
    assert_rows_say(tmp_path, docs, expected, but=2e-5)


@pytest.mark.parametrize("shard_size", [1, 3, 50])
@pytest.mark.parametrize("batch_size", [1, 4, 50])
def test_batches_and_shards_change_no_bit_of_a_model_that_is_exact(
    tmp_path, batch_size, shard_size
):
    pictures = {f"{seed:02d}": draw_picture(seed) for seed in range(DOCS)}
    options = {"top_targets": 2, "batch_size": batch_size, "shard_size": shard_size}
    explain(pictures, tmp_path, **options)
    model = load_squares()
    expected = [explain_prediction(model, as_doc(one), top_targets=2) for one in pictures.values()]
    assert_rows_say(tmp_path, pictures, expected)


def test_each_document_is_asked_about_its_own_targets(network, docs, tmp_path):
    targets = {key: [position % 3, 3] for position, key in enumerate(docs)}
    datasets.explain_dataset(
        network, docs, tmp_path, targets=targets, batch_size=3, shard_size=5, progress=False
    )
    rows = np.array(list(targets.values()))
    expected = explain_predictions(network, list(docs.values()), targets=rows, batch_size=3)
    assert_rows_say(tmp_path, docs, expected, but=2e-5)


def test_documents_that_nobody_asked_about_have_error_rows(tmp_path):
    pictures = {seed: draw_picture(seed) for seed in range(9)}
    targets = {seed: seed % 3 for seed in range(9) if seed not in (0, 4)}
    summary = explain(pictures, tmp_path, targets=targets)
    assert summary.errors == {"LookupError": 2}
    rows = rows_of(tmp_path).to_pylist()
    assert [row["target"] for row in rows] == [None, 1, 2, 0, None, 2, 0, 1, 2]
    assert rows[4]["error"] == "targets says nothing of the key '4'"


def test_a_target_that_is_not_there_spoils_its_own_document(tmp_path):
    pictures = {seed: draw_picture(seed) for seed in range(5)}
    targets = {seed: 9 if seed in (0, 3) else 1 for seed in range(5)}
    summary = explain(pictures, tmp_path, targets=targets)
    assert summary.errors == {"IndexError": 2}


@pytest.mark.parametrize(
    ("targets", "error", "told"),
    [
        ({}, ValueError, "targets is an empty mapping; give the units of each key"),
        ({"a": "cat"}, TypeError, r"targets\['a'\] is 'cat'; a mapping gives a unit, or a list"),
        ({"a": []}, TypeError, r"targets\['a'\] is \[\]; a mapping gives a unit, or a list"),
        ({"a": [[1]]}, TypeError, r"targets\['a'\] is \[\[1\]\]; a mapping gives"),
        ({"a": 1, "b": [1, 2]}, ValueError, "1 for 'a' and 2 for 'b'; give as many for each key"),
        (np.zeros((4, 1), int), TypeError, r"an array of shape \(4, 1\); give a mapping from keys"),
    ],
)
def test_targets_that_no_run_can_have_are_told(targets, error, told):
    with pytest.raises(error, match=told):
        check_targets(targets)


def test_labels_and_layers_that_are_not_there_are_told_before_anything_is_written(
    network, docs, tmp_path
):
    for options, told in (({"layer": "nowhere"}, "nowhere"), ({"targets": "zebra"}, "zebra")):
        with pytest.raises(LookupError, match=told):
            datasets.explain_dataset(network, docs, tmp_path / "output", **options)
    assert not list((tmp_path / "output").iterdir())


def make_torch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    parts = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)
    return torch.nn.Sequential(*parts, torch.nn.Flatten(), torch.nn.Linear(4, 3)).eval()


def for_torch(picture, shift):
    return np.moveaxis(np.asarray(picture, np.float32)[None] / 255 - shift, -1, 1)


def test_a_module_of_torch_takes_what_a_function_makes(tmp_path):
    model, preprocess = make_torch(), functools.partial(for_torch, shift=0.5)
    pictures = {f"{seed:02d}": draw_picture(seed) for seed in range(DOCS)}
    datasets.explain_dataset(
        make_torch,
        pictures,
        tmp_path,
        preprocess=preprocess,
        top_targets=2,
        target_names=["a", "b", "c"],
        batch_size=3,
        shard_size=5,
        progress=False,
    )
    expected = explain_predictions(
        model,
        [preprocess(one) for one in pictures.values()],
        top_targets=2,
        target_names=["a", "b", "c"],
    )
    assert_rows_say(tmp_path, pictures, expected, but=1e-6)
    with pytest.raises(ValueError, match="preprocess is .*shift=0.5.* there and .*shift=0.4"):
        datasets.explain_dataset(
            make_torch, pictures, tmp_path, preprocess=functools.partial(for_torch, shift=0.4)
        )


def test_pictures_of_a_model_of_several_outputs_say_which(tmp_path):
    torch = pytest.importorskip("torch")

    class TwoOutputs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = make_torch()

        def forward(self, x):
            return {"kind": self.body(x), "bright": x.mean((1, 2, 3))[:, None]}

    preprocess = functools.partial(for_torch, shift=0)
    pictures = {f"{seed}": draw_picture(seed) for seed in range(4)}
    options = {"targets": [("kind", 2), ("kind", 0)], "layer": "body.0"}
    model = TwoOutputs().eval()
    datasets.explain_dataset(
        model, pictures, tmp_path, preprocess=preprocess, **options, progress=False
    )
    expected = explain_predictions(model, [preprocess(p) for p in pictures.values()], **options)
    assert_rows_say(tmp_path, pictures, expected, but=1e-6)
    assert [target.target for target in datasets.load(tmp_path)[0].targets] == options["targets"]


def test_a_model_of_keras_is_given_pictures_as_it_takes_them(network, tmp_path):
    pictures = {f"{seed}": draw_picture(seed, (40, 30)) for seed in range(4)}
    pictures["grey"] = Image.new("L", (9, 9), 99)
    for preprocess in (None, "-1..1", "mobilenet_v2"):
        output = tmp_path / str(preprocess)
        with pytest.warns(match="scaled") if preprocess is None else nullcontext():
            datasets.explain_dataset(
                network, pictures, output, preprocess=preprocess, progress=False
            )
        intake = make_intake(network, preprocess)
        expected = explain_predictions(network, [intake.doc(one) for one in pictures.values()])
        assert_rows_say(output, pictures, expected, but=2e-5)


def test_an_estimator_need_not_know_of_what_nobody_asks(tmp_path):
    class Plain:
        pass

    @explain_prediction.register
    def explain_plain(model: Plain, doc) -> Explanation:
        if doc.max() > 1:
            raise ArithmeticError("too bright")
        heatmap = np.float32(doc[0, :4, :4, 0])
        found = TargetExplanation(
            target=0, label=None, score=1.0, proba=None, heatmap=heatmap, map=heatmap
        )
        return Explanation(estimator="plain", method="shares", targets=[found])

    docs = {seed: np.full((1, 8, 8, 3), seed / 4) for seed in range(6)}
    summary = datasets.explain_dataset(Plain(), docs, tmp_path, progress=False)
    assert summary.errors == {"ArithmeticError": 1}
    assert rows_of(tmp_path)["method"].to_pylist()[:5] == ["shares"] * 5


def test_how_pictures_are_made_ready_is_part_of_the_run(network, tmp_path, monkeypatch):
    """A model that is called by a name is of a family; the same as an object is of none."""
    pictures = {f"{seed}": draw_picture(seed, (40, 30)) for seed in range(3)}
    monkeypatch.setattr(models, "load_model", lambda given, weights: network)
    explain = functools.partial(
        datasets.explain_dataset, source=pictures, output=tmp_path, progress=False
    )
    explain("MobileNetV2")
    record = json.loads((tmp_path / "run.json").read_text())
    assert "size=[96, 96]" in record["options"]["pictures"]
    told = "pictures is .* there and .* here"
    with pytest.warns(match="scaled"), pytest.raises(ValueError, match=told) as raised:
        explain(network)
    assert str(raised.value).count(" there and ") == 1
    assert explain("MobileNetV2").explained_now == 0


def test_a_model_of_keras_that_is_made_anew_goes_on(tmp_path):
    keras = pytest.importorskip("keras")
    docs = {seed: np.float32(draw_picture(seed, (8, 8)))[None] for seed in range(3)}

    def make():
        layers = keras.layers.Conv2D(2, 3, name="conv"), keras.layers.GlobalAveragePooling2D()
        model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
        model.set_weights([np.full(one.shape, 0.5, np.float32) for one in model.get_weights()])
        return model

    one, other = make(), make()
    assert one.name != other.name
    datasets.explain_dataset(one, docs, tmp_path, logits=False, progress=False)
    again = datasets.explain_dataset(other, docs, tmp_path, logits=False, progress=False)
    assert again.explained_now == 0
