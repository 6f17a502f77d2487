"""Pictures in Parquet files, as they are found: whole files in cells, paths, or both."""

import io
import pickle

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from explainkit.datasets.items import PictureFile
from explainkit.datasets.sources import find_source
from explainkit.datasets.tables import Columns, Table

from .conftest import as_doc, assert_same_rows, draw_picture, explain, rows_of

ROWS = 23


def png(seed):
    file = io.BytesIO()
    draw_picture(seed).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def cells():
    return [png(seed) for seed in range(ROWS)]


@pytest.fixture(scope="module")
def keys():
    return [f"picture {seed:02d}" for seed in range(ROWS)]


@pytest.fixture(scope="module")
def plain(cells, keys, tmp_path_factory):
    """The rows that all tables must give, without any table."""
    output = tmp_path_factory.mktemp("plain")
    explain(list(zip(keys, cells, strict=True)), output)
    return output


def write(path, row_group_size=None, /, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=row_group_size)
    return path


def items_of(source, size):
    return [(item.key, item.content) for shard in source.shards(size) for item in shard.items()]


@pytest.mark.parametrize("size", [1, 4, 5, 23, 100])
@pytest.mark.parametrize("group", [1, 3, 7, None])
def test_shards_have_each_row_once_across_the_borders_of_groups(tmp_path, cells, keys, size, group):
    path = write(tmp_path / "t.parquet", group, key=keys, image=cells, more=[0] * ROWS)
    source = find_source(path)
    assert source.count == ROWS
    assert items_of(source, size) == list(zip(keys, cells, strict=True))
    # Each shard can be read without the others, in any order.
    shards = list(source.shards(size))
    for number in reversed(range(len(shards))):
        assert [item.key for item in shards[number].items()] == keys[number * size :][:size]


def test_files_are_gone_through_once_and_shards_by_themselves_begin_at_their_groups(
    tmp_path, cells, keys, monkeypatch
):
    source = find_source(write(tmp_path / "t.parquet", 4, key=keys, image=cells))
    read = []
    plainly = pq.ParquetFile.iter_batches

    def noted(self, *args, row_groups, columns, **options):
        read.append((row_groups, columns))
        return plainly(self, *args, row_groups=row_groups, columns=columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", noted)
    for shard in source.shards(6):
        list(shard.items())
    columns = ["key", "image"]
    assert read == [(range(6), columns)]
    for shard in source.shards(6):
        list(pickle.loads(pickle.dumps(shard)).items())
    assert read[1:] == [(range(first, 6), columns) for first in (0, 1, 3, 4)]


def test_bytes_paths_and_both_are_explained_alike(tmp_path, cells, keys, plain):
    for name, cell in zip(keys, cells, strict=True):
        (tmp_path / "pictures" / "deep").mkdir(parents=True, exist_ok=True)
        (tmp_path / "pictures" / "deep" / f"{name}.png").write_bytes(cell)
    relative = [f"deep/{name}.png" for name in keys]
    absolute = [str(tmp_path / "pictures" / path) for path in relative]
    both = [
        {"bytes": cell if at % 2 else None, "path": path if not at % 2 else "nowhere.png"}
        for at, (cell, path) in enumerate(zip(cells, relative, strict=True))
    ]
    images = {
        "bytes": cells,
        "large": pa.array(cells, pa.large_binary()),
        "relative": relative,
        "absolute": absolute,
        "url": [f"file://{path}" for path in absolute],
        "both": both,
        "bytes in structs": [{"bytes": cell} for cell in cells],
        "paths in structs": [{"path": path} for path in relative],
        "dictionary": pa.array(relative).dictionary_encode(),
    }
    for name, image in images.items():
        folder = tmp_path / "pictures"
        write(folder / "table.parquet", 4, key=keys, image=image)
        assert explain(folder / "table.parquet", tmp_path / name).failed == 0, name
        assert_same_rows(tmp_path / name, plain)


def test_several_files_are_one_source_in_the_order_of_their_names(tmp_path, cells, keys, plain):
    for name, part in (("b", slice(7, 15)), ("a/x", slice(7)), ("c", slice(15, None))):
        write(tmp_path / "tables" / f"{name}.parquet", 3, key=keys[part], image=cells[part])
    write(tmp_path / "tables" / "d.pq", key=keys[:0], image=pa.array([], pa.binary()))
    source = find_source(tmp_path / "tables")
    assert isinstance(source, Table)
    assert [key for key, _ in items_of(source, 5)] == keys
    explain(tmp_path / "tables", tmp_path / "output")
    assert_same_rows(tmp_path / "output", plain, but=["doc"])  # no shard is of two files
    assert find_source(f"{tmp_path}/tables/[bc].parquet").count == 16


def test_tables_in_a_store_of_objects(tmp_path, cells, keys, plain):
    memory = fsspec.filesystem("memory")
    path = write(tmp_path / "t.parquet", 4, key=keys, image=[f"in/{key}.png" for key in keys])
    memory.pipe_file("/tables/t.parquet", path.read_bytes())
    for key, cell in zip(keys, cells, strict=True):
        memory.pipe_file(f"/tables/in/{key}.png", cell)
    try:
        assert explain("memory://tables/t.parquet", tmp_path / "output").failed == 0
        assert_same_rows(tmp_path / "output", plain)
        memory.rm("/tables/in", recursive=True)
        assert explain("memory://tables", tmp_path / "folder").failed == ROWS
    finally:
        memory.rm("/tables", recursive=True)


def test_rows_without_a_column_of_keys_are_called_by_file_and_number(tmp_path, cells):
    write(tmp_path / "t" / "a.parquet", 2, image=cells[:5])
    write(tmp_path / "t" / "sub" / "b.parquet", image=cells[5:8])
    keys = [f"a.parquet#{row}" for row in range(5)] + [f"sub/b.parquet#{row}" for row in range(3)]
    assert [key for key, _ in items_of(find_source(tmp_path / "t"), 3)] == keys


def test_keys_of_any_type_are_written_and_null_ones_are_called_by_number(tmp_path, cells):
    path = write(tmp_path / "t.parquet", id=[7, None, -1], image=cells[:3])
    assert [key for key, _ in items_of(find_source(path), 9)] == ["7", "t.parquet#1", "-1"]


def test_cells_that_are_null_or_nothing_have_error_rows(tmp_path, cells):
    bad = [None, {"bytes": None, "path": None}, {"bytes": b"", "path": None}, {"path": "gone.png"}]
    good = [{"bytes": cell} for cell in cells[:2]]
    write(tmp_path / "t.parquet", image=[good[0], *bad, good[1]])
    summary = explain(tmp_path / "t.parquet", tmp_path / "output")
    assert (summary.docs, summary.failed) == (6, 4)
    rows = rows_of(tmp_path / "output").to_pylist()
    assert [row["error_type"] for row in rows] == [
        *(None, "TypeError", "TypeError", "TypeError", "FileNotFoundError", None)
    ]
    assert rows[1]["error"] == "there is no picture: it is null"


def test_a_table_goes_on_where_it_was(tmp_path, cells, keys, plain):
    path = write(tmp_path / "t.parquet", 4, key=keys, image=cells)
    explain(path, tmp_path / "output")
    (tmp_path / "output" / "shards" / "00000002.parquet").unlink()
    assert explain(path, tmp_path / "output").explained_now == 5
    assert_same_rows(tmp_path / "output", plain)
    write(path, 4, key=keys[:-1], image=cells[:-1])
    with pytest.raises(ValueError, match="inputs: count is 23 there and 22 here"):
        explain(path, tmp_path / "output")


@pytest.mark.parametrize(
    ("names", "given", "found"),
    [
        (["image", "key"], {}, ("key", "image")),
        (["url", "id", "png"], {}, ("id", "png")),
        (["path"], {}, ("path", "path")),
        (["label", "img"], {}, (None, "img")),
        (["a", "b"], {"image_column": "b"}, (None, "b")),
        (["a", "b", "key"], {"image_column": "b", "key_column": "a"}, ("a", "b")),
    ],
)
def test_columns_are_those_that_are_named_or_of_the_usual_names(
    tmp_path, cells, names, given, found
):
    path = write(tmp_path / "t.parquet", **dict.fromkeys(names, cells[:2]))
    assert find_source(path, **given).columns == Columns(*found)


@pytest.mark.parametrize(
    ("columns", "given", "error", "told"),
    [
        (["key", "image"], {"image_column": "imgae"}, LookupError, "did you mean 'image'?"),
        (["key", "image"], {"key_column": "keys"}, LookupError, "has the columns key, image"),
        (["a", "b"], {}, LookupError, "no column that is called like pictures, but a, b; say with"),
    ],
)
def test_columns_that_are_not_there_are_told(tmp_path, cells, columns, given, error, told):
    path = write(tmp_path / "t.parquet", **dict.fromkeys(columns, cells[:2]))
    with pytest.raises(error) as raised:
        find_source(path, **given)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    "cells",
    [[1, 2], [[1.0], [2.0]], [{"pixels": 1}], [True]],
    ids=["int", "list", "struct", "bool"],
)
def test_columns_that_hold_no_pictures_are_told(tmp_path, cells):
    path = write(tmp_path / "t.parquet", image=cells)
    with pytest.raises(
        ValueError, match="the column 'image' of .*t.parquet holds .*; pictures are"
    ):
        find_source(path)


def test_files_with_other_columns_than_the_first_are_told(tmp_path, cells):
    write(tmp_path / "a.parquet", key=["x"], image=cells[:1])
    write(tmp_path / "b.parquet", id=["x"], image=cells[:1])
    with pytest.raises(ValueError, match="b.parquet has other columns than .*a.parquet; say with"):
        find_source(tmp_path)


def test_tables_without_rows_are_told(tmp_path):
    write(tmp_path / "a.parquet", image=pa.array([], pa.binary()))
    with pytest.raises(ValueError, match="Parquet files without rows"):
        find_source(tmp_path)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"no table at all, but text" * 9])
def test_files_that_are_no_tables_are_told(tmp_path, data):
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(ValueError, match="a.parquet is no Parquet file that can be read"):
        find_source(tmp_path)


def test_cells_are_bytes_or_where_a_picture_is():
    columns = Columns(None, "image")
    assert columns.content({"bytes": b"", "path": "a.png"}, "/t") == PictureFile("/t/a.png")
    assert columns.content({"bytes": b"x", "path": "a.png"}, "/t") == b"x"
    assert columns.content("/abs.png", "/t") == PictureFile("/abs.png")
    assert columns.content("s3://b/a.png", "/t") == PictureFile("s3://b/a.png")
    assert columns.content(None, "/t") is None


def test_a_picture_that_hides_in_a_big_table_is_read_a_few_rows_at_a_time(tmp_path, monkeypatch):
    path = write(tmp_path / "t.parquet", None, image=[png(0)] * 200)
    [shard] = find_source(path).shards(500)
    rows = shard.items()
    next(rows)
    made = []
    monkeypatch.setattr(Columns, "content", lambda *given: made.append(given))
    next(rows)
    assert len(made) == 1
    rows.close()


def test_the_function_of_the_user_gets_the_pictures_of_cells(tmp_path, cells):
    seen = []

    def preprocess(picture):
        seen.append((picture.mode, picture.size))
        return as_doc(picture)

    explain(write(tmp_path / "t.parquet", image=cells[:2]), tmp_path / "o", preprocess=preprocess)
    assert set(seen) == {("RGB", (16, 16))}


def test_another_file_with_as_many_rows_is_another_input(tmp_path, cells, keys):
    path = write(tmp_path / "t.parquet", 4, key=keys, image=cells)
    explain(path, tmp_path / "output")
    write(path, 4, key=keys, image=[png(seed + 100) + b" " * 99 for seed in range(ROWS)])
    with pytest.raises(ValueError, match="inputs: digest is .* there and .* here") as raised:
        explain(path, tmp_path / "output")
    assert str(raised.value).count(" there and ") == 1


def test_shards_that_are_read_by_turns_do_not_disturb_each_other(tmp_path, cells, keys):
    source = find_source(write(tmp_path / "t.parquet", 4, key=keys, image=cells))
    first, second, third, *_ = source.shards(5)
    by_turns = list(zip(first.items(), second.items(), strict=True))
    assert [(one.key, other.key) for one, other in by_turns] == [
        *zip(keys[:5], keys[5:10], strict=True)
    ]
    assert [item.key for item in third.items()] == keys[10:15]
    assert [item.key for item in second.items()] == keys[5:10]


def test_of_a_large_group_of_rows_little_is_in_memory(tmp_path):
    count, size = 30_000, 2000
    data = np.random.default_rng(0).bytes(count * size)
    cells = [data[at : at + size] for at in range(0, count * size, size)]
    path = write(tmp_path / "t.parquet", None, image=cells)
    assert pq.read_metadata(path).num_row_groups == 1
    assert path.stat().st_size > 60e6
    source = find_source(path)
    before, most = pa.total_allocated_bytes(), 0
    for shard in source.shards(256):
        for _ in shard.items():
            most = max(most, pa.total_allocated_bytes() - before)
    assert most < 15e6


def test_a_file_that_is_written_anew_meanwhile_with_fewer_rows_stops_the_run(tmp_path, cells, keys):
    source = find_source(write(tmp_path / "t.parquet", 4, key=keys, image=cells))
    write(tmp_path / "t.parquet", 4, key=keys[:3], image=cells[:3])
    [first, *_] = source.shards(6)
    with pytest.raises(OSError, match="t.parquet has fewer rows than when the run began"):
        list(first.items())
