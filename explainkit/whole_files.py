"""Files that are written whole, or stay as they were."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

#: The errors of a disk with no room, which name no file.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be written under another name, which it loses when all went well.

    Parameters
    ----------
    path : Path
        What is there already is replaced at the end, at once, by a file of the same permissions;
        where there is a link, what it leads to.

    Yields
    ------
    file of bytes

    Raises
    ------
    OSError
        If it cannot be written; it names `path`.

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
    # What is linked to is written, and the link stays one.
    whole = path.resolve()
    part = whole.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb", buffering=0) as raw:
            # Before there is anything to be read in it.
            _allow_as(whole, part)
            with open(raw.fileno(), "wb", closefd=False) as file:
                yield file
            # A name of what is not yet on the disk is a name of nothing if the machine stops.
            os.fsync(raw.fileno())
        part.replace(whole)
    except OSError as error:
        # The file is known by its path, and by nothing else; a full disk names none.
        if error.filename == str(part) or error.errno in _FULL:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def _allow_as(before: Path, part: Path) -> None:
    """Let those read and write who could so far."""
    if before.exists():
        part.chmod(stat.S_IMODE(before.stat().st_mode))
