"""Integrated gradients: what the pixels contribute on the way from a baseline."""

from functools import partial
from typing import Any, ClassVar

import attrs
import numpy as np

from explainkit.engines.base import Tensor
from explainkit.methods.base import Canvas, Cost, GradientMethod, Mapped, Method
from explainkit.methods.baselines import (
    Baseline,
    baseline_field,
    baseline_of,
    drawn_baseline,
    undrawn,
)
from explainkit.methods.gradients import Channels, channels_field, pixel_gradients, together
from explainkit.methods.options import whole_number
from explainkit.methods.subject import Subject
from explainkit.methods.turns import in_turns, weights_in_turns


def path_points(steps: int) -> np.ndarray:
    """Give the points of the path where the gradient is taken: the middles of equal steps.

    Examples
    --------
    >>> path_points(2)
    array([0.25, 0.75], dtype=float32)
    """
    return ((np.arange(steps) + 0.5) / steps).astype(np.float32)


@attrs.frozen
class IntegratedGradients(GradientMethod):
    """Integrated gradients: shares of the score that add up to what it gained from a baseline.

    Parameters
    ----------
    steps : int
        How many gradients the path is made of.
    baseline : float, "mean", "blur" or array
        Where the path begins: a number for all pixels, each picture's mean colour, the
        picture blurred, or a picture, channels last.
    channels, counterfactual
        As in `Gradients`.
    """

    name: ClassVar[str] = "integrated_gradients"
    title: ClassVar[str] = "Integrated gradients"
    formula: ClassVar[str] = "(x − x₀) ⊙ ∫₀¹ ∂y/∂x(x₀ + α (x − x₀)) dα"
    source: ClassVar[str] = "Sundararajan et al. 2017, arXiv:1703.01365"
    cost: ClassVar[Cost] = Cost("1, and 1 for each step", "1 for each step")

    steps: int = attrs.field(default=50, kw_only=True, validator=whole_number(1))
    baseline: Baseline = baseline_field(0.0)
    channels: Channels = channels_field()

    @property
    def varies(self) -> bool:
        """The model is asked about variants."""
        return True

    @property
    def compiled_as(self) -> Method:
        """Whatever the picture that is the baseline."""
        return attrs.evolve(self, baseline=undrawn(self.baseline))

    def drawn(self, canvas: Canvas, batch_size: int) -> Any:
        """Give the points of the path, with their weights, and the baseline."""
        points = in_turns(path_points(self.steps), batch_size)
        weights = weights_in_turns(self.steps, batch_size)
        return (points, weights), drawn_baseline(self.baseline, canvas.shape)

    def maps(self, subject: Subject, drawn: Any) -> Mapped:
        """Map each score."""
        engine = subject.engine
        seen = subject.look()
        steps, baseline = drawn

        scores = engine.widen(seen.scores)
        map_of_one = partial(self._map_of_one, scores=scores, steps=steps, drawn=baseline)
        maps = subject.of(seen.kept.columns).each(map_of_one, scores)
        return Mapped(seen.scores, seen.kept, maps)

    def _map_of_one(self, one: Subject, scores: Tensor, steps: Any, drawn: Any) -> Tensor:
        engine, xp = one.engine, one.engine.xp
        pixels = one.pixels
        start = baseline_of(xp, self.baseline, drawn, pixels)
        cells = [1] * (len(pixels.shape) - 1)

        def turn(item: Any) -> Tensor:
            points, weights = item
            along = xp.astype(xp.reshape(points, (-1, *cells)), pixels.dtype)
            _, gradients = pixel_gradients(self, one.variants(start + along * (pixels - start)))
            return xp.einsum("n,n...->...", xp.astype(weights, gradients.dtype), gradients)

        mean = xp.sum(engine.collect(turn, steps, scores), axis=0)
        return together(xp, engine.widen(pixels - start)[None] * mean[None], self.channels)[0]
