"""What a caller may ask of a drawing, checked before anything is drawn."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.suggestions import did_you_mean

#: One of Pillow's filters, its number, or its name ("lanczos").
ResamplingFilter = Image.Resampling | int | str

#: Positions in ``Explanation.targets``: one, several, or None for all of them.
Positions = int | Iterable[int] | None

#: What has heatmaps of so many axes, other than pictures.
_KINDS = {1: "signal or text", 3: "volume"}


def as_resampling(given: Any) -> Image.Resampling:
    """Find Pillow's filter by itself, its number or its name."""
    names = [known.name.lower() for known in Image.Resampling]
    choice = f"give one of {', '.join(names)}, or a member of PIL.Image.Resampling"
    if isinstance(given, str):
        if given.lower() in names:
            return Image.Resampling[given.upper()]
        hint = did_you_mean(given.lower(), names)
        raise ValueError(f"no resampling filter {given!r}: {choice}{hint}")
    if not _is_whole_number(given):
        raise TypeError(f"resampling_filter is {given!r}, of type {type(given).__name__}; {choice}")
    if given not in list(Image.Resampling):
        raise ValueError(f"no resampling filter has the number {given}; {choice}")
    return Image.Resampling(given)


def as_alpha_limit(given: Any) -> float:
    """Check the opacity that no pixel of an overlay may exceed."""
    choice = "give a number from 0 (the bare picture) to 1 (opaque)"
    if not (_is_whole_number(given) or isinstance(given, float | np.floating)):
        raise TypeError(f"alpha_limit is {given!r}, of type {type(given).__name__}; {choice}")
    limit = float(given)
    if math.isnan(limit) or not 0 <= limit <= 1:
        raise ValueError(f"alpha_limit is {given!r}; {choice}")
    return limit


def chosen_targets(expl: Explanation, target: Positions) -> list[TargetExplanation]:
    """Find the targets to draw, and check that their heatmaps can be drawn."""
    if target is None:
        positions = list(range(len(expl.targets)))
    elif isinstance(target, Iterable) and not isinstance(target, str | bytes):
        positions = [_checked_position(expl, one) for one in target]
        if not positions:
            raise ValueError("target is empty; give a position, several, or None for all")
    else:
        positions = [_checked_position(expl, target)]
    for position in positions:
        check_two_axes(expl.targets[position].heatmap.shape, f"expl.targets[{position}].heatmap")
    return [expl.targets[position] for position in positions]


def check_two_axes(shape: tuple[int, ...], kept_at: str | None = None) -> None:
    """Refuse the heatmap of what is no picture.

    Parameters
    ----------
    shape : tuple of int
        The heatmap's.
    kept_at : str or None
        Where the caller finds its numbers, which are of use without a picture.

    Raises
    ------
    ValueError
        If it has not two axes.
    """
    if len(shape) == 2:
        return
    kind = _KINDS.get(len(shape))
    raise ValueError(
        f"the heatmap has the shape {shape}{f': that of a {kind}' if kind else ''}; only maps of "
        "two axes (height, width), those of pictures, can be drawn"
        + (f". Its numbers are in {kept_at}" if kept_at else "")
    )


def _is_whole_number(given: Any) -> bool:
    return isinstance(given, int | np.integer) and not isinstance(given, bool)


def _checked_position(expl: Explanation, position: Any) -> int:
    count = len(expl.targets)
    which = "at position 0" if count == 1 else f"at positions 0 to {count - 1}"
    choice = f"this explanation has {count} target{'s' * (count != 1)}, {which}"
    if not _is_whole_number(position):
        raise TypeError(
            f"target={position!r} is not a position: {choice}{_elsewhere(expl, position)}"
        )
    if not -count <= position < count:
        raise IndexError(f"target={position} is out of range: {choice}{_elsewhere(expl, position)}")
    return int(position) % count


def _elsewhere(expl: Explanation, name: Any) -> str:
    """Tell a caller who gave a target's name in place of its position where it is."""
    for position, one in enumerate(expl.targets):
        if name == one.target:
            kind = "class" if _is_whole_number(name) else "target"
            return f" (target={name!r} is a {kind}; it is at position {position})"
        if name == one.label:
            return f" (target={name!r} is a label; it is at position {position})"
    return ""
