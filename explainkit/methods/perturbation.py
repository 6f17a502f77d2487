"""Maps of what the score does when parts of the picture are hidden."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import attrs
import numpy as np

from explainkit.engines.base import Tensor
from explainkit.methods.base import Canvas, Cost, Mapped, Method
from explainkit.methods.baselines import (
    Baseline,
    baseline_field,
    baseline_of,
    drawn_baseline,
    undrawn,
)
from explainkit.methods.noise import seed_field
from explainkit.methods.options import share, whole_number
from explainkit.methods.subject import Subject
from explainkit.methods.turns import in_turns


def patch_starts(size: int, patch: int, stride: int) -> list[int]:
    """Tell where the patches along an axis begin; the last one ends with the axis.

    Examples
    --------
    >>> patch_starts(10, 4, 3), patch_starts(10, 4, 4)
    ([0, 3, 6], [0, 4, 6])
    """
    last = size - patch
    starts = list(range(0, last + 1, stride))
    return starts if starts[-1] == last else [*starts, last]


def patch_masks(size: int, patch: int, stride: int) -> np.ndarray:
    """Draw the patches along an axis, shape (patches, size): 1 inside, 0 outside."""
    starts = np.asarray(patch_starts(size, patch, stride))[:, None]
    cells = np.arange(size)
    return ((cells >= starts) & (cells < starts + patch)).astype(np.float32)


def crossed(along: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Cross the masks of the axes: for each axis, its mask in every combination."""
    grid = np.meshgrid(*(np.arange(len(one)) for one in along), indexing="ij")
    return [one[index.ravel()] for one, index in zip(along, grid, strict=True)]


def outer(xp: Any, along: Sequence[Tensor]) -> Tensor:
    """Multiply masks of the axes, shapes (n, size), to masks of pictures, shape (n, ...)."""
    mask = along[0]
    for one in along[1:]:
        mask = xp.einsum("n...,ns->n...s", mask, one)
    return mask


def occlusion_map(xp: Any, drops: Tensor, along: Sequence[Tensor]) -> Tensor:
    """Give each pixel the mean of the drops of the score under the patches that cover it.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    drops : array, shape (P, K)
    along : sequence of arrays, shapes (P, size)
        The patches along each axis: 1 inside, 0 outside.

    Returns
    -------
    array, shape (K, ...)
    """
    covered = _laid(xp, xp.ones_like(drops[:, :1]), along)
    return _laid(xp, drops, along) / covered


def _laid(xp: Any, values: Tensor, along: Sequence[Tensor]) -> Tensor:
    """Add up values, shape (P, K), each in its patch; the patches are never drawn all at once."""
    *others, last = along
    return xp.einsum("p...,ps->...s", outer(xp, [values, *others]), last)


def rise_masks(xp: Any, grids: Tensor, along: Sequence[Tensor]) -> Tensor:
    """Enlarge grids of random cells to masks of pictures.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    grids : array, shape (P, cells, ...)
        1 where the picture is seen, 0 where it is hidden.
    along : sequence of arrays, shapes (P, size, cells)
        How the pixels of each axis are made of the cells.

    Returns
    -------
    array, shape (P, size, ...)
        In [0, 1].
    """
    for weights in along:
        # Each axis goes to the end when it is enlarged, so that all take turns.
        grids = xp.einsum("pa...,psa->p...s", grids, weights)
    return grids


def rise_map(
    xp: Any, scores: Tensor, grids: Tensor, along: Sequence[Tensor], visible: float
) -> Tensor:
    """Average masks, each weighed by how much higher the score is than the mean of all.

    Parameters
    ----------
    xp, grids, along
        As in `rise_masks`.
    scores : array, shape (P, K)
        Of the picture under each mask.
    visible : float
        The share of the picture that a mask shows, on the average.

    Returns
    -------
    array, shape (K, ...)
    """
    above = scores - xp.mean(scores, axis=0)
    *others, last = along
    parts = xp.einsum("pk,p...->pk...", above, grids)
    for weights in others:
        parts = xp.einsum("pka...,psa->pk...s", parts, weights)
    total = xp.einsum("pka...,psa->k...s", parts, last)
    return total / (int(grids.shape[0]) * visible)


@attrs.frozen
class Occlusion(Method):
    """Occlusion: how much of the score is lost when a patch is hidden.

    Parameters
    ----------
    patch : int, optional
        The sides of the patches in pixels; an eighth of the picture where nothing is said.
    stride : int, optional
        From one patch to the next, in pixels; half a patch where nothing is said.
    baseline : float, "mean", "blur" or array
        What hides a patch: a number for all pixels, each picture's mean colour, the picture
        blurred, or a picture, channels last.
    """

    name: ClassVar[str] = "occlusion"
    title: ClassVar[str] = "Occlusion"
    formula: ClassVar[str] = "mean over the patches on a pixel of y − y without the patch"
    source: ClassVar[str] = "Zeiler and Fergus 2014, arXiv:1311.2901"
    cost: ClassVar[Cost] = Cost("1, and 1 for each patch: 225 of the default size", "0")

    patch: int | None = attrs.field(
        default=None, kw_only=True, validator=attrs.validators.optional(whole_number(1))
    )
    stride: int | None = attrs.field(
        default=None, kw_only=True, validator=attrs.validators.optional(whole_number(1))
    )
    baseline: Baseline = baseline_field("mean")

    @property
    def varies(self) -> bool:
        """The model is asked about variants."""
        return True

    @property
    def compiled_as(self) -> Method:
        """Whatever the picture that is the baseline."""
        return attrs.evolve(self, baseline=undrawn(self.baseline))

    def drawn(self, canvas: Canvas, batch_size: int) -> Any:
        """Draw the patches along each axis, and give the baseline."""
        along = crossed([self._along(size) for size in canvas.shape[:-1]])
        turns = tuple(in_turns(one, batch_size) for one in along)
        return turns, drawn_baseline(self.baseline, canvas.shape)

    def _along(self, size: int) -> np.ndarray:
        patch = self.patch or max(1, round(size / 8))
        stride = self.stride or max(1, patch // 2)
        if patch > size:
            raise ValueError(f"patch is {patch} pixels; the picture has only {size} that way")
        if stride > patch:
            raise ValueError(
                f"stride is {stride}, more than the {patch} pixels of a patch: what lies between "
                "patches would never be hidden"
            )
        return patch_masks(size, patch, stride)

    def maps(self, subject: Subject, drawn: Any) -> Mapped:
        """Map each score."""
        engine, xp = subject.engine, subject.engine.xp
        seen = subject.look()
        scores = engine.widen(seen.scores)
        turns, baseline = drawn

        def map_of_one(one: Subject, whole: Tensor) -> Tensor:
            pixels = one.pixels
            hidden = baseline_of(xp, self.baseline, baseline, pixels)

            def turn(along: Any) -> Tensor:
                mask = xp.astype(outer(xp, along)[..., None], pixels.dtype)
                return engine.widen(one.variants(pixels + mask * (hidden - pixels)).look().scores)

            found = engine.collect(turn, turns, scores)
            drops = whole - flat_turns(xp, found, self._count(pixels))
            # Without what the last turn was filled up with.
            every = [flat_turns(xp, one, self._count(pixels)) for one in turns]
            return occlusion_map(xp, drops, [xp.astype(one, drops.dtype) for one in every])

        maps = subject.of(seen.kept.columns).each(map_of_one, scores, scores)
        return Mapped(seen.scores, seen.kept, maps)

    def _count(self, pixels: Tensor) -> int:
        return math.prod(len(self._along(int(size))) for size in pixels.shape[1:-1])


def flat_turns(xp: Any, turns: Tensor, count: int) -> Tensor:
    """Give variants one after the other, shape (count, ...), that were arranged in turns."""
    flat = xp.reshape(turns, (-1, *turns.shape[2:]))[:count]
    return xp.reshape(flat, (count, *turns.shape[2:]))


@attrs.frozen
class RISE(Method):
    """RISE: under which random masks the picture scores higher than under others.

    Parameters
    ----------
    masks : int
        How many masks.
    cells : int
        Cells of a mask along each axis.
    visible : float
        The share of the cells through which the picture is seen.
    seed : int
        Which masks are drawn: the same for each document and on each framework.
    baseline : float, "mean", "blur" or array
        What is seen elsewhere: a number for all pixels, each picture's mean colour, the
        picture blurred, or a picture, channels last.
    """

    name: ClassVar[str] = "rise"
    title: ClassVar[str] = "RISE"
    formula: ClassVar[str] = "Σ_i (y(x ⊙ M_i) − mean) M_i / (n p), M_i random masks, P(M = 1) = p"
    source: ClassVar[str] = "Petsiuk et al. 2018, arXiv:1806.07421"
    cost: ClassVar[Cost] = Cost("1, and 1 for each mask", "0")

    masks: int = attrs.field(default=1000, kw_only=True, validator=whole_number(2))
    cells: int = attrs.field(default=7, kw_only=True, validator=whole_number(1))
    visible: float = attrs.field(default=0.5, kw_only=True, validator=share)
    seed: int = seed_field()
    baseline: Baseline = baseline_field(0.0)

    @property
    def varies(self) -> bool:
        """The model is asked about variants."""
        return True

    @property
    def compiled_as(self) -> Method:
        """Whatever the picture that is the baseline, and the seed."""
        return attrs.evolve(self, baseline=undrawn(self.baseline), seed=0)

    def drawn(self, canvas: Canvas, batch_size: int) -> Any:
        """Draw the masks, each shifted by itself, and give the baseline."""
        rng = np.random.default_rng(self.seed)
        rank = len(canvas.shape) - 1
        cells = (self.masks, *[self.cells + 1] * rank)
        grids = (rng.random(cells) < self.visible).astype(np.float32)
        along = [
            shifted_weights(self.cells, size, rng.random(self.masks)) for size in canvas.shape[:-1]
        ]
        turns = tuple(in_turns(one, batch_size) for one in (grids, *along))
        return turns, drawn_baseline(self.baseline, canvas.shape)

    def maps(self, subject: Subject, drawn: Any) -> Mapped:
        """Map each score."""
        engine, xp = subject.engine, subject.engine.xp
        seen = subject.look()
        scores = engine.widen(seen.scores)
        turns, baseline = drawn

        def map_of_one(one: Subject) -> Tensor:
            pixels = one.pixels
            hidden = baseline_of(xp, self.baseline, baseline, pixels)

            def turn(item: Any) -> Tensor:
                grids, *along = item
                mask = xp.astype(rise_masks(xp, grids, along)[..., None], pixels.dtype)
                return engine.widen(one.variants(hidden + mask * (pixels - hidden)).look().scores)

            found = flat_turns(xp, engine.collect(turn, turns, scores), self.masks)
            grids, *along = [xp.astype(flat_turns(xp, t, self.masks), found.dtype) for t in turns]
            return rise_map(xp, found, grids, along, self.visible)

        maps = subject.of(seen.kept.columns).each(map_of_one, scores)
        return Mapped(seen.scores, seen.kept, maps)


def shifted_weights(cells: int, size: int, shifts: np.ndarray) -> np.ndarray:
    """Weights that enlarge an axis of cells linearly, each time from another start.

    Parameters
    ----------
    cells, size : int
        How many cells there are to so many pixels.
    shifts : ndarray, shape (P,)
        In [0, 1], as shares of a cell.

    Returns
    -------
    ndarray of float32, shape (P, size, cells + 1)
        Each row sums to one.
    """
    places = (np.arange(size) + 0.5) * cells / size - 0.5 + shifts[:, None]
    away = np.abs(np.clip(places, 0, cells)[..., None] - np.arange(cells + 1))
    return np.asarray(np.maximum(0, 1 - away), np.float32)
