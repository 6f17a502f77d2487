"""The record: what an explanation says, as plain data that programs can read.

This room knows no other but `suggestions`. Estimators fill the records, formatters draw
and write them.
"""

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from os import PathLike
from pathlib import Path
from types import FrameType
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explainkit.suggestions import did_you_mean

#: What a target is called: a unit of the output, a unit of one of several
#: outputs, or the name of the callable that chose the score.
TargetName = int | tuple[str, int] | str

#: A picture, or what makes one when somebody looks, or None where there is none.
PictureSource = Image.Image | Callable[[], Image.Image | None] | None

#: How a record shows itself in IPython: for each MIME type a function that draws
#: it, or gives None if it cannot. The package fills it with its formatters;
#: plug-ins may add to it.
views: "dict[str, Callable[[Explanation], str | bytes | None]]" = {}

#: How a record shows itself where Rich prints it: a function that makes something
#: of Rich's of it. The package adds its own; without one, the fields are shown.
rich_views: "list[Callable[[Explanation], Any]]" = []

#: How a record is written to a file, and read from one, for each ending of the
#: file's name, in small letters and with its dot. The package fills them with its
#: formatters; plug-ins may add to them.
writers: "dict[str, Callable[[Explanation, Path], None]]" = {}
readers: "dict[str, Callable[[Path], Explanation]]" = {}


class ExplanationWarning(UserWarning):
    """Something about an explanation that a person should know before trusting it."""


_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def without_warnings() -> Iterator[None]:
    """Have no explanation warn in here, for those who look at the records themselves.

    Only in this thread, which Python's own `warnings.catch_warnings` does not promise.
    """
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def warn(message: str) -> None:
    """Warn at the line outside the package that asked for the explanation."""
    if _quiet.get():
        return
    level = 1
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - as warnings does itself
    while frame is not None and _is_ours(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, ExplanationWarning, stacklevel=level)


def _is_ours(module: str) -> bool:
    # Doors are entered through functools, and bars drawn around what is asked.
    return module.partition(".")[0] in ("explainkit", "tqdm") or module == "functools"


def _array_field() -> Any:
    return attrs.field(converter=np.asarray, eq=attrs.cmp_using(eq=np.array_equal), hash=False)


class _Once:
    """What makes a picture when somebody first looks, and has it from then on."""

    __slots__ = ("_source",)

    def __init__(self, source: PictureSource) -> None:
        self._source = source

    def __call__(self) -> Image.Image | None:
        if callable(self._source):
            self._source = self._source()
        return self._source


def _made_once(source: PictureSource) -> PictureSource:
    return _Once(source) if callable(source) and not isinstance(source, _Once) else source


def _look(source: PictureSource) -> Image.Image | None:
    return source() if callable(source) else source


def _same_picture(one: PictureSource, other: PictureSource) -> bool:
    a, b = _look(one), _look(other)
    if a is None or b is None:
        return a is b
    # Not PIL's own equality: files lose notes that say nothing of the picture.
    return (a.mode, a.size) == (b.mode, b.size) and _shown(a) == _shown(b)


def _shown(picture: Image.Image) -> tuple[object, ...]:
    palette = None if picture.palette is None else picture.getpalette("RGBA")
    return picture.tobytes(), palette, picture.info.get("transparency")


_comparable_picture = attrs.cmp_using(eq=_same_picture, require_same_type=False)


@attrs.frozen
class TargetExplanation:
    """What made the model give one target its score.

    Attributes
    ----------
    target : int, tuple of (str, int), or str
        The unit of the output; ``(output, unit)`` where the model has several
        outputs; the name of the function where a callable chose the score.
    label : str or None
        The target's name, if names were given.
    score : float
        The number the gradient is taken of: by default the one before a final
        softmax or sigmoid.
    proba : float or None
        The number after the softmax or sigmoid; None where there is neither.
    heatmap : ndarray of float32, shape (h, w)
        The map made ready to look at: in [0, 1], at the layer's own size.
    map : ndarray of float32, shape (h, w)
        The method's raw, signed result.
    """

    target: TargetName
    label: str | None
    score: float
    proba: float | None
    heatmap: NDArray[np.float32] = _array_field()
    map: NDArray[np.float32] = _array_field()


def _targets(given: Iterable[TargetExplanation]) -> tuple[TargetExplanation, ...]:
    return tuple(given)


@attrs.frozen
class Explanation:
    """The answer to what in an input made the model say that.

    Attributes
    ----------
    estimator : str
        The name of the model.
    method : str
        The name of the method, as given to ``method=``.
    layer : str or None
        Where the heatmap was built: the path of the layer in the model. Several
        paths, fused, are joined by " + ". None for methods that use no layer.
    description : str
        The method in a sentence, and what there is to know of this explanation.
    is_regression : bool
        Whether the score is a quantity rather than the score of a class.
    targets : tuple of TargetExplanation
        One for each target that was asked for, in that order.
    image : PIL.Image.Image or None
        The picture that was explained, at its own size. It is made when first
        looked at; None where the input is no picture.
    error : str or None
        Why this document has no explanation; None if it has one.
    """

    estimator: str
    method: str
    layer: str | None = None
    description: str = ""
    is_regression: bool = False
    targets: tuple[TargetExplanation, ...] = attrs.field(default=(), converter=_targets)
    _image: PictureSource = attrs.field(
        default=None,
        alias="image",
        converter=_made_once,
        eq=_comparable_picture,
        hash=False,
    )
    error: str | None = None

    @property
    def image(self) -> Image.Image | None:
        """The picture that was explained, made when first looked at."""
        return _look(self._image)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the record to a file that `load` reads back, whole or not at all.

        Parameters
        ----------
        path : str or path
            Its ending says what it becomes:

            - ``.json``: the dict of `explainkit.format_as_dict`;
            - ``.html``: a page for a browser, with the record in it;
            - ``.png``: the picture with its heatmaps, with the record in it.

        Raises
        ------
        ValueError
            If nothing is known to write files with such an ending; as the formatters do
            for records that they cannot draw or write.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp(), "expl.json")
        >>> expl = Explanation("a model", "gradcam", description="nothing yet")
        >>> expl.save(path)
        >>> Explanation.load(path) == expl
        True
        """
        _by_ending(path, writers)(self, Path(path))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Explanation":
        """Read the record from a file that `save` wrote.

        Parameters
        ----------
        path : str or path
            Ending in ``.json``, ``.html`` or ``.png``. It may come from anywhere: what it
            says is checked, and nothing in it can run.

        Returns
        -------
        Explanation
            Equal to the one that was saved.

        Raises
        ------
        ValueError
            If nothing is known to read files with such an ending; if there is no record in
            it, or a damaged one.
        OSError
            If the file cannot be read.
        """
        found: Explanation = _by_ending(path, readers)(Path(path))
        return found

    def __repr__(self) -> str:
        shown = (f"{one.alias}={self._in_words(one.alias)}" for one in attrs.fields(type(self)))
        return f"{type(self).__name__}({', '.join(shown)})"

    def _in_words(self, field: str) -> str:
        try:
            return repr(getattr(self, field))
        except Exception as error:  # noqa: BLE001 - logs and debuggers must not stumble over a picture
            return f"<cannot be made: {type(error).__name__}: {error}>"

    def __rich__(self) -> Any:
        """Show itself where Rich prints it."""
        return rich_views[-1](self) if rich_views else repr(self)

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str | bytes]:
        """Show itself in IPython, with every view that fits."""
        wanted = set(views if include is None else include) - set(exclude or ())
        shown = ((kind, view(self)) for kind, view in views.items() if kind in wanted)
        return {kind: data for kind, data in shown if data is not None}


def _by_ending(path: str | PathLike[str], known: dict[str, Any]) -> Any:
    ending = Path(path).suffix.lower()
    if ending not in known:
        said = f"ends in {ending!r}" if ending else "has no ending"
        raise ValueError(
            f"the path {str(path)!r} {said}, and an explanation's file ends in one of "
            f"{', '.join(known)}{did_you_mean(ending, known)}"
        )
    return known[ending]
