"""Pictures as they stand in JSON: as PNG where that keeps all, else their bytes, deflated."""

import io
import zlib
from base64 import b64encode
from typing import Any, cast

import attrs
import numpy as np
from PIL import Image, ImageMode

from explainkit.formatters.lines import shown
from explainkit.formatters.stored_arrays import decoded

#: The modes whose pixels PNG keeps, and Pillow opens again in the same mode.
_PNG_MODES = ("1", "L", "LA", "RGB", "RGBA")
#: Those of them whose transparency PNG keeps, a grey or a colour.
_PNG_CLEAR_MODES = ("L", "RGB")
#: The others, whose bytes are kept.
_RAW_MODES = (
    *("P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "RGBX", "RGBa", "La"),
    *("I;16", "I;16L", "I;16B", "I;16N"),
)
#: The modes that have a palette, and the bytes of a colour in it.
_PALETTE_MODES = ("P", "PA")
_PALETTE_COLOURS = {"RGB": 3, "RGBA": 4}
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
    transparency : int, list of int, str, or None
        Where there is no PNG that says so: the index or the grey that is transparent; the colour
        that is; or the opacity of each colour of the palette, a byte each, in base64.
    icc_profile : str or None
        The profile of the colours, in base64, where there is no PNG that has it.
    """

    mode: str
    size: tuple[int, int]
    png: str | None = None
    zlib: str | None = None
    palette_mode: str | None = None
    palette: str | None = None
    transparency: Any = None
    icc_profile: str | None = None

    @classmethod
    def of(cls, picture: Image.Image) -> "StoredPicture":
        """Store a picture.

        What files say beside the picture (where it was taken, for one) is left out, but for
        transparency and the profile of its colours.

        Raises
        ------
        ValueError
            If Pillow has pictures in such a mode, but no way to write them; if it is said to be
            transparent in a way that its mode has not.

        Examples
        --------
        >>> stored = StoredPicture.of(Image.new("CMYK", (3, 2), "navy"))
        >>> stored.png, stored.restored().mode
        (None, 'CMYK')
        """
        picture.load()
        if picture.mode not in (*_PNG_MODES, *_RAW_MODES):
            raise ValueError(f"is a picture in mode {picture.mode}, which cannot be stored")
        stored = cls(
            picture.mode,
            picture.size,
            transparency=_written_transparency(picture.mode, picture.info.get("transparency")),
        )
        if picture.mode in _PNG_MODES and all(picture.size):
            kept = None if picture.mode in _PNG_CLEAR_MODES else stored.transparency
            return attrs.evolve(stored, png=_in_text(_png(picture)), transparency=kept)
        profile = picture.info.get("icc_profile")
        stored = attrs.evolve(
            stored,
            zlib=_in_text(zlib.compress(picture.tobytes())),
            icc_profile=_in_text(profile) if profile else None,
        )
        if picture.mode not in _PALETTE_MODES or picture.palette is None:
            return stored
        colours = picture.palette.mode if picture.palette.mode in _PALETTE_COLOURS else "RGBA"
        return attrs.evolve(
            stored,
            palette_mode=colours,
            palette=_in_text(bytes(picture.getpalette(colours) or ())),
        )

    def restored(self) -> Image.Image:
        """Give the picture; nothing is unpacked that is not of the size that is said.

        Raises
        ------
        ValueError
            If what is stored does not fit together, or Pillow would refuse the size.
        """
        if self.mode not in (*_PNG_MODES, *_RAW_MODES):
            raise ValueError(f"has mode {shown(self.mode)}, in which no picture is stored")
        if (self.png is None) == (self.zlib is None):
            raise ValueError("must have one of the keys 'png' and 'zlib'")
        self._check_size()
        picture = self._from_bytes() if self.png is None else self._from_png(self.png)
        if self.transparency is not None:
            given = _read_transparency(self.mode, self.transparency)
            picture.info["transparency"] = given
        if self.icc_profile is not None:
            picture.info["icc_profile"] = decoded(self.icc_profile, "icc_profile")
        return picture

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
            colours = self._colours(self.palette, self.palette_mode)
            picture.putpalette(colours, self.palette_mode)
        return picture

    def _colours(self, palette: str, mode: str) -> bytes:
        if self.mode not in _PALETTE_MODES:
            raise ValueError(f"has a palette, and no picture in mode {self.mode} has one")
        if mode not in _PALETTE_COLOURS:
            raise ValueError(
                f"has the palette_mode {shown(mode)}; it may be: {', '.join(_PALETTE_COLOURS)}"
            )
        colours, each = decoded(palette, "palette"), _PALETTE_COLOURS[mode]
        if len(colours) % each or len(colours) > 256 * each:
            raise ValueError(
                f"has a palette of {len(colours)} bytes; {mode} takes {each} for each of at most "
                "256 colours"
            )
        return colours

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


def _written_transparency(mode: str, given: Any) -> Any:
    if given is None:
        return None
    _check_transparency(mode, given)
    if isinstance(given, bytes):
        return _in_text(given)
    return list(given) if isinstance(given, tuple) else given


def _read_transparency(mode: str, stored: Any) -> int | bytes | tuple[int, ...]:
    given = stored
    if isinstance(stored, str):
        given = decoded(stored, "transparency")
    elif isinstance(stored, list):
        given = tuple(stored)
    _check_transparency(mode, given)
    return cast("int | bytes | tuple[int, ...]", given)


def _check_transparency(mode: str, given: Any) -> None:
    """Refuse what Pillow could not draw by, in a mode where it looks at it."""
    indexed = mode in _PALETTE_MODES
    single = len(ImageMode.getmode(mode).bands) == 1
    if isinstance(given, bytes):
        fits = len(given) <= 256 and (indexed or not (single or mode == "RGB"))
    elif isinstance(given, tuple):
        fits = len(given) == 3 and not (indexed or single) and all(map(_is_level, given))
    else:
        fits = _is_level(given) and mode != "RGB" and not (indexed and given > 255)
    if not fits:
        raise ValueError(
            f"has transparency {shown(given)}, which no picture in mode {mode} can have; it may be "
            "an index of a palette, the opacities of one, a grey or a colour"
        )


def _is_level(given: Any) -> bool:
    return type(given) is int and 0 <= given < 2**16
