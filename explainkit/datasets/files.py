"""Pictures in files: of a folder, a glob or a list, here or in any store that fsspec opens."""

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import attrs

from explainkit.datasets.items import Item, PictureFile
from explainkit.datasets.key_digests import KeyDigest
from explainkit.datasets.places import check_place, is_url
from explainkit.datasets.plain_text import written
from explainkit.datasets.shards import Entry, shard_name
from explainkit.datasets.sources import Source
from explainkit.pictures import picture_suffixes

#: The ending of Parquet files.
TABLES = (".parquet", ".pq")


@attrs.frozen
class Found:
    """Files that a path, a glob or a URL names.

    Attributes
    ----------
    root : str
        The folder that all are in, as a path or a URL.
    names : tuple of str
        Their paths from there, in order, with slashes.
    sizes : tuple of (int or None)
        In bytes, where that is known.
    """

    root: str
    names: tuple[str, ...]
    sizes: tuple[int | None, ...]

    @property
    def are_tables(self) -> bool:
        """Whether they are Parquet files."""
        return _is_table(self.names[0])

    def urls(self) -> list[str]:
        """Give the path or URL of each."""
        return [f"{self.root}/{name}" for name in self.names]

    def of_pictures(self) -> "Files":
        """Make a source of them, whose keys are the paths."""
        return Files(tuple(self.names), tuple(self.urls()), self.sizes, self.root)


@attrs.frozen
class Files(Source):
    """Pictures in files.

    Attributes
    ----------
    keys : tuple of str
    urls : tuple of str
        Absolute, for they are opened wherever a worker runs.
    sizes : tuple of (int or None)
        In bytes: a file that is another by now has another size.
    root : str
    """

    keys: tuple[str, ...]
    urls: tuple[str, ...]
    sizes: tuple[int | None, ...]
    root: str

    @property
    def count(self) -> int:  # type: ignore[override]
        """How many files there are."""
        return len(self.keys)

    def in_words(self) -> dict[str, Any]:
        digest = KeyDigest()
        for key, size in zip(self.keys, self.sizes, strict=True):
            digest.add(key, size)
        return {
            "kind": "files",
            "root": written(self.root),
            "count": self.count,
            "first": written(self.keys[0]),
            "last": written(self.keys[-1]),
            "digest": digest.hexdigest(),
        }

    def shards(self, size: int) -> Iterator["FilesShard"]:
        for number, start in enumerate(range(0, self.count, size)):
            part = slice(start, start + size)
            yield FilesShard(shard_name(number), self.keys[part], self.urls[part])


@attrs.frozen
class FilesShard:
    """Some of the files."""

    name: str
    keys: tuple[str, ...]
    urls: tuple[str, ...]

    def items(self) -> Iterator[Item]:
        """Give the files, in order."""
        for key, url in zip(self.keys, self.urls, strict=True):
            yield Item(written(key), PictureFile(url))

    def pass_over(self, entry: Entry) -> None:
        """Go on: the digest of the inputs has told that they are the same."""


def find_files(path: str, output: str = "") -> Found:
    """Find the files that a path, a glob or a URL names.

    Of a folder they are the pictures, by their endings, or else the Parquet files, at any
    depth. What a glob matches is taken whatever it is called. Hidden files are left out, but
    for those of a glob that says so, such as ``.cache/*``.

    Parameters
    ----------
    path : str
    output : str
        A folder or URL: what is in it is none of them, where it is within what was given.

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    """
    from fsspec.core import url_to_fs

    check_place(path)
    store, root = url_to_fs(path)
    choose: Callable[[Iterable[str]], list[str]] = sorted
    if glob.has_magic(path) and not store.exists(root):
        details, pattern = store.glob(root, detail=True), root
        root = _before_magic(root)
        choose = sorted if "/." in pattern.removeprefix(root) else _shown
    elif store.isdir(root):
        details = _in_folder(root) if store.protocol[0] == "file" else store.find(root, detail=True)
        choose = _meant
    elif store.exists(root):
        details = {root: store.info(root)}
        root = root.rpartition("/")[0]
    else:
        raise FileNotFoundError(2, "No such file or directory", path)
    sizes = {
        name.removeprefix(root).lstrip("/"): one.get("size")
        for name, one in details.items()
        # What is no file either, such as a link to nothing, is told when it is opened.
        if one["type"] != "directory"
    }
    own = _within(root, url_to_fs(output)[1]) if output else None
    if own is not None:
        sizes = {name: size for name, size in sizes.items() if not name.startswith(own)}
    names = choose(sizes)
    if not names:
        what = "is a picture or a Parquet file, by the endings of names" if sizes else "is a file"
        raise FileNotFoundError(2, f"nothing there {what}", path)
    if len({_is_table(name) for name in names}) > 1:
        raise ValueError(f"{path} names pictures and Parquet files; give the ones or the others")
    place = store.unstrip_protocol(root).removeprefix("file://")
    return Found(place.rstrip("/"), tuple(names), tuple(sizes[name] for name in names))


def list_files(paths: Sequence[str]) -> Files:
    """Make a source of a list of files, whose keys are the paths as they were given.

    Raises
    ------
    ValueError
        If one is given twice, or is a folder or a Parquet file.
    """
    seen: set[str] = set()
    for path in paths:
        check_place(path)
        if path in seen:
            raise ValueError(f"source has the path {path!r} twice; keys must differ")
        if not is_url(path) and Path(path).is_dir():
            raise ValueError(
                f"source has the folder {path!r} in a list of pictures; give a folder by "
                "itself, or a glob"
            )
        if _is_table(path):
            raise ValueError(
                f"source has the Parquet file {path!r} in a list of pictures; give Parquet files "
                "by their folder or a glob"
            )
        seen.add(path)
    here = [path if is_url(path) else str(Path(path).absolute()) for path in paths]
    return Files(tuple(paths), tuple(here), tuple(map(_size, here)), "")


def _meant(names: Iterable[str]) -> list[str]:
    """Choose what of a folder is meant: its pictures, or else its Parquet files."""
    suffixes = picture_suffixes()
    shown = _shown(names)
    pictures = [name for name in shown if PurePosixPath(name).suffix.lower() in suffixes]
    return pictures or [name for name in shown if _is_table(name)]


def _in_folder(root: str) -> dict[str, dict[str, Any]]:
    """Find the files in a folder at any depth, through links, too, but not in circles."""
    found: dict[str, dict[str, Any]] = {}
    # By which folders each was come to: links may make a circle together.
    ways: dict[str, tuple[str, ...]] = {root: ()}
    for folder, folders, names in os.walk(root, followlinks=True):
        way = (*ways.pop(folder), os.path.realpath(folder) + os.sep)
        inner = {one: os.path.join(folder, one) for one in folders}  # noqa: PTH118 - as os.walk does
        folders[:] = [one for one, path in inner.items() if not _goes_back(path, way)]
        ways |= {inner[one]: way for one in folders}
        for name in names:
            path = f"{folder}/{name}".replace(os.sep, "/")
            found[path] = {"type": "file", "size": _size(path)}
    return found


def _goes_back(folder: str, way: Iterable[str]) -> bool:
    real = os.path.realpath(folder) + os.sep
    return any(passed.startswith(real) for passed in way)


def _within(root: str, folder: str) -> str | None:
    """Give what the paths of files in a folder begin with, from a root that it is within."""
    # There may be links and dots on the way.
    real, wanted = os.path.realpath(root), os.path.realpath(folder)
    inside = wanted.startswith(real.rstrip(os.sep) + os.sep)
    return f"{Path(wanted).relative_to(real).as_posix()}/" if inside else None


def _shown(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not any(p.startswith(".") for p in name.split("/")))


def _is_table(name: str) -> bool:
    return name.lower().endswith(TABLES)


def _before_magic(path: str) -> str:
    parts = path.split("/")
    plain = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:plain])


def _size(url: str) -> int | None:
    if is_url(url):
        return None  # to ask a store about each would take longer than to explain it
    try:
        return Path(url).stat().st_size
    except OSError:
        return None
