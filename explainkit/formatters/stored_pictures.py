"""Pictures as they stand in JSON: as PNG where that keeps all, else their bytes, deflated."""

import io
import zlib
from base64 import b64encode
from typing import Any

import attrs
import numpy as np
from PIL import Image, ImageMode

from explainkit.formatters.stored_arrays import decoded

#: The modes whose pixels PNG keeps, and Pillow opens again in the same mode.
_PNG_MODES = ("1", "L", "LA", "RGB", "RGBA")
#: The others, whose bytes are kept.
_RAW_MODES = (
    *("P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "RGBX", "RGBa", "La"),
    *("I;16", "I;16L", "I;16B", "I;16N"),
)
#: No byte of deflated data holds more bytes than this.
_DEFLATED_AT_MOST = 1032


@attrs.frozen
class StoredPicture:
    """A picture in JSON, in one of two ways.

    Attributes
    ----------
    mode : str
        Pillow's.
    size : tuple of (int, int)
        Width and height in pixels.
    png : str or None
        A PNG file, in base64.
    zlib : str or None
        The pixels' bytes as Pillow gives them, deflated, in base64. One of the two is None.
    palette_mode, palette : str or None
        The mode of the palette's colours, and their bytes in base64.
    transparency : int, list of int, or None
        Of a picture with a palette: the colour that is transparent, or the opacity of each.
    """

    mode: str
    size: tuple[int, int]
    png: str | None = None
    zlib: str | None = None
    palette_mode: str | None = None
    palette: str | None = None
    transparency: Any = None

    @classmethod
    def of(cls, picture: Image.Image) -> "StoredPicture":
        """Store a picture.

        What files say beside the picture (where it was taken, for one) is left out, but for
        transparency and the profile of its colours.

        Raises
        ------
        ValueError
            If Pillow has pictures in such a mode, but no way to write them.

        Examples
        --------
        >>> stored = StoredPicture.of(Image.new("CMYK", (3, 2), "navy"))
        >>> stored.png, stored.restored().mode
        (None, 'CMYK')
        """
        picture.load()
        if picture.mode in _PNG_MODES and all(picture.size):
            return cls(picture.mode, picture.size, png=_in_text(_png(picture)))
        if picture.mode not in (*_PNG_MODES, *_RAW_MODES):
            raise ValueError(f"is a picture in mode {picture.mode}, which cannot be stored")
        stored = cls(picture.mode, picture.size, zlib=_in_text(zlib.compress(picture.tobytes())))
        if picture.palette is None:
            return stored
        colours = picture.palette.mode
        transparency = picture.info.get("transparency")
        return attrs.evolve(
            stored,
            palette_mode=colours,
            palette=_in_text(bytes(picture.getpalette(colours) or ())),
            transparency=list(transparency) if isinstance(transparency, bytes) else transparency,
        )

    def restored(self) -> Image.Image:
        """Give the picture; nothing is unpacked that is not of the size that is said.

        Raises
        ------
        ValueError
            If what is stored does not fit together, or Pillow would refuse the size.
        """
        if self.mode not in (*_PNG_MODES, *_RAW_MODES):
            raise ValueError(f"has mode {self.mode!r}, in which no picture is stored")
        if (self.png is None) == (self.zlib is None):
            raise ValueError("must have one of the keys 'png' and 'zlib'")
        self._check_size()
        return self._from_bytes() if self.png is None else self._from_png(self.png)

    def _check_size(self) -> None:
        width, height = self.size
        if min(self.size) < 0:
            raise ValueError(f"has size {list(self.size)}, which no picture can have")
        limit = Image.MAX_IMAGE_PIXELS
        if limit is not None and width * height > 2 * limit:
            raise ValueError(
                f"has size {list(self.size)}: more pixels than Pillow opens; raise "
                "PIL.Image.MAX_IMAGE_PIXELS if you trust where it comes from"
            )

    def _from_png(self, png: str) -> Image.Image:
        try:
            with Image.open(io.BytesIO(decoded(png, "png")), formats=["PNG"]) as picture:
                if (picture.mode, picture.size) != (self.mode, self.size):
                    raise ValueError(
                        f"has a PNG in mode {picture.mode}, of size {list(picture.size)}; it is "
                        f"said to be in mode {self.mode}, of size {list(self.size)}"
                    )
                # A picture of the file's class would keep the file.
                return picture.copy()
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(f"has a PNG that cannot be read: {error}") from error

    def _from_bytes(self) -> Image.Image:
        data = _inflated(decoded(self.zlib or "", "zlib"), self._bytes())
        picture = Image.frombytes(self.mode, self.size, data) if data else self._empty()
        if (self.palette is None) != (self.palette_mode is None):
            raise ValueError("must have both of the keys 'palette' and 'palette_mode', or none")
        if self.palette is not None and self.palette_mode is not None:
            try:
                picture.putpalette(decoded(self.palette, "palette"), self.palette_mode)
            except (ValueError, OSError, KeyError) as error:
                raise ValueError(f"has a palette that Pillow refuses: {error}") from error
        if self.transparency is not None:
            picture.info["transparency"] = _transparency(self.transparency)
        return picture

    def _bytes(self) -> int:
        width, height = self.size
        described = ImageMode.getmode(self.mode)
        if self.mode == "1":
            return (width + 7) // 8 * height
        return width * height * len(described.bands) * np.dtype(described.typestr).itemsize

    def _empty(self) -> Image.Image:
        return Image.new(self.mode, self.size)


def _png(picture: Image.Image) -> bytes:
    bare = picture.copy()
    kept = ("transparency", "icc_profile")
    bare.info = {key: value for key, value in picture.info.items() if key in kept}
    file = io.BytesIO()
    bare.save(file, "PNG")
    return file.getvalue()


def _in_text(data: bytes) -> str:
    return b64encode(data).decode()


def _inflated(data: bytes, expected: int) -> bytes:
    """Inflate to just so many bytes, and hold no more of them than that."""
    inflating = zlib.decompressobj()
    if expected > len(data) * _DEFLATED_AT_MOST:
        raise ValueError(f"has too few bytes in 'zlib' to hold the {expected} of its pixels")
    try:
        inflated = inflating.decompress(data, expected + 1)
    except zlib.error as error:
        raise ValueError(f"has a 'zlib' that cannot be inflated: {error}") from error
    if len(inflated) != expected or not inflating.eof:
        raise ValueError(f"has other than the {expected} bytes in 'zlib' that its size takes")
    return inflated


def _transparency(given: Any) -> int | bytes:
    if type(given) is int:
        return given
    if not isinstance(given, list) or not all(type(one) is int and 0 <= one < 256 for one in given):
        raise ValueError(f"has transparency {given!r}; it may be an index, or a list of opacities")
    return bytes(given)
