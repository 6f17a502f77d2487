"""Where a run is kept: a folder, or a place in any store that fsspec writes to."""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

from explainkit.datasets.places import check_place, is_url
from explainkit.whole_files import whole_file

#: What the names of files end with that are being written.
_PART = ".part"


class Store(ABC):
    """Files by names with slashes, each of which is whole or not there."""

    place: str

    @abstractmethod
    def prepare(self) -> None:
        """Make the place, if it is not there.

        Raises
        ------
        OSError
            If nothing can be written there.
        """

    @abstractmethod
    def write(self, name: str, data: bytes | memoryview) -> None:
        """Write a file at once."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Read a file.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """

    @abstractmethod
    def names(self, folder: str = "") -> list[str]:
        """List the names in a folder, of files and folders, in order; hidden ones, too."""

    @abstractmethod
    def url(self, name: str) -> str:
        """Give the path or URL of a file."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def remove_folder(self, name: str) -> None:
        """Remove a folder and all that is in it, if it is there."""

    @abstractmethod
    def clear(self) -> None:
        """Remove what was being written when a run was killed."""

    @abstractmethod
    def alone(self) -> Any:
        """Give a context in which no other run writes here, as far as that can be had."""


@attrs.frozen
class Folder(Store):
    """A folder on a disk.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @property
    def place(self) -> str:  # type: ignore[override]
        """The folder."""
        return str(self.path)

    def prepare(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, data: bytes | memoryview) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(data)

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def names(self, folder: str = "") -> list[str]:
        place = self.path / folder
        return sorted(one.name for one in place.iterdir()) if place.is_dir() else []

    def url(self, name: str) -> str:
        return str(self.path / name)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def remove_folder(self, name: str) -> None:
        if (self.path / name).is_dir():
            shutil.rmtree(self.path / name)

    def clear(self) -> None:
        for part in self.path.rglob(f".*{_PART}"):
            shutil.rmtree(part) if part.is_dir() else part.unlink()

    @contextmanager
    def alone(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / "run.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise BlockingIOError(
                f"another run is writing to {self.path}; wait for its end, or give another output"
            ) from error
        try:
            yield
        finally:
            # While it is still held, so that nobody else has it; Windows removes no open file.
            with suppress(PermissionError):
                (self.path / "run.lock").unlink(missing_ok=True)
            lock.release()


@attrs.frozen
class Bucket(Store):
    """A place in a store of objects, each of which appears when all of it was sent.

    Attributes
    ----------
    place : str
        Its URL.
    """

    place: str

    def _located(self, name: str = "") -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        store, root = url_to_fs(self.place)
        return store, f"{root.rstrip('/')}/{name}" if name else root.rstrip("/")

    def prepare(self) -> None:
        store, root = self._located()
        store.makedirs(root, exist_ok=True)

    def write(self, name: str, data: bytes | memoryview) -> None:
        store, path = self._located(name)
        store.makedirs(path.rpartition("/")[0], exist_ok=True)
        store.pipe_file(path, bytes(data))

    def read(self, name: str) -> bytes:
        store, path = self._located(name)
        return bytes(store.cat_file(path))

    def names(self, folder: str = "") -> list[str]:
        store, path = self._located(folder)
        store.invalidate_cache()
        if not store.isdir(path):
            return []
        return sorted(
            one["name"].rstrip("/").rpartition("/")[2] for one in store.ls(path, detail=True)
        )

    def url(self, name: str) -> str:
        return f"{self.place.rstrip('/')}/{name}"

    def remove(self, name: str) -> None:
        store, path = self._located(name)
        if store.exists(path):
            store.rm_file(path)

    def remove_folder(self, name: str) -> None:
        store, path = self._located(name)
        if store.exists(path):
            store.rm(path, recursive=True)

    def clear(self) -> None:
        """Nothing is there before it is whole."""

    @contextmanager
    def alone(self) -> Iterator[None]:
        # No lock is common to all stores: shards are the same whoever writes them.
        yield


def find_store(output: Any) -> Store:
    """Make a store of a path or a URL."""
    if not isinstance(output, str | os.PathLike):
        raise TypeError(f"output is a {type(output).__name__}; give a path or a URL")
    place = os.fspath(output).removeprefix("file://")
    check_place(place)
    return Bucket(place) if is_url(place) else Folder(Path(place).expanduser().absolute())
