"""One call for a person in a notebook: explain, and show."""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, cast

from PIL import Image

from explainkit.explain import enter, explain_prediction
from explainkit.explanation import Explanation
from explainkit.formatters.html import format_as_html
from explainkit.formatters.image import check_drawing, format_as_image
from explainkit.methods import option_names
from explainkit.suggestions import did_you_mean


class ShownPrediction(Image.Image):
    """A drawn explanation: a picture, which notebooks show as a page to look closer.

    What is made of it, such as ``shown.copy()`` or ``shown.resize((96, 96))``, is a picture
    like any other. So is it itself once it was drawn on, or shrunk by ``thumbnail``: then
    notebooks show its pixels, for the page knows nothing of what was done to them.

    Attributes
    ----------
    explanation : Explanation
        What was drawn.
    html : callable
        Gives it as HTML, drawn with the same options; made when it is called for.
    drawn : bytes
        A digest of the pixels that were drawn.
    """

    explanation: Explanation
    html: Callable[[], str]
    drawn: bytes

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str | bytes]:
        """Show itself in IPython: as HTML where that can be seen, as PNG elsewhere."""
        views: dict[str, Callable[[], str | bytes | None]] = {
            "text/html": self._as_html,
            "image/png": self._repr_png_,
            "text/plain": self._as_text,
        }
        wanted = set(views if include is None else include) - set(exclude or ())
        shown = ((kind, view()) for kind, view in views.items() if kind in wanted)
        return {kind: data for kind, data in shown if data is not None}

    def _repr_jpeg_(self) -> None:
        """Have notebooks not keep the picture twice."""

    def _as_html(self) -> str | None:
        return self.html() if self.drawn == _digest(self) else None

    def _as_text(self) -> str:
        # Without Pillow's address in memory, which changes notebooks that say the same.
        return f"<{type(self).__name__} image mode={self.mode} size={self.width}x{self.height}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image.Image):
            return NotImplemented
        # Pillow tells classes apart; here a picture is its pixels, as it always was.
        same = other.copy() if isinstance(other, ShownPrediction) else other
        return self.copy() == same

    __hash__ = None  # type: ignore[assignment]  # as Pillow's, which can be drawn on

    def __copy__(self) -> "ShownPrediction":
        return _shown(self.copy(), self.explanation, self.html, self.drawn)

    def __reduce__(self) -> tuple[Any, ...]:
        # Of the options some cannot be pickled, such as a lambda; what they make can.
        html = partial(str, self.html())
        return _shown, (self.copy(), self.explanation, html, self.drawn)


def _shown(
    picture: Image.Image, expl: Explanation, html: Callable[[], str], drawn: bytes
) -> ShownPrediction:
    shown = cast("ShownPrediction", picture)
    shown.__class__ = ShownPrediction
    shown.explanation, shown.html, shown.drawn = expl, html, drawn
    return shown


def _digest(picture: Image.Image) -> bytes:
    return hashlib.blake2b(picture.tobytes(), digest_size=16).digest()


def show_prediction(estimator: Any, doc: Any, **arguments: Any) -> ShownPrediction:
    """Explain what in a document made an estimator say what it said, and show it.

    Parameters
    ----------
    estimator, doc
        As in `explainkit.explain_prediction`.
    **arguments
        Any of the arguments of `explainkit.explain_prediction` and of
        `explainkit.format_as_image`. Several targets are shown side by side,
        unless `target` says which of them.

    Returns
    -------
    PIL.Image.Image
        The picture with its heatmap. As the result of a cell IPython shows it, with controls
        where HTML can be seen (`explainkit.format_as_html`); elsewhere in a cell, wrap the
        call in ``IPython.display.display``. Its ``explanation`` is what was drawn.

    Raises
    ------
    TypeError
        If there is no such argument; and as `explain_prediction` does.

    Examples
    --------
    >>> import explainkit
    >>> scene = explainkit.scenes.draw_scene(seed=0)
    >>> network = explainkit.scenes.load_network()
    >>> explainkit.show_prediction(network, scene.doc, alpha_limit=0.5).size
    (96, 96)
    """
    drawing = {name: value for name, value in arguments.items() if name in _names(format_as_image)}
    asking = {name: value for name, value in arguments.items() if name not in drawing}
    _check_known(estimator, asking)
    check_drawing(**{name: value for name, value in drawing.items() if name != "target"})
    # The drawing is made twice, as a picture and as HTML: what can be read once is kept.
    drawing |= {name: list(given) for name, given in drawing.items() if isinstance(given, Iterator)}
    expl = explain_prediction(estimator, doc, **asking)
    if len(expl.targets) > 1:
        drawing.setdefault("target", None)
    picture = format_as_image(expl, **drawing)
    html = partial(format_as_html, expl, **drawing)
    return _shown(picture, expl, html, _digest(picture))


def _check_known(estimator: Any, asking: dict[str, Any]) -> None:
    """Refuse an argument that is nobody's, with the nearest name of any owner."""
    found = explain_prediction.dispatch(type(estimator))
    if found is explain_prediction.dispatch(object):
        found = enter(explain_prediction, estimator)
    names = _names(found)
    if "method" in names:
        names += option_names(asking.get("method", "gradcam"))
    takes_more = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(found).parameters.values())
    for name in asking:
        if name in names:
            continue
        hint = did_you_mean(name, [*names, *_names(format_as_image)])
        # Who takes others' options judges for itself what resembles nothing.
        if hint or not takes_more:
            raise TypeError(f"show_prediction takes no argument {name!r}{hint}")


def _names(function: Any) -> list[str]:
    """Name the arguments of a function, but for those that come first by position."""
    parameters = inspect.signature(function).parameters.values()
    named = (p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    return [p.name for p in named if p.default is not p.empty]
