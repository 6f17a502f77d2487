"""What a run kept, read back: explanations when they are looked at, tables at once."""

import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from itertools import accumulate
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
from numpy.typing import NDArray

from explainkit.datasets.originals import Images, Originals
from explainkit.datasets.rows import Explained, as_explained, unstacked
from explainkit.datasets.runs import Run, read_run
from explainkit.datasets.shards import Entry, open_shards, read_entries, read_manifest
from explainkit.datasets.stores import Store, find_store
from explainkit.datasets.summaries import named
from explainkit.explanation import Explanation
from explainkit.suggestions import did_you_mean


def load(output: str | os.PathLike[str], *, images: Images = None) -> "ExplanationDataset":
    """Read what `explainkit.explain_dataset` kept; nothing but its record is read at once.

    Parameters
    ----------
    output : str, path or URL
        As it was given there. The run may be unfinished, or going on: what is there when it
        is first looked at is what is seen.
    images : folder, mapping or callable, optional
        Where the pictures are by now: a folder or URL that keys are paths in, or the Parquet
        files that were explained; a mapping from keys to pictures, arrays or paths, or such
        a function. By default pictures of files and of Parquet files are looked for where the
        run found them, and are None if they are there no more; those of other sources are not
        known.

    Returns
    -------
    ExplanationDataset

    Raises
    ------
    FileNotFoundError
        If there is no run, or no such images.
    TypeError
        If `images` is none of these.
    ValueError
        If there is something else, or what a newer version wrote.

    Examples
    --------
    >>> import tempfile
    >>> from explainkit import explain_dataset, scenes
    >>> pairs = [(f"scene {scene.seed}", scene.doc) for scene in scenes.draw_scenes(3)]
    >>> output = tempfile.mkdtemp()
    >>> _ = explain_dataset(scenes.load_network(), pairs, output, target_names=scenes.KINDS)
    >>> found = load(output)
    >>> len(found), found.keys()
    (3, ['scene 0', 'scene 1', 'scene 2'])
    >>> found["scene 1"].targets[0].heatmap.shape
    (12, 12)
    >>> found.heatmaps().shape
    (3, 12, 12)
    """
    store = find_store(output)
    run = read_run(store)
    if run is None:
        raise FileNotFoundError(2, "there is no run of explain_dataset", store.place)
    return ExplanationDataset(run, store, Originals(run, images))


@attrs.define(slots=False, eq=False, repr=False)
class ExplanationDataset:
    """The explanations of a run, in the order of its shards.

    It is a sequence of `explainkit.Explanation`: what is looked at is read then, a shard at a
    time. Of each, `map` is the heatmap, for the rows have no raw maps, and numbers in them are
    rounded to float16; an error has its type before its message.

    Attributes
    ----------
    run : Run
        What was asked: inputs, model, options.
    """

    run: Run
    _store: Store
    _originals: Originals
    _last: tuple[int, list[Explained]] | None = attrs.field(default=None, init=False)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """What the manifest says of each shard."""
        found = read_manifest(self._store) or read_entries(self._store)
        return tuple(
            entry
            for entry in found
            if entry.run == self.run.digest and entry.map_shape == self.run.map_shape
        )

    @property
    def complete(self) -> bool:
        """Whether the run came to its end."""
        return read_manifest(self._store) is not None

    @cached_property
    def arrow(self) -> pads.Dataset:
        """All rows, as a dataset of pyarrow: filter, project and scan it."""
        names = (entry.name for entry in self.entries)
        return open_shards(self._store, names, self.run.map_shape)

    def dataframe(self, columns: Sequence[str] | None = None) -> Any:
        """Give the rows as a dataframe of pandas.

        Parameters
        ----------
        columns : list of str, optional
            Which ones; all but the heatmaps unless given, which take the most room.

        Raises
        ------
        ImportError
            If pandas is not installed.
        LookupError
            If there is no such column.
        """
        known = self.arrow.schema.names
        if isinstance(columns, str):
            columns = [columns]
        for name in columns or ():
            if name not in known:
                raise LookupError(
                    f"no column {name!r}; there are: {', '.join(known)}{did_you_mean(name, known)}"
                )
        try:
            import pandas as pd  # noqa: F401 - pyarrow's own message is not about the extra
        except ModuleNotFoundError as error:
            raise ImportError(
                "a dataframe is made by pandas, which is not installed: pip install "
                "'explainkit[tables]'"
            ) from error
        shown = list(columns or (name for name in known if name != "heatmap"))
        return self.arrow.to_table(columns=shown).to_pandas()

    def heatmaps(self) -> NDArray[np.float16]:
        """Give all heatmaps as one array, for programs.

        Returns
        -------
        ndarray of float16, shape (rows, h, w)
            In the order of the rows of `dataframe`; NaN where a row is an error. It is all in
            memory: a million heatmaps of 7 × 7 are 98 MB.
        """
        column = self.arrow.to_table(columns=["heatmap"])["heatmap"]
        return unstacked(column).reshape(len(column), *(self.run.map_shape or (0,)))

    @property
    def errors(self) -> dict[str, str]:
        """Why documents failed, by their keys: the type and the message of each error."""
        rows = self.arrow.to_table(
            columns=["key", "error_type", "error"], filter=pads.field("error_type").is_valid()
        )
        return {row["key"]: f"{row['error_type']}: {row['error']}" for row in rows.to_pylist()}

    def __len__(self) -> int:
        return sum(entry.docs for entry in self.entries)

    def __iter__(self) -> Iterator[Explanation]:
        return (expl for _, expl in self.items())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._place_of(key) >= 0

    def keys(self) -> list[str]:
        """Give the key of each document, in order."""
        return self._keys.to_pylist()  # type: ignore[no-any-return]

    def values(self) -> Iterator[Explanation]:
        """Go through the explanations, a shard at a time."""
        return iter(self)

    def items(self) -> Iterator[tuple[str, Explanation]]:
        """Go through keys and explanations, a shard at a time."""
        for position in range(len(self.entries)):
            for one in self._read(position):
                yield one.key, one.expl

    def __getitem__(self, which: int | slice | str) -> Any:
        """Read one explanation, by its place or its key, or those of a slice."""
        if isinstance(which, slice):
            return [self[place] for place in range(*which.indices(len(self)))]
        if isinstance(which, str):
            place = self._place_of(which)
            if place < 0:
                raise KeyError(f"there is no document with the key {which!r}")
            return self[place]
        if isinstance(which, bool) or not isinstance(which, int | np.integer):
            raise TypeError(
                f"explanations are found by place, key or slice, not by a {type(which).__name__}"
            )
        place = int(which) + (len(self) if which < 0 else 0)
        if not 0 <= place < len(self):
            raise IndexError(f"there are {len(self)} documents, and none at {which}")
        shard = bisect_right(self._starts, place) - 1
        if self._last is None or self._last[0] != shard:
            self._last = shard, list(self._read(shard))
        return self._last[1][place - self._starts[shard]].expl

    def __repr__(self) -> str:
        of = self.run.inputs.get("count")
        there = f"{len(self):,}" if self.complete or of is None else f"{len(self):,} of {of:,}"
        maps = " × ".join(map(str, self.run.map_shape))
        lines = [
            f"<ExplanationDataset {self._store.place}",
            f"{there} documents, {sum(entry.rows for entry in self.entries):,} rows"
            + ("" if self.complete else ", unfinished"),
            f"{self.run.options['method']} of {self.run.model['name']}"
            + (f", heatmaps of {maps}" if maps else ""),
        ]
        errors: Counter[str] = Counter()
        for entry in self.entries:
            errors.update(entry.errors)
        if errors:
            lines.append(f"{errors.total():,} failed: {named(errors)}")
        return "\n  ".join(lines) + ">"

    @cached_property
    def _starts(self) -> list[int]:
        """The place of the first document of each shard."""
        return [0, *accumulate(entry.docs for entry in self.entries)]

    @cached_property
    def _files(self) -> list[Any]:
        return list(self.arrow.get_fragments())

    @cached_property
    def _keys(self) -> pa.ChunkedArray:
        # Arrow's texts take a fraction of the room of Python's.
        return self.arrow.to_table(columns=["key"], filter=pads.field("rank") == 0)["key"]

    def _place_of(self, key: str) -> int:
        """Find the document of a key, the first where there are several; -1 if there is none."""
        return self._keys.index(key).as_py()  # type: ignore[no-any-return]

    def _read(self, shard: int) -> Iterator[Explained]:
        name = self.entries[shard].name
        return as_explained(
            self._files[shard].to_table(schema=self.arrow.schema),
            lambda row: (
                None
                if row["error_type"]
                else partial(self._originals.picture, name, row["doc"], row["key"])
            ),
        )
