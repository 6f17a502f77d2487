"""The methods by name. A new one is a file beside these, and a line here."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from explainkit.methods.base import Method
from explainkit.methods.cam import GradCAM
from explainkit.suggestions import did_you_mean

METHODS: dict[str, type[Method]] = {method.name: method for method in (GradCAM,)}


def find_method(
    method: str | Method, options: Mapping[str, Any], arguments: Iterable[str] = ()
) -> Method:
    """Make the method that was asked for.

    Parameters
    ----------
    method
        A name in `METHODS`, or a method made by hand.
    options
        The method's own options.
    arguments
        What else may be given beside them: names that a misspelt option may have meant.

    Raises
    ------
    ValueError
        If there is no such method.
    TypeError
        If the method has no such option, or the option no such value.

    Examples
    --------
    >>> find_method("gradcam", {"counterfactual": True})
    GradCAM(counterfactual=True)
    """
    if isinstance(method, Method):
        if options:
            raise TypeError(
                f"{method!r} has its options already; {_listed(options)} came beside it"
            )
        return method
    if not isinstance(method, str):
        raise TypeError(f"method is a {type(method).__name__}; give a name: {_listed(METHODS)}")
    if method not in METHODS:
        raise ValueError(
            f"no method {method!r}; there are: {_listed(METHODS)}" + did_you_mean(method, METHODS)
        )
    chosen: Any = METHODS[method]
    known = option_names(method)
    for option in options:
        if option not in known:
            raise TypeError(
                f"{option!r} is no argument of explain_prediction and no option of "
                f"{method!r}, which takes: {_listed(known)}"
                + did_you_mean(option, [*known, *arguments])
            )
    made: Method = chosen(**options)
    return made


def option_names(method: Any) -> list[str]:
    """Name the options of a method, given as `find_method` takes it."""
    chosen: Any = METHODS.get(method, Method) if isinstance(method, str) else type(method)
    return [field.name for field in attrs.fields(chosen)] if attrs.has(chosen) else []


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"
