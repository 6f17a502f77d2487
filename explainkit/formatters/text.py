"""Explanations as plain text: a table, and heatmaps in block characters."""

import shutil
from typing import Any

import numpy as np

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters.blocks import heat_to_draw, resized, room_for, shaded, sparkline
from explainkit.formatters.lines import one_line, shortened, width_of, wrapped
from explainkit.formatters.target_names import target_in_words

#: So wide a terminal is taken to be that does not say.
_WIDTH = 80
#: Nothing can be read that has less room.
_NARROWEST = 20
_COLUMNS = ("target", "score", "proba", "label")
_BETWEEN = "  "


def format_as_text(expl: Explanation, *, width: int | None = None, height: int = 12) -> str:
    """Write an explanation as plain text: what was asked, a table of targets, small heatmaps.

    There are no escape sequences in it, nor any other control character but line breaks,
    whatever the labels hold: it can go to any terminal or log.

    Parameters
    ----------
    expl : Explanation
    width : int or None
        The most columns, 20 or more; None for those of the terminal, 80 where there is none.
    height : int
        The most lines of each heatmap; 0 for none. Heatmaps keep the proportions of the
        picture. Those of signals are a line of bars, those of volumes are summed over depth.

    Returns
    -------
    str
        Lines, the last without its line break.

    Raises
    ------
    TypeError
        If it is no Explanation, or `width` or `height` are no whole numbers.
    ValueError
        If `width` is below 20, or `height` below 0.

    Examples
    --------
    >>> heat = np.array([[0.0, 0.5], [0.5, 1.0]], np.float32)
    >>> target = TargetExplanation(243, "bull mastiff", 12.345, 0.81, heat, heat)
    >>> expl = Explanation("a model", "gradcam", "out_relu", targets=[target])
    >>> print(format_as_text(expl, height=2))
    gradcam of a model, layer out_relu
    <BLANKLINE>
    target  score   proba  label
       243  12.35  0.8100  bull mastiff
    <BLANKLINE>
    243 bull mastiff
    ┌────┐
    │  ▒▒│
    │▒▒██│
    └────┘
    """
    if not isinstance(expl, Explanation):
        raise TypeError(
            f"an Explanation can be written as text, not a {type(expl).__name__}; "
            "give what explain_prediction returned"
        )
    if width is None:
        # A window may be too narrow to read in, but that is no reason not to write.
        width = max(_NARROWEST, shutil.get_terminal_size((_WIDTH, 24)).columns)
    _check_whole("width", width, _NARROWEST)
    _check_whole("height", height, 0)
    blocks = [[line for text in words_about(expl) for line in wrapped(text, width)]]
    if expl.targets:
        blocks.append(_table(expl, width))
    if height:
        size = None if expl.image is None else expl.image.size
        drawn = (heatmap_lines(one, size, width, height) for one in expl.targets)
        blocks += filter(None, drawn)
    return "\n\n".join("\n".join(lines) for lines in blocks)


def words_about(expl: Explanation) -> list[str]:
    """Say what was asked of whom, how that is answered, and what went wrong."""
    asked = f"{expl.method} of {expl.estimator}"
    asked += f", layer {expl.layer}" if expl.layer else ""
    failed = f"error: {expl.error}" if expl.error else ""
    return [line for line in map(one_line, (asked, expl.description, failed)) if line]


def cells_of(target: TargetExplanation) -> tuple[str, ...]:
    """Say of a target what stands in the table: its name, score, probability and label."""
    proba = "" if target.proba is None else f"{target.proba:.4f}"
    name = one_line(target_in_words(target.target))
    return name, f"{target.score:#.4g}", proba, one_line(target.label or "")


def heading_of(target: TargetExplanation) -> str:
    """Say whose heatmap it is, and what was done to draw it."""
    name, *_, label = cells_of(target)
    summed = f", depth of {len(target.heatmap)} summed" if target.heatmap.ndim == 3 else ""
    return f"{name} {label}".rstrip() + summed


def columns_of(expl: Explanation) -> tuple[list[str], list[tuple[str, ...]]]:
    """Give the table's headings and rows, without columns that have nothing to say."""
    rows = [cells_of(one) for one in expl.targets]
    shown = [i for i in range(len(_COLUMNS)) if any(row[i] for row in rows)]
    return [_COLUMNS[i] for i in shown], [tuple(row[i] for i in shown) for row in rows]


def _table(expl: Explanation, width: int) -> list[str]:
    headings, rows = columns_of(expl)
    # No name takes the room of the numbers; labels come last, so that those of right-to-left
    # scripts move no number.
    lines = [headings, *([shortened(row[0], width // 3), *row[1:]] for row in rows)]
    widths = [max(map(width_of, column)) for column in zip(*lines, strict=True)]
    if headings[-1] == _COLUMNS[-1]:
        widths[-1] = 0
    return [
        shortened(
            _BETWEEN.join(
                " " * (room - width_of(cell)) + cell
                for cell, room in zip(line, widths, strict=True)
            ),
            width,
        )
        for line in lines
    ]


def heatmap_lines(
    target: TargetExplanation, picture: tuple[int, int] | None, width: int, height: int
) -> list[str]:
    """Draw the heatmap of a target under its name; no lines if it cannot be drawn."""
    heat = heat_to_draw(target.heatmap)
    if heat is None:
        return []
    heading = shortened(heading_of(target), width)
    if heat.ndim == 1:
        return [heading, sparkline(heat, width)]
    columns, lines = room_for(heat, picture, width - 2, height)
    rule = "─" * columns
    drawn = (f"│{line}│" for line in shaded(resized(heat, columns, lines)))
    return [heading, f"┌{rule}┐", *drawn, f"└{rule}┘"]


def _check_whole(name: str, given: Any, least: int) -> None:
    if not isinstance(given, int | np.integer) or isinstance(given, bool):
        raise TypeError(f"{name} is {given!r}; give a whole number, {least} or more")
    if given < least:
        raise ValueError(f"{name} is {given}; give {least} or more")
