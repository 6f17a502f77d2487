"""``explainkit explain … -o report.html``."""

import json
import os
import re

import pytest
from PIL import Image

from explainkit.cli.outputs import write_report
from explainkit.cli.shell import CommandError
from explainkit.explanation import Explanation
from explainkit.formatters.reports.page import ReportPage


def texts_of(path, kind):
    return re.findall(rf'class="{kind}">(?:<bdi>)?([^<]*)', path.read_text("utf-8"))


@pytest.fixture
def photos(tmp_path, make_photo):
    """A folder of pictures, one of which is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, name in enumerate("abc"):
        make_photo(folder / f"{name}.png", seed=seed)
    (folder / "d.png").write_bytes(b"no picture")
    return folder


def test_a_page_is_about_all_pictures_also_those_that_failed(run, photos, model_file, tmp_path):
    page = tmp_path / "report.html"
    result = run("explain", photos, "--model", model_file, "-o", page, "--alpha-limit", "0.5")
    assert result.exit_code == 1
    assert f"explainkit: error: {photos / 'd.png'} is no picture" in result.stderr
    assert f"Wrote {page}" in result.stdout
    assert texts_of(page, "name") == [f"{name}.png" for name in "abcd"]
    assert texts_of(page, "error") == [f"{photos / 'd.png'} is no picture that Pillow can read"]
    assert page.read_text("utf-8").count("data:image/webp") == 6  # small, and to look at closer
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "report.html"]


def test_records_are_those_without_a_page(run, photos, model_file, tmp_path):
    page = tmp_path / "report.html"
    (photos / "d.png").unlink()
    told = json.loads(run("explain", photos, "--model", model_file, "--json").stdout)
    result = run("explain", photos, "--model", model_file, "--json", "-o", page)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == [one | {"output": str(page)} for one in told]


def test_a_page_may_be_about_one_picture(run, photo, model_file, tmp_path):
    page = tmp_path / "why.HTM"
    result = run("explain", photo, "--model", model_file, "-o", page)
    assert result.exit_code == 0, result.stderr
    assert texts_of(page, "name") == [photo.name]


def test_pictures_are_named_from_the_folder_that_all_are_in(
    run, photos, make_photo, model_file, tmp_path
):
    other = make_photo(tmp_path / "other.png")
    page = tmp_path / "report.html"
    run("explain", photos / "a.png", other, "--model", model_file, "-o", page)
    assert texts_of(page, "name") == ["photos/a.png", "other.png"]


def test_a_folder_that_is_called_like_a_page_is_a_folder(run, photo, model_file, tmp_path):
    folder = tmp_path / "pages.html"
    folder.mkdir()
    assert run("explain", photo, "--model", model_file, "-o", folder).exit_code == 0
    assert [path.name for path in folder.iterdir()] == ["photo.png"]


def test_the_truth_comes_from_a_table(run, photos, model_file, labels_file, tmp_path):
    told = run("explain", photos, "--model", model_file, "--labels", labels_file, "--json")
    [first, second, *_] = json.loads(told.stdout)
    labels = labels_file.read_text().splitlines()
    wrong = next(one for one in labels if one != second["targets"][0]["label"])
    table = tmp_path / "truth.csv"
    table.write_text(
        f"a.png,{first['targets'][0]['label']}, 0, 0, 50, 40\n"
        f"a.png,,1,1,2,2\n\n{photos / 'b.png'},{wrong}\n"
    )
    page = tmp_path / "report.html"
    options = ("--labels", labels_file, "--truth", table, "-o", page)
    result = run("explain", photos, "--model", model_file, *options)
    assert f"explainkit: {table} has no line about 2 of 4 pictures\n" in result.stderr
    assert re.findall(r'data-outcomes="([^"]*)"', page.read_text("utf-8")) == [
        *("explained right hit", "explained wrong", "explained", "failed")
    ]
    assert '"given": [[0, 0, 50, 40], [1, 1, 2, 2]]' in page.read_text("utf-8")


def test_numbers_are_units_where_there_are_no_labels(run, photos, model_file, tmp_path):
    told = json.loads(run("explain", photos, "--model", model_file, "--json").stdout)
    table, page = tmp_path / "truth.csv", tmp_path / "report.html"
    units = [told[0]["targets"][0]["target"], (told[1]["targets"][0]["target"] + 1) % 3]
    table.write_text(
        "".join(f"{name}.png,{unit}\n" for name, unit in zip("ab", units, strict=True))
    )
    run("explain", photos, "--model", model_file, "--truth", table, "-o", page)
    outcomes = re.findall(r'data-outcomes="([^"]*)"', page.read_text("utf-8"))
    assert outcomes[:2] == ["explained right", "explained wrong"]


def outcomes_of(page):
    return re.findall(r'data-outcomes="([^"]*)"', page.read_text("utf-8"))


@pytest.fixture
def two_folders(tmp_path, make_photo):
    """Pictures in two folders, of which two have the same name."""
    for name in ("cats/1.png", "cats/2.png", "dogs/1.png"):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make_photo(path)
    return [tmp_path / "pets" / name for name in ("cats", "dogs")]


def test_lines_name_pictures_by_path_as_the_report_does_or_by_file(
    run, two_folders, model_file, tmp_path
):
    table, page = tmp_path / "truth.csv", tmp_path / "report.html"
    table.write_text(
        "picture,label\n"
        f"{two_folders[0]}/1.png,1\n"
        "cats/1.png,,0,0,50.0,40\n"
        "2.png,,,,,\n"
        "dogs/1.png,,1,1,9,9\n"
        "zzz.png,1\n"
    )
    result = run("explain", *two_folders, "--model", model_file, "--truth", table, "-o", page)
    assert result.exit_code == 0, result.stderr
    assert f"{table} has lines about none of the pictures: zzz.png (line 6)\n" in result.stderr
    first, second, third = outcomes_of(page)
    assert re.fullmatch("explained (right|wrong) hit", first)
    assert second == "explained"
    assert re.fullmatch("explained (hit|missed)", third)


def test_a_name_that_several_pictures_have_is_refused(fails, two_folders, tmp_path):
    table = tmp_path / "truth.csv"
    table.write_text("cats/1.png,1\n1.png,1\n")
    asked = ("--model", "unread.keras", "--truth", table, "-o", tmp_path / "report.html")
    line = fails(1, "explain", *two_folders, *asked)
    first = two_folders[0] / "1.png"
    assert line == f"{table}, line 2: 2 pictures are called 1.png; give the path, such as {first}"


@pytest.fixture(scope="module")
def model_of_two_outputs(tmp_path_factory):
    import keras

    keras.utils.set_random_seed(7)
    doc = keras.Input((24, 32, 3))
    seen = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(doc)
    pooled = keras.layers.GlobalAveragePooling2D()(seen)
    kinds = keras.layers.Dense(3, activation="softmax", name="kinds")(pooled)
    sizes = keras.layers.Dense(2, activation="softmax", name="sizes")(pooled)
    path = tmp_path_factory.mktemp("models") / "two.keras"
    keras.Model(doc, {"kinds": kinds, "sizes": sizes}).save(path)
    return path


def test_the_truth_names_units_of_outputs(run, fails, photo, model_of_two_outputs, tmp_path):
    table, page = tmp_path / "truth.csv", tmp_path / "report.html"
    asked = ("explain", photo, "--model", model_of_two_outputs, "--target", "kinds:1")
    asked += ("--truth", table, "-o", page)
    bad = {
        "1": "unit 1, but the model has the outputs kinds, sizes: give OUTPUT:NUMBER",
        "kind:1": "no output 'kind'; the model has kinds, sizes; did you mean 'kinds'?",
        "sizes:2": "no unit 2; output 'sizes' has 2, from 0 on",
    }
    for given, message in bad.items():
        table.write_text(f"photo.png,{given}\n")
        assert fails(1, *asked) == f"{table}, of {photo}: {message}"
        assert not page.exists()
    for given, outcome in {"kinds:1": "right", "kinds:2": "wrong", "sizes:1": "wrong"}.items():
        table.write_text(f"photo.png,{given}\n")
        assert run(*asked).exit_code == 0
        assert outcomes_of(page) == [f"explained {outcome}"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("3", "no unit 3; output 'classes' has 3, from 0 on"),
        ("classes:1", "unit classes:1, but the model has one output"),
    ],
)
def test_units_that_the_model_has_not_are_refused(
    fails, photo, model_file, tmp_path, given, message
):
    table = tmp_path / "truth.csv"
    table.write_text(f"photo.png,{given}\n")
    asked = ("--model", model_file, "--truth", table, "-o", tmp_path / "report.html")
    assert fails(1, "explain", photo, *asked) == f"{table}, of {photo}: {message}"


def test_boxes_are_measured_in_pictures_that_stand_upright(fails, run, tmp_path, model_file):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    photo = tmp_path / "turned.jpg"
    Image.new("RGB", (50, 40)).save(photo, exif=exif)
    table, page = tmp_path / "truth.csv", tmp_path / "report.html"
    asked = ("explain", photo, "--model", model_file, "--truth", table, "-o", page)
    table.write_text("turned.jpg,,41,0,45,10")
    line = fails(1, *asked)
    assert line.endswith("line 1: the box 41,0,45,10 lies outside the picture of 40 x 50 pixels")
    table.write_text("turned.jpg,,0,41,10,45")
    assert run(*asked).exit_code == 0


BAD_TABLES = {
    "a.png,dgo": "line 1: no label 'dgo' in --labels; did you mean 'dog'?",
    "\na.png,dog,1,2": "line 2: a picture and 3 more cells; give PICTURE,LABEL or",
    "a.png": "line 1: a picture and 0 more cells",
    "a.png,cat,1,2,x,4": "line 1: a box is 1,2,x,4; give its left, top, right and bottom",
    "a.png,cat,1,2,1,4": "with a box of no area",
    "a.png,cat,1,2,3.5,4": "with parts of pixels; give four whole numbers",
    "a.png,cat,50,0,60,10": "line 1: the box 50,0,60,10 lies outside the picture of 50 x 40 pixels",
    "a.png,3": "line 1: no unit 3; --labels has 3, from 0 on",
    "a.png;cat": "line 1: its cells are not apart; give PICTURE,LABEL or",
    "a.png,cat\na.png,dog": "line 2: the label is 'dog', and was 'cat' in a line before",
    "z.png,cat": "nor about any other picture; give PICTURE,LABEL",
    "": "nor about any other picture",
    "\xff": "is no table in UTF-8",
}


@pytest.mark.parametrize("text", BAD_TABLES)
def test_bad_tables_are_refused_before_the_model_is_looked_for(
    fails, photos, labels_file, tmp_path, text
):
    table, page = tmp_path / "truth.csv", tmp_path / "report.html"
    table.write_text(text, "latin-1")
    options = ("--labels", labels_file, "--truth", table, "-o", page)
    line = fails(1, "explain", photos, "--model", "unread.keras", *options)
    assert BAD_TABLES[text] in line
    assert str(table) in line
    assert not page.exists()


def test_pages_that_cannot_be_written(fails, photos, model_file, tmp_path, monkeypatch):
    def says(exit_code, *options):
        return fails(exit_code, "explain", photos, "--model", "unread.keras", *options)

    file = tmp_path / "file"
    file.write_text("a file")
    assert "cannot write to the folder" in says(1, "-o", tmp_path / "none" / "r.html")
    assert says(1, "-o", file / "r.html") == f"cannot write to the folder {file}: not a directory"
    truth = ("--truth", tmp_path / "no.csv")
    assert says(1, *truth, "-o", tmp_path / "r.html") == f"{truth[1]}: no such file or directory"
    for options in (["--json"], ["-o", tmp_path / "out"]):
        line = says(2, *truth, *options)
        assert line == "--truth is for a report; give -o and a page, such as report.html"
    table = tmp_path / "truth.csv"
    table.write_text("a.png,dog")
    line = says(1, "--truth", table, "-o", tmp_path / "r.html")
    assert "line 1: 'dog' is a name, but no names were given; give --labels" in line


def test_what_explaining_raises_is_not_said_to_be_of_the_page(tmp_path):
    def failing():
        raise FileNotFoundError("a picture went away")
        yield

    with pytest.raises(FileNotFoundError, match="a picture went away"):
        write_report(failing(), tmp_path / "report.html")


def test_what_does_not_suit_the_explanations_is_an_error_of_one_line(tmp_path):
    page = tmp_path / "report.html"
    with pytest.raises(CommandError, match="cannot write .*: there are more names than"):
        write_report(iter([Explanation("net", "gradcam")]), page, names=["a", "b"])
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_leaves_what_was_there(run, photos, model_file, tmp_path, monkeypatch):
    def full(self, page, title):
        page.write("half")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(ReportPage, "write", full)
    page = tmp_path / "report.html"
    page.write_text("before")
    result = run("explain", photos, "--model", model_file, "-o", page)
    assert result.exit_code == 1
    assert f"explainkit: error: cannot write {page}: No space left on device\n" in result.stderr
    assert page.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "report.html"]
