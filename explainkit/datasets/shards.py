"""Shards: the files of rows, each with its entry of the manifest: one rename commits both."""

import io
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from explainkit.datasets.key_digests import KeyDigest
from explainkit.datasets.places import opened
from explainkit.datasets.rows import SCHEMA, Constants, schema_of
from explainkit.datasets.runs import Run, as_shape
from explainkit.datasets.stores import Store

FOLDER = "shards"
MANIFEST = "manifest.json"
#: Where a shard's entry is among the metadata of its file.
_ENTRY = b"explainkit"
#: Shards whose entries are read at the same time.
_READERS = 16


@attrs.frozen
class Entry:
    """What the manifest says of a shard.

    Attributes
    ----------
    name : str
        The name of its file, without the ending.
    run : str
        The digest of its run.
    docs, rows : int
        How many there are.
    errors : dict of str to int
        How many documents failed, by the type of the exception.
    blank : int
        How many heatmaps are zero everywhere.
    keys : str
        A digest of the keys, in order.
    map_shape : tuple of int
        The shape of its heatmaps.
    """

    name: str
    run: str
    docs: int
    rows: int
    errors: dict[str, int]
    blank: int
    keys: str
    map_shape: tuple[int, ...] = attrs.field(converter=as_shape)

    @property
    def failed(self) -> int:
        """How many documents failed."""
        return sum(self.errors.values())


def shard_name(number: int) -> str:
    """Name the shard of a number, so that names are in the order of numbers."""
    return f"{number:08d}"


def digest_of_keys(keys: Iterable[str]) -> str:
    """Tell keys in an order from others."""
    found = KeyDigest()
    found.add(*keys)
    return found.hexdigest()


def commit(store: Store, entry: Entry, tables: Sequence[pa.Table], same: Constants) -> None:
    """Write a shard and its entry, at once."""
    metadata = {_ENTRY: json.dumps({"schema": SCHEMA, **attrs.asdict(entry)}).encode()}
    schema = schema_of(same.map_shape).with_metadata(metadata)
    whole = pa.concat_tables(tables).cast(schema)
    file = io.BytesIO()
    pq.write_table(whole, file, compression="zstd")
    store.write(f"{FOLDER}/{entry.name}.parquet", file.getbuffer())


def read_entries(store: Store) -> list[Entry]:
    """Read the entries of all shards that are there, in the order of their names.

    A shard that cannot be read is as good as none: it is made again.
    """
    names = [name for name in store.names(FOLDER) if name.endswith(".parquet")]
    with ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(lambda name: _read_entry(store, name), names)
        return [entry for entry in found if entry is not None]


def _read_entry(store: Store, name: str) -> Entry | None:
    url = store.url(f"{FOLDER}/{name}")
    try:
        with opened(url) as file:
            metadata = pq.read_metadata(file).metadata
        written: dict[str, Any] = json.loads((metadata or {})[_ENTRY])
    except (pa.ArrowException, LookupError, ValueError):
        return None
    written.pop("schema")
    return Entry(**written)


def open_shards(store: Store, names: Iterable[str], map_shape: Sequence[int]) -> pads.Dataset:
    """Open shards as one dataset, in their order; no file is looked at before it is read."""
    # What pyarrow would open itself is not all that fsspec opens, nor with the same settings.
    from fsspec.core import url_to_fs

    system, _ = url_to_fs(store.place)
    paths = [url_to_fs(store.url(f"{FOLDER}/{name}.parquet"))[1] for name in names]
    return pads.FileSystemDataset.from_paths(
        paths,
        schema=schema_of(map_shape),
        format=pads.ParquetFileFormat(),
        filesystem=pa.fs.PyFileSystem(pa.fs.FSSpecHandler(system)),
    )


def write_manifest(store: Store, run: Run, entries: Sequence[Entry]) -> None:
    """Write the entries of a run that is complete into one file.

    It is an index for those who read; what counts is what the shards themselves say.
    """
    manifest = {
        "format": "explainkit.dataset.manifest",
        "schema": SCHEMA,
        "run": run.digest,
        "docs": sum(entry.docs for entry in entries),
        "rows": sum(entry.rows for entry in entries),
        "failed": sum(entry.failed for entry in entries),
        "shards": [attrs.asdict(entry) for entry in entries],
    }
    store.write(MANIFEST, json.dumps(manifest, indent=1).encode())


def read_manifest(store: Store) -> list[Entry] | None:
    """Read the entries of a complete run at once; None if it is not complete."""
    try:
        return [Entry(**one) for one in json.loads(store.read(MANIFEST))["shards"]]
    except FileNotFoundError:
        return None
