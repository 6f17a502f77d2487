"""Functions in words, so that two that do something else are called differently.

A function is told by where it is defined, by its code, and by what it holds: what it closes
over, its defaults, the object it is a method of. An object that is called is told by its class,
the code of its call, and its state. Comments do not count; nor do the globals and the other methods
that code asks for, of which nobody can tell which ones matter.
"""

import hashlib
from collections.abc import Iterable
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from explainkit.option_words import in_words


def name_function(value: Any) -> str:
    """Name a function, or an object that is called like one, by what it does.

    Examples
    --------
    >>> def times(factor):
    ...     return lambda picture: picture * factor
    >>> name_function(times(2)) == name_function(times(2))
    True
    >>> name_function(times(2)) == name_function(times(3))
    False
    """
    return _Namer()(value)


def place_of(value: Any) -> str:
    """Say where a function, or the class of an object, is defined: a short name, for people.

    Examples
    --------
    >>> place_of(name_function)
    'explainkit.function_words.name_function'
    """
    return _place(value if hasattr(value, "__qualname__") else type(value))


class _Namer:
    """Names objects that hold others, each once: they may hold each other."""

    def __init__(self) -> None:
        # With what was met, so that nothing else takes its place in memory.
        self._met: dict[int, tuple[int, Any]] = {}

    def __call__(self, value: Any) -> str:
        if issubclass(type(value), type):
            return _place(value)
        if issubclass(type(value), ModuleType):
            return str(value.__name__)
        if id(value) in self._met:
            return f"#{self._met[id(value)][0]}"
        self._met[id(value)] = len(self._met), value
        try:
            return self._first_met(value)
        except Exception:  # noqa: BLE001 - objects of others may do anything when they are asked
            return _place(type(value))

    def _first_met(self, value: Any) -> str:
        if isinstance(value, partial):
            return self._holding(value.func, [*value.args, value.keywords])
        if isinstance(value, MethodType):
            return self._holding(value.__func__, [value.__self__])
        if isinstance(value, BuiltinFunctionType):
            its = value.__self__
            is_method = its is not None and not isinstance(its, ModuleType)
            return _place(value) + (f" of {self._words([its])}" if is_method else "")
        if isinstance(value, FunctionType):
            held = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
            closed_over = [_content(cell) for cell in value.__closure__ or ()]
            return f"{_place(value)} ({_digest(value.__code__)}{self._and(closed_over + held)})"
        return self._object(value)

    def _object(self, value: Any) -> str:
        kind = _place(type(value))
        if hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
            array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
            return f"{kind} {in_words(array, str)}"
        call = getattr(type(value), "__call__", None)  # noqa: B004 - it is the code that is wanted
        code = f"{_digest(call.__code__)}: " if isinstance(call, FunctionType) else ""
        return f"{kind} ({code}{self._word(_state(value))})"

    def _holding(self, function: Any, held: Iterable[Any]) -> str:
        return f"{self(function)} of {self._words(held)}"

    def _and(self, held: list[Any]) -> str:
        return f": {self._words(held)}" if held else ""

    def _words(self, held: Iterable[Any]) -> str:
        return f"[{', '.join(map(self._word, held))}]"

    def _word(self, value: Any) -> str:
        try:
            return in_words(value, self)
        except Exception:  # noqa: BLE001 - as above; what else is held still counts
            return _place(type(value))


def _place(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # nothing is in it yet


def _digest(code: CodeType) -> str:
    return hashlib.sha256("\n".join(_said(code)).encode()).hexdigest()[:8]


def _said(code: CodeType) -> Iterable[str]:
    """Give all that code says, that of the functions in it, too, but not where it stands."""
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _said(constant)
        else:
            yield repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant)


def _state(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        # They have no order, and their members none that is the same in every process.
        return sorted(map(_member, value))
    return object.__getstate__(value) or _shown(value)


def _member(value: Any) -> str:
    return repr(_state(value)) if isinstance(value, frozenset) else _shown(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return place_of(value) if " at 0x" in text else text
