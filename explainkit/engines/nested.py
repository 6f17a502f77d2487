"""Nested lists, tuples and dicts, for frameworks without a public way to walk them."""

from collections.abc import Callable, Mapping
from typing import Any


def leaves(value: Any) -> list[Any]:
    """List what is in nested lists, tuples and dicts, in order.

    Examples
    --------
    >>> leaves({"a": [1, (2, None)], "b": 3})
    [1, 2, None, 3]
    """
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return [value]
    return [leaf for item in value for leaf in leaves(item)]


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Put what a function makes of each leaf in its place.

    Examples
    --------
    >>> mapped(str, {"a": [1, (2, 3)]})
    {'a': ['1', ('2', '3')]}
    """
    if isinstance(value, dict):
        return {key: mapped(function, item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(function, item) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(mapped(function, item) for item in value)
    return function(value)
