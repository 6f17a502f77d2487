"""Several pictures side by side on a white sheet, each under its caption."""

import bisect
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from explainkit.explanation import TargetExplanation

PAPER, NAME_INK, SCORE_INK = "white", "black", "#505050"
#: A smaller picture is centred in a panel of this many pixels, wide enough for words.
SMALLEST_PANEL = 184
SMALLEST_FONT = 12
#: No panel holds more characters than this, so nothing beyond them need be measured.
LONGEST_LINE = 256
ELLIPSIS = "…"


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
    pictures : iterable of PIL.Image.Image
        One for each caption. Where they are transparent, the white sheet shows.
    captions : sequence of (str, str)
        A name and its numbers for each picture. Lines too long for their panel end
        in an ellipsis; line breaks become spaces, unprintable characters are left out.
    size : tuple of (int, int)
        The width and the height that all the pictures have.

    Returns
    -------
    PIL.Image.Image
        In mode RGB. The letters grow with the pictures' width.
    """
    width, height = size
    panel = max(width, SMALLEST_PANEL)
    font = _font(max(SMALLEST_FONT, panel // 22))
    margin = round(font.size / 2)
    line = sum(font.getmetrics())
    caption_height = 2 * line + margin // 2
    sheet = Image.new(
        "RGB",
        (len(captions) * (panel + margin) + margin, caption_height + height + 2 * margin),
        PAPER,
    )
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = margin + index * (panel + margin)
        for row, (text, ink) in enumerate(zip(caption, (NAME_INK, SCORE_INK), strict=True)):
            sheet.paste(_line(text, ink, (panel, line), font), (left, margin // 2 + row * line))
        place = (left + (panel - width) // 2, margin + caption_height)
        sheet.paste(picture, place, mask=picture if picture.mode in ("LA", "RGBA") else None)
    return sheet


def _line(text: str, ink: str, size: tuple[int, int], font: ImageFont.FreeTypeFont) -> Image.Image:
    # On a tile of its own, so that letters with towers of accents cannot leave it.
    tile = Image.new("RGB", size, PAPER)
    shown = _shortened(_one_line(text), size[0], font)
    ImageDraw.Draw(tile).text((size[0] / 2, 0), shown, fill=ink, font=font, anchor="ma")
    return tile


def _one_line(text: str) -> str:
    """Leave what can be printed: labels come from files and users."""
    spaced = " ".join(text[: 4 * LONGEST_LINE].split())
    return "".join(character for character in spaced if character.isprintable())


def _shortened(text: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    if len(text) <= LONGEST_LINE and font.getlength(text) <= width:
        return text

    def cut(length: int) -> str:
        return text[:length].rstrip() + ELLIPSIS

    lengths = range(1, min(len(text), LONGEST_LINE))
    return cut(bisect.bisect_right(lengths, width, key=lambda n: math.ceil(font.getlength(cut(n)))))


def _font(size: int) -> ImageFont.FreeTypeFont:
    import matplotlib as mpl

    # Pillow brings no font of many alphabets; matplotlib, which brings the colours, does.
    path = Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(path, size)
