"""Folders of pictures, and their lines of JSON."""

import json

import pytest
from PIL import Image

from explainkit import format_as_image
from explainkit.training import Folder, Watch
from tests.training.made_up import DOCS, Kept, MadeUpModel

NASTY = ["../up", "<img src=x onerror=alert(1)>", 'say "hi"', "مرحبا 🎉", ""]


class Unready(Kept):
    def begin(self, names):
        raise OSError("no such disk")


def lines_of(folder):
    return [json.loads(line) for line in (folder / "records.jsonl").read_text("utf-8").splitlines()]


def test_there_is_a_picture_and_a_line_for_each_doc_and_step(tmp_path):
    model = MadeUpModel()
    watch = Watch(model, DOCS, tmp_path / "deep" / "why", names=["a", "b"], targets=[1, ("x", 2)])
    found = watch.record(0)
    model.bias = 0.5
    watch.record(12)
    folder = tmp_path / "deep" / "why"
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png")) == [
        *("a/step-000000.png", "a/step-000012.png"),
        *("b/step-000000.png", "b/step-000012.png"),
    ]
    for name, expl in zip("ab", found, strict=True):
        with Image.open(folder / name / "step-000000.png") as picture:
            assert picture.tobytes() == format_as_image(expl, target=None).tobytes()
    lines = lines_of(folder)
    assert [(line["unit"], line["step"], line["name"]) for line in lines] == [
        *(("step", 0, "a"), ("step", 0, "b"), ("step", 12, "a"), ("step", 12, "b")),
    ]
    assert lines[3] == {
        "unit": "step",
        "step": 12,
        "name": "b",
        "picture": "b/step-000012.png",
        "method": "gradcam",
        "layer": "conv",
        "error": None,
        "targets": [
            {"target": 1, "label": "dog", "score": 1.5, "proba": 0.25},
            {"target": ["x", 2], "label": None, "score": 10.5, "proba": 0.25},
        ],
    }


def test_what_fails_has_a_line_and_no_picture(tmp_path):
    model = MadeUpModel()
    watch = Watch(model, DOCS, tmp_path, targets=[0])
    model.broken = RuntimeError("gone")
    with pytest.warns(match="gone"):
        watch.record(3)
    assert [(line["picture"], line["targets"], line["error"]) for line in lines_of(tmp_path)] == [
        (None, [], "RuntimeError: gone")
    ] * 2
    assert not list(tmp_path.rglob("*.png"))


def test_another_trainings_folder_is_refused(tmp_path):
    Watch(MadeUpModel(), DOCS, tmp_path).record(0)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(FileExistsError, match=r"of another training.*resume=True\) to go on in it"):
        Watch(MadeUpModel(), DOCS, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_a_training_that_failed_as_it_began_leaves_its_folder_to_the_next(tmp_path):
    to = [tmp_path / "why", Unready()]
    with pytest.raises(OSError, match="no such disk"):
        Watch(MadeUpModel(), DOCS, to)
    Watch(MadeUpModel(), DOCS, tmp_path / "why").record(0)
    assert len(lines_of(tmp_path / "why")) == 2


def test_a_folder_is_gone_on_with_where_that_is_wanted(tmp_path):
    Watch(MadeUpModel(), DOCS, tmp_path, targets=[0]).record(0)
    model = MadeUpModel()
    model.bias = 7.0
    Watch(model, DOCS, Folder(tmp_path, resume=True), targets=[0]).record(1)
    assert [line["targets"][0]["score"] for line in lines_of(tmp_path)] == [0, 0, 7, 7]


def test_names_are_data(tmp_path):
    docs = [DOCS[:1]] * len(NASTY)
    Watch(MadeUpModel(), docs, tmp_path / "why", names=NASTY).record(0)
    assert [line["name"] for line in lines_of(tmp_path / "why")] == NASTY
    pictures = [tmp_path / "why" / line["picture"] for line in lines_of(tmp_path / "why")]
    assert all(picture.resolve().is_relative_to(tmp_path / "why") for picture in pictures)
    assert len({picture.resolve() for picture in pictures if picture.exists()}) == len(NASTY)
