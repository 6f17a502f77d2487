"""What is known to be right of pictures: a table in a file, for reports."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from explainkit.cli.shell import CommandError, in_words_of_a_shell, remark
from explainkit.formatters.agreement import Truth
from explainkit.localization.box import BoxLike
from explainkit.suggestions import did_you_mean

_WANTED = "give PICTURE,LABEL or PICTURE,LABEL,LEFT,TOP,RIGHT,BOTTOM"


def read_truths(path: Path, images: Sequence[Path], labels: Sequence[str] | None) -> list[Truth]:
    """Read what is right of each picture.

    Parameters
    ----------
    path : Path
        A CSV file. A line has the picture, as it is given or by its file's name alone; its
        label, or the number of its unit, or nothing where that is not known; and, if they
        are known, the edges of a box in pixels. Further boxes are on further lines.
    images : sequence of Path
    labels : sequence of str or None
        The names of the classes.

    Returns
    -------
    list of Truth
        One for each picture; of a picture without a line nothing is known.

    Raises
    ------
    CommandError
        If the file cannot be read, a line is none of these, or no line is about any of
        the pictures.
    """
    told: dict[str, Truth] = {}
    for number, (picture, *rest) in _lines_of(path):
        try:
            told[picture] = _truth(told.get(picture, Truth()), rest, labels)
        except (LookupError, TypeError, ValueError) as error:
            raise CommandError(f"{path}, line {number}: {error}") from error
    found = [told.get(str(image), told.get(image.name)) for image in images]
    missing = found.count(None)
    if missing == len(images):
        raise CommandError(
            f"{path} has no line about {images[0]}, nor about any other picture; {_WANTED}"
        )
    if missing:
        remark(f"{path} has no line about {missing} of {len(images)} pictures")
    return [one or Truth() for one in found]


def _lines_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            for cells in lines:
                if any(cells):
                    yield lines.line_num, [cell.strip() for cell in cells]
    except OSError as error:
        raise CommandError(in_words_of_a_shell(error)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} is no table in UTF-8; {_WANTED} on each line") from error


def _truth(before: Truth, cells: Sequence[str], labels: Sequence[str] | None) -> Truth:
    if len(cells) not in (1, 5):
        raise ValueError(
            f"a picture and {len(cells)} more cells; {_WANTED}, and quote labels with commas"
        )
    label, *edges = cells
    target = _target(label, labels) if label else before.target
    if before.target not in (None, target):
        raise ValueError(f"the label is {label!r}, and was {before.target!r} in a line before")
    box: list[BoxLike] = [_box(edges)] if edges else []
    return Truth(target, [*before.boxes, *box])


def _target(label: str, labels: Sequence[str] | None) -> int | str:
    if labels is None:
        if not label.isdecimal():
            raise LookupError(
                f"{label!r} is a name, but no names were given; give --labels, or the number of "
                "the unit"
            )
        return int(label)
    if label in labels:
        return label
    if label.isdecimal():
        return int(label)
    raise LookupError(f"no label {label!r} in --labels{did_you_mean(label, labels)}")


def _box(edges: Sequence[str]) -> BoxLike:
    try:
        left, top, right, bottom = (int(edge) for edge in edges)
    except ValueError:
        raise ValueError(
            f"a box is {','.join(edges)}; give its left, top, right and bottom in whole pixels"
        ) from None
    return left, top, right, bottom
