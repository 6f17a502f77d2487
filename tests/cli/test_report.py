"""``explainkit explain … -o report.html``."""

import json
import os
import re

import pytest

from explainkit.formatters.report_page import ReportPage


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


BAD_TABLES = {
    "a.png,dgo": "line 1: no label 'dgo' in --labels; did you mean 'dog'?",
    "\na.png,dog,1,2": "line 2: a picture and 3 more cells; give PICTURE,LABEL or",
    "a.png": "line 1: a picture and 0 more cells",
    "a.png,cat,1,2,x,4": "line 1: a box is 1,2,x,4; give its left, top, right and bottom",
    "a.png,cat,1,2,1,4": "with a box of no area",
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
