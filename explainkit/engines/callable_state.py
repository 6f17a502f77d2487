"""What a function reads beside its arguments, as it stands now."""

import functools
import hashlib
import inspect
from collections.abc import Hashable, Iterable
from types import CodeType, FunctionType, MethodType, ModuleType, NoneType
from typing import Any

import numpy as np

#: What is known by its value.
PLAIN = (bool, bytes, complex, float, int, str, NoneType)
#: Packages whose functions read nothing that a person changes.
_LIBRARIES = {"builtins", "jax", "keras", "numpy", "tensorflow", "tf_keras", "torch"}


def state_of(function: Any) -> Hashable:
    """Tell what a callable reads: closures, globals, attributes, and the functions it calls.

    A program that was compiled for a callable holds the values that it read then.

    Parameters
    ----------
    function : callable

    Returns
    -------
    hashable
        Equal as long as all that can be followed is equal; arrays are compared by
        their numbers. It keeps nothing alive.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros(2)
    >>> def score(outputs):
    ...     return (outputs * mask).sum(1)
    >>> before = state_of(score)
    >>> mask[0] = 1
    >>> state_of(score) == before
    False
    """
    return _state(function, frozenset(), set())


def _state(value: Any, names: frozenset[str], seen: set[int]) -> Hashable:
    if isinstance(value, PLAIN):
        return type(value), value
    if id(value) in seen:
        return None
    seen.add(id(value))
    if isinstance(value, FunctionType):
        return id(value.__code__), _state_of_function(value, seen)
    if isinstance(value, MethodType):
        used = _names_in(getattr(value.__func__, "__code__", None))
        return _states([value.__func__], used, seen), _state(value.__self__, used, seen)
    if isinstance(value, functools.partial):
        return _states([value.func, value.args, value.keywords], names, seen)
    if hasattr(value, "__array__") and hasattr(value, "shape"):
        return _state_of_array(value)
    if isinstance(value, dict):
        return tuple(map(repr, value)), _states(value.values(), names, seen)
    if isinstance(value, list | tuple | set | frozenset):
        return _states(value, names, seen)
    return id(value), _state_of_attributes(value, names, seen)


def _states(values: Iterable[Any], names: frozenset[str], seen: set[int]) -> Hashable:
    return tuple(_state(value, names, seen) for value in values)


def _state_of_function(function: FunctionType, seen: set[int]) -> Hashable:
    if function.__module__ and function.__module__.partition(".")[0] in _LIBRARIES:
        return None
    names = _names_in(function.__code__)
    held = [
        *(function.__globals__[name] for name in sorted(names) if name in function.__globals__),
        *(cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)),
        *(function.__defaults__ or ()),
        *(function.__kwdefaults__ or {}).values(),
    ]
    return _states(held, names, seen)


def _state_of_attributes(owner: Any, names: frozenset[str], seen: set[int]) -> Hashable:
    """Follow the attributes that a function names; of a module, those that are no functions."""
    names = _with_those_of_methods(type(owner), names | {"__call__"})
    there = getattr(owner, "__dict__", {})
    used = [(name, there[name]) for name in sorted(names) if name in there]
    if isinstance(owner, ModuleType):
        used = [(name, value) for name, value in used if not callable(value)]
        used = [(name, value) for name, value in used if not isinstance(value, ModuleType)]
    return tuple((name, _state(value, names, seen)) for name, value in used)


def _state_of_array(array: Any) -> Hashable:
    try:
        numbers = np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
    except (RuntimeError, TypeError, ValueError):  # of a framework that is tracing, say
        return id(array)
    digest = hashlib.blake2b(np.ascontiguousarray(numbers).data, digest_size=16).digest()
    return numbers.shape, str(numbers.dtype), digest


def _names_in(code: CodeType | None) -> frozenset[str]:
    """List the globals and attributes that some code names, the functions within it included."""
    if code is None:
        return frozenset()
    inside = [one for one in code.co_consts if isinstance(one, CodeType)]
    return frozenset(code.co_names).union(*map(_names_in, inside))


def _with_those_of_methods(kind: type, names: frozenset[str]) -> frozenset[str]:
    """Add the names that methods use which are named themselves, and so on."""
    found, following = names, names
    while following:
        methods = (inspect.getattr_static(kind, name, None) for name in following)
        used = frozenset[str]().union(*(_names_in(getattr(m, "__code__", None)) for m in methods))
        found, following = found | used, used - found
    return found


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
