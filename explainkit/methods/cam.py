"""Class activation maps: sums of a layer's channels, weighed by gradients.

The formulas are functions of arrays: activations A, shape (N, ..., C), and gradients
g = ∂y/∂A, shape (N, K, ..., C), of K scores y. They give signed maps, shape (N, K, ...).
"""

from abc import abstractmethod
from typing import Any, ClassVar

import attrs

from explainkit.engines.base import Engine, PulledBack, Tensor
from explainkit.methods.base import Cost, GradientMethod, LayerMethod, Mapped
from explainkit.methods.subject import Subject, TapPoint


def _cells(gradients: Tensor) -> tuple[int, ...]:
    return tuple(range(2, len(gradients.shape) - 1))


def _positive(xp: Any, tensor: Tensor) -> Tensor:
    return xp.where(tensor > 0, tensor, xp.zeros_like(tensor))


def _quotient(xp: Any, dividend: Tensor, divisor: Tensor) -> Tensor:
    """Divide, and give 0 where the divisor is 0."""
    zero = divisor == 0
    return xp.where(
        zero, xp.zeros_like(dividend), dividend / xp.where(zero, xp.ones_like(divisor), divisor)
    )


def weighted_sum(xp: Any, weights: Tensor, activations: Tensor) -> Tensor:
    """Sum the channels, each with its weight.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    weights : array, shape (N, K, C)
    activations : array, shape (N, ..., C)

    Returns
    -------
    array, shape (N, K, ...)
    """
    return xp.einsum("nkc,n...c->nk...", weights, activations)


def gradcam_map(xp: Any, activations: Tensor, gradients: Tensor) -> Tensor:
    """Sum the channels, each weighed by the mean of its gradient.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    activations : array, shape (N, ..., C)
    gradients : array, shape (N, K, ..., C)
        The derivatives of K scores with respect to the activations.

    Returns
    -------
    array, shape (N, K, ...)
        Signed.

    Examples
    --------
    >>> import numpy as np
    >>> activations = np.array([[[[1.0, 2.0]]]])  # one doc, one cell, two channels
    >>> gradients = np.array([[[[[3.0, -1.0]]]]])
    >>> gradcam_map(np, activations, gradients)
    array([[[[1.]]]])
    """
    return weighted_sum(xp, xp.mean(gradients, axis=_cells(gradients)), activations)


def cam_map(xp: Any, activations: Tensor, gradients: Tensor) -> Tensor:
    """Sum the channels, each with its weight in a dense layer behind the mean of its cells."""
    # The mean gives each cell an equal part of the weight.
    return weighted_sum(xp, xp.sum(gradients, axis=_cells(gradients)), activations)


def gradcampp_map(xp: Any, activations: Tensor, gradients: Tensor) -> Tensor:
    """Sum the channels, each weighed by its positive gradients, and these by their steepness."""
    cells = _cells(gradients)
    totals = xp.sum(activations, axis=tuple(axis - 1 for axis in cells), keepdims=True)[:, None]
    # g² / (2 g² + Σ_ab(A) g³) without the squares, which leave the range of small numbers.
    steepness = 2 + totals * gradients
    weights = _quotient(xp, _positive(xp, gradients), steepness)
    return weighted_sum(xp, xp.sum(weights, axis=cells), activations)


def xgradcam_map(xp: Any, activations: Tensor, gradients: Tensor) -> Tensor:
    """Sum the channels, each weighed by the mean of its gradient where it is active."""
    cells = _cells(gradients)
    products = xp.sum(gradients * activations[:, None], axis=cells)
    totals = xp.sum(activations, axis=tuple(axis - 1 for axis in cells))[:, None]
    weights = _quotient(xp, products, totals + xp.zeros_like(products))
    return weighted_sum(xp, weights, activations)


def hirescam_map(xp: Any, activations: Tensor, gradients: Tensor) -> Tensor:
    """Sum the channels, each cell weighed by its own gradient."""
    return xp.einsum("nk...c,n...c->nk...", gradients, activations)


def layercam_map(xp: Any, activations: Tensor, gradients: Tensor) -> Tensor:
    """Sum the channels, each cell weighed by what is positive of its own gradient."""
    return hirescam_map(xp, activations, _positive(xp, gradients))


def folded(engine: Engine, pulled: PulledBack, tap: TapPoint) -> tuple[Tensor, Tensor]:
    """Give the activations and the gradients at a tap the axes of a map."""
    return (
        tap.form.fold(engine.xp, engine.widen(pulled.activations[tap.place]), leading=1),
        tap.form.fold(engine.xp, engine.widen(pulled.gradients[tap.place]), leading=2),
    )


@attrs.frozen
class GradientCAM(GradientMethod, LayerMethod):
    """A sum of a layer's channels, weighed by gradients."""

    cost: ClassVar[Cost] = Cost("1", "1, behind the layer")

    @staticmethod
    @abstractmethod
    def map_of(xp: Any, activations: Tensor, gradients: Tensor) -> Tensor:
        """Map the scores at one layer."""

    def maps(self, subject: Subject, drawn: Any) -> Mapped:  # noqa: ARG002
        """Map each score at each tap, and fuse the maps of several."""
        pulled = self.pull_back(subject, [tap.place for tap in subject.taps])
        engine = subject.engine
        maps = [self.map_of(engine.xp, *folded(engine, pulled, tap)) for tap in subject.taps]
        return Mapped(pulled.scores, pulled.kept, self.fused(subject, maps))


@attrs.frozen
class GradCAM(GradientCAM):
    """Grad-CAM: where the channels are active that raise the score.

    Parameters
    ----------
    counterfactual
        Negate the gradients: where are the channels active that lower the score?
    fusion : {"mean", "max"}
        How the maps of several layers are made one.
    """

    name: ClassVar[str] = "gradcam"
    title: ClassVar[str] = "Grad-CAM"
    formula: ClassVar[str] = "Σ_k mean_ij(g_k) A_k"
    source: ClassVar[str] = "Selvaraju et al. 2017, arXiv:1610.02391"

    map_of = staticmethod(gradcam_map)


@attrs.frozen
class GradCAMPlusPlus(GradientCAM):
    """Grad-CAM++: as Grad-CAM, but cells that raise the score count, however few they are.

    Parameters
    ----------
    counterfactual, fusion
        As in `GradCAM`.
    """

    name: ClassVar[str] = "gradcam++"
    title: ClassVar[str] = "Grad-CAM++"
    formula: ClassVar[str] = "Σ_k w_k A_k, w_k = Σ_ij relu(g_k) g_k² / (2 g_k² + Σ_ab(A_k) g_k³)"
    source: ClassVar[str] = "Chattopadhay et al. 2018, arXiv:1710.11063"

    map_of = staticmethod(gradcampp_map)


@attrs.frozen
class XGradCAM(GradientCAM):
    """XGrad-CAM: as Grad-CAM, but gradients count where their channel is active.

    Parameters
    ----------
    counterfactual, fusion
        As in `GradCAM`.
    """

    name: ClassVar[str] = "xgradcam"
    title: ClassVar[str] = "XGrad-CAM"
    formula: ClassVar[str] = "Σ_k w_k A_k, w_k = Σ_ij(g_k A_k) / Σ_ij A_k"
    source: ClassVar[str] = "Fu et al. 2020, arXiv:2008.02312"

    map_of = staticmethod(xgradcam_map)


@attrs.frozen
class HiResCAM(GradientCAM):
    """HiResCAM: what each cell of each channel contributes, to first order.

    Parameters
    ----------
    counterfactual, fusion
        As in `GradCAM`.
    """

    name: ClassVar[str] = "hirescam"
    title: ClassVar[str] = "HiResCAM"
    formula: ClassVar[str] = "Σ_k g_k ⊙ A_k"
    source: ClassVar[str] = "Draelos and Carin 2020, arXiv:2011.08891"

    map_of = staticmethod(hirescam_map)


@attrs.frozen
class LayerCAM(GradientCAM):
    """LayerCAM: as HiResCAM, of positive gradients only; it also says something at early layers.

    Parameters
    ----------
    counterfactual, fusion
        As in `GradCAM`.
    """

    name: ClassVar[str] = "layercam"
    title: ClassVar[str] = "LayerCAM"
    formula: ClassVar[str] = "Σ_k relu(g_k) ⊙ A_k"
    source: ClassVar[str] = "Jiang et al. 2021, doi:10.1109/TIP.2021.3089943"

    map_of = staticmethod(layercam_map)


#: How far gradients of one channel may be apart, and a head from its linear form: in single
#: precision, and in half.
_TOLERANCES = (1e-3, 3e-2)


@attrs.frozen
class CAM(GradientCAM):
    """CAM: the channels, each with its weight in the dense layer behind global average pooling.

    Parameters
    ----------
    counterfactual, fusion
        As in `GradCAM`.
    """

    name: ClassVar[str] = "cam"
    title: ClassVar[str] = "CAM"
    formula: ClassVar[str] = "Σ_k w_k A_k, w_k the weight of channel k in the dense layer"
    source: ClassVar[str] = "Zhou et al. 2016, arXiv:1512.04150"
    cost: ClassVar[Cost] = Cost("1, and 1 behind the layer", "1, behind the layer")
    unfit: ClassVar[str] = (
        "method 'cam' needs a model in which the layer's channels are averaged and one dense "
        "layer makes the score of them, and this is none; give another method, such as 'gradcam'"
    )

    map_of = staticmethod(cam_map)

    def maps(self, subject: Subject, drawn: Any) -> Mapped:  # noqa: ARG002
        """Map each score, and tell whether there is such a head behind each layer."""
        pulled = self.pull_back(subject, [tap.place for tap in subject.taps])
        engine, xp = subject.engine, subject.engine.xp
        again = subject.of(pulled.kept.columns)
        maps = []
        for tap in subject.taps:
            activations, gradients = folded(engine, pulled, tap)
            # Of a layer turned round, a dense layer's score is turned round, too.
            mirrored = again.run_on({tap.place: -pulled.activations[tap.place]})
            change = (engine.widen(pulled.scores) - engine.widen(mirrored)) / 2
            is_half = pulled.activations[tap.place].dtype != activations.dtype
            parts = (activations, gradients, self._signed(change))
            fits = _tells_of_head(xp, *parts, _TOLERANCES[is_half])
            maps.append(self.map_of(xp, activations, gradients) * fits)
        return Mapped(pulled.scores, pulled.kept, self.fused(subject, maps))

    def _signed(self, change: Tensor) -> Tensor:
        return -change if self.counterfactual else change


def _tells_of_head(
    xp: Any, activations: Tensor, gradients: Tensor, change: Tensor, tolerance: float
) -> Tensor:
    """Give 1 where a score is made of the channels' means by weights, and NaN elsewhere.

    Then the gradient is the same in all cells of a channel, and accounts for all of
    the change of the score, half of that to activations of the other sign.

    Returns
    -------
    array, shape (N, K, 1, ...)
        To be multiplied with maps.
    """
    cells = _cells(gradients)
    inside = (*cells, len(gradients.shape) - 1)
    even = xp.mean(gradients, axis=cells, keepdims=True) + xp.zeros_like(gradients)
    spread = xp.sum(xp.abs(gradients - even), axis=inside)
    uneven = spread > tolerance * xp.sum(xp.abs(gradients), axis=inside)
    parts = hirescam_map(xp, activations, gradients)
    total = xp.sum(parts, axis=cells)
    bent = xp.abs(total - change) > tolerance * (xp.sum(xp.abs(parts), axis=cells) + xp.abs(change))
    fits = xp.where(uneven | bent, xp.zeros_like(change) / 0.0, xp.ones_like(change))
    return fits[(..., *[None] * len(cells))]
