"""The methods by name. A new one is a file beside these and a line here, or a plug-in."""

import threading
from collections.abc import Iterable, Mapping
from functools import partial
from importlib.metadata import entry_points
from typing import Any

import attrs

from explainkit import plug_ins
from explainkit.methods.base import Method
from explainkit.methods.cam import CAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from explainkit.methods.channel_scores import AblationCAM, ScoreCAM
from explainkit.methods.eigencam import EigenCAM
from explainkit.methods.full_gradients import FullGrad
from explainkit.methods.gradients import Gradients, InputXGradient
from explainkit.methods.integrated_gradients import IntegratedGradients
from explainkit.methods.noise import SmoothGrad, VarGrad
from explainkit.methods.perturbation import RISE, Occlusion
from explainkit.methods.relu_rewrites import Deconvnet, GuidedBackprop, GuidedGradCAM
from explainkit.methods.wrappers import Smooth, TestTimeAugmentation, Wrapper
from explainkit.suggestions import did_you_mean

__all__ = [
    "ENTRY_POINTS",
    "METHODS",
    "Method",
    "counterfactual",
    "find_method",
    "known_methods",
    "option_names",
    "smooth",
    "tta",
]

#: The entry points by which other distributions bring their methods: each is a class.
ENTRY_POINTS = "explainkit.methods"

#: The methods that come with the package.
METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (
        *(CAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM),
        *(EigenCAM, ScoreCAM, AblationCAM),
        *(Gradients, InputXGradient, SmoothGrad, VarGrad, IntegratedGradients),
        *(GuidedBackprop, Deconvnet, GuidedGradCAM),
        FullGrad,
        *(Occlusion, RISE),
    )
}

_plugged_in: dict[str, type[Method]] | None = None
_plugging_in = threading.RLock()


def known_methods() -> dict[str, type[Method]]:
    """Give all methods by name, those of plug-ins included."""
    global _plugged_in  # noqa: PLW0603 - entry points are read once a process
    with _plugging_in:
        if _plugged_in is None:
            # A plug-in may ask for other methods while it is loaded.
            _plugged_in = {}
            for entry_point in entry_points(group=ENTRY_POINTS):
                plug_ins.load(entry_point, partial(_plug_in, _plugged_in))
    # Ours go first: a plug-in cannot change what a name means.
    return {**_plugged_in, **METHODS}


def _plug_in(found: dict[str, type[Method]], method: Any) -> None:
    if not (isinstance(method, type) and issubclass(method, Method)):
        raise TypeError(f"it is a {type(method).__name__}, not a class of explainkit's Method")
    if not isinstance(getattr(method, "name", None), str):
        raise TypeError("the class has no name")
    found[method.name] = method


def find_method(
    method: str | Method, options: Mapping[str, Any], arguments: Iterable[str] = ()
) -> Method:
    """Make the method that was asked for.

    Parameters
    ----------
    method
        The name of a method, or a method made by hand.
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
    GradCAM(fusion='mean', counterfactual=True)
    """
    if isinstance(method, Method):
        if options:
            raise TypeError(
                f"{method!r} has its options already; {_listed(options)} came beside it"
            )
        return method
    if not isinstance(method, str):
        raise TypeError(f"method is a {type(method).__name__}; give a name: {_listed(METHODS)}")
    chosen: Any = METHODS.get(method) or _find(method)
    known = option_names(method)
    for option in options:
        if option not in known:
            raise TypeError(
                f"{option!r} is no argument of explain_prediction and no option of "
                f"{method!r}, which takes: {_listed(known)}"
                + _others(option)
                + did_you_mean(option, [*known, *arguments])
            )
    made: Method = chosen(**options)
    return made


def _wrapped(wrapper: Any, method: str | Method, options: Mapping[str, Any]) -> Any:
    known = [field.name for field in attrs.fields(wrapper) if field.name != "inner"]
    for option in options:
        if option not in known:
            raise TypeError(
                f"{option!r} is no option of {wrapper.name!r}, which takes: {_listed(known)}"
                + did_you_mean(option, known)
            )
    return wrapper(find_method(method, {}), **options)


def _find(name: str) -> type[Method]:
    known = known_methods()
    if name not in known:
        raise ValueError(
            f"no method {name!r}; there are: {_listed(known)}" + did_you_mean(name, known)
        )
    return known[name]


def _others(option: str) -> str:
    owners = [name for name in METHODS if option in option_names(name)]
    return f"; it is an option of {_listed(owners)}" if owners else ""


def option_names(method: Any) -> list[str]:
    """Name the options of a method, given as `find_method` takes it."""
    chosen: Any = type(method)
    if isinstance(method, str):
        chosen = METHODS.get(method) or known_methods().get(method, Method)
    return [field.name for field in attrs.fields(chosen)] if attrs.has(chosen) else []


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"


def smooth(method: str | Method, **options: Any) -> Smooth:
    """Average the maps of a method over noisy copies of each picture.

    Parameters
    ----------
    method
        A name, or a method made by hand; also one of these wrappers.
    **options
        samples : int, default 25
            How many copies.
        noise : float, default 0.15
            The standard deviation of the noise, as a share of the picture's range of values.
        seed : int, default 0
            Which noise is drawn.

    Returns
    -------
    Method
        To be given as ``method=``.

    Examples
    --------
    >>> smooth("gradcam", samples=8).spelled
    'smooth(gradcam)'
    """
    return _wrapped(Smooth, method, options)  # type: ignore[no-any-return]


def tta(method: str | Method, **options: Any) -> TestTimeAugmentation:
    """Average the maps of a method over flips and scales of each picture.

    Parameters
    ----------
    method
        A name, or a method made by hand; also one of these wrappers.
    **options
        flips : sequence of {"horizontal", "vertical"}, default ("horizontal",)
            Each is made beside the picture as it is.
        scales : sequence of float, default (1.0,)
            Sizes of the picture, as shares of its own: for models that take any size.
        weights : sequence of float, optional
            One for each variant, adding up to 1.

    Returns
    -------
    Method
        To be given as ``method=``.

    Examples
    --------
    >>> tta(smooth("gradcam")).spelled
    'tta(smooth(gradcam))'
    """
    return _wrapped(TestTimeAugmentation, method, options)  # type: ignore[no-any-return]


def counterfactual(method: str | Method) -> Method:
    """Turn a method round: its maps show what speaks against the target.

    Parameters
    ----------
    method
        A name, or a method made by hand; also one of these wrappers.

    Returns
    -------
    Method
        To be given as ``method=``.

    Raises
    ------
    TypeError
        If the method takes no gradients that could be negated.

    Examples
    --------
    >>> counterfactual("gradcam").counterfactual
    True
    """
    found: Any = find_method(method, {})
    if isinstance(found, Wrapper):
        return attrs.evolve(found, inner=counterfactual(found.inner))
    if "counterfactual" not in option_names(found):
        able = [name for name in METHODS if "counterfactual" in option_names(name)]
        raise TypeError(
            f"method {found.spelled!r} takes no gradients that could be negated; these do: "
            f"{_listed(able)}"
        )
    return attrs.evolve(found, counterfactual=not found.counterfactual)  # type: ignore[no-any-return]
