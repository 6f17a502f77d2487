"""What goes wrong with files, in words of one line."""

import errno
import textwrap
import zipfile
from pathlib import Path

#: What Keras raises, of all kinds, for files that it cannot make a model of.
UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
    RuntimeError,
    zipfile.BadZipFile,
)

_LONGEST = 240


def check_file(path: Path, what: str) -> None:
    """Refuse what is no file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    if not path.is_file():
        raise FileNotFoundError(
            errno.ENOENT, f"there is no such file to read {what} from", str(path)
        )


def in_brief(error: BaseException) -> str:
    """Cut short what Keras says, which may hold all of a model's configuration."""
    said = getattr(error, "strerror", None) or str(error)
    return textwrap.shorten(said, _LONGEST, placeholder=" …")
