"""Places: paths of this machine, and URLs of any store that fsspec opens."""

from pathlib import Path
from typing import Any


def is_url(place: str) -> bool:
    """Tell a URL from a path.

    Examples
    --------
    >>> is_url("s3://photos/cats"), is_url("photos/cats")
    (True, False)
    """
    return "://" in place


def check_place(place: str) -> None:
    """Raise a ValueError for URLs in URLs, in which names of files stand before their end."""
    if "::" in place:
        raise ValueError(
            f"{place!r} is a chain of stores, in which files cannot be named one by one; unpack "
            "it, or mount it as a folder"
        )


def opened(place: str) -> Any:
    """Open a file of bytes to be read.

    Raises
    ------
    OSError
        If there is none that may be read.
    """
    if not is_url(place):
        return Path(place).open("rb")
    import fsspec

    return fsspec.open(place, "rb").open()
