"""Folders of pictures, and their lines of JSON."""

import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from explainkit import format_as_image
from explainkit.training import Folder, Watch
from explainkit.training.folder import folder_names
from tests.training.made_up import DOCS, Kept, MadeUpModel

NASTY = [
    *("../up", "<img src=x onerror=alert(1)>", 'say "hi"', "مرحبا 🎉", ""),
    *("two\u2028lines", "next\x85line", "half \ud800 of a pair", "records.jsonl", "nul"),
]


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
    with pytest.raises(FileExistsError, match=r"to another training.*resume=True\) to go on in it"):
        Watch(MadeUpModel(), DOCS, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_a_folder_is_taken_before_anything_is_written(tmp_path):
    first = Watch(MadeUpModel(), DOCS, tmp_path, targets=[0])
    with pytest.raises(FileExistsError, match="belongs to another training"):
        Watch(MadeUpModel(), DOCS, tmp_path, targets=[1])
    first.record(0)
    assert [line["targets"][0]["target"] for line in lines_of(tmp_path)] == [0, 0]


@pytest.mark.parametrize("resume", [False, True])
def test_a_training_that_fails_as_it_begins_leaves_all_as_it_was(resume, tmp_path):
    (tmp_path / "there").mkdir()
    Watch(MadeUpModel(), DOCS, tmp_path / "there", names=["a", "b"]).record(0)
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    folder = "there" if resume else "deep/why"
    to = [Folder(tmp_path / folder, resume=resume), Unready()]
    with pytest.raises(OSError, match="no such disk"):
        Watch(MadeUpModel(), DOCS, to)
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before
    to.pop()
    Watch(MadeUpModel(), DOCS, to).record(0)
    assert len(lines_of(tmp_path / folder)) == (4 if resume else 2)


def test_a_folder_that_cannot_be_made_whole_is_not_taken(tmp_path):
    (tmp_path / "b").write_text("a file")
    with pytest.raises(FileExistsError):
        Watch(MadeUpModel(), DOCS, tmp_path, names=["a", "b"])
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_folder_is_shared_for_the_same_docs_only(tmp_path):
    folder = Folder(tmp_path, resume=True)
    first = Watch(MadeUpModel(), DOCS, folder, names=["a", "b"])
    with pytest.raises(ValueError, match=r"Folder\(.*\) takes other docs already; make another"):
        Watch(MadeUpModel(), DOCS, folder, names=["c", "d"])
    Watch(MadeUpModel(), DOCS, folder, names=["a", "b"]).record(0)
    first.record(1)
    assert [(line["name"], line["step"]) for line in lines_of(tmp_path)] == [
        *(("a", 0), ("b", 0), ("a", 1), ("b", 1)),
    ]


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
    # Whoever reads it finds one line for each, whatever ends a line elsewhere.
    assert len((tmp_path / "why" / "records.jsonl").read_text("ascii").splitlines()) == len(NASTY)


def test_numbers_of_plug_ins_become_those_of_json(tmp_path):
    model = MadeUpModel()
    watch = Watch(model, DOCS, tmp_path, targets=[np.int64(1), ("x", np.int32(2))])
    model.bias = np.float32(0.5)
    watch.record(0)
    model.bias = np.float16("nan")
    watch.record(1)
    told = [
        [(one["target"], one["score"]) for one in line["targets"]] for line in lines_of(tmp_path)
    ]
    finite, not_finite = [(1, 1.5), (["x", 2], 10.5)], [(1, None), (["x", 2], None)]
    assert told == [finite, finite, not_finite, not_finite]


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (["a/b", "a b"], ["0-a_b", "1-a_b"]),
        (["Cat", "cat"], ["0-Cat", "1-cat"]),
        (["caf\u00e9", "cafe\u0301"], ["0-caf\u00e9", "1-caf\u00e9"]),
        (["x", "con"], ["0-x", "1-con"]),
        (["LPT1.left", "x"], ["0-LPT1.left", "1-x"]),
        (["com\u00b2"], ["0-com\u00b2"]),
        (["console", "Records.JSONL"], ["0-console", "1-Records.JSONL"]),
        (["x" * 59 + ".png"], ["x" * 59]),
        (["..", "a"], ["0-", "1-a"]),
    ],
)
def test_folders_have_names_for_every_file_system(names, folders):
    assert folder_names(names) == folders
    # Where letters are stored taken apart, and their case is not told apart.
    stored = {unicodedata.normalize("NFD", name).casefold() for name in folders}
    assert len(stored) == len(names)
