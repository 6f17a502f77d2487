"""Several pictures in rows on a white sheet, each under its caption."""

import bisect
import math
from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw, ImageFont

from explainkit.explanation import TargetExplanation
from explainkit.formatters.lettering import font_with, own_font, spelled
from explainkit.formatters.lines import ELLIPSIS, one_line

PAPER, NAME_INK, SCORE_INK = "white", "black", "#505050"
#: A smaller picture is centred in a panel of this many pixels, wide enough for words.
SMALLEST_PANEL = 184
SMALLEST_FONT = 12
#: No panel holds more characters than this, so nothing beyond them need be measured.
LONGEST_LINE = 256


def caption_of(target: TargetExplanation) -> tuple[str, str]:
    """Say in two lines what a target is and what the model gave it.

    Examples
    --------
    >>> import numpy as np
    >>> heat = np.zeros((7, 7), np.float32)
    >>> caption_of(TargetExplanation(243, "bull mastiff", 12.345, 0.8, heat, heat))
    ('bull mastiff', 'score 12.3, proba 0.8')
    """
    name: object = target.label
    if not name and isinstance(target.target, tuple):
        name = "target {}[{}]".format(*target.target)
    elif not name:
        name = f"target {target.target}"
    score = f"score {target.score:.3g}"
    return str(name), score if target.proba is None else f"{score}, proba {target.proba:.3g}"


def side_by_side(
    pictures: Iterable[Image.Image], captions: Sequence[tuple[str, str]], size: tuple[int, int]
) -> Image.Image:
    """Set pictures of one size side by side, each under its two lines of caption.

    Parameters
    ----------
    pictures, captions, size
        As for `in_rows`.

    Returns
    -------
    PIL.Image.Image
        In mode RGB. The letters grow with the pictures' width.
    """
    return in_rows(pictures, captions, size, columns=len(captions))


def in_rows(
    pictures: Iterable[Image.Image],
    captions: Sequence[Sequence[str]],
    size: tuple[int, int],
    columns: int,
    font: ImageFont.FreeTypeFont | None = None,
) -> Image.Image:
    """Set pictures in rows of equal panels, each under its lines of caption.

    Parameters
    ----------
    pictures : iterable of PIL.Image.Image
        One for each caption, none larger than a panel, in which it is centred. Where
        they are transparent, the white sheet shows.
    captions : sequence of sequences of str
        The lines above each picture: a name, then its numbers. A row is as high as its
        longest caption needs. Lines too long for their panel end in an ellipsis; line
        breaks become spaces, unprintable characters are left out.
    size : tuple of (int, int)
        The width and the height of a panel in pixels. Panels are made wide enough
        for words.
    columns : int
        So many panels stand in a row.
    font : PIL.ImageFont.FreeTypeFont or None
        The letters; by default those of `font_for` a panel of this width.

    Returns
    -------
    PIL.Image.Image
        In mode RGB.
    """
    width, height = size
    panel = max(width, SMALLEST_PANEL)
    font = font or font_for(panel)
    margin = margin_of(font)
    line = line_height(font)
    rows = [captions[start : start + columns] for start in range(0, len(captions), columns)]
    captions_at, pictures_at, bottom = [], [], 0
    for row in rows:
        lines = max(map(len, row))
        # Free space, so that nobody takes the captions for those of the row above.
        captions_at.append(bottom + margin // 2 + (line // 2 if lines and bottom else 0))
        pictures_at.append(
            captions_at[-1] + lines * line + (margin if lines else margin - margin // 2)
        )
        bottom = pictures_at[-1] + height
    sheet = Image.new("RGB", (columns * (panel + margin) + margin, bottom + margin), PAPER)
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        row_number, column = divmod(index, columns)
        left = margin + column * (panel + margin)
        for number, text in enumerate(caption):
            tile = text_tile(text, SCORE_INK if number else NAME_INK, (panel, line), font)
            sheet.paste(tile, (left, captions_at[row_number] + number * line))
        place = (
            left + (panel - picture.width) // 2,
            pictures_at[row_number] + (height - picture.height) // 2,
        )
        sheet.paste(picture, place, mask=picture if picture.mode in ("LA", "RGBA") else None)
    return sheet


def font_for(width: int) -> ImageFont.FreeTypeFont:
    """Choose letters for panels of so many pixels, never too small to read."""
    return own_font(max(SMALLEST_FONT, width // 22))


def margin_of(font: ImageFont.FreeTypeFont) -> int:
    """Give the free pixels around panels that have captions in these letters."""
    return round(font.size / 2)


def line_height(font: ImageFont.FreeTypeFont) -> int:
    """Give the pixels from one line to the next."""
    return sum(font.getmetrics())


def text_tile(
    text: str, ink: str, size: tuple[int, int], font: ImageFont.FreeTypeFont, paper: str = PAPER
) -> Image.Image:
    """Write a line in the middle of a tile of its own, shortened to fit.

    On its own tile, letters with towers of accents cannot leave it.
    """
    tile = Image.new("RGB", size, paper)
    shown = fitting_line(text, size[0], font)
    font = font_with(shown, font)
    top = (size[1] - line_height(font)) / 2
    ImageDraw.Draw(tile).text((size[0] / 2, top), shown, fill=ink, font=font, anchor="ma")
    return tile


def fitting_line(text: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    """Make one line of a text, printable and no wider than so many pixels.

    What neither this font nor another of this machine can show is spelled in words.
    """
    line = one_line(text[: 4 * LONGEST_LINE])  # labels come from files and users
    font = font_with(line, font)
    return _shortened(spelled(line, font), width, font)


def _shortened(text: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    if len(text) <= LONGEST_LINE and font.getlength(text) <= width:
        return text

    def cut(length: int) -> str:
        return text[:length].rstrip() + ELLIPSIS

    lengths = range(1, min(len(text), LONGEST_LINE))
    return cut(bisect.bisect_right(lengths, width, key=lambda n: math.ceil(font.getlength(cut(n)))))
