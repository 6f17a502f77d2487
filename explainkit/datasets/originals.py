"""The pictures that were explained, found again by those who look at explanations."""

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
from PIL import Image

from explainkit.datasets.files import Found, find_files
from explainkit.datasets.items import Item, PictureFile, open_content
from explainkit.datasets.places import is_url
from explainkit.datasets.runs import Run
from explainkit.datasets.tables import Table
from explainkit.pictures import as_picture

#: Where the picture of a key is: a folder, Parquet files, a mapping, or a function.
Images = str | os.PathLike[str] | Mapping[str, Any] | Callable[[str], Any] | None


def _check_images(_instance: Any, _attribute: Any, images: Any) -> None:
    if images is None or callable(images) or isinstance(images, Mapping):
        return
    if not isinstance(images, str | os.PathLike):
        raise TypeError(
            f"images is a {type(images).__name__}; give a folder, a mapping from keys to pictures "
            "or paths, or a function of a key"
        )
    place = os.fspath(images)
    if not is_url(place) and not any(sign in place for sign in "*?[") and not Path(place).exists():
        raise FileNotFoundError(2, "there are no images", place)


@attrs.define(slots=False)
class Originals:
    """Where the pictures of a run are by now.

    Attributes
    ----------
    run : Run
    images : folder, mapping, callable or None
        What the caller says of it; None for where the run found them.
    """

    run: Run
    images: Images = attrs.field(validator=_check_images)
    _last: tuple[str, list[Item]] | None = attrs.field(default=None, init=False)

    def picture(self, shard: str, place: int, key: str) -> Image.Image | None:
        """Open a picture; None where nobody knows where it is, or it is there no more.

        Parameters
        ----------
        shard : str
        place : int
            In the shard.
        key : str
        """
        if callable(self.images):
            return _opened(self.images(key))
        if isinstance(self.images, Mapping):
            return _opened(self.images.get(key))
        if self.table is not None:
            return _opened(self._row(self.table, shard, place).content)
        if self.images is not None:
            return _opened(f"{os.fspath(self.images).rstrip('/')}/{key}")
        if self.run.inputs["kind"] != "files":
            return None
        root = self.run.inputs["root"]
        try:
            return _opened(f"{root}/{key}" if root else key)
        except FileNotFoundError:
            return None

    @cached_property
    def table(self) -> Table | None:
        """The Parquet files that were explained; None if there were none, or others are there.

        Raises
        ------
        ValueError
            If the caller named others.
        """
        inputs = self.run.inputs
        if inputs["kind"] != "parquet":
            return None
        columns = inputs["key_column"], inputs["image_column"]
        if self.images is not None and not callable(self.images):
            found = find_files(os.fspath(self.images))  # type: ignore[arg-type]
            if not found.are_tables:
                return None
            table = Table.of(found, *columns)
            if table.in_words()["digest"] != inputs["digest"]:
                raise ValueError(
                    f"images is {os.fspath(self.images)!r}, which has other Parquet files than "  # type: ignore[arg-type]
                    f"those that were explained: {inputs['files']}, with {inputs['count']} rows"
                )
            return table
        try:
            table = Table.of(_found_again(inputs), *columns)
        except (OSError, LookupError, ValueError):
            return None
        return table if table.in_words()["digest"] == inputs["digest"] else None

    def _row(self, table: Table, shard: str, place: int) -> Item:
        # Rows are read by groups: one after the other, each group would be read for each row.
        if self._last is None or self._last[0] != shard:
            [rows] = [one for one in table.shards(self.run.shard_size) if one.name == shard]
            self._last = shard, list(rows.items())
        return self._last[1][place]


def _found_again(inputs: Mapping[str, Any]) -> Found:
    one = inputs["files"] == 1
    return find_files(f"{inputs['root']}/{inputs['first']}" if one else inputs["root"])


def _opened(found: Any) -> Image.Image | None:
    if found is None:
        return None
    is_path = isinstance(found, str | os.PathLike)
    return as_picture(open_content(PictureFile(os.fspath(found)) if is_path else found))
