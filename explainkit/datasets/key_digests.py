"""Digests of the names of documents."""

import hashlib
from typing import Any

import attrs


@attrs.define
class KeyDigest:
    """A digest of names that grows with each of them.

    Examples
    --------
    >>> one, other = KeyDigest(), KeyDigest()
    >>> one.add("ab"), other.add("a", "b")
    (None, None)
    >>> one.hexdigest() == other.hexdigest()
    False
    """

    _found: Any = attrs.field(factory=hashlib.sha256, init=False)

    def add(self, *parts: Any) -> None:
        """Add a name; where one part of it ends and the next begins counts."""
        for part in parts:
            data = str(part).encode("utf-8", "surrogateescape")
            self._found.update(len(data).to_bytes(8, "little") + data)

    def hexdigest(self) -> str:
        """Give the digest so far."""
        return str(self._found.hexdigest()[:16])
