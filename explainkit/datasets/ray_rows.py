"""The rows of a Ray Dataset, in whatever order they come."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs

from explainkit.datasets.items import Item, ListedShard, Shard
from explainkit.datasets.key_digests import KeyDigest
from explainkit.datasets.ray_bars import hidden_bars, rows_of
from explainkit.datasets.shards import digest_of_keys
from explainkit.datasets.sources import Source
from explainkit.datasets.tables import Columns


@attrs.frozen
class Parting:
    """How a shard is made of rows: what workers must know of a Ray Dataset.

    Attributes
    ----------
    columns : Columns
    folder : str
        What paths in rows are from.
    done : frozenset of str
        The keys that are explained already.
    """

    columns: Columns
    folder: str
    done: frozenset[str]

    def __call__(self, batch: dict[str, Any]) -> list[Shard]:
        """Make a shard of rows, columns of numpy, or none if all are explained."""
        count = len(batch[self.columns.image])
        rows = ({name: column[i] for name, column in batch.items()} for i in range(count))
        items = (self.columns.item_of(row, self.folder) for row in rows)
        left = tuple(item for item in items if item.key not in self.done)
        keys = digest_of_keys(item.key for item in left)
        return [ListedShard(f"keys-{keys}", left)] if left else []


@attrs.frozen
class RayShards:
    """The rows that are not explained yet, parted as they come.

    No order is promised, so that a shard is called by the keys in it.

    Attributes
    ----------
    dataset : ray.data.Dataset
    size : int
        So many rows are in a shard at most.
    parting : Parting
    """

    dataset: Any
    size: int
    parting: Parting

    def __iter__(self) -> Iterator[Shard]:
        batches = self.dataset.iter_batches(batch_size=self.size, batch_format="numpy")
        with hidden_bars(self.dataset), closing(iter(batches)) as found:
            for batch in found:
                yield from self.parting(batch)


@attrs.frozen
class RayRows(Source):
    """The rows of a Ray Dataset.

    Attributes
    ----------
    dataset : ray.data.Dataset
    columns : Columns
    folder : str
        Where this process is: workers, which open what paths name, are elsewhere.
    """

    dataset: Any
    columns: Columns
    folder: str = attrs.field(factory=lambda: str(Path.cwd()))

    @property
    def count(self) -> None:  # type: ignore[override]
        """Nobody knows before all are read."""
        return

    @property
    def is_read(self) -> bool:
        """Whether Ray has something to do before there are rows."""
        from ray.data.dataset import MaterializedDataset

        return not isinstance(self.dataset, MaterializedDataset)

    @classmethod
    def of(cls, dataset: Any, key: str | None, image: str | None) -> "RayRows":
        """Choose the columns.

        Raises
        ------
        LookupError
            If there are no such columns; keys must be among them.
        """
        with hidden_bars(dataset):
            names = dataset.columns() or []  # it may have to read some
        columns = Columns.among(names, key, image, "the Ray Dataset")
        if columns.key is None:
            raise LookupError(
                f"the Ray Dataset has no column that is called like keys, but {', '.join(names)}; "
                "say with key_column which one has them: its rows have no other name"
            )
        return cls(dataset, columns)

    def in_words(self) -> dict[str, Any]:
        files = KeyDigest()
        files.add(*sorted(self.dataset.input_files()))
        return {
            "kind": "ray",
            "count": None,
            "columns": ", ".join(self.dataset.columns() or []),
            "key_column": self.columns.key,
            "image_column": self.columns.image,
            "files": files.hexdigest(),
        }

    def first(self) -> Iterator[Item]:
        with closing(rows_of(self.dataset)) as rows:
            for row in rows:
                yield self.columns.item_of(row, self.folder)

    def shards(self, size: int) -> RayShards:
        return self.rest(size, frozenset())

    def rest(self, size: int, done: frozenset[str]) -> RayShards:
        """Give the rows whose keys are not among those that are done."""
        return RayShards(self.dataset, size, Parting(self.columns, self.folder, done))
