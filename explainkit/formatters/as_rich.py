"""Explanations in colour where Rich prints them: a table, and heatmaps in half blocks."""

import attrs
import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.table import Table
from rich.text import Text

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters.blocks import heat_to_draw, resized, room_for
from explainkit.formatters.colormaps import SHADES, colour_table
from explainkit.formatters.lines import shortened
from explainkit.formatters.text import columns_of, heading_of, heatmap_lines, words_about

#: Its upper half has the ink's colour, its lower half the paper's.
_HALF = "▀"
#: The most lines of a heatmap.
_HEIGHT = 12


@attrs.frozen
class RichView:
    """What Rich prints of an explanation.

    Heatmaps are in colours where there are some, else in shades, as `format_as_text` draws
    them. Labels are texts: no markup in them is followed.

    Attributes
    ----------
    expl : Explanation
    """

    expl: Explanation

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give what is printed, one under the other."""
        asked, *more = words_about(self.expl)
        yield Text(asked, style="bold")
        yield from (Text(words) for words in more)
        if self.expl.targets:
            yield _table(self.expl)
        has_colours = console.color_system is not None and not console.no_color
        size = None if self.expl.image is None else self.expl.image.size
        width = options.max_width
        for position, one in enumerate(self.expl.targets):
            if position:
                yield Text()
            drawn = _coloured(one, size, width) if has_colours else None
            if drawn is None:
                yield Text("\n".join(heatmap_lines(one, size, width, _HEIGHT)))
            else:
                yield Text(shortened(heading_of(one), width), style="bold")
                yield drawn


def _table(expl: Explanation) -> Table:
    headings, rows = columns_of(expl)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        is_label = heading == "label"
        table.add_column(heading, justify="left" if is_label else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _coloured(
    target: TargetExplanation, picture: tuple[int, int] | None, width: int
) -> Text | None:
    """Draw the heatmap of a picture in colours; None where it is of something else."""
    heat = heat_to_draw(target.heatmap)
    if heat is None or heat.ndim == 1:
        return None
    columns, lines = room_for(heat, picture, width, _HEIGHT)
    return _half_blocks(resized(heat, columns, 2 * lines))


def _half_blocks(heat: NDArray[np.float32]) -> Text:
    """Draw two rows of cells in each line, in the colours of viridis."""
    table = colour_table("viridis", alpha_limit=1.0)[:, :3].tolist()
    shades = np.rint(heat * (SHADES - 1)).astype(int).tolist()
    drawn = Text(no_wrap=True)
    for upper, lower in zip(shades[::2], shades[1::2], strict=True):
        for ink, paper in zip(upper, lower, strict=True):
            style = Style(color=Color.from_rgb(*table[ink]), bgcolor=Color.from_rgb(*table[paper]))
            drawn.append(_HALF, style)
        drawn.append("\n")
    drawn.rstrip()
    return drawn
