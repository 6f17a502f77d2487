"""What is evaluated: methods with the arguments they are asked with, targets and masks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.explanation import warn
from explainkit.methods import find_method, option_names
from explainkit.methods.base import Method
from explainkit.metrics.kept import Kept, are_explanations

#: What `evaluate` sees to itself.
_OWN = ("docs", "image", "images", "on_error", "targets", "top_targets")
#: What is for methods that are built at layers.
_AT_LAYERS = ("layer", "reshape")


def find_methods(methods: Any, options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Find methods, each with the arguments with which documents are explained.

    Parameters
    ----------
    methods
        As `explainkit.evaluate` takes them.
    options : mapping
        Arguments for all of them.

    Returns
    -------
    dict
        The arguments by what the method is called in the table.

    Raises
    ------
    TypeError, ValueError
        If there is no such method, or none at all.
    """
    _check_own(options)
    if isinstance(methods, Mapping):
        named = {
            str(name): _kept(str(name), method, options)
            if are_explanations(method)
            else _arguments(method, options)
            for name, method in methods.items()
        }
    else:
        given = methods if isinstance(methods, list | tuple) else [methods]
        found = [_arguments(method, options) for method in given]
        named = {arguments["method"].spelled: arguments for arguments in found}
        if len(named) < len(found):
            names = [arguments["method"].spelled for arguments in found]
            raise ValueError(f"methods has a name twice: {names}; give a dict of your own names")
    if not named:
        raise ValueError("methods is empty; give the name of one, such as 'gradcam'")
    return named


def _kept(name: str, explanations: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give what metrics are told of explanations that are there."""
    others = {key: value for key, value in options.items() if key not in _AT_LAYERS}
    return {"method": Kept(name, explanations), **others}


def _arguments(method: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments for one method."""
    if not isinstance(method, Mapping):
        return _completed(find_method(method, {}), options)
    _check_own(method)
    own = dict(method)
    if "method" not in own:
        return {**options, **own}  # whatever the estimator does when nothing is said
    asked = own.pop("method")
    known = option_names(asked) if isinstance(asked, str) else []
    chosen = find_method(asked, {name: own.pop(name) for name in known if name in own})
    return {**_completed(chosen, options), **own}


def _check_own(arguments: Mapping[str, Any]) -> None:
    for name in _OWN:
        if name in arguments:
            raise TypeError(
                f"{name} is no argument of evaluate in this place: it explains one target of each "
                "document, and is told of them apart from methods and their options"
            )


def _completed(method: Method, options: Mapping[str, Any]) -> dict[str, Any]:
    fitting = {k: v for k, v in options.items() if method.at_layers or k not in _AT_LAYERS}
    return {"method": method, **fitting}


@attrs.define
class Targets:
    """The targets of documents, in order.

    Parameters
    ----------
    given
        As `explainkit.evaluate` takes them.
    count : int or None
        The number of documents, where it is known.
    """

    given: Any
    count: int | None = None

    def __attrs_post_init__(self) -> None:
        if hasattr(self.given, "__array__"):  # also tensors and series
            self.given = np.asarray(self.given)
            if self.given.ndim != 1:
                raise ValueError(
                    f"targets has the shape {self.given.shape}; evaluate explains one target of "
                    "each document: give one unit for each, shape (N,)"
                )
            self.given = self.given.tolist()
        _check_count("targets", self.given if isinstance(self.given, list) else None, self.count)

    def of(self, positions: Sequence[int]) -> list[Any] | None:
        """Give the targets of some documents; None for those of the highest scores."""
        if self.given is None:
            return None
        if not isinstance(self.given, list):
            return [self.given] * len(positions)
        if positions[-1] >= len(self.given):
            raise ValueError(f"targets has {len(self.given)} entries, but there are more docs")
        return [self.given[position] for position in positions]

    def check_used_up(self, docs: int) -> None:
        """Warn if there are more targets than there were documents."""
        if isinstance(self.given, list) and len(self.given) > docs:
            warn(f"targets has {len(self.given)} entries, and there were only {docs} docs")


@attrs.define
class Masks:
    """The masks of documents, in order.

    Parameters
    ----------
    given
        As `explainkit.evaluate` takes them.
    count : int or None
        The number of documents, where it is known.
    """

    given: Any
    count: int | None = None
    _rest: Iterator[Any] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        if self.given is not None and not isinstance(self.given, Iterable):
            raise TypeError(
                f"masks is a {type(self.given).__name__}; give an array of truth values, shape "
                "(N, height, width), or an iterable of masks"
            )
        _check_count("masks", self.given if hasattr(self.given, "__len__") else None, self.count)
        self._rest = iter(() if self.given is None else self.given)

    def following(self, count: int, sizes: Sequence[int]) -> NDArray[np.bool_] | None:
        """Give the masks of so many documents, whose pictures have these sizes."""
        if self.given is None:
            return None
        found = []
        for _ in range(count):
            mask = np.asarray(next(self._rest, None))
            if mask.dtype == object:
                raise ValueError("masks has fewer entries than there are docs")
            if mask.dtype != bool:
                raise TypeError(f"a mask holds {mask.dtype}; give truth values: mask > 0, say")
            if mask.shape != tuple(sizes):
                raise ValueError(
                    f"a mask has the shape {mask.shape}; give masks of the shape of the pictures, "
                    f"{tuple(sizes)}"
                )
            found.append(mask)
        return np.stack(found)

    def check_used_up(self, docs: int) -> None:
        """Warn if there are more masks than there were documents."""
        if next(self._rest, None) is not None:
            warn(f"masks has more entries than there were docs, {docs}")


def _check_count(what: str, given: Any, count: int | None) -> None:
    if given is not None and count is not None and len(given) != count:
        raise ValueError(f"{what} has {len(given)} entries, but there are {count} docs")
