"""Options in words and digests, equal in every process where the options are."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

#: What says all of itself.
_NAMED = str | int | float | bool | None


def digest_of(*arrays: NDArray[Any] | None) -> str:
    """Tell arrays from others, by a short text."""
    found = hashlib.sha256()
    for array in arrays:
        if array is None:
            found.update(b"none")
            continue
        found.update(f"{array.dtype}{array.shape}".encode())
        # The bytes of objects are where they lie, which is elsewhere in every process.
        plain = repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes()
        found.update(plain)
    return found.hexdigest()[:16]


def in_words(value: Any, name_other: Callable[[Any], str]) -> str:
    """Say what an option is, so that equal ones are called alike in every process.

    Parameters
    ----------
    value
        A number, a text, an array, a record of attrs, or lists, tuples and mappings of these.
    name_other : callable
        Names what is none of these, or refuses it.

    Examples
    --------
    >>> in_words({"layers": ["conv", np.int64(3)]}, repr)
    "layers=['conv', 3]"
    """
    if isinstance(value, np.ndarray):
        return f"array {digest_of(value)}"
    if attrs.has(type(value)):
        fields = (field.name for field in attrs.fields(type(value)))
        options = (f"{name}={in_words(getattr(value, name), name_other)}" for name in fields)
        return f"{type(value).__qualname__}({', '.join(options)})"
    if isinstance(value, Mapping):
        named = sorted(value.items(), key=lambda pair: str(pair[0]))
        return ", ".join(f"{name}={in_words(one, name_other)}" for name, one in named)
    if isinstance(value, list | tuple):
        return f"[{', '.join(in_words(one, name_other) for one in value)}]"
    if isinstance(value, np.generic):
        value = value.item()  # which one version of numpy prints otherwise than the next
    return repr(value) if isinstance(value, _NAMED) else name_other(value)
