"""Where documents come from: what the caller gave, as a source of shards."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

import numpy as np

from explainkit.datasets.items import SHARD_SIZE, Item, Shard


class Source(ABC):
    """Documents in an order that is the same each time.

    Attributes
    ----------
    count : int or None
        How many there are; None where nobody knows before the end.
    """

    count: int | None

    @abstractmethod
    def in_words(self) -> dict[str, Any]:
        """Say what the documents are, so that a run can tell its own from others.

        All but ``"root"``, where they lie, is compared.
        """

    def first(self) -> Iterator[Item]:
        """Give the documents from the first on, to be looked at before any is explained."""
        for shard in self.shards(SHARD_SIZE):
            yield from shard.items()

    @abstractmethod
    def shards(self, size: int) -> Iterable[Shard]:
        """Give the documents, so many at a time. Of a stream each must be used up in its turn."""


def find_source(
    given: Any, key_column: str | None = None, image_column: str | None = None, output: str = ""
) -> Source:
    """Make a source of what a caller gave.

    Parameters
    ----------
    given
        A folder, a file, a glob, a URL that fsspec opens, a list of these; an iterable of
        pairs (key, array), or a mapping.
    key_column, image_column : str or None
        The columns of Parquet files; None for those of the usual names.
    output : str
        Where the run is kept, whose files are no documents of it.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If nothing can be made of it, or there are no documents in it.
    """
    from explainkit.datasets.files import find_files, list_files
    from explainkit.datasets.streams import Stream
    from explainkit.datasets.tables import Table

    if isinstance(given, Sized) and not len(given):
        raise ValueError("source is empty; give documents to explain")
    if isinstance(given, str | os.PathLike):
        found = find_files(os.fspath(given), output)
        if found.are_tables:
            return Table.of(found, key_column, image_column)
        _check_no_columns(key_column, image_column, "files of pictures")
        return found.of_pictures()
    if isinstance(given, Sequence) and all(isinstance(p, str | os.PathLike) for p in given):
        _check_no_columns(key_column, image_column, "a list of files")
        return list_files([os.fspath(one) for one in given])
    if isinstance(given, Source):
        return given
    if isinstance(given, Mapping):
        given = given.items()
    if isinstance(given, np.ndarray) or not isinstance(given, Iterable) or isinstance(given, bytes):
        raise TypeError(
            f"source is a {type(given).__name__}; give a folder, a glob, a list of paths, a "
            "Parquet file, a URL, a Ray Dataset, or an iterable of pairs (key, array)"
        )
    _check_no_columns(key_column, image_column, "an iterable")
    return Stream(given)


def _check_no_columns(key_column: str | None, image_column: str | None, what: str) -> None:
    for name, value in (("key_column", key_column), ("image_column", image_column)):
        if value is not None:
            raise ValueError(f"{name} is {value!r}, but {what} have no columns: leave it out")
