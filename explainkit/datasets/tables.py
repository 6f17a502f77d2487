"""Pictures in Parquet files: as bytes, or as paths."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, islice
from pathlib import PurePath
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from explainkit.datasets.files import Found
from explainkit.datasets.items import Item, PictureFile
from explainkit.datasets.key_digests import KeyDigest
from explainkit.datasets.places import is_url, opened
from explainkit.datasets.plain_text import written
from explainkit.datasets.shards import Entry, shard_name
from explainkit.datasets.sources import Source
from explainkit.suggestions import did_you_mean

#: What columns are usually called, the likelier name first.
KEY_COLUMNS = ("key", "id", "__key__", "path", "filename", "file_name")
IMAGE_COLUMNS = (
    "image",
    "bytes",
    "picture",
    "img",
    "jpg",
    "png",
    "data",
    "path",
    "filename",
    "url",
)

#: So many rows are in memory at once, beside those that are explained.
_ROWS = 32
#: So many bytes of a column are read at once.
_BUFFER = 1 << 20


@attrs.frozen
class Columns:
    """The columns that are read.

    Attributes
    ----------
    key : str or None
        None where rows are called by their file and number, as those whose key is null are.
    image : str
    """

    key: str | None
    image: str

    @classmethod
    def among(
        cls, names: Sequence[str], key: str | None, image: str | None, what: str
    ) -> "Columns":
        """Find the columns that are meant, or those of the usual names.

        Raises
        ------
        LookupError
            If there is no such column, or none that looks like pictures.
        """
        for argument, name in (("key_column", key), ("image_column", image)):
            if name is not None and name not in names:
                raise LookupError(
                    f"{argument} is {name!r}; {what} has the columns {', '.join(names)}"
                    + did_you_mean(name, names)
                )
        usual = [name for name in IMAGE_COLUMNS if name in names]
        if image is None and not usual:
            raise LookupError(
                f"{what} has no column that is called like pictures, but {', '.join(names)}; "
                "say with image_column which one has them"
            )
        meant = image or usual[0]
        keys = [name for name in KEY_COLUMNS if name in names]
        return cls(key or (keys[0] if keys else None), meant)

    def item_of(self, row: Mapping[str, Any], folder: str) -> Item:
        """Make a document of a row that has a key; paths are from a folder."""
        return Item(written(row[self.key or ""]), self.content(row[self.image], folder))

    def content(self, cell: Any, folder: str) -> Any:
        """Make of a cell what can be opened: bytes, or a path, here or from a folder."""
        if isinstance(cell, dict):
            # What the datasets library writes: the bytes, or where they are.
            cell = cell.get("bytes") or cell.get("path")
        if isinstance(cell, str):
            absolute = is_url(cell) or PurePath(cell).is_absolute()
            return PictureFile(cell if absolute else f"{folder}/{cell}")
        return cell


@attrs.frozen
class Table(Source):
    """The rows of Parquet files, in order.

    Attributes
    ----------
    root : str
    names : tuple of str
    rows : tuple of int
        How many each file has.
    sizes : tuple of (int or None)
        Of the files, in bytes.
    columns : Columns
    """

    root: str
    names: tuple[str, ...]
    rows: tuple[int, ...]
    sizes: tuple[int | None, ...]
    columns: Columns

    @classmethod
    def of(cls, found: Found, key: str | None, image: str | None) -> "Table":
        """Look into the files, and choose the columns.

        Raises
        ------
        LookupError
            If there is no such column in one of them.
        ValueError
            If one of them is no Parquet file, or there are no rows.
        """
        chosen, rows = None, []
        for url in found.urls():
            with _opened(url) as file:
                columns = Columns.among(file.schema_arrow.names, key, image, url)
                if chosen not in (None, columns):
                    raise ValueError(
                        f"{url} has other columns than {found.urls()[0]}; say with key_column and "
                        "image_column which ones are meant, or give them apart"
                    )
                _check_type(file.schema_arrow.field(columns.image).type, columns.image, url)
                chosen = columns
                rows.append(file.metadata.num_rows)
        if chosen is None or not any(rows):
            raise ValueError(f"{found.root} has Parquet files without rows")
        return cls(found.root, found.names, tuple(rows), found.sizes, chosen)

    @property
    def count(self) -> int:  # type: ignore[override]
        """How many rows there are."""
        return sum(self.rows)

    def in_words(self) -> dict[str, Any]:
        digest = KeyDigest()
        for name, rows, size in zip(self.names, self.rows, self.sizes, strict=True):
            digest.add(name, rows, size)
        return {
            "kind": "parquet",
            "root": written(self.root),
            "files": len(self.names),
            "first": written(self.names[0]),
            "count": self.count,
            "key_column": self.columns.key,
            "image_column": self.columns.image,
            "digest": digest.hexdigest(),
        }

    def shards(self, size: int) -> Iterator["TableShard"]:
        number, reader = 0, RowReader()
        for name, rows in zip(self.names, self.rows, strict=True):
            for start in range(0, rows, size):
                stop = min(start + size, rows)
                yield TableShard(
                    shard_name(number), self.root, name, start, stop, self.columns, reader
                )
                number += 1


@attrs.frozen
class TableShard:
    """Some rows of one file."""

    name: str
    root: str
    file: str
    start: int
    stop: int
    columns: Columns
    reader: "RowReader"

    def items(self) -> Iterator[Item]:
        """Read the rows, a few at a time."""
        key, image = self.columns.key, self.columns.image
        url = f"{self.root}/{self.file}"
        folder = url.rpartition("/")[0]
        read = 0
        for position, row in self.reader.read(url, self.start, self.stop, self.columns):
            own = None if key is None else row[key]
            called = f"{self.file}#{position}" if own is None else own
            read += 1
            yield Item(written(called), self.columns.content(row[image], folder))
        if read < self.stop - self.start:
            raise OSError(f"{url} has fewer rows than when the run began: it was written anew")

    def pass_over(self, entry: Entry) -> None:
        """Go on: the digest of the inputs has told that they are the same."""


class RowReader:
    """Reads rows of files, and goes on where it was: a group of rows is read from its begin.

    Sent to another process it begins anew.
    """

    def __init__(self) -> None:
        self._place: tuple[str, int] | None = None
        self._rows: Iterator[tuple[int, dict[str, Any]]] = iter(())

    def __reduce__(self) -> tuple[type["RowReader"], tuple[()]]:
        return RowReader, ()

    def read(
        self, url: str, start: int, stop: int, columns: Columns
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Give the rows of a file from one to another, each with its number."""
        there = self._place == (url, start)
        rows = self._rows if there else _rows_from(url, start, columns)
        self._place = None
        yield from islice(rows, stop - start)
        self._place, self._rows = (url, stop), rows


def _rows_from(url: str, start: int, columns: Columns) -> Iterator[tuple[int, dict[str, Any]]]:
    wanted = list(dict.fromkeys(filter(None, (columns.key, columns.image))))
    with _opened(url) as file:
        # Groups of rows before the first are not read.
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        ends = list(accumulate(sizes))
        first = bisect_right(ends, start)
        position = ends[first] - sizes[first]
        groups = range(first, len(sizes))
        for batch in file.iter_batches(_ROWS, row_groups=groups, columns=wanted, use_threads=False):
            skipped = min(max(start - position, 0), len(batch))
            yield from enumerate(batch.slice(skipped).to_pylist(), start=position + skipped)
            position += len(batch)


def _opened(url: str) -> pq.ParquetFile:
    # Whole columns of a group of rows may be larger than the memory: they are read in pieces.
    try:
        place = opened(url) if is_url(url) else url
        return pq.ParquetFile(place, pre_buffer=False, buffer_size=_BUFFER)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{url} is no Parquet file that can be read: {error}") from error


def _check_type(kind: pa.DataType, column: str, url: str) -> None:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    is_path = kind in (pa.string(), pa.large_string(), pa.string_view())
    is_bytes = kind in (pa.binary(), pa.large_binary(), pa.binary_view())
    is_both = pa.types.is_struct(kind) and {"bytes", "path"} & {field.name for field in kind}
    if not (is_path or is_bytes or is_both):
        raise ValueError(
            f"the column {column!r} of {url} holds {kind}; pictures are in columns of bytes (whole "
            "files, such as JPEG), of paths, or of structs with the field 'bytes' or 'path': say "
            "with image_column which one has them"
        )
