"""Class activation maps: weighted sums of a layer's channels."""

from collections.abc import Sequence
from typing import Any, ClassVar

import attrs

from explainkit.engines.base import Ask, Engine, PulledBack, Tensor
from explainkit.methods.base import Mapped, Method, TapPoint
from explainkit.methods.fusion import fuse


def gradcam_map(xp: Any, activations: Tensor, gradients: Tensor) -> Tensor:
    """Sum the channels, each weighted by the mean of its gradient.

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
    spatial = tuple(range(2, len(gradients.shape) - 1))
    weights = xp.mean(gradients, axis=spatial)
    return xp.einsum("nkc,n...c->nk...", weights, activations)


@attrs.frozen
class GradCAM(Method):
    """Grad-CAM: where the channels are active that raise the score.

    Parameters
    ----------
    counterfactual
        Negate the gradients: where are the channels active that lower the score?
    """

    name: ClassVar[str] = "gradcam"
    title: ClassVar[str] = "Grad-CAM"
    formula: ClassVar[str] = "Σ_k mean_ij(g_k) A_k"
    source: ClassVar[str] = "Selvaraju et al. 2017, arXiv:1610.02391"

    counterfactual: bool = attrs.field(
        default=False, kw_only=True, validator=attrs.validators.instance_of(bool)
    )

    def maps(self, engine: Engine, ask: Ask, docs: Any, taps: Sequence[TapPoint]) -> Mapped:
        """Map each score at each tap, and fuse the maps of several."""
        pulled = engine.pull_back(lambda tap: ask(docs, tap))
        maps = [self._map(engine, pulled, tap) for tap in taps]
        return Mapped(pulled.scores, pulled.kept, fuse(engine.xp, maps))

    def _map(self, engine: Engine, pulled: PulledBack, tap: TapPoint) -> Tensor:
        activations = engine.widen(pulled.activations[tap.place])
        gradients = engine.widen(pulled.gradients[tap.place])
        return gradcam_map(
            engine.xp,
            tap.form.fold(engine.xp, activations, leading=1),
            tap.form.fold(engine.xp, -gradients if self.counterfactual else gradients, leading=2),
        )
