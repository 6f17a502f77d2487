"""Explanations side by side, and how alike their maps are."""

import inspect
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explainkit.explanation import Explanation
from explainkit.filters import scale
from explainkit.formatters.captions import (
    PAPER,
    caption_of,
    font_for,
    in_rows,
    margin_of,
)
from explainkit.formatters.grid import columns_for, fitted, panel_size
from explainkit.formatters.image import check_drawing, format_as_image
from explainkit.formatters.options import check_two_axes, chosen_targets
from explainkit.formatters.similarity_table import draw_table, written
from explainkit.similarity import SIMILARITIES
from explainkit.suggestions import did_you_mean


def _label(expl: Explanation) -> str:
    return caption_of(expl.targets[0])[0]


#: What can differ between explanations, in the order in which names tell it.
_ASPECTS: tuple[Callable[[Explanation], str], ...] = (
    lambda expl: expl.method,
    lambda expl: expl.layer or "",
    lambda expl: expl.estimator,
    _label,
)
#: Maps are not enlarged beyond so many cells a side: they would say no more.
_LONGEST_SIDE = 256


@attrs.frozen(eq=False)
class Comparison:
    """Explanations, their names, and how alike their maps are.

    In IPython it shows itself as its picture; ``print`` shows the table.

    Attributes
    ----------
    names : tuple of str
        What each explanation is called.
    explanations : tuple of Explanation
        Each with the one target that is compared.
    similarities : ndarray of float64, shape (n, n)
        The similarity of the maps of each pair; NaN where that is not defined.
    similarity : str
        Its name: one of `explainkit.similarity.SIMILARITIES`.
    options : dict
        How heatmaps are drawn: options of `format_as_image`.
    """

    names: tuple[str, ...]
    explanations: tuple[Explanation, ...] = attrs.field(repr=False)
    similarities: NDArray[np.float64]
    similarity: str
    options: dict[str, Any] = attrs.field(factory=dict)

    @property
    def image(self) -> Image.Image:
        """A panel for each explanation, then the table: an RGB picture, drawn when looked at.

        Raises
        ------
        ValueError
            If an explanation has no picture to draw over.
        """
        drawn = [format_as_image(expl, **self.options) for expl in self.explanations]
        panel = panel_size(picture.size for picture in drawn)
        font = font_for(panel[0])
        scores = [caption_of(expl.targets[0])[1] for expl in self.explanations]
        panels = in_rows(
            (fitted(picture, panel) for picture in drawn),
            list(zip(self.names, scores, strict=True)),
            panel,
            columns_for(len(drawn)),
            font,
        )
        table = draw_table(self.names, self.similarities, panel, font)
        caption = ("similarity of the maps", self.similarity)
        with_table = in_rows([table], [caption], table.size, 1, font)
        left = panels.width - margin_of(font)  # both sheets have that margin
        size = (left + with_table.width, max(panels.height, with_table.height))
        sheet = Image.new("RGB", size, PAPER)
        sheet.paste(panels, (0, 0))
        sheet.paste(with_table, (left, 0))
        return sheet

    def __str__(self) -> str:
        names = [f"{number} {name}" for number, name in enumerate(self.names, 1)]
        first = max(map(len, [self.similarity, *names]))
        numbers = range(1, len(names) + 1)
        lines = [f"{self.similarity:<{first}}" + "".join(f"{number:>7}" for number in numbers)]
        for name, row in zip(names, self.similarities, strict=True):
            lines.append(f"{name:<{first}}" + "".join(f"{written(value):>7}" for value in row))
        return "\n".join(lines)

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str | bytes]:
        """Show itself in IPython: the table, and the picture if all have one."""
        kinds = {"text/plain", "image/png"}
        wanted = kinds.intersection(kinds if include is None else include) - set(exclude or ())
        shown: dict[str, str | bytes] = {}
        if "text/plain" in wanted:
            shown["text/plain"] = str(self)
        if "image/png" in wanted and all(expl.image is not None for expl in self.explanations):
            file = io.BytesIO()
            self.image.save(file, "PNG")
            shown["image/png"] = file.getvalue()
        return shown


def compare(
    explanations: Mapping[str, Explanation] | Iterable[Explanation] | Explanation,
    *,
    target: int = 0,
    similarity: str = "spearman",
    **options: Any,
) -> Comparison:
    """Set explanations side by side, and measure how alike their maps are.

    The signed maps, not the heatmaps, are compared. Each is divided by its largest
    absolute value, for methods have units of their own, and brought bilinearly to one
    size: that of the picture, if all have pictures of one size, shrunk to 256 cells a
    side; and in any case no less than the largest map.

    Parameters
    ----------
    explanations : mapping of str to Explanation, iterable of Explanation, or Explanation
        At least two, by name. Without names, each is called by what tells it from the
        others: its method, its layer, its estimator, or its target. One explanation by
        itself is compared target by target. The pictures may differ.
    target : int
        The position in ``expl.targets`` of the target to compare. Where one explanation
        is given, all its targets are compared.
    similarity : {"spearman", "pearson", "ssim"}
        One of `explainkit.similarity.SIMILARITIES`.
    **options
        The other options of `format_as_image`, for the heatmaps.

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError
        If something else than Explanations is given, or there is no such option.
    ValueError
        If there are fewer than two, one failed, has no targets or a map that is none of
        a picture, or an option is out of range or unknown.
    IndexError
        If an explanation has no target at that position.

    Examples
    --------
    >>> from explainkit import TargetExplanation
    >>> def explained_by(method, *map):
    ...     heat = np.array(map, np.float32)
    ...     target = TargetExplanation(7, None, 12.3, 0.81, heatmap=heat, map=heat)
    ...     return Explanation("a model", method, targets=[target])
    >>> one = explained_by("gradcam", [0, 1], [2, 3])
    >>> found = compare([one, explained_by("rise", [0, 2], [1, 3])])
    >>> found.names
    ('gradcam', 'rise')
    >>> print(found)
    spearman       1      2
    1 gradcam   1.00   0.80
    2 rise      0.80   1.00
    """
    # An iterator of boxes could be read for one picture only.
    options = {
        name: list(value) if isinstance(value, Iterator) else value
        for name, value in options.items()
    }
    _check_options(options)
    _check_similarity(similarity)
    _check_one_target(target)
    if isinstance(explanations, Explanation):
        compared = _each_target(explanations)
        names = _names_by_difference(compared)
    elif isinstance(explanations, Mapping):
        names = [str(name) for name in explanations]
        compared = [
            _with_one_target(f"explanations[{name!r}]", expl, target)
            for name, expl in explanations.items()
        ]
    elif isinstance(explanations, Iterable):
        compared = [
            _with_one_target(f"explanations[{i}]", expl, target)
            for i, expl in enumerate(explanations)
        ]
        names = _names_by_difference(compared)
    else:
        raise TypeError(
            f"explanations is of type {type(explanations).__name__}; give a dict of Explanations "
            "by name, a list of them, or one with several targets"
        )
    if len(compared) < 2:
        raise ValueError(
            f"there {'is' if compared else 'are'} {len(compared) or 'no'} "
            f"explanation{'s' * (not compared)} to compare; give two or more, or one Explanation "
            "by itself that has two or more targets"
        )
    maps = _in_one_size(compared)
    return Comparison(
        names=tuple(names),
        explanations=tuple(compared),
        similarities=_similarities(maps, similarity),
        similarity=similarity,
        options=options,
    )


def _check_options(options: dict[str, Any]) -> None:
    known = inspect.signature(check_drawing).parameters
    for name in options:
        if name not in known:
            raise TypeError(f"compare takes no argument {name!r}{did_you_mean(name, known)}")
    check_drawing(**options)


def _check_similarity(name: Any) -> None:
    choice = f"give one of {', '.join(SIMILARITIES)}"
    if not isinstance(name, str):
        raise TypeError(f"similarity is {name!r}, of type {type(name).__name__}; {choice}")
    if name not in SIMILARITIES:
        hint = did_you_mean(name.lower(), SIMILARITIES)
        raise ValueError(f"there is no similarity {name!r}; {choice}{hint}")


def _check_one_target(target: Any) -> None:
    if target is None or (isinstance(target, Iterable) and not isinstance(target, str)):
        raise TypeError(
            f"target is {target!r}; give the position of the one target to compare. All targets "
            "of one Explanation are compared where that is given by itself"
        )


def _each_target(expl: Explanation) -> list[Explanation]:
    count = len(_checked("explanations", expl).targets)
    return [_with_one_target("explanations", expl, position) for position in range(count)]


def _with_one_target(where: str, expl: Any, position: int) -> Explanation:
    [target] = chosen_targets(_checked(where, expl), position)
    check_two_axes(target.map.shape, f"{where}.targets[{position}].map")
    if target.map.size == 0 or not np.isfinite(target.map).all():
        what = "is empty" if target.map.size == 0 else "holds NaN or infinity"
        raise ValueError(f"{where}.targets[{position}].map {what}, and cannot be compared")
    alone: Explanation = attrs.evolve(expl, targets=[target])
    return alone


def _checked(where: str, expl: Any) -> Explanation:
    if not isinstance(expl, Explanation):
        raise TypeError(
            f"{where} is of type {type(expl).__name__}; give an Explanation, as "
            "explain_prediction returns it"
        )
    if expl.error:
        raise ValueError(f"{where} cannot be compared, for it failed: {expl.error}")
    if not expl.targets:
        raise ValueError(f"{where} cannot be compared, for it has no targets")
    return expl


def _names_by_difference(explanations: Sequence[Explanation]) -> list[str]:
    """Call each by as few of its aspects as tell them apart; then by numbers."""
    names = [""] * len(explanations)
    for aspect in _ASPECTS:
        told = [
            ", ".join(filter(None, (name, aspect(expl))))
            for name, expl in zip(names, explanations, strict=True)
        ]
        if len(set(told)) > len(set(names)):
            names = told
    if len(set(names)) < len(names):
        return [
            f"{name or _label(expl)} ({number})"
            for number, (name, expl) in enumerate(zip(names, explanations, strict=True), 1)
        ]
    return names


def _in_one_size(explanations: Sequence[Explanation]) -> list[NDArray[np.float64]]:
    maps = [scale(np.asarray(expl.targets[0].map, np.float64)) for expl in explanations]
    width = max(one.shape[1] for one in maps)
    height = max(one.shape[0] for one in maps)
    pictures = {None if expl.image is None else expl.image.size for expl in explanations}
    common = pictures.pop() if len(pictures) == 1 else None
    if common is not None:
        shrink = min(1, _LONGEST_SIDE / max(common))
        width = max(width, round(common[0] * shrink))
        height = max(height, round(common[1] * shrink))
    return [_resized(one, (width, height)) for one in maps]


def _resized(one: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    in_mode_f = Image.fromarray(one.astype(np.float32))
    return np.asarray(in_mode_f.resize(size, Image.Resampling.BILINEAR), np.float64)


def _similarities(maps: Sequence[NDArray[np.float64]], name: str) -> NDArray[np.float64]:
    found = np.empty((len(maps), len(maps)))
    for i, j in itertools.combinations_with_replacement(range(len(maps)), 2):
        found[i, j] = found[j, i] = SIMILARITIES[name](maps[i], maps[j])
    return found
