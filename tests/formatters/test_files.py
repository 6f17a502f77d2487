import json
import os
import stat
from html.parser import HTMLParser

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

import explainkit
from explainkit import Explanation, TargetExplanation
from explainkit.explanation import readers, writers
from explainkit.formatters import format_as_dict, format_as_png
from tests.formatters.records import HOSTILE, drawable, explanations, kept_dtypes

HEAT = np.array([[0, 0.1, 0.5], [1, 0.25, 0.75]], np.float32)
ENDINGS = (".json", ".html", ".png")
quick = settings(derandomize=True, deadline=None, max_examples=15)


@pytest.fixture
def expl():
    target = TargetExplanation(3, "cat", 1.5, 0.25, HEAT, -HEAT)
    picture = Image.new("RGB", (30, 20), "navy")
    return Explanation("net", "gradcam", targets=[target], image=picture)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@given(explanations)
@settings(quick, max_examples=25)
def test_nothing_is_lost_in_a_file_of_json(folder, expl):
    path = folder / "expl.json"
    expl.save(path)
    assert explainkit.load(path) == expl
    assert kept_dtypes(expl, explainkit.load(path))


@given(drawable)
@quick
def test_nothing_is_lost_in_a_page(folder, expl):
    path = folder / "expl.html"
    expl.save(path)
    assert Explanation.load(path) == expl


@given(drawable)
@quick
def test_nothing_is_lost_in_a_picture(folder, expl):
    path = folder / "expl.png"
    expl.save(path)
    assert Explanation.load(path) == expl
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"


def test_the_picture_is_that_of_the_formatter(expl, tmp_path):
    expl.save(tmp_path / "expl.PNG")
    with Image.open(tmp_path / "expl.PNG") as saved:
        assert saved.size
        bare = tmp_path / "bare.png"
        bare.write_bytes(format_as_png(expl))
        with Image.open(bare) as drawn:
            assert saved.convert("RGB").tobytes() == drawn.convert("RGB").tobytes()


def test_what_was_saved_can_be_loaded_however_large_the_sheet_is(expl, tmp_path, monkeypatch):
    path = tmp_path / "expl.png"
    wide = attrs.evolve(expl, targets=expl.targets * 4, image=Image.new("RGB", (400, 300)))
    wide.save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400 * 300)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)  # the sheet is, but not the picture that is in the record
    assert Explanation.load(path) == wide


def test_a_record_that_was_changed_on_the_way_is_no_record(expl, tmp_path):
    path = tmp_path / "expl.png"
    expl.save(path)
    path.write_bytes(path.read_bytes().replace(b'"gradcam"', b'"gradcat"'))
    with pytest.raises(ValueError, match="it is damaged: a sum of its bytes is wrong"):
        Explanation.load(path)


def test_who_edits_the_picture_loses_the_record(expl, tmp_path):
    expl.save(tmp_path / "expl.png")
    with Image.open(tmp_path / "expl.png") as picture:
        picture.rotate(90).save(tmp_path / "turned.png")
    with pytest.raises(ValueError, match="turned.png has no explanation in it; give a file that"):
        Explanation.load(tmp_path / "turned.png")


@pytest.mark.parametrize("label", HOSTILE)
def test_the_record_in_a_page_is_one_element_that_nothing_runs(expl, label, tmp_path):
    targets = [attrs.evolve(expl.targets[0], label=label)]
    hostile = attrs.evolve(expl, estimator=label, description=label, targets=targets)
    hostile.save(tmp_path / "expl.html")
    page = (tmp_path / "expl.html").read_text(encoding="utf-8")

    class Elements(HTMLParser):
        found = ()

        def handle_starttag(self, tag, attributes):
            self.found += ((tag, dict(attributes)),)

    elements = Elements()
    elements.feed(page)
    records = [
        attributes for _, attributes in elements.found if "data-explainkit-record" in attributes
    ]
    assert [one["type"] for one in records] == ["application/json"]
    expl.save(tmp_path / "plain.html")
    plain = Elements()
    plain.feed((tmp_path / "plain.html").read_text(encoding="utf-8"))
    scripts = [[a for tag, a in one.found if tag == "script"] for one in (elements, plain)]
    assert scripts[0] == scripts[1]
    assert page.rstrip().endswith("</html>")
    assert explainkit.load(tmp_path / "expl.html") == hostile


def test_what_has_no_picture_is_saved_but_as_a_picture(expl, tmp_path):
    for bare in (attrs.evolve(expl, image=None), Explanation("net", "gradcam", error="no file")):
        for ending in (".json", ".html"):
            bare.save(tmp_path / f"bare{ending}")
            assert explainkit.load(tmp_path / f"bare{ending}") == bare
        with pytest.raises(ValueError, match="no picture to draw over|explanation failed: no file"):
            bare.save(tmp_path / "bare.png")
        assert not (tmp_path / "bare.png").exists()


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (0, 0)])
def test_a_picture_without_pixels_is_saved_as_numbers_alone(expl, size, tmp_path):
    empty = attrs.evolve(expl, image=Image.new("RGB", size))
    empty.save(tmp_path / "empty.json")
    assert Explanation.load(tmp_path / "empty.json") == empty
    with pytest.raises(ValueError, match=f"a picture of {size[0]} x {size[1]} pixels has none"):
        empty.save(tmp_path / "empty.html")


def test_unknown_endings_are_refused_with_those_that_would_do(expl, tmp_path):
    for act in (expl.save, Explanation.load):
        with pytest.raises(ValueError, match=r"ends in '.jsn', .*\.json, \.html, \.png; did you"):
            act(tmp_path / "expl.jsn")
        with pytest.raises(ValueError, match=r"has no ending, and an .* in one of \.json"):
            act(str(tmp_path / "expl"))
    assert not list(tmp_path.iterdir())


def test_others_can_write_and_read_files_of_their_own(expl, tmp_path, monkeypatch):
    monkeypatch.setitem(writers, ".txt", lambda expl, path: path.write_text(expl.method))
    monkeypatch.setitem(readers, ".txt", lambda path: Explanation("net", path.read_text()))
    expl.save(tmp_path / "expl.TXT")
    assert Explanation.load(tmp_path / "expl.TXT").method == "gradcam"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_is_written_whole_or_stays_as_it_was(expl, ending, tmp_path, monkeypatch):
    path = tmp_path / f"expl{ending}"
    expl.save(path)
    before = path.read_bytes()
    unwritable = attrs.evolve(expl, description="\ud800")
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        unwritable.save(path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space left"):
        attrs.evolve(expl, estimator="another").save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_file_has_the_permissions_of_any_other(expl, tmp_path):
    expl.save(tmp_path / "expl.json")
    (tmp_path / "other").write_text("")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_folder_that_is_not_there_is_named(expl, tmp_path):
    with pytest.raises(
        FileNotFoundError, match="cannot write .*expl.json: there is no folder .*no"
    ):
        expl.save(tmp_path / "no" / "expl.json")
    for ending in ENDINGS:
        with pytest.raises(FileNotFoundError, match="expl"):
            Explanation.load(tmp_path / f"expl{ending}")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"", "a.json: Expecting value"),
        ("a.json", b"[1, 2]", "a.json: an explanation can be read from a dict, not from a list"),
        ("a.json", b"\xff\xfe\xfd", "a.json: .*codec can't decode"),
        ("a.json", b"[" * 100_000, "a.json: its record is nested too deeply"),
        ("a.html", b"<p>nothing", "a.html has no explanation in it; give a file that Explanation"),
        ("a.html", b"<p>\xff", "a.html is no page in UTF-8"),
        (
            "a.html",
            b"<script data-explainkit-record>{}</script>",
            "a.html: this is no explanation: its 'format' is None",
        ),
        (
            "a.html",
            b"<script data-explainkit-record>{}</script>" * 2,
            "a.html has 2 explanations in it; give a file of one",
        ),
        ("a.json", b'{"a": [{"b": 1, "b": 2}]}', "a.json: the key 'b' is there 2 times in one pl"),
        ("a.png", b"not a picture", "a.png is no PNG that can be read: it does not begin as a P"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "a.png is no PNG that can be read: it is cut off"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a.png is no PNG .*: it is cut off"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(12), "a.png is no PNG .*: it is damaged: a sum"),
    ],
)
def test_files_without_a_record_are_refused_by_name(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Explanation.load(tmp_path / name)


def test_a_file_of_json_is_that_of_the_dict(expl, tmp_path):
    expl.save(tmp_path / "expl.json")
    text = (tmp_path / "expl.json").read_text(encoding="utf-8")
    assert json.loads(text) == format_as_dict(expl)
    assert text.endswith("}\n")
    with_mark = tmp_path / "marked.json"
    with_mark.write_text(text, encoding="utf-8-sig")
    assert explainkit.load(with_mark) == expl
