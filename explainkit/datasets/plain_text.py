"""Text that every program can read."""

from contextlib import suppress
from typing import Any


def written(key: Any) -> str:
    r"""Write a key so that every program can read it.

    File names that are no UTF-8 have the bytes that are none as ``\xff``.

    Examples
    --------
    >>> written(7), written("caf\udce9.png")
    ('7', 'caf\\xe9.png')
    """
    text = str(key)
    for errors in ("strict", "surrogateescape"):
        with suppress(UnicodeEncodeError):
            return text.encode("utf-8", errors).decode("utf-8", "backslashreplace")
    return text.encode("utf-8", "backslashreplace").decode()
