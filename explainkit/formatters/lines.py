"""Texts from anywhere in lines of a terminal: printable, and as wide as there is room."""

import unicodedata
from typing import Any

ELLIPSIS = "…"
#: So many columns of a value are shown in a message.
_SHOWN = 60


def one_line(text: str) -> str:
    r"""Leave what can be printed: escape sequences and line breaks lose their power.

    Examples
    --------
    >>> one_line("red\x1b[31m\r\nalert")
    'red[31m alert'
    """
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def width_of(line: str) -> int:
    """Count the columns that a line takes: letters of East Asia and emoji take two.

    Examples
    --------
    >>> width_of("café"), width_of("猫"), width_of("🐶")
    (4, 2, 2)
    """
    return sum(map(_columns, line))


def wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines of so many columns, between words where that can be.

    Examples
    --------
    >>> wrapped("what the cat saw: 猫猫猫猫", 7)
    ['what', 'the cat', 'saw:', '猫猫猫', '猫']
    """
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines += _pieces(word, width)
    return lines


def _pieces(word: str, width: int) -> list[str]:
    pieces, left = [""], width
    for letter in word:
        columns = _columns(letter)
        if columns > left:
            pieces.append("")
            left = width
        pieces[-1] += letter
        left -= columns
    return pieces


def shown(value: Any) -> str:
    """Show a value as Python does, but of a long one the beginning only.

    Examples
    --------
    >>> shown("cat"), len(shown("cat" * 1000))
    ("'cat'", 60)
    """
    return shortened(repr(value), _SHOWN)


def shortened(line: str, width: int) -> str:
    """Cut a line to so many columns; where something is cut off, it ends in an ellipsis.

    Examples
    --------
    >>> shortened("bull mastiff", 6)
    'bull…'
    """
    if width_of(line) <= width:
        return line
    kept, left = "", width - 1
    for letter in line:
        left -= _columns(letter)
        if left < 0:
            break
        kept += letter
    return kept.rstrip() + ELLIPSIS


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me"):  # an accent on the letter before it
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
