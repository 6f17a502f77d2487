"""Pictures in pages: small enough to be sent, and in the page itself."""

import base64
import io
from typing import Any

from PIL import Image

from explainkit.formatters.colour_mode import in_colour_mode

# A picture of more bytes than this is not worth its last levels: pages go by mail. Large ones
# of many colours always are of more, which is known before a slow PNG is made of them.
_LOSSLESS = 48_000
_FEW_PIXELS, _FEW_COLOURS = 40_000, 4096
_QUALITY = 90


def fitting(size: tuple[int, int], largest: int) -> tuple[int, int]:
    """Shrink a size to at most so many pixels a side; a small one stays.

    Raises
    ------
    ValueError
        If there is no pixel.

    Examples
    --------
    >>> fitting((3000, 2000), largest=300), fitting((30, 20), largest=300)
    ((300, 200), (30, 20))
    """
    width, height = size
    if not width * height:
        raise ValueError(f"a picture of {width} x {height} pixels has none that could be shown")
    scale = min(1, largest / max(size))
    return max(1, round(width * scale)), max(1, round(height * scale))


def reduced(image: Image.Image, largest: int) -> Image.Image:
    """Make a picture fit into a page: in colour, of at most so many pixels a side."""
    size = fitting(image.size, largest)
    # Blocks of pixels are averaged first, which is much faster for large photographs.
    return in_colour_mode(image).resize(size, Image.Resampling.BICUBIC, reducing_gap=1.5)


def data_uri(image: Image.Image, kind: str, **options: Any) -> str:
    """Write a picture as an address that is the file itself."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def small_enough(shown: Image.Image) -> str:
    """Write a picture without loss where that is small, as it is for drawings and small photos.

    Else as JPEG, whose colours are kept as sharp as its greys: thin coloured lines would
    bleed. Transparent ones are written as WebP, since JPEG has no transparency.
    """
    few_pixels = shown.width * shown.height <= _FEW_PIXELS
    if few_pixels or shown.getcolors(_FEW_COLOURS) is not None:
        lossless = data_uri(shown, "PNG")
        if len(lossless) * 3 / 4 <= _LOSSLESS:
            return lossless
    if shown.mode == "RGBA":
        return data_uri(shown, "WEBP", quality=_QUALITY)
    return data_uri(shown, "JPEG", quality=_QUALITY, subsampling=0)
