"""Explanations as CSV: one row a target, and no text that a spreadsheet would run."""

import csv
import io
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


def format_as_csv(expls: Explanation | Iterable[Explanation]) -> str:
    """Write explanations as CSV, a row for each target.

    An explanation without targets, such as one that failed, has one row, too.

    Texts that a spreadsheet would take for a formula are given an apostrophe before them: those
    that begin with ``=``, ``+``, ``-`` or ``@`` (also after spaces, and as full-width letters), a
    tab or a line break. Numbers stay numbers. Other control characters, and halves of surrogate
    pairs, become U+FFFD.

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
    0,a model,gradcam,,boxes:3,boxes,3,'=1+1,-0.5,,7x7,
    <BLANKLINE>
    """
    file = io.StringIO(newline="")
    table = csv.writer(file, lineterminator="\n")
    table.writerow(COLUMNS)
    for row, _ in rows_of(expls):
        table.writerow(map(_cell, attrs.astuple(row)))
    return file.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = "".join(map(_harmless, value))
    return f"'{text}" if _is_like_a_formula(text) else text


def _harmless(letter: str) -> str:
    """Replace what is no text: control characters, and halves of surrogate pairs."""
    is_text = letter in _LAYOUT or unicodedata.category(letter) not in ("Cc", "Cs")
    return letter if is_text else "\N{REPLACEMENT CHARACTER}"


def _is_like_a_formula(text: str) -> bool:
    if text.startswith(tuple(_LAYOUT)):
        return True
    # Spaces and what is not seen (categories Z and C) do not keep a formula from being one.
    seen = (letter for letter in text if unicodedata.category(letter)[0] not in "ZC")
    first = unicodedata.normalize("NFKC", next(seen, ""))
    return bool(first) and first[0] in _FORMULA
