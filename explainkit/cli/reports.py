"""What the commands show: tables for people, JSON for programs, progress on stderr."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import attrs
import numpy as np
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from explainkit.cli.outputs import Job
from explainkit.cli.shell import terminal
from explainkit.explanation import Explanation
from explainkit.formatters.lines import one_line
from explainkit.formatters.target_names import target_in_words

Record = dict[str, Any]
Item = TypeVar("Item")

#: What may be no letter that can be printed; it stands in texts only.
_UNUSUAL = re.compile(r"[^\n -~]")


def print_json(value: Any) -> None:
    """Print a value on stdout as JSON, and nothing else.

    Letters stay as they can be read; what cannot be printed, and could disturb a terminal, is
    escaped.
    """
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
    print(_UNUSUAL.sub(_escaped, written))


def _escaped(found: re.Match[str]) -> str:
    letter = found[0]
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Sequence[str]]], numbers: str = ""
) -> None:
    """Print a table on stdout.

    Parameters
    ----------
    columns : sequence of str
        The headings.
    rows : iterable of sequences of str, or of sequences of str
        A cell is a line of text, or several; only what can be printed comes out.
    numbers : str
        The headings of the columns that are set to the right, separated by spaces.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column in numbers.split()
        table.add_column(
            column, justify="right" if right else "left", no_wrap=right, overflow="fold"
        )
    for row in rows:
        cells = ([cell] if isinstance(cell, str) else cell for cell in row)
        table.add_row(*("\n".join(map(one_line, lines)) for lines in cells))
    terminal().print(table)


def print_line(text: str) -> None:
    """Print a line on stdout, in one piece, without what cannot be printed."""
    terminal().print(one_line(text), soft_wrap=True)


def waiting(what: str) -> AbstractContextManager[Any]:
    """Show on stderr, if that is a terminal, that something takes a while."""
    return terminal(stderr=True).status(what) if sys.stderr.isatty() else nullcontext()


def progress(items: Iterable[Item], count: int) -> Iterator[Item]:
    """Pass items on, with a bar on stderr if that is a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    disabled = not sys.stderr.isatty()
    console = terminal(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=disabled) as bar:
        yield from bar.track(items, total=count, description="explaining")


def as_record(job: Job, expl: Explanation) -> Record:
    """Say all that an explanation says in numbers, texts, lists and dicts.

    Parameters
    ----------
    job : Job
        Where the picture came from, and where its overlay is.
    expl : Explanation

    Returns
    -------
    dict
        The fields of `Explanation`, its picture as the path; heatmaps are nested
        lists of four decimals. There is no `output` where there is an `error`.
    """
    written = job.output is not None and not expl.error
    return {
        "image": str(job.image),
        "output": str(job.output) if written else None,
        **attrs.asdict(
            expl,
            filter=lambda field, _: field.alias not in ("image", "map"),
            value_serializer=_plain,
        ),
    }


def _plain(_instance: Any, _field: Any, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.astype(np.float64).round(4).tolist()
    if isinstance(value, float):
        return float(f"{value:.7g}")
    return value


def print_explanations(records: Sequence[Record]) -> None:
    """Print what pictures show, a line for each target, and where the overlays are."""
    rows = [
        (
            record["image"] if position == 0 else "",
            target_name(target),
            f"{target['score']:#.4g}",
            "" if target["proba"] is None else f"{target['proba']:.4f}",
        )
        for record in records
        for position, target in enumerate(record["targets"])
    ]
    if rows:
        print_table(("picture", "target", "score", "proba"), rows, numbers="score proba")
    # Of a report each record names the page.
    written = list(dict.fromkeys(record["output"] for record in records if record["output"]))
    if len(written) == 1:
        print_line(f"Wrote {written[0]}")
    elif written:
        print_line(f"Wrote {len(written)} pictures to {Path(written[0]).parent}")


def target_name(target: Record) -> str:
    """Name a target of a record by its unit and, if it has one, its label.

    Examples
    --------
    >>> target_name({"target": ("boxes", 3), "label": None})
    'boxes:3'
    >>> target_name({"target": 243, "label": "bull mastiff"})
    '243 bull mastiff'
    """
    name = target_in_words(target["target"])
    return f"{name} {target['label']}" if target["label"] else name
