"""Where the pictures go: planned before anything is computed, written whole or not at all."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
from PIL import Image

from explainkit.cli.shell import CommandError, UsageError, in_words_of_a_shell
from explainkit.explanation import Explanation
from explainkit.formatters.reports.report import ENDINGS, report
from explainkit.pictures import picture_suffixes
from explainkit.whole_files import whole_file

#: The formats that overlays are written in, by suffix.
FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
_OPAQUE = ("JPEG", "BMP")
_QUALITY = {"JPEG": {"quality": 95}, "WEBP": {"quality": 95}}


@attrs.frozen
class Job:
    """A picture to explain, and where its overlay goes.

    Attributes
    ----------
    image : Path
    output : Path or None
    """

    image: Path
    output: Path | None


def find_images(given: Sequence[Path]) -> list[Path]:
    """List the pictures that are meant: files as they are, of a folder all pictures in it.

    Raises
    ------
    CommandError
        If a folder cannot be read or has no pictures.
    """
    images: list[Path] = []
    for path in given:
        images += _images_in(path) if path.is_dir() else [path]
    return images


def _images_in(folder: Path) -> list[Path]:
    suffixes = picture_suffixes()
    try:
        images = sorted(
            path for path in folder.iterdir() if path.suffix.lower() in suffixes and path.is_file()
        )
    except OSError as error:
        raise CommandError(in_words_of_a_shell(error)) from error
    if not images:
        raise CommandError(f"{folder}: a folder without pictures")
    return images


def plan(images: Sequence[Path], output: str | None) -> list[Job]:
    """Give every picture a place for its overlay that can be written.

    Parameters
    ----------
    images : sequence of Path
    output : str or None
        A file for one picture, a folder, which is made if its parent is there, or the page
        of a report, on which all have their place.

    Raises
    ------
    UsageError
        If the output does not suit the pictures.
    CommandError
        If it cannot be written.
    """
    if output is None:
        return [Job(image, None) for image in images]
    path = Path(output)
    if is_report(output):
        jobs, folder = [Job(image, path) for image in images], path.parent
    elif is_folder(output, len(images)):
        jobs = [
            Job(image, path / name)
            for image, name in zip(images, _distinct_names(images), strict=True)
        ]
        folder = path
    else:
        jobs, folder = [Job(images[0], path)], path.parent
    sources = {image.resolve() for image in images}
    for job in jobs:
        if job.output is not None and job.output.resolve() in sources:
            raise UsageError(f"{job.output} would overwrite a picture to explain; give another -o")
    _check_writable(folder, [job.output for job in jobs if job.output], make=folder == path)
    return jobs


def is_report(output: str | None) -> bool:
    """Tell whether an output is a page about all pictures."""
    return output is not None and not _is_sure_folder(output) and _suffix(output) in ENDINGS


def _is_sure_folder(output: str) -> bool:
    return Path(output).is_dir() or output.endswith(("/", os.sep))


def _suffix(output: str) -> str:
    return Path(output).suffix.lower()


def short_names(images: Sequence[Path]) -> list[str]:
    """Name pictures by their paths from the folder that all of them are in.

    Examples
    --------
    >>> short_names([Path("photos/cats/1.jpg"), Path("photos/dogs/1.jpg")])
    ['cats/1.jpg', 'dogs/1.jpg']
    """
    folder = os.path.commonpath([image.absolute().parent for image in images])
    return [image.absolute().relative_to(folder).as_posix() for image in images]


def is_folder(output: str, count: int) -> bool:
    """Tell whether an output is a folder: it is one already, or looks like one.

    Raises
    ------
    UsageError
        If it is a file of a format unknown, or one file for many pictures.
    """
    if _is_sure_folder(output):
        return True
    suffix = _suffix(output)
    if suffix in FORMATS and count > 1:
        raise UsageError(
            f"-o {output} is one file, but there are {count} pictures; give a folder, or a page "
            "about all of them, such as report.html"
        )
    if suffix and suffix not in FORMATS and count == 1:
        raise UsageError(
            f"-o {output}: '{suffix}' is no format to write; give one of {', '.join(FORMATS)}, "
            ".html for a report, or a folder with a slash at its end"
        )
    return suffix not in FORMATS


def _distinct_names(images: Iterable[Path]) -> list[str]:
    """Name an overlay for each picture; equal stems are numbered, whatever their case."""
    names: list[str] = []
    for image in images:
        taken = {name.lower() for name in names}
        name, number = f"{image.stem}.png", 2
        while name.lower() in taken:
            name, number = f"{image.stem}-{number}.png", number + 1
        names.append(name)
    return names


def check_file(path: Path) -> None:
    """Raise now if a picture could not be written to a file later.

    Raises
    ------
    UsageError
        If its format is unknown.
    CommandError
        If it cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"-o {path}: '{path.suffix}' is no format to write; give one of {', '.join(FORMATS)}"
        )
    _check_writable(path.parent, [path], make=False)


def _check_writable(folder: Path, files: Iterable[Path], *, make: bool) -> None:
    try:
        if make:
            folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(f"cannot write to the folder {folder}: {reason}") from error
    for file in files:
        if file.is_dir():
            raise CommandError(f"cannot write {file}: it is a folder")


def write_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture to a file, which is either whole or as it was before.

    Raises
    ------
    CommandError
        If it cannot be written.
    """
    kind = FORMATS[path.suffix.lower()]
    try:
        with whole_file(path) as file:
            _flat(picture, kind).save(file, kind, **_QUALITY.get(kind, {}))
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror or error}") from error


def write_report(explanations: Iterable[Explanation], path: Path, **options: Any) -> None:
    """Write a report, which is either whole or as it was before; options as `report` has them.

    Raises
    ------
    CommandError
        If it cannot be written, or the options do not suit the explanations.
    Exception
        What the iterable of explanations raises.
    """
    try:
        report(_passing(explanations), path, **options)
    except _PassedError as passed:
        raise passed.error from None
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise CommandError(f"cannot write {path}: {in_words_of_a_shell(error)}") from error


class _PassedError(Exception):
    """What was raised while explaining, on its way past what is said of writing."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def _passing(explanations: Iterable[Explanation]) -> Iterator[Explanation]:
    try:
        yield from explanations
    except Exception as error:
        raise _PassedError(error) from error


def _flat(picture: Image.Image, kind: str) -> Image.Image:
    if kind not in _OPAQUE or not picture.has_transparency_data:
        return picture
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
