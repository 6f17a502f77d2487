"""Full gradients: what the picture and each bias contribute to the score."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import attrs

from explainkit.engines.base import Tensor
from explainkit.methods.base import Cost, GradientMethod, Mapped
from explainkit.methods.options import one_of
from explainkit.methods.resampling import linear_weights, resize, spreading_weights
from explainkit.methods.subject import PICTURE, Subject


def fullgrad_map(xp: Any, picture: Tensor, layers: Sequence[Tensor]) -> Tensor:
    """Add up the post-processed contributions of the picture and of the biases.

    Of each, absolute values are taken, scaled to [0, 1] over all cells and channels,
    enlarged, and the channels added.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    picture : array, shape (N, K, ..., C)
        What each number of the picture contributes, x ⊙ ∂y/∂x.
    layers : sequence of arrays, shapes (N, K, ..., C)
        What each bias contributes in each cell, b ⊙ ∂y/∂b.

    Returns
    -------
    array, shape (N, K, ...)
        Of the size of the picture.
    """
    sizes = [xp.abs(one) for one in (picture, *layers)]
    inside = tuple(range(2, len(picture.shape)))
    lowest = xp.stack([xp.min(one, axis=inside) for one in sizes], axis=2)
    spread = xp.stack([xp.max(one, axis=inside) for one in sizes], axis=2) - lowest
    scales = 1 / xp.where(spread > 0, spread, xp.ones_like(spread))
    cells = [None] * (len(inside) - 1)
    maps = []
    for i, one in enumerate(sizes):
        # The channels are added first, which comes to the same: the maps are smaller then.
        above = (
            xp.sum(one, axis=len(one.shape) - 1) - (int(one.shape[-1]) * lowest)[(..., i, *cells)]
        )
        maps.append(above * scales[(..., i, *cells)])
    return _added_up(xp, maps, linear_weights)


def contributions_map(
    xp: Any, picture: Tensor, layers: Sequence[Tensor], others: Sequence[Tensor]
) -> Tensor:
    """Add up the contributions as they are, so that a map adds up to the score.

    Parameters
    ----------
    xp, picture, layers
        As in `fullgrad_map`.
    others : sequence of arrays, shapes (N, K, ...)
        The contributions of biases that have no place in the picture: they are spread
        over all of it.

    Returns
    -------
    array, shape (N, K, ...)
    """
    maps = [xp.sum(one, axis=len(one.shape) - 1) for one in (picture, *layers)]
    total = _added_up(xp, maps, spreading_weights)
    sizes = total.shape[2:]
    for one in others:
        whole = xp.sum(one, axis=tuple(range(2, len(one.shape))))
        total = total + whole[(..., *[None] * len(sizes))] / math.prod(map(int, sizes))
    return total


def _added_up(xp: Any, maps: Sequence[Tensor], weigh: Any) -> Tensor:
    """Add up maps at the size of the first."""
    by_sizes: dict[tuple[int, ...], Tensor] = {}
    for one in maps:
        sizes = tuple(int(size) for size in one.shape[2:])
        by_sizes[sizes] = by_sizes[sizes] + one if sizes in by_sizes else one
    # To enlarge is linear: maps of one size are added first.
    largest = next(iter(by_sizes))
    enlarged = [resize(xp, one, largest, weigh=weigh) for one in by_sizes.values()]
    return sum(enlarged[1:], start=enlarged[0])


def _tuple(given: Any) -> Any:
    return tuple(given) if isinstance(given, list | tuple) else given


def _check_biases(_method: Any, option: Any, given: Any) -> None:
    if given is not None and not isinstance(given, tuple):
        raise TypeError(
            f"{option.name} is a {type(given).__name__}; give a list of layers, or of what "
            "inspection.layers_with_biases gives"
        )


@attrs.frozen
class FullGrad(GradientMethod):
    """FullGrad: the picture's contribution to the score, and that of each layer's biases.

    Parameters
    ----------
    biases : sequence, optional
        The layers whose biases count: paths, or what `inspection.layers_with_biases`
        gave. All of them where nothing is said.
    psi : {"absolute", "none"}
        What is done to the contributions before they are added: "absolute" takes absolute
        values and scales them for each layer to [0, 1], as the paper does, and leaves out
        biases that have no place in the picture; "none" leaves them as they are, so that
        a map adds up to the score.
    counterfactual
        Negate the gradients.
    """

    name: ClassVar[str] = "fullgrad"
    title: ClassVar[str] = "FullGrad"
    formula: ClassVar[str] = "ψ(x ⊙ ∂y/∂x) + Σ_l Σ_c ψ(b_c ⊙ ∂y/∂b_c)"
    source: ClassVar[str] = "Srinivas and Fleuret 2019, arXiv:1905.00780"
    cost: ClassVar[Cost] = Cost("1", "1")

    biases: tuple[Any, ...] | None = attrs.field(
        default=None, kw_only=True, converter=_tuple, validator=_check_biases
    )
    psi: Literal["absolute", "none"] = attrs.field(
        default="absolute", kw_only=True, validator=one_of("absolute", "none")
    )

    @property
    def at_biases(self) -> bool:
        """The biases count."""
        return True

    @property
    def bias_layers(self) -> Sequence[Any] | None:
        """Those that were given."""
        return self.biases

    def maps(self, subject: Subject, drawn: Any) -> Mapped:  # noqa: ARG002
        """Map each score."""
        engine, xp = subject.engine, subject.engine.xp
        points = subject.bias_points
        pulled = self.pull_back(subject, [PICTURE, *(point.place for point in points)])
        gradients = {place: engine.widen(one) for place, one in pulled.gradients.items()}
        on_picture = subject.point.form.fold(xp, gradients[PICTURE], leading=2)
        picture = engine.widen(subject.pixels)[:, None] * on_picture
        added = {place: engine.widen(one) for place, one in subject.biases().items()}
        layers, others = [], []
        for point in points:
            part = added[point.place][:, None] * gradients[point.place]
            if point.form is None:
                others.append(part)
            else:
                layers.append(point.form.fold(xp, part, leading=2))
        if self.psi == "none":
            maps = contributions_map(xp, picture, layers, others)
        else:
            maps = fullgrad_map(xp, picture, layers)
        return Mapped(pulled.scores, pulled.kept, maps)
