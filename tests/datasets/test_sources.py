"""What callers give as a source: folders, globs, lists, URLs, and what is none."""

import io
import os
import shutil
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from explainkit.cli.outputs import find_images
from explainkit.datasets.files import Files
from explainkit.datasets.items import open_content
from explainkit.datasets.sources import find_source
from explainkit.datasets.streams import Stream
from explainkit.datasets.tables import Table
from explainkit.pictures import picture_suffixes

from .conftest import (
    PICTURES,
    assert_same_rows,
    draw_doc,
    draw_picture,
    explain,
    rows_of,
)


def keys_of(source, size=5):
    return [item.key for shard in source.shards(size) for item in shard.items()]


@pytest.fixture
def folder(tmp_path):
    """A folder with all that is met in folders."""
    folder = tmp_path / "things"
    for name in (
        *("b.png", "a.JPG", "c.jpeg", "sub/d.webp", "sub/deep/e.bmp", "z/f.gif", "with space.tif"),
        *("notes.txt", "table.csv", "model.h5", "paper.pdf", "README"),
        *(".hidden.png", ".cache/g.png", "sub/.DS_Store", "sub/.thumbs/h.jpg"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


MEANT = ["a.JPG", "b.png", "c.jpeg", "sub/d.webp", "sub/deep/e.bmp", "with space.tif", "z/f.gif"]


@pytest.mark.parametrize("given", [str, Path, "{}/".format, "file://{}".format])
def test_of_a_folder_the_pictures_are_meant_at_any_depth(folder, given):
    source = find_source(given(folder))
    assert isinstance(source, Files)
    assert keys_of(source) == MEANT
    assert source.count == len(MEANT)
    assert source.urls == tuple(str(folder / name) for name in MEANT)


def test_a_folder_is_found_from_where_the_program_stands(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert find_source("things").urls == find_source(folder).urls
    assert find_source("./things/../things").keys == tuple(MEANT)
    monkeypatch.chdir(folder)
    assert find_source(".").keys == tuple(MEANT)


@pytest.mark.parametrize("name", ["photos [2024]", "what?", "all*", "a b", "ü"])
def test_folders_of_any_name_are_folders(folder, name):
    other = folder.rename(folder.with_name(name))
    assert keys_of(find_source(other)) == MEANT


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("*.png", ["b.png"]),
        ("**/*.webp", ["sub/d.webp"]),
        ("[ab].*", ["a.JPG", "b.png"]),
        ("sub/**", ["sub/d.webp", "sub/deep/e.bmp"]),
        (".*.png", [".hidden.png"]),
        ("sub/.thumbs/*", ["sub/.thumbs/h.jpg"]),
        ("*.txt", ["notes.txt"]),
        ("?.png", ["b.png"]),
    ],
)
def test_what_a_glob_matches_is_meant_whatever_it_is_called(folder, pattern, meant):
    source = find_source(f"{folder}/{pattern}")
    assert [os.path.relpath(url, folder) for url in source.urls] == meant


def test_one_file_may_be_given_whatever_it_is_called(folder):
    for name in ("b.png", "notes.txt", "README"):
        assert find_source(folder / name).urls == (str(folder / name),)
        assert find_source(folder / name).keys == (name,)


def test_a_folder_with_one_file_has_no_picture_if_that_is_none(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(FileNotFoundError, match="nothing there is a picture or a Parquet file"):
        find_source(tmp_path)
    (tmp_path / "notes.txt").rename(tmp_path / ".hidden.png")
    with pytest.raises(FileNotFoundError, match="nothing there is a picture or a Parquet file"):
        find_source(tmp_path)


def test_links_are_followed(tmp_path, pictures):
    (tmp_path / "link.png").symlink_to(pictures / "000.png")
    assert keys_of(find_source(tmp_path)) == ["link.png"]
    assert explain(tmp_path, tmp_path / "output").failed == 0
    (tmp_path / "folder").symlink_to(pictures)
    assert find_source(tmp_path / "folder").count == PICTURES


def test_a_list_of_paths_has_them_as_keys_in_their_order(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    paths = ["cats/002.png", Path("000.png"), str(pictures / "003.png"), f"{pictures}/../x.png"]
    source = find_source(paths)
    assert source.keys == ("cats/002.png", "000.png", str(pictures / "003.png"), paths[3])
    assert source.urls[:2] == (str(pictures / "cats/002.png"), str(pictures / "000.png"))
    assert keys_of(find_source(tuple(paths))) == list(source.keys)


def test_order_and_place_of_files_do_not_matter_but_names_and_sizes_do(pictures, tmp_path):
    other = shutil.copytree(pictures, tmp_path / "other")
    told, again = find_source(pictures).in_words(), find_source(other).in_words()
    assert told.pop("root") != again.pop("root")
    assert told == again
    (other / "000.png").write_bytes((other / "000.png").read_bytes() + b"\0")
    assert find_source(other).in_words()["digest"] != told["digest"]


def test_pictures_in_a_store_of_objects_are_explained(pictures, tmp_path):
    memory = fsspec.filesystem("memory")
    for path in pictures.rglob("*.png"):
        memory.pipe_file(f"/things/{path.relative_to(pictures)}", path.read_bytes())
    try:
        for number, given in enumerate(
            ("memory://things", "memory://things/", "memory://things/**/*.png")
        ):
            assert explain(given, tmp_path / str(number)).failed == 0
        explain(pictures, tmp_path / "local")
        for number in range(3):
            assert_same_rows(tmp_path / str(number), tmp_path / "local")
        one = ["memory://things/000.png", "memory://things/gone.png"]
        assert explain(one, tmp_path / "list").errors == {"FileNotFoundError": 1}
        assert rows_of(tmp_path / "list")["key"].to_pylist() == one
    finally:
        memory.rm("/things", recursive=True)


def test_what_is_explained_does_not_depend_on_the_kind_of_source(pictures, tmp_path):
    paths = {str(path.relative_to(pictures)): path for path in sorted(pictures.rglob("*.png"))}
    given = {
        "paths": paths,
        "pictures": {key: Image.open(path) for key, path in paths.items()},
        "bytes": [(key, path.read_bytes()) for key, path in paths.items()],
        "arrays": ((key, np.asarray(Image.open(path))) for key, path in paths.items()),
    }
    explain(pictures, tmp_path / "folder")
    for name, source in given.items():
        assert explain(source, tmp_path / name).failed == 0
        assert_same_rows(tmp_path / name, tmp_path / "folder")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "there is no picture: it is null"),
        (b"", "the picture is no picture that Pillow can read"),
        (b"text", "the picture is no picture that Pillow can read"),
    ],
)
def test_contents_that_are_nothing_are_told(content, error):
    with pytest.raises((TypeError, ValueError), match=error):
        open_content(content)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_every_kind_are_opened(kind):
    file = io.BytesIO()
    draw_picture(1).save(file, "PNG")
    assert open_content(kind(file.getvalue())).size == (16, 16)


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        (3, TypeError, "source is a int; give a folder, a glob, a list of paths"),
        (None, TypeError, "source is a NoneType"),
        (b"photos", TypeError, "source is a bytes"),
        (np.zeros((4, 8, 8, 3)), TypeError, "source is a ndarray"),
        (draw_picture(0), TypeError, "source is a Image"),
        ([], ValueError, "source is empty; give documents to explain"),
        ({}, ValueError, "source is empty; give documents to explain"),
        ("", ValueError, "source is empty; give documents to explain"),
        ("nowhere", FileNotFoundError, "nowhere"),
        ("nowhere/*.png", FileNotFoundError, "nowhere"),
        (["a.png", "b.png", "a.png"], ValueError, "source has the path 'a.png' twice"),
        (["a.png", "b.parquet"], ValueError, "has the Parquet file 'b.parquet' in a list of"),
    ],
)
def test_what_is_no_source_is_refused_with_what_is(given, error, told):
    with pytest.raises(error) as raised:
        find_source(given)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([draw_doc(0), draw_doc(1)], "source gives an array of shape (1, 16, 16, 3) at 0"),
        ([("a", 1, 2)], "source gives a tuple at 0"),
        ([("a", draw_doc(0)), 7], "source gives a int at 1"),
        (["a.png", 7], "source gives a str at 0"),
        ([np.zeros((2, 3))], "source gives an array of shape (2, 3) at 0"),
        (iter("ab"), "source gives a str at 0"),
    ],
)
def test_iterables_give_pairs(given, told):
    source = find_source(given)
    assert isinstance(source, Stream)
    with pytest.raises(TypeError, match="an iterable gives pairs") as raised:
        keys_of(source)
    assert told in str(raised.value)


def test_pictures_and_tables_are_not_mixed(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.parquet").write_bytes(b"")
    assert find_source(tmp_path).keys == ("a.png",)  # of a folder, pictures come first
    with pytest.raises(ValueError, match="names pictures and Parquet files; give the ones or"):
        find_source(f"{tmp_path}/*")


@pytest.mark.parametrize("name", ["key_column", "image_column"])
def test_columns_are_for_tables(pictures, name):
    for given in (pictures, [str(pictures / "000.png")], iter(())):
        with pytest.raises(ValueError, match=f"{name} is 'id', but .* no columns: leave it out"):
            find_source(given, **{name: "id"})


def test_what_is_a_source_already_is_taken_as_it_is(pictures):
    source = find_source(pictures)
    assert find_source(source) is source
    assert Table is not type(source)


def test_data_that_pillow_knows_but_that_are_no_pictures_are_no_pictures():
    assert {".png", ".jpg", ".jpeg", ".webp", ".tif", ".bmp", ".gif"} <= picture_suffixes()
    assert not {".h5", ".hdf5", ".pdf", ".mpg", ".txt"} & picture_suffixes()


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path, pictures):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(pictures / "000.png", folder / "deep" / "a.png")
    (folder / "elsewhere").symlink_to(pictures / "cats")
    (folder / "deep" / "above").symlink_to(folder)
    (folder / "deep" / "itself").symlink_to(folder / "deep")
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    cats = sorted(f"elsewhere/{path.name}" for path in (pictures / "cats").iterdir())
    source = find_source(folder)
    assert keys_of(source) == ["deep/a.png", *cats]
    assert None not in source.sizes
    # Links to each other, by two ways, are circles too.
    for one, other in (("x", "y"), ("y", "x")):
        (tmp_path / one).mkdir()
        (tmp_path / one / "to").symlink_to(tmp_path / other)
        shutil.copy(pictures / "000.png", tmp_path / one / "b.png")
    assert keys_of(find_source(tmp_path / "x")) == ["b.png", "to/b.png"]


def test_a_folder_in_a_list_of_paths_is_refused(pictures):
    told = "has the folder '.*cats' in a list of pictures; give a folder by itself, or a glob"
    with pytest.raises(ValueError, match=told):
        find_source([pictures / "000.png", pictures / "cats"])


def test_a_folder_has_the_same_pictures_for_the_command_line(tmp_path):
    others = {".pdf", ".h5", ".mpg", ".txt", ".parquet"}
    for suffix in picture_suffixes() | others:
        (tmp_path / f"a{suffix}").write_bytes(b"")
    found = [path.name for path in find_images([tmp_path])]
    assert found == keys_of(find_source(tmp_path), 1000)
    assert found == sorted(f"a{suffix}" for suffix in picture_suffixes())
