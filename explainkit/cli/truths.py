"""What is known to be right of pictures: a table in a file, for reports."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from explainkit.cli.outputs import short_names
from explainkit.cli.shell import CommandError, in_words_of_a_shell, remark
from explainkit.explanation import TargetName
from explainkit.formatters.reports.agreement import Truth
from explainkit.localization.box import Box, as_box
from explainkit.localization.overlap import iou
from explainkit.suggestions import did_you_mean

_WANTED = "give PICTURE,LABEL or PICTURE,LABEL,LEFT,TOP,RIGHT,BOTTOM"
#: Of more strange lines than these only the first are named.
_MOST_NAMED = 3
#: In these orientations cameras store columns as rows.
_LYING = range(5, 9)


def read_truths(path: Path, images: Sequence[Path], labels: Sequence[str] | None) -> list[Truth]:
    """Read what is right of each picture.

    Parameters
    ----------
    path : Path
        A CSV file. A line has the picture, as it is given, as the report names it, or by its
        file's name alone where no other is called so; its label, or the number of its unit,
        OUTPUT:NUMBER for models with several outputs, or nothing where that is not known;
        and, if they are known, the edges of a box in pixels. Further boxes are on further
        lines. A first line about a picture without an ending is taken for a heading.
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
    told: dict[Path, Truth] = {}
    strange: list[str] = []
    called = _Names(images)
    for number, (picture, *rest) in _lines_of(path):
        try:
            image = called.find(picture)
            if image is not None:
                told[image] = _truth(told.get(image, Truth()), rest, labels, image)
            elif not rest and any(mark in picture for mark in ";\t"):
                raise ValueError(f"its cells are not apart; {_WANTED}, with commas")
            elif number > 1 or Path(picture).suffix:
                strange.append(f"{picture} (line {number})")
        except (LookupError, TypeError, ValueError) as error:
            raise CommandError(f"{path}, line {number}: {error}") from error
    missing = sum(image not in told for image in images)
    if missing == len(images):
        raise CommandError(
            f"{path} has no line about {images[0]}, nor about any other picture; {_WANTED}"
        )
    if missing:
        remark(f"{path} has no line about {missing} of {len(images)} pictures")
    if strange:
        more = ", …" if len(strange) > _MOST_NAMED else ""
        remark(
            f"{path} has lines about none of the pictures: {', '.join(strange[:_MOST_NAMED])}{more}"
        )
    return [told.get(image, Truth()) for image in images]


def check_truths(path: Path, known: Sequence[Truth], images: Sequence[Path], model: Any) -> None:
    """Check that the model has what is said to be right, before anything is explained.

    Parameters
    ----------
    path : Path
        Where it was read.
    known : sequence of Truth
    images : sequence of Path
    model : keras.Model

    Raises
    ------
    CommandError
        If it has no such output or unit.
    """
    names = list(getattr(model, "output_names", None) or ())
    shapes = [tuple(one.shape) for one in getattr(model, "outputs", None) or ()]
    units = dict(zip(names, shapes, strict=False))
    for truth, image in zip(known, images, strict=True):
        try:
            _check_target(truth.target, units)
        except LookupError as error:
            raise CommandError(f"{path}, of {image}: {error.args[0]}") from error


def _check_target(target: TargetName | None, shapes: dict[str, tuple[int | None, ...]]) -> None:
    if target is None or isinstance(target, str) or not shapes:
        return
    names = ", ".join(shapes)
    if not isinstance(target, tuple):
        if len(shapes) > 1:
            raise LookupError(
                f"unit {target}, but the model has the outputs {names}: give OUTPUT:NUMBER"
            )
        target = next(iter(shapes)), target
    elif len(shapes) == 1:
        raise LookupError(f"unit {target[0]}:{target[1]}, but the model has one output")
    output, unit = target
    if output not in shapes:
        raise LookupError(
            f"no output {output!r}; the model has {names}" + did_you_mean(output, list(shapes))
        )
    shape = shapes[output]
    if len(shape) == 2 and shape[1] is not None and unit >= shape[1]:
        raise LookupError(f"no unit {unit}; output '{output}' has {shape[1]}, from 0 on")


class _Names:
    """What pictures may be called in a table."""

    def __init__(self, images: Sequence[Path]) -> None:
        self.paths = {str(image): image for image in images}
        self.shown = dict(zip(short_names(images), images, strict=True))
        self.files: dict[str, list[Path]] = {}
        for image in self.paths.values():
            self.files.setdefault(image.name, []).append(image)

    def find(self, called: str) -> Path | None:
        """Find the picture that is meant.

        Raises
        ------
        LookupError
            If several may be.
        """
        path = str(Path(called))
        found = self.paths.get(path) or self.shown.get(path)
        if found is not None:
            return found
        among = self.files.get(called, [])
        if len(among) > 1:
            raise LookupError(
                f"{len(among)} pictures are called {called}; give the path, such as {among[0]}"
            )
        return among[0] if among else None


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


def _truth(before: Truth, cells: Sequence[str], labels: Sequence[str] | None, image: Path) -> Truth:
    if len(cells) not in (1, 5):
        raise ValueError(
            f"a picture and {len(cells)} more cells; {_WANTED}, and quote labels with commas"
        )
    label, *edges = cells
    target = _target(label, labels) if label else before.target
    if before.target not in (None, target):
        raise ValueError(f"the label is {label!r}, and was {before.target!r} in a line before")
    # Programs that write tables fill up the lines of pictures without a box.
    box = [_box(edges, image)] if any(edges) else []
    return Truth(target, [*before.boxes, *box])


def _target(label: str, labels: Sequence[str] | None) -> TargetName:
    if label in (labels or ()):
        return label
    output, colon, unit = label.rpartition(":")
    if colon and output and unit.isdecimal():
        return output, int(unit)
    if label.isdecimal():
        if labels is not None and int(label) >= len(labels):
            raise LookupError(f"no unit {label}; --labels has {len(labels)}, from 0 on")
        return int(label)
    if labels is None:
        raise LookupError(
            f"{label!r} is a name, but no names were given; give --labels, or the number of "
            "the unit"
        )
    raise LookupError(f"no label {label!r} in --labels{did_you_mean(label, labels)}")


def _box(edges: Sequence[str], image: Path) -> Box:
    try:
        numbers = [float(edge) for edge in edges]
    except ValueError:
        raise ValueError(
            f"a box is {','.join(edges)}; give its left, top, right and bottom in whole pixels"
        ) from None
    box, size = as_box(numbers), _size_of(image)
    if box.area and size is not None and not iou(box, Box(0, 0, *size)):
        raise ValueError(
            f"the box {','.join(map(str, box))} lies outside the picture of {size[0]} x {size[1]} "
            "pixels"
        )
    return box


def _size_of(image: Path) -> tuple[int, int] | None:
    """Read how large a picture is, upright; None where it is none, which is said later."""
    try:
        with Image.open(image) as opened:
            lying = opened.getexif().get(ExifTags.Base.Orientation) in _LYING
            width, height = opened.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return (height, width) if lying else (width, height)
