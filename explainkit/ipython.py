"""One call for a person in a notebook: explain, and show."""

import inspect
from typing import Any

from PIL import Image

from explainkit.explain import enter, explain_prediction
from explainkit.formatters.image import check_drawing, format_as_image
from explainkit.methods import option_names
from explainkit.suggestions import did_you_mean


def show_prediction(estimator: Any, doc: Any, **arguments: Any) -> Image.Image:
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
        The picture with its heatmap, which IPython shows as the result of a
        cell; elsewhere in a cell, wrap the call in ``IPython.display.display``.

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
    expl = explain_prediction(estimator, doc, **asking)
    if len(expl.targets) > 1:
        drawing.setdefault("target", None)
    return format_as_image(expl, **drawing)


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
