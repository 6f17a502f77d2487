"""Maps of several layers made one."""

from collections.abc import Sequence
from typing import Any, Literal

from explainkit.engines.base import Tensor
from explainkit.methods.resampling import resize

#: How maps of one size are made one.
Fusion = Literal["mean", "max"]


def fuse(xp: Any, maps: Sequence[Tensor], how: Fusion = "mean") -> Tensor:
    """Make the maps of several layers one, at the size of the largest.

    Layers differ in the size of their gradients by orders of magnitude. So each
    map is divided by its largest absolute value first, for each document and
    target by itself; then each has its say.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    maps : sequence of arrays, shapes (N, K, ...)
        With as many axes, such as (N, K, h, w).
    how : {"mean", "max"}
        Average the maps, or take the largest of each cell.

    Returns
    -------
    array, shape (N, K, ...)
        Of the largest size of each axis. A single map as it is.
    """
    if len(maps) == 1:
        return maps[0]
    sizes = [max(map(int, sizes)) for sizes in zip(*(m.shape[2:] for m in maps), strict=True)]
    scaled = [resize(xp, _scale(xp, m), sizes) for m in maps]
    together = xp.mean if how == "mean" else xp.max
    return together(xp.stack(scaled, axis=0), axis=0)


def _scale(xp: Any, maps: Tensor) -> Tensor:
    axes = tuple(range(2, len(maps.shape)))
    largest = xp.max(xp.abs(maps), axis=axes, keepdims=True)
    return maps / xp.where(largest > 0, largest, xp.ones_like(largest))
