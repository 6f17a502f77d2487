"""Explanations as CSV: one row a target, and no text that a spreadsheet would run."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import attrs

from explainkit.explanation import Explanation
from explainkit.formatters.rows import COLUMNS, rows_of

#: What a formula begins with; a minus of mathematics is taken for one by some.
_FORMULA = "=+-@\N{MINUS SIGN}"
#: Control characters that texts may have; others come from who wants to disturb a terminal.
_LAYOUT = "\t\n"
#: Behind what a cell begins for those who take another separator, or care for no quotes.
_SEPARATORS = re.compile(r"([,;|\t\n])")


def format_as_csv(expls: Explanation | Iterable[Explanation]) -> str:
    """Write explanations as CSV, a row for each target.

    An explanation without targets, such as one that failed, has one row, too.

    Texts are quoted, and what a spreadsheet would take for a formula is given an apostrophe before
    it: what begins with ``=``, ``+``, ``-`` or ``@`` (also after spaces and quotes, and as
    full-width letters), in the beginning of a text and behind a comma, a semicolon, a bar, a tab
    or a line break in it, where a cell begins for who reads with another separator; and texts that
    begin with a tab or a line break. Numbers stay numbers. Other control characters, and halves of
    surrogate pairs, become U+FFFD.

    Parameters
    ----------
    expls : Explanation or iterable of Explanation
        Such as what `explainkit.explain_predictions` returns.

    Returns
    -------
    str
        A line of headings, and a line for each row, with the columns of
        `explainkit.format_as_dataframe`; what is missing is empty. Lines end in a line feed
        alone: write it with ``newline=""``.

    Raises
    ------
    TypeError
        If something else than explanations is given.

    Examples
    --------
    >>> import numpy as np
    >>> from explainkit import TargetExplanation
    >>> heat = np.eye(7, dtype=np.float32)
    >>> target = TargetExplanation(("boxes", 3), "=1+1", -0.5, None, heat, heat)
    >>> print(format_as_csv(Explanation("a model", "gradcam", targets=[target])))
    doc,estimator,method,layer,target,output,unit,label,score,proba,map_size,error
    0,"a model","gradcam",,"boxes:3","boxes",3,"'=1+1",-0.5,,"7x7",
    <BLANKLINE>
    """
    rows = (",".join(map(_cell, attrs.astuple(row))) for row, _ in rows_of(expls))
    return "".join(f"{line}\n" for line in (",".join(COLUMNS), *rows))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return repr(value)
    # The csv module quotes what is missing, too, or does not quote all texts.
    return '"' + _defused("".join(map(_harmless, value))).replace('"', '""') + '"'


def _harmless(letter: str) -> str:
    """Replace what is no text: control characters, and halves of surrogate pairs."""
    is_text = letter in _LAYOUT or unicodedata.category(letter) not in ("Cc", "Cs")
    return letter if is_text else "\N{REPLACEMENT CHARACTER}"


def _defused(text: str) -> str:
    """Put an apostrophe before each part that some reader would take for a formula."""
    parts = _SEPARATORS.split(text)
    marked = "".join(f"'{part}" if _is_like_a_formula(part) else part for part in parts)
    return f"'{marked}" if text.startswith(tuple(_LAYOUT)) else marked


def _is_like_a_formula(part: str) -> bool:
    # Spaces and what is not seen (categories Z and C) do not keep a formula from being one, nor
    # do quotes, which end where they begin.
    seen = (c for c in part if c != '"' and unicodedata.category(c)[0] not in "ZC")
    first = unicodedata.normalize("NFKC", next(seen, ""))
    return bool(first) and first[0] in _FORMULA
