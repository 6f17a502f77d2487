"""Keys that try to be something else: nothing is written outside the output, and none is lost."""

import io
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from explainkit import datasets
from explainkit.datasets.overlays import harmless
from explainkit.datasets.plain_text import written

from .conftest import draw_picture, explain, files_in, left_over, rows_of

KEYS = [
    "../outside",
    "../../outside.png",
    "..",
    ".",
    "...",
    "/etc/passwd",
    "/tmp/absolute.png",
    "//server/share",
    "C:\\Windows\\system32",
    "\\\\server\\share",
    "a/b/c.png",
    "a\\b",
    "a b  c",
    " ",
    "",
    "naïve café.jpg",
    "日本語/写真.png",
    "🐈",
    "e\u0301",  # not the same as the next
    "\u00e9",
    "nul\0byte",
    "line\nfeed",
    "car\rriage",
    "tab\t",
    "CON",
    "con.png",
    "NUL",
    "COM1",
    "LPT9.txt",
    "aux.",
    "trailing.",
    "trailing ",
    "-rf",
    "--option",
    "~root",
    "$HOME",
    "%PATH%",
    "`id`",
    "<script>alert(1)</script>",
    "a:b",
    "a*b?",
    'quo"te',
    "x" * 5000,
    "x" * 4999 + "y",
    "same name",
    "same-name",
    "same/name",
    ".hidden",
    ".1.part",
    "run.json",
    "\u202etxt.gnp",
    "\ud800",
    "\udce9",
    0,
    -7,
    3.5,
    True,
    None,
    ("shelf", 3),
    b"bytes",
    Path("a/../../b"),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A folder in which the output is deep down, and a file that must stay as it is."""
    house = tmp_path_factory.mktemp("house")
    (house / "outside.png").write_text("mine")
    return house


@pytest.fixture(scope="module")
def output(house):
    output = house / "a" / "b" / "output"
    pairs = ((key, draw_picture(seed)) for seed, key in enumerate(KEYS))
    summary = explain(pairs, output, overlays=True, shard_size=16)
    assert (summary.docs, summary.failed) == (len(KEYS), 0)
    return output


def test_nothing_is_written_outside_the_output(house, output):
    outside = {name for name in files_in(house) if not name.startswith("a/b/output/")}
    assert outside == {"outside.png"}
    assert (house / "outside.png").read_text() == "mine"
    assert left_over(output) == set()
    assert not [path for path in output.rglob("*") if path.is_symlink()]


def test_each_key_has_an_overlay_of_its_own(output):
    overlays = rows_of(output)["overlay"].to_pylist()
    assert len(set(overlays)) == len(KEYS)
    assert {f"overlays/{name}" for name in files_in(output / "overlays")} == set(overlays)
    for name in overlays:
        assert name.isascii()
        assert len(name.rpartition("/")[2]) <= 80
        assert not set(name) & set('\\:*?"<>| \n\0')


def test_keys_come_back_as_they_were(output):
    loaded = datasets.load(output)
    assert loaded.keys() == [written(key) for key in KEYS]
    for position, key in enumerate(KEYS):
        if isinstance(key, str) and key.isprintable():
            assert written(key) == key
        expected = loaded[position].targets[0]
        found = loaded[written(key)].targets[0]
        assert (found.score, found.label) == (expected.score, expected.label)
        assert (found.heatmap == expected.heatmap).all()


def test_a_run_with_such_keys_goes_on(output):
    (output / "shards" / "00000001.parquet").unlink()
    pairs = ((key, draw_picture(seed)) for seed, key in enumerate(KEYS))
    assert explain(pairs, output, overlays=True, shard_size=16).explained_now == 16


def test_the_manifest_is_plain(output):
    json.loads((output / "manifest.json").read_bytes().decode("ascii"))


def test_targets_are_found_by_such_keys(tmp_path):
    keys = ["../x", 7, ("shelf", 3), "caf\udce9", ""]
    pairs = [(key, draw_picture(seed)) for seed, key in enumerate(keys)]
    targets = {key: seed % 3 for seed, key in enumerate(keys)}
    assert explain(iter(pairs), tmp_path, targets=targets).failed == 0
    loaded = datasets.load(tmp_path)
    assert [loaded[written(key)].targets[0].target for key in keys] == [0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    "keys", [("a", "a"), (1, "1"), ("\udce9", "\\xe9"), (None, "None")], ids=repr
)
def test_two_keys_that_are_written_alike_are_refused(tmp_path, keys):
    with pytest.raises(ValueError, match="comes twice, again at 1; keys must differ"):
        explain(((key, draw_picture(0)) for key in keys), tmp_path)


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"new\nline.png", b"#1?.png", b"100%.png"])
def test_files_of_any_name_are_explained_or_told(tmp_path, name):
    folder = tmp_path / "pictures"
    folder.mkdir()
    try:
        with (folder / os.fsdecode(name)).open("wb") as file:
            draw_picture(1).save(file, "PNG")
    except OSError:
        pytest.skip("there are no such names here")
    (folder / os.fsdecode(b"broken " + name)).write_bytes(b"")
    summary = explain(folder, tmp_path / "output", overlays=True)
    assert (summary.docs, summary.failed) == (2, 1)
    loaded = datasets.load(tmp_path / "output")
    assert sorted(loaded.keys()) == sorted(
        written(os.fsdecode(b)) for b in (name, b"broken " + name)
    )
    assert [row for row in rows_of(tmp_path / "output")["error"].to_pylist() if row]


def test_brackets_in_names_are_no_globs(tmp_path):
    folder = tmp_path / "photos [2024]"
    folder.mkdir()
    draw_picture(1).save(folder / "a[1].png")
    draw_picture(2).save(folder / "a1.png")
    assert explain(folder, tmp_path / "one").docs == 2
    assert explain(str(folder / "a[1].png"), tmp_path / "two").docs == 1
    assert datasets.load(tmp_path / "two").keys() == ["a[1].png"]


def test_keys_of_a_table_are_as_hostile(tmp_path):
    file = io.BytesIO()
    draw_picture(1).save(file, "PNG")
    keys = [key for key in KEYS if isinstance(key, str) and "\ud800" not in key]
    keys = [key for key in keys if key.isascii() or key.isprintable()]
    table = pa.table({"key": keys, "image": [file.getvalue()] * len(keys)})
    pq.write_table(table, tmp_path / "pictures.parquet")
    output = tmp_path / "deep" / "output"
    assert explain(tmp_path / "pictures.parquet", output, overlays=True).failed == 0
    assert datasets.load(output).keys() == keys
    assert {name for name in files_in(tmp_path) if not name.startswith("deep/output/")} == {
        "pictures.parquet"
    }


def test_paths_in_a_table_are_read_and_never_written(tmp_path):
    draw_picture(1).save(tmp_path / "outside.png")
    (tmp_path / "tables").mkdir()
    before = (tmp_path / "outside.png").read_bytes()
    table = pa.table({"path": ["../outside.png", "../../nothing.png", "/dev/null", "."]})
    pq.write_table(table, tmp_path / "tables" / "paths.parquet")
    summary = explain(tmp_path / "tables", tmp_path / "output", overlays=True)
    assert (summary.docs, summary.failed) == (4, 3)
    assert (tmp_path / "outside.png").read_bytes() == before


@pytest.mark.parametrize(
    ("key", "name"),
    [("", "doc"), ("...", "doc"), ("../../etc/passwd", "etc-passwd"), ("é", "doc"), ("CON", "CON")],
)
def test_the_part_of_a_name_that_a_key_gives(key, name):
    assert harmless(key) == name


def test_an_output_that_is_a_link_is_followed_and_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    explain([("a", draw_picture(1))], tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert left_over(tmp_path / "real") == set()
    assert explain([("a", draw_picture(1))], tmp_path / "link").explained_now == 0


def test_what_a_run_writes_into_its_source_is_no_part_of_it(tmp_path):
    draw_picture(1).save(tmp_path / "a.png")
    output = tmp_path / "explained"
    explain(tmp_path, output, overlays=True)
    assert explain(tmp_path, output, overlays=True).explained_now == 0
    (tmp_path / "b").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    for same in (f"{tmp_path}/b/../explained", f"{tmp_path}/link/explained"):
        assert explain(tmp_path, same, overlays=True).explained_now == 0
    # But pictures in an output are pictures to whoever asks for them.
    (tmp_path / "link").unlink()
    assert explain(output, tmp_path / "other").docs == 1
    assert explain(output / "overlays", output / "overlays" / "again").docs == 1


def test_tables_are_found_again_beside_the_pictures_that_a_run_drew_among_them(tmp_path):
    file = io.BytesIO()
    draw_picture(1).save(file, "PNG")
    pq.write_table(pa.table({"key": ["a"], "image": [file.getvalue()]}), tmp_path / "t.parquet")
    explain(tmp_path, tmp_path / "explained", overlays=True)
    assert explain(tmp_path, tmp_path / "explained", overlays=True).explained_now == 0
