"""Reports: one page about many documents, to look through, sort and filter."""

import io
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, TypeGuard

from explainkit.explanation import Explanation
from explainkit.formatters.colormaps import Colormap
from explainkit.formatters.drawing import as_drawing
from explainkit.formatters.image import LANCZOS
from explainkit.formatters.options import ResamplingFilter
from explainkit.formatters.reports.agreement import Truth, TruthLike
from explainkit.formatters.reports.beside import check_counts, names_beside, truths_beside
from explainkit.formatters.reports.page import ReportPage
from explainkit.whole_files import whole_file

#: The endings of pages.
ENDINGS = (".html", ".htm")

_END: Any = object()


class Named(Protocol):
    """Explanations by what their documents are called: a dict, or what a run has kept."""

    def keys(self) -> Iterable[str]:
        """Give the names."""

    def values(self) -> Iterable[Explanation]:
        """Give the explanations, in the same order."""


def report(
    explanations: Iterable[Explanation] | Named,
    path: str | os.PathLike[str],
    *,
    names: Iterable[str | os.PathLike[str]] | None = None,
    truth: Iterable[TruthLike] | None = None,
    title: str = "Explanations",
    resampling_filter: ResamplingFilter = LANCZOS,
    colormap: Colormap = "viridis",
    alpha_limit: float = 0.65,
    saturated: float = 0.0,
    boxes: bool = False,
) -> Path:
    """Write a page about many documents: a gallery to sort, to filter and to look at closer.

    The page is one file that needs no network. It shows the overlay of each document's
    first target, small; choosing one opens it with all its targets. What failed, or cannot be
    drawn, is in it, too, with its error. Explanations are taken one at a time, and none is kept.

    Parameters
    ----------
    explanations : iterable of Explanation, or mapping
        One for each document, as ``explain_predictions`` gives them; or a mapping from names
        to them, such as `explainkit.datasets.load` gives.
    path : str or path
        The file to write, ending in .html or .htm. It is written whole, or left as it was.
    names : iterable of str or path, or None
        What the documents are called; by default as the mapping says, or "doc 0", "doc 1", …
    truth : iterable, or None
        For each document what is right: the unit or the label, which the first target is
        compared with; where it is, which its heatmap is compared with (a box or several,
        each of four numbers in pixels of the picture, or a mask of bool of its size); both,
        as a `Truth`; or None where nothing is known. True boxes are drawn, dashed, where
        one looks closer.
    title : str
        The heading.
    resampling_filter, colormap, alpha_limit, saturated
        How overlays are drawn, as for `format_as_image`.
    boxes : bool
        Whether to draw the box of each heatmap.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    TypeError
        If an argument is of a type that nothing can be made of.
    ValueError
        If there are no explanations, or not as many names or truths as explanations; if
        the path has another ending; if a truth cannot be compared with its explanation;
        if an option is out of range or unknown.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from explainkit import explain_predictions, report, scenes
    >>> drawn = list(scenes.draw_scenes(4))
    >>> explanations = explain_predictions(
    ...     scenes.load_network(), scenes.as_docs(drawn), target_names=scenes.KINDS
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = report(
    ...         explanations,
    ...         Path(folder, "scenes.html"),
    ...         truth=[scene.objects[0].kind for scene in drawn],
    ...     )
    ...     path.stat().st_size > 10_000
    True
    """
    file = _as_page(path)
    if not isinstance(boxes, bool):
        raise TypeError(f"boxes is {boxes!r}; give True for those of the heatmaps, or False")
    if not isinstance(title, str):
        raise TypeError(f"title is {title!r}, of type {type(title).__name__}; give a str")
    drawing: dict[str, Any] = {
        "resampling_filter": resampling_filter,
        "colormap": colormap,
        "alpha_limit": alpha_limit,
        "saturated": saturated,
        "boxes": boxes,
    }
    as_drawing(**drawing)
    check_counts(explanations, names=names, truths=truth)
    if _are_named(explanations):
        names = list(explanations.keys()) if names is None else names
        explanations = explanations.values()
    asked = _iterator_of(explanations)
    called, known = names_beside(names), truths_beside(truth)
    with (
        whole_file(file) as whole,
        _as_text(whole) as out,
        _spool(file) as items,
        _spool(file) as details,
    ):
        page = ReportPage(items, details, drawing)
        for place in itertools.count():
            # By hand, since loops hold on to what they had until they have the next.
            expl = next(asked, _END)
            if expl is _END:
                break
            _check_explanation(expl, place)
            page.add(expl, called.next(place, f"doc {place}"), known.next(place, Truth()))
            del expl
        called.check_ended(place)
        known.check_ended(place)
        if not place:
            raise ValueError("there are no explanations; a report is about at least one document")
        page.write(out, title)
    return file


def _are_named(given: Any) -> TypeGuard[Named]:
    # A series of pandas has keys, which are numbers, and values that are no method.
    return all(callable(getattr(given, name, None)) for name in ("keys", "values"))


def _as_page(path: Any) -> Path:
    file = Path(path)
    if file.suffix.lower() not in ENDINGS:
        raise ValueError(
            f"a report is a page, but {str(file)!r} ends in {file.suffix!r}; give one "
            f"of {', '.join(ENDINGS)}"
        )
    return file


def _iterator_of(explanations: Any) -> Iterator[Any]:
    if isinstance(explanations, Explanation) or not isinstance(explanations, Iterable):
        raise TypeError(
            f"explanations is of type {type(explanations).__name__}; give one for each document, "
            "as explain_predictions does"
        )
    return iter(explanations)


def _check_explanation(expl: Any, place: int) -> None:
    if not isinstance(expl, Explanation):
        raise TypeError(
            f"explanations[{place}] is of type {type(expl).__name__}; give what "
            "explain_prediction returned"
        )


@contextmanager
def _spool(file: Path) -> Iterator[IO[str]]:
    """Hold a part of the page on the disk that it goes to, for it may be large."""
    with tempfile.TemporaryFile("w+", dir=file.parent, encoding="utf-8", errors="replace") as part:
        yield part


@contextmanager
def _as_text(data: BinaryIO) -> Iterator[IO[str]]:
    with io.TextIOWrapper(data, "utf-8", errors="replace", newline="\n") as text:
        yield text
