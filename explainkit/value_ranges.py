"""How a document's numbers stand for a picture's levels.

Every family of models has its own way to scale pictures. Which way it was is
recognised here from the numbers alone, and undone.
"""

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.explanation import warn


@attrs.frozen
class ValueRange:
    """A way to store a picture's levels, 0 to 255, as numbers: ``level = scale * number + offset``.

    Attributes
    ----------
    name : str
        Its short name.
    description : str
        What the numbers are, as a phrase: "values in [-1, 1]".
    scale, offset : tuple of float
        One for all channels, or one for each of three.
    bgr : bool
        Whether the channels go from blue to red.
    """

    name: str
    description: str
    scale: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)
    bgr: bool = False

    def to_uint8(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        """Turn numbers, shape (H, W, C), back into levels, with red first."""
        levels: NDArray[np.uint8] = np.clip(np.rint(self._levels(array)), 0, 255).astype(np.uint8)
        return levels[..., ::-1] if self.bgr else levels

    def holds(self, extremes: NDArray[Any]) -> bool:
        """Tell whether the extremes of each channel, shape (2, C), can be levels."""
        if len(self.scale) not in (1, extremes.shape[-1]):
            return False
        with np.errstate(over="ignore"):  # what overflows is out of every range
            levels = self._levels(extremes)
        return bool(levels.min() >= -0.5 and levels.max() <= 255.5)

    def makes_whole(self, array: NDArray[Any]) -> bool:
        """Tell whether all levels are whole numbers, but for the error of half precision."""
        levels = self._levels(array)
        return bool(np.abs(levels - np.rint(levels)).max() <= 0.1)

    def _levels(self, array: NDArray[Any]) -> NDArray[Any]:
        kind = np.result_type(array.dtype, np.float32)
        levels: NDArray[Any] = array.astype(kind) * np.asarray(self.scale, kind)
        levels += np.asarray(self.offset, kind)
        return levels


_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
BYTES = ValueRange("bytes", "values in [0, 255]")
UNIT = ValueRange("unit", "values in [0, 1]", (255.0,))
SIGNED = ValueRange("signed", "values in [-1, 1]", (127.5,), (127.5,))
TORCH = ValueRange(
    "torch",
    "values normalised by ImageNet's mean and deviation (PyTorch's way)",
    tuple((255 * _STD).tolist()),
    tuple((255 * _MEAN).tolist()),
)
CAFFE = ValueRange(
    "caffe",
    "values in BGR order less ImageNet's mean (Caffe's way)",
    (1.0, 1.0, 1.0),
    (103.939, 116.779, 123.68),
    bgr=True,
)
WORDS = ValueRange("words", "values in [0, 65535]", (1 / 257,))
SWITCHES = ValueRange("switches", "values False and True", (255.0,))

#: The ranges of floats, the likelier one first where several hold the same numbers.
KNOWN = (UNIT, SIGNED, TORCH, BYTES, CAFFE)
#: So many shades fall on the coarser grid of [-1, 1] by chance once in 256 times.
_TELLING_SHADES = 8


def recognise_range(array: NDArray[Any]) -> ValueRange:
    """Find out how an array stores a picture.

    uint8, booleans and integers beyond 255 say it by themselves. For other numbers
    each known range that can hold every channel's extremes is a candidate, and the
    numbers may fit several: a picture of low contrast that PyTorch's way normalised
    lies within [-1, 1], a dark one of [0, 255] within [0, 1]. Pictures come from
    levels that are whole numbers, so the first candidate that makes all levels whole
    is taken; where none does, for the picture was resized, the first candidate. The
    order is [0, 1], [-1, 1], PyTorch's, [0, 255], Caffe's. The whole levels of a
    bright picture in [-1, 1], every second level of [0, 1], are [-1, 1] if there are
    8 shades or more.

    Parameters
    ----------
    array : ndarray of numbers, shape (H, W) or (H, W, C)
        Neither empty nor with NaN or infinite numbers.

    Returns
    -------
    ValueRange
        With a warning where no known range holds the numbers: then the least number
        is black and the greatest is white.

    Raises
    ------
    TypeError
        If the array does not hold real numbers.
    ValueError
        If it is empty, of another rank, or holds NaN or infinity.

    Examples
    --------
    >>> recognise_range(np.array([[-1.0, 0.25], [0.5, 1.0]])).description
    'values in [-1, 1]'
    """
    array = _checked(array)
    extremes = np.stack([array.min(axis=(0, 1)), array.max(axis=(0, 1))])
    low, high = float(extremes.min()), float(extremes.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("the array holds NaN or infinity, which no picture can")
    if array.dtype == np.bool_:
        return SWITCHES
    if array.dtype == np.uint8:
        return BYTES
    if array.dtype.kind in "iu" and low >= 0 and 255 < high <= 65535:
        return WORDS
    candidates = [known for known in KNOWN if known.holds(extremes)]
    whole = [known for known in candidates if known.makes_whole(array)]
    if SIGNED in whole and np.unique(SIGNED.to_uint8(array)).size >= _TELLING_SHADES:
        return SIGNED
    if candidates:
        return (whole or candidates)[0]
    warn(
        f"the values, from {low:.4g} to {high:.4g}, are in no range that a picture is known to "
        "have, so the least is shown black and the greatest white; pass image= to show the "
        "original picture"
    )
    scale = 255 / (high - low) if high > low else 0.0
    return ValueRange("stretched", f"values in [{low:.4g}, {high:.4g}]", (scale,), (-low * scale,))


def _checked(array: NDArray[Any]) -> NDArray[Any]:
    """Give an array of real numbers the shape (H, W, C)."""
    if array.dtype.name == "bfloat16":  # not numpy's own, so that numpy cannot order it
        array = array.astype(np.float32)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"the array holds {array.dtype}; a picture needs real numbers")
    if array.ndim not in (2, 3) or array.size == 0:
        raise ValueError(f"the array has shape {array.shape}; give (H, W) or (H, W, C)")
    return array[..., np.newaxis] if array.ndim == 2 else array
