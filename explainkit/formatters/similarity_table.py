"""A table of similarities: numbers in coloured cells."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont

from explainkit.formatters.captions import (
    NAME_INK,
    PAPER,
    SCORE_INK,
    fitting_line,
    line_height,
    margin_of,
    text_tile,
)
from explainkit.formatters.colormaps import colour_table
from explainkit.formatters.grid import DIVERGING

#: A name takes no more room than so many wide letters.
_LONGEST_NAME = 14


def written(value: float) -> str:
    """Write a similarity, with no minus before what is rounded to 0."""
    return f"{value:z.2f}"


def draw_table(
    names: Sequence[str],
    values: NDArray[np.float64],
    size: tuple[int, int],
    font: ImageFont.FreeTypeFont,
) -> Image.Image:
    """Draw numbers in coloured cells: rows have names, and columns the rows' numbers.

    It fills the size, and is larger where numbers need it.
    """
    line, gap = line_height(font), margin_of(font)
    count = len(names)
    longest = math.ceil(_LONGEST_NAME * font.getlength("m"))
    labels = [fitting_line(f"{i} {name}", longest, font) for i, name in enumerate(names, 1)]
    label_widths = [math.ceil(font.getlength(label)) for label in labels]
    left = max(label_widths) + gap
    width = max((size[0] - left) // count, math.ceil(font.getlength("-0.00")) + gap)
    height = max((min(size) - line) // count, line + gap)
    table = Image.new("RGB", (left + count * width, line + count * height), PAPER)
    colours = colour_table(DIVERGING, alpha_limit=1.0)[:, :3]
    for i, label in enumerate(labels):
        top = line + i * height
        table.paste(text_tile(label, NAME_INK, (label_widths[i], height), font), (0, top))
        number = text_tile(str(i + 1), SCORE_INK, (width, line), font)
        table.paste(number, (left + i * width, 0))
        for j in range(count):
            cell = _cell(float(values[i, j]), (width, height), font, colours)
            table.paste(cell, (left + j * width, top))
    return table


def _cell(
    value: float, size: tuple[int, int], font: ImageFont.FreeTypeFont, colours: NDArray[np.uint8]
) -> Image.Image:
    """Write a similarity on its colour, that of a number in [-1, 1]; NaN has none."""
    if math.isnan(value):
        return text_tile(written(value), SCORE_INK, size, font)
    red, green, blue = colours[round((value + 1) / 2 * (len(colours) - 1))].tolist()
    is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 128
    ink = PAPER if is_dark else NAME_INK
    return text_tile(written(value), ink, size, font, paper=f"#{red:02x}{green:02x}{blue:02x}")
