"""The numbers that a caller sets, checked before anything is worked out."""

from numbers import Real
from typing import Any

import numpy as np


def as_threshold(given: Any) -> float:
    """Check the share of the greatest heat from which on a pixel counts, in (0, 1)."""
    choice = "give a share of the greatest heat, above 0 and below 1"
    threshold = _as_number("threshold", given, choice)
    if not 0 < threshold < 1:
        raise ValueError(f"threshold is {given!r}; {choice}")
    return threshold


def as_overlap(given: Any) -> float:
    """Check the IoU from which on a box counts as found, in (0, 1]."""
    choice = "give the least IoU of a box that counts as found, above 0 and up to 1"
    overlap = _as_number("overlap", given, choice)
    if not 0 < overlap <= 1:
        raise ValueError(f"overlap is {given!r}; {choice}")
    return overlap


def as_epsilon(given: Any) -> float:
    """Check what keeps the slopes of a guided filter small: above 0, and finite."""
    choice = "give a number above 0, such as 0.001"
    epsilon = _as_number("epsilon", given, choice)
    if not 0 < epsilon < np.inf:
        raise ValueError(f"epsilon is {given!r}; {choice}")
    return epsilon


def as_whole(name: str, given: Any, least: int, meaning: str) -> int:
    """Check a whole number that is not below another.

    Examples
    --------
    >>> as_whole("smallest", 20, 1, "a number of pixels")
    20
    """
    choice = f"give {meaning}, {least} or more"
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise TypeError(f"{name} is {given!r}, of type {type(given).__name__}; {choice}")
    if given < least:
        raise ValueError(f"{name} is {given!r}; {choice}")
    return int(given)


def _as_number(name: str, given: Any, choice: str) -> float:
    if isinstance(given, bool) or not isinstance(given, Real):
        raise TypeError(f"{name} is {given!r}, of type {type(given).__name__}; {choice}")
    return float(given)
