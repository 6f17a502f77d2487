"""Letters for any text: in a font of this machine that has them all, or spelled in words."""

import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

#: No letter: a font that has it is of boxes for all code points there are.
NO_LETTER = 0xE0FFF
#: A weight that is neither light nor bold, in matplotlib's list of fonts.
REGULAR = 400


def own_font(size: int) -> ImageFont.FreeTypeFont:
    """Load the font that is there on every machine: DejaVu Sans, which matplotlib brings.

    Parameters
    ----------
    size : int
        In pixels.
    """
    import matplotlib as mpl

    # Pillow brings no font of many alphabets; matplotlib, which brings the colours, does.
    path = Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(path, size)


def font_with(text: str, font: ImageFont.FreeTypeFont) -> ImageFont.FreeTypeFont:
    """Find letters for a text: these, or as large ones of another font that has them all.

    Parameters
    ----------
    text : str
    font : PIL.ImageFont.FreeTypeFont
        Of a file.

    Returns
    -------
    PIL.ImageFont.FreeTypeFont
        The same where it has all letters, or where no font of this machine has.

    Examples
    --------
    >>> font = own_font(12)
    >>> font_with("Ωμέγα", font) is font
    True
    """
    missing = _missing(text, font)
    other = _font_file_with(frozenset(text)) if missing else None
    return font if other is None else ImageFont.truetype(other, font.size)


def spelled(text: str, font: ImageFont.FreeTypeFont) -> str:
    """Write the letters that a font lacks by their names, which says more than empty boxes.

    Parameters
    ----------
    text : str
    font : PIL.ImageFont.FreeTypeFont
        Of a file.

    Examples
    --------
    >>> spelled("a 🐶", own_font(12))
    'a [dog face]'
    """
    missing = _missing(text, font)
    return "".join(f"[{_name(letter)}]" if letter in missing else letter for letter in text)


def _name(letter: str) -> str:
    return unicodedata.name(letter, "").lower() or f"U+{ord(letter):04X}"


def _missing(text: str, font: ImageFont.FreeTypeFont) -> set[str]:
    if text.isascii():
        return set()
    letters = _letters_of(str(font.path))
    # Variants and joiners have no shape of their own.
    return {one for one in text if ord(one) not in letters and unicodedata.category(one) != "Mn"}


@lru_cache(maxsize=64)
def _letters_of(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        letters = frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):  # a font that FreeType cannot read
        return frozenset()
    return frozenset() if NO_LETTER in letters else letters


@lru_cache(maxsize=256)
def _font_file_with(letters: frozenset[str]) -> str | None:
    """Find a regular font of this machine that has all of some letters."""
    from matplotlib.font_manager import fontManager

    wanted = {ord(letter) for letter in letters if unicodedata.category(letter) != "Mn"}
    for entry in fontManager.ttflist:
        upright = entry.style == "normal" and entry.weight == REGULAR
        if upright and wanted <= _letters_of(entry.fname) and _is_scalable(entry.fname):
            return entry.fname
    return None


def _is_scalable(path: str) -> bool:
    # Some fonts of emoji are pictures of one size.
    try:
        ImageFont.truetype(path, 12)
    except OSError:
        return False
    return True
