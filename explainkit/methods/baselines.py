"""What stands in the place of a picture, or of parts of it, where nothing is shown."""

from collections.abc import Sequence
from typing import Any, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.engines.base import Tensor
from explainkit.methods.resampling import mix

#: A number, each picture's mean colour, each picture blurred, or a picture of its own: an
#: array that can be broadcast to a picture, channels last.
Baseline = float | Literal["mean", "blur"] | NDArray[Any]

#: The standard deviation of a blur, as a share of each axis: 11 of 224 pixels.
BLUR = 1 / 20


def _same(one: Any, other: Any) -> bool:
    return np.shape(one) == np.shape(other) and bool(np.all(np.asarray(one) == np.asarray(other)))


def _check(_method: Any, option: Any, value: Any) -> None:
    if isinstance(value, str):
        if value not in ("mean", "blur"):
            raise ValueError(
                f'{option.name} is {value!r}; give a number, "mean", "blur" or an array'
            )
        return
    if isinstance(value, bool) or not isinstance(value, int | float | np.number | np.ndarray):
        raise TypeError(
            f'{option.name} is a {type(value).__name__}; give a number, "mean", "blur" or an array'
        )
    if np.asarray(value).dtype.kind not in "fiu" or not np.isfinite(value).all():
        raise ValueError(f"{option.name} holds what is no finite number")


def baseline_field(default: Baseline) -> Any:
    """Make the field of a method that says what its baseline is."""
    return attrs.field(
        default=default,
        kw_only=True,
        validator=_check,
        eq=attrs.cmp_using(eq=_same, require_same_type=False),
        hash=False,
    )


def undrawn(baseline: Baseline) -> Baseline:
    """Stand in for a baseline, in programs that are given arrays apart."""
    return np.zeros(baseline.shape) if isinstance(baseline, np.ndarray) else baseline


def drawn_baseline(baseline: Baseline, shape: Sequence[int]) -> Any:
    """Give a baseline that is an array the shape of a picture, and nothing for others.

    Raises
    ------
    ValueError
        If it has another shape.
    """
    if not isinstance(baseline, np.ndarray) or baseline.ndim == 0:
        return ()
    try:
        array = np.broadcast_to(baseline, tuple(shape))
    except ValueError:
        raise ValueError(
            f"baseline has the shape {baseline.shape}; the picture has the shape {tuple(shape)}, "
            "its channels last and without the axis of docs"
        ) from None
    return (np.asarray(array, np.float32)[None],)


def baseline_of(xp: Any, baseline: Baseline, drawn: Any, pixels: Tensor) -> Tensor:
    """Give the baseline of pictures, of the same shape, (N, ..., C).

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    baseline
        The option.
    drawn : nested tensors
        What `drawn_baseline` gave.
    pixels : array, shape (N, ..., C)
    """
    if len(drawn):
        return xp.zeros_like(pixels) + xp.astype(drawn[0], pixels.dtype)
    if baseline == "blur":
        return blurred(xp, pixels)
    if isinstance(baseline, str):
        cells = tuple(range(1, len(pixels.shape) - 1))
        return xp.zeros_like(pixels) + xp.mean(pixels, axis=cells, keepdims=True)
    return xp.zeros_like(pixels) + float(baseline)


def blurred(xp: Any, pixels: Tensor) -> Tensor:
    """Blur pictures, shape (N, ..., C), so that no detail is left."""
    for axis in range(1, len(pixels.shape) - 1):
        pixels = mix(xp, pixels, axis, _gaussian_weights(int(pixels.shape[axis])))
    return pixels


def _gaussian_weights(size: int) -> NDArray[np.float32]:
    cells = np.arange(size)
    away = (cells[:, None] - cells) / max(1.0, BLUR * size)
    weights = np.exp(-0.5 * away * away)
    # Beyond the edge there is nothing to be mixed in.
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
