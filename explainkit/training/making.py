"""Folders that are made, and unmade where nothing comes of it."""

from contextlib import ExitStack, suppress
from pathlib import Path


def make_folder(path: Path, undo: ExitStack) -> None:
    """Make a folder, with those around it, and have `undo` remove those that are new and empty.

    Examples
    --------
    >>> import tempfile
    >>> there = Path(tempfile.mkdtemp())
    >>> with ExitStack() as undo:
    ...     make_folder(there / "runs" / "why", undo)
    ...     (there / "runs" / "why").is_dir()
    True
    >>> list(there.iterdir())
    []
    """
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(new):
        undo.callback(_remove_if_empty, folder)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
