"""Callables as keys of what was compiled for them."""

import builtins
import weakref
from collections.abc import Callable, Hashable
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from explainkit.engines.callable_state import PLAIN, state_of


class CallableKey:
    """A callable as a key, which keeps neither the callable nor what it holds alive.

    It may hold the very model whose programs it is a key of, and would never be
    freed. Functions that are made anew of the same code, such as a lambda in a
    loop, are one key where all that they refer to is plain and equal. A callable that
    reads other values than before is another key.

    Parameters
    ----------
    function
        Any callable.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        meaning = _meaning_of(function)
        self._lives_on = meaning is not None
        self._reference = _twin_of(function) if self._lives_on else _reference_to(function)
        identity = _identity_of(function) if meaning is None else meaning
        self._identity = (identity, state_of(function))

    def get(self) -> Any:
        """Return the callable; None once it is gone."""
        return self._reference()

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CallableKey) or self._identity != other._identity:
            return False
        # An id says something only while its owner lives.
        return self._lives_on or (self.get() is not None and other.get() is not None)


def _reference_to(function: Callable[..., Any]) -> Callable[[], Any]:
    try:
        if isinstance(function, MethodType):
            return weakref.WeakMethod(function)
        return weakref.ref(function)
    except TypeError:  # of a class with slots that leave no place for weak references
        return lambda: function


def _twin_of(function: Any) -> Callable[[], Any]:
    """Keep what a function of plain values does now, and nothing else that is near it.

    Programs that are run or traced again still need it when the function is gone, or
    when its variables, such as a loop's, have other values.
    """
    names = function.__globals__
    used = {name: names[name] for name in function.__code__.co_names if name in names}
    twin = FunctionType(
        function.__code__,
        {"__builtins__": names.get("__builtins__", builtins), **used},
        function.__name__,
        function.__defaults__,
        function.__closure__ and tuple(CellType(c.cell_contents) for c in function.__closure__),
    )
    return lambda: twin


def _identity_of(function: Callable[..., Any]) -> Hashable:
    if isinstance(function, MethodType):
        return id(function.__self__), id(function.__func__)
    return id(function)


def _meaning_of(function: Callable[..., Any]) -> Hashable | None:
    """Tell functions apart by what they do; None where that cannot be told."""
    if not isinstance(function, FunctionType) or function.__kwdefaults__:
        return None
    code, names = function.__code__, function.__globals__
    if any(isinstance(constant, CodeType) for constant in code.co_consts):
        return None
    values = [
        *(cell.cell_contents for cell in function.__closure__ or ()),
        *(names[name] for name in code.co_names if name in names),
        *(function.__defaults__ or ()),
    ]
    if not all(isinstance(value, (*PLAIN, ModuleType)) for value in values):
        return None
    return code, id(names), tuple((type(value), value) for value in values)
