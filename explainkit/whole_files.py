"""Files that are written whole, or stay as they were."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be written under another name, which it loses when all went well.

    Parameters
    ----------
    path : Path
        What is there already is replaced at the end, at once.

    Yields
    ------
    file of bytes

    Raises
    ------
    OSError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "expl.txt")
    >>> with whole_file(path) as file:
    ...     _ = file.write(b"heat")
    ...     path.exists()
    False
    >>> path.read_bytes()
    b'heat'
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
