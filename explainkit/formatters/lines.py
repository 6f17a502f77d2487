"""Texts from anywhere in lines of a terminal: printable, and as wide as there is room."""

import unicodedata

ELLIPSIS = "…"


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
