"""Arrays as they stand in JSON: nested numbers, or their bytes in base64."""

import math
from base64 import b64decode, b64encode
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.formatters.lines import shown

#: What has the same bytes everywhere, but for their order.
DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)
#: No version of numpy has more axes; some have less.
_MOST_AXES = 64


@attrs.frozen
class StoredArray:
    """An array in JSON, in one of two ways.

    Attributes
    ----------
    dtype : str
        Its numbers' name in numpy.
    shape : tuple of int
    base64 : str or None
        The numbers' bytes, little-endian, the last axis fastest.
    numbers : nested lists of numbers, or None
        The numbers themselves. One of the two is None.
    """

    dtype: str
    shape: tuple[int, ...]
    base64: str | None = None
    numbers: Any = None

    @classmethod
    def of(cls, array: NDArray[Any], form: str) -> "StoredArray":
        """Store an array in the form "base64" or "numbers".

        Raises
        ------
        TypeError
            If it holds no real numbers of a common size.
        ValueError
            If it holds NaN or infinity, for which JSON has no words.

        Examples
        --------
        >>> StoredArray.of(np.eye(2, dtype=np.float32), "numbers").numbers
        [[1.0, 0.0], [0.0, 1.0]]
        >>> StoredArray.of(np.eye(2, dtype=np.uint8), "base64").base64
        'AQAAAQ=='
        """
        name = array.dtype.name
        if name not in DTYPES:
            raise TypeError(f"is an array of {name}; give real numbers: {', '.join(DTYPES)}")
        _check_finite(array)
        if form == "numbers":
            return cls(name, array.shape, numbers=array.tolist())
        data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        return cls(name, array.shape, base64=b64encode(data).decode())

    def restored(self) -> NDArray[Any]:
        """Give the array, in the machine's own order of bytes.

        Raises
        ------
        ValueError
            If what is stored does not fit together.
        """
        if self.dtype not in DTYPES:
            raise ValueError(f"has dtype {shown(self.dtype)}; it may be: {', '.join(DTYPES)}")
        if len(self.shape) > _MOST_AXES or min(self.shape, default=0) < 0:
            raise ValueError(f"has shape {shown(list(self.shape))}, which no array can have")
        if (self.base64 is None) == (self.numbers is None):
            raise ValueError("must have one of the keys 'base64' and 'numbers'")
        dtype = np.dtype(self.dtype)
        flat = self._from_base64(dtype) if self.base64 is not None else self._from_numbers(dtype)
        _check_finite(flat)
        try:
            return flat.reshape(self.shape)
        except ValueError as error:
            raise ValueError(
                f"has shape {shown(list(self.shape))}: too many axes for this version of numpy"
            ) from error

    def _from_base64(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        data = decoded(self.base64 or "", "base64")
        expected = math.prod(self.shape) * dtype.itemsize
        if len(data) != expected:
            raise ValueError(
                f"has {len(data)} bytes in base64; {self.dtype} of shape {shown(list(self.shape))} "
                f"takes {expected}"
            )
        if dtype == np.bool_ and data.translate(None, b"\0\1"):
            raise ValueError("has bytes in base64 that are neither true (1) nor false (0)")
        return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)

    def _from_numbers(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        leaves = _leaves(self.numbers, self.shape)
        allowed = {"b": (bool,), "f": (int, float)}.get(dtype.kind, (int,))
        for leaf in leaves:
            if type(leaf) not in allowed:
                raise ValueError(
                    f"has {shown(leaf)} among its numbers; they are said to be {dtype}"
                )
        if dtype.kind in "iu":
            _check_range(leaves, dtype)
        try:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
                return np.array(leaves, dtype)
        except OverflowError as error:
            raise ValueError(f"has a number that {dtype} cannot hold: {error}") from error


def decoded(text: str, key: str) -> bytes:
    """Decode base64, or say which key has none."""
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError(f"has a {key!r} that is no base64: {error}") from error


def _check_finite(array: NDArray[Any]) -> None:
    if not np.isfinite(array).all():
        raise ValueError("holds NaN or infinity; only finite numbers can be stored")


def _check_range(leaves: list[int], dtype: np.dtype[Any]) -> None:
    # Old versions of numpy take the rest of a division.
    info = np.iinfo(dtype)
    for leaf in leaves:
        if not info.min <= leaf <= info.max:
            raise ValueError(f"has the number {shown(leaf)}, which {dtype} cannot hold")


def _leaves(numbers: Any, shape: tuple[int, ...]) -> list[Any]:
    level = [numbers]
    for length in shape:
        if not all(isinstance(one, list) and len(one) == length for one in level):
            raise ValueError(
                f"has numbers that are not nested as its shape {shown(list(shape))} says"
            )
        level = [inner for one in level for inner in one]
    return level
