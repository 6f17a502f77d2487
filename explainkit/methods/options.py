"""Checks of the options of methods."""

from typing import Any

import numpy as np

#: The types of real numbers.
REAL = int | float | np.integer | np.floating


def whole_number(least: int) -> Any:
    """Check that an option is a whole number, and not less than some other."""

    def check(_method: Any, option: Any, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{option.name} is {value!r}; give a whole number")
        if value < least:
            raise ValueError(f"{option.name} is {value}; give {least} or more")

    return check


def share(_method: Any, option: Any, value: Any) -> None:
    """Check that an option is a number between 0 and 1, both excluded."""
    _check_number(option, value)
    if not 0 < value < 1:
        raise ValueError(f"{option.name} is {value}; give a number between 0 and 1")


def not_negative(_method: Any, option: Any, value: Any) -> None:
    """Check that an option is a finite number, and not less than 0."""
    _check_number(option, value)
    if not 0 <= value < float("inf"):
        raise ValueError(f"{option.name} is {value}; give a finite number, 0 or more")


def _check_number(option: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, REAL):
        raise TypeError(f"{option.name} is {value!r}; give a number")


def flag(_method: Any, option: Any, value: Any) -> None:
    """Check that an option is a truth value."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{option.name} is {value!r}; give True or False")


def one_of(*choices: Any) -> Any:
    """Check that an option is one of some names."""

    def check(_method: Any, option: Any, value: Any) -> None:
        if not isinstance(value, str) or value not in choices:
            listed = ", ".join(map(repr, choices))
            raise ValueError(f"{option.name} is {value!r}; give one of {listed}")

    return check
