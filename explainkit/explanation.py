"""The record: what an explanation says, as plain data that programs can read.

This room knows no other. Estimators fill the records, formatters draw them.
"""

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: What a target is called: a unit of the output, a unit of one of several
#: outputs, or the name of the callable that chose the score.
TargetName = int | tuple[str, int] | str

#: A picture, or what makes one when somebody looks, or None where there is none.
PictureSource = Image.Image | Callable[[], Image.Image | None] | None

#: How a record shows itself in IPython: for each MIME type a function that draws
#: it, or gives None if it cannot. The package fills it with its formatters;
#: plug-ins may add to it.
views: "dict[str, Callable[[Explanation], str | bytes | None]]" = {}


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


def _look(source: PictureSource) -> Image.Image | None:
    return source() if callable(source) else source


def _same_picture(one: PictureSource, other: PictureSource) -> bool:
    a, b = _look(one), _look(other)
    if a is None or b is None:
        return a is b
    # Not PIL's own equality: files lose notes that say nothing of the picture.
    return (a.mode, a.size) == (b.mode, b.size) and a.tobytes() == b.tobytes()


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
        default=None, alias="image", eq=_comparable_picture, hash=False
    )
    error: str | None = None

    @property
    def image(self) -> Image.Image | None:
        """The picture that was explained, made when first looked at."""
        if callable(self._image):
            # The record says the same before and after: only the making is put off.
            object.__setattr__(self, "_image", self._image())
        return _look(self._image)

    def __repr__(self) -> str:
        shown = (
            f"{field.alias}={getattr(self, field.alias)!r}" for field in attrs.fields(type(self))
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str | bytes]:
        """Show itself in IPython, with every view that fits."""
        wanted = set(views if include is None else include) - set(exclude or ())
        shown = ((kind, view(self)) for kind, view in views.items() if kind in wanted)
        return {kind: data for kind, data in shown if data is not None}
