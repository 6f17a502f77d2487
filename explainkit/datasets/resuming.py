"""What is done already, and what is missing; and how to go on after what stops a run."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import attrs
import pyarrow.compute as pc
import pyarrow.dataset as pads

from explainkit.datasets.items import Shard
from explainkit.datasets.overlays import FOLDER as OVERLAYS
from explainkit.datasets.ray_rows import RayRows
from explainkit.datasets.runs import Run, read_run
from explainkit.datasets.shards import (
    FOLDER,
    MANIFEST,
    Entry,
    open_shards,
    read_entries,
    write_manifest,
)
from explainkit.datasets.sources import Source
from explainkit.datasets.stores import Store
from explainkit.datasets.workers import TooManyErrorsError


def begin(run: Run, store: Store) -> Run:
    """Write the record of a run, or find that it is the one that is there.

    Raises
    ------
    ValueError
        If another run is there, or something else.
    """
    before = read_run(store)
    if before is not None:
        before.check_same(run, store.place)
        if before.map_shape or not run.map_shape:
            return before
        # So far nobody knew what heatmaps are like.
    run.write(store)
    return run


@attrs.define
class Missing:
    """The shards that are not there yet, gone through once.

    Attributes
    ----------
    source : Source
    store : Store
    shard_size : int
    kept : dict of str to Entry
        The shards that are there, by their names.
    """

    source: Source
    store: Store
    shard_size: int
    kept: Mapping[str, Entry]

    @classmethod
    def of(cls, source: Source, store: Store, run: Run, retry_errors: bool) -> "Missing":
        """Read which shards of a run are there."""
        kept = {
            entry.name: entry
            for entry in read_entries(store)
            if _is_of(entry, run) and not (retry_errors and entry.failed)
        }
        return cls(source, store, run.shard_size, kept)

    def shards(self) -> Iterable[Shard]:
        """Give the shards that are missing.

        Raises
        ------
        ValueError
            If a stream gives other keys than before.
        """
        for file in self.store.names(FOLDER):
            name = file.removesuffix(".parquet")
            if name not in self.kept:
                # What is made again may get another name.
                self.store.remove(MANIFEST)
                self.store.remove(f"{FOLDER}/{file}")
                self.store.remove_folder(f"{OVERLAYS}/{name}")
        if isinstance(self.source, RayRows):
            self.store.remove(MANIFEST)
            return self.source.rest(self.shard_size, self._keys())
        return self._following()

    def _following(self) -> Iterator[Shard]:
        left = dict(self.kept)
        for shard in self.source.shards(self.shard_size):
            entry = left.pop(shard.name, None)
            if entry is None:
                self.store.remove(MANIFEST)  # from now on there is more than it tells
                yield shard
            else:
                shard.pass_over(entry)
        if left:
            raise ValueError(
                f"source has fewer documents than before: the {len(left)} shards from "
                f"{next(iter(left))} on were explained, and are no more; give the same, or another "
                "output"
            )

    def _keys(self) -> frozenset[str]:
        if not self.kept:
            return frozenset()
        map_shape = next(iter(self.kept.values())).map_shape
        shards = open_shards(self.store, self.kept, map_shape)
        column = shards.to_table(columns=["key"])["key"]
        return frozenset(column.unique().to_pylist())


def finish(source: Source, store: Store, run: Run, made: Iterable[Entry]) -> None:
    """Write the manifest of a run, when all its shards are where they belong, once.

    Raises
    ------
    FileNotFoundError
        If shards were committed where this process cannot see them.
    ValueError
        If keys of a Ray Dataset come twice, whose rows nothing else tells apart.
    """
    entries = {entry.name: entry for entry in read_entries(store) if _is_of(entry, run)}
    unseen = [entry.name for entry in made if entry.name not in entries]
    if unseen:
        raise FileNotFoundError(
            2,
            f"{len(unseen)} shards, such as {unseen[0]}, were written where this process cannot "
            "see them: workers of several machines need an output that all of them share, such as "
            "a bucket",
            store.place,
        )
    if isinstance(source, RayRows):
        _check_once(store, run, entries)
    write_manifest(store, run, list(entries.values()))


def _check_once(store: Store, run: Run, names: Iterable[str]) -> None:
    shards = open_shards(store, names, run.map_shape)
    keys = shards.to_table(columns=["key"], filter=pads.field("rank") == 0)["key"]
    counts = keys.value_counts()
    twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if len(twice):
        one = twice[0].as_py()
        raise ValueError(
            f"the Ray Dataset has {len(twice)} keys more than once, such as {one!r}; keys must "
            "differ: name another column with key_column"
        )


@contextmanager
def telling_how_to_go_on(store: Store, run: Run, total: int | None) -> Iterator[None]:
    """Add to what stops a run what is kept of it, and how it goes on."""
    try:
        yield
    except BaseException as error:
        of = "" if total is None else f" of {total:,}"
        kept = f"{_kept(store, run)}{of} documents are explained and kept in {store.place}"
        error.add_note(kept + _how_it_goes_on(error))
        raise


def _how_it_goes_on(error: BaseException) -> str:
    if isinstance(error, TooManyErrorsError):
        return "; allowed more errors, the run goes on from there"
    if isinstance(error, TypeError | ValueError | LookupError):
        return ""  # it would end as it did
    return "; asked for again, with the same source and options, the run goes on from there"


def _is_of(entry: Entry, run: Run) -> bool:
    return entry.run == run.digest and entry.map_shape == run.map_shape


def _kept(store: Store, run: Run) -> str:
    # Shards may have been committed after the last that anybody was told of.
    try:
        return f"{sum(one.docs for one in read_entries(store) if _is_of(one, run)):,}"
    except Exception:  # noqa: BLE001 - the store may be what failed
        return "Some"
