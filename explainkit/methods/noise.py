"""Explanations averaged over noise, so that they do not hang on single pixels."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import attrs
import numpy as np

from explainkit.engines.base import Tensor
from explainkit.methods.base import Canvas, Cost, GradientMethod, Mapped
from explainkit.methods.gradients import Channels, channels_field, pixel_gradients, together
from explainkit.methods.options import not_negative, whole_number
from explainkit.methods.subject import Subject
from explainkit.methods.turns import in_turns, weights_in_turns


def noise_like(shape: Sequence[int], samples: int, seed: int) -> np.ndarray:
    """Draw noise of standard deviation 1 for pictures of a shape, (samples, *shape)."""
    return np.random.default_rng(seed).standard_normal((samples, *shape), np.float32)


def samples_field(default: int) -> Any:
    """Make the field of a method that says how often noise is drawn."""
    return attrs.field(default=default, kw_only=True, validator=whole_number(1))


def noise_field() -> Any:
    """Make the field of a method that says how much noise there is."""
    return attrs.field(default=0.15, kw_only=True, validator=not_negative)


def seed_field() -> Any:
    """Make the field of a method that says which noise is drawn."""
    return attrs.field(default=0, kw_only=True, validator=whole_number(0))


def noisy_turns(method: Any, canvas: Canvas, batch_size: int) -> Any:
    """Arrange the noise of a method in turns, each with weights that add up to 1."""
    noise = in_turns(noise_like(canvas.shape, method.samples, method.seed), batch_size)
    weights = weights_in_turns(method.samples, batch_size)
    shares = weights.sum(axis=1)
    return noise, weights / shares[:, None], shares


def over_noise(
    method: Any,
    subject: Subject,
    turns: Any,
    explain: Callable[[Subject], Tensor],
    summarise: Callable[[Any, Tensor, Tensor, Tensor], Tensor],
) -> Mapped:
    """Summarise what is found of noisy copies of each picture.

    Parameters
    ----------
    method
        Says how much `noise` there is.
    subject : Subject
    turns : nested tensors
        What `noisy_turns` gave.
    explain
        Gives what is found of each copy, shape (n, K, ...).
    summarise
        ``summarise(xp, means, variances, shares)`` makes a map, shape (K, ...), of what was
        found in turns.
    """
    noise, weights, shares = turns
    engine, xp = subject.engine, subject.engine.xp
    seen = subject.look()
    scores = engine.widen(seen.scores)

    def map_of_one(one: Subject) -> Tensor:
        pixels = one.pixels
        spread = method.noise * (xp.max(pixels) - xp.min(pixels))

        def turn(item: Any) -> Tensor:
            noise, weights = item
            found = explain(one.variants(pixels + spread * xp.astype(noise, pixels.dtype)))
            weights = xp.astype(weights, found.dtype)
            mean = xp.einsum("n,n...->...", weights, found)
            away = found - mean
            return xp.stack([mean, xp.einsum("n,n...->...", weights, away * away)], axis=0)

        found = engine.collect(turn, (noise, weights), scores)
        return summarise(xp, found[:, 0], found[:, 1], xp.astype(shares, found.dtype))

    maps = subject.of(seen.kept.columns).each(map_of_one, scores)
    return Mapped(seen.scores, seen.kept, maps)


def mean_of_turns(xp: Any, means: Tensor, _variances: Tensor, shares: Tensor) -> Tensor:
    """Average what was found in turns, shape (T, ...), each with its share, shape (T,)."""
    return xp.einsum("t,t...->...", shares, means)


def variance_of_turns(xp: Any, means: Tensor, variances: Tensor, shares: Tensor) -> Tensor:
    """Give the variance of all that was found in turns."""
    # That within the turns and that between them: squares of means would cancel each other.
    away = means - mean_of_turns(xp, means, variances, shares)
    return xp.einsum("t,t...->...", shares, variances + away * away)


@attrs.frozen(slots=False)
class OverNoise(GradientMethod):
    """The gradients of noisy copies of a picture, summarised."""

    samples: int = samples_field(25)
    noise: float = noise_field()
    seed: int = seed_field()
    channels: Channels = channels_field()

    summary: ClassVar[Callable[..., Tensor]]

    @property
    def varies(self) -> bool:
        """The model is asked about variants."""
        return True

    @property
    def compiled_as(self) -> GradientMethod:
        """Whatever the seed."""
        return attrs.evolve(self, seed=0)

    def drawn(self, canvas: Canvas, batch_size: int) -> Any:
        """Draw the noise."""
        return noisy_turns(self, canvas, batch_size)

    def maps(self, subject: Subject, drawn: Any) -> Mapped:
        """Map each score."""

        def summarise(xp: Any, *found: Tensor) -> Tensor:
            return together(xp, type(self).summary(xp, *found)[None], self.channels)[0]

        def gradients(one: Subject) -> Tensor:
            return pixel_gradients(self, one)[1]

        return over_noise(self, subject, drawn, gradients, summarise)


@attrs.frozen
class SmoothGrad(OverNoise):
    """SmoothGrad: the mean of the gradients of noisy copies of the picture.

    Parameters
    ----------
    samples : int
        How many copies.
    noise : float
        The standard deviation of the noise, as a share of the picture's range of values.
    seed : int
        Which noise is drawn: the same for each document and on each framework.
    channels, counterfactual
        As in `Gradients`.
    """

    name: ClassVar[str] = "smoothgrad"
    title: ClassVar[str] = "SmoothGrad"
    formula: ClassVar[str] = "mean over ε of ∂y/∂x(x + ε), ε ~ N(0, σ²)"
    source: ClassVar[str] = "Smilkov et al. 2017, arXiv:1706.03825"
    cost: ClassVar[Cost] = Cost("1, and 1 for each sample", "1 for each sample")

    summary = staticmethod(mean_of_turns)


@attrs.frozen
class VarGrad(OverNoise):
    """VarGrad: the variance of the gradients of noisy copies of the picture.

    Parameters
    ----------
    samples, noise, seed, channels, counterfactual
        As in `SmoothGrad`.
    """

    name: ClassVar[str] = "vargrad"
    title: ClassVar[str] = "VarGrad"
    formula: ClassVar[str] = "variance over ε of ∂y/∂x(x + ε), ε ~ N(0, σ²)"
    source: ClassVar[str] = "Adebayo et al. 2018, arXiv:1810.03292"
    cost: ClassVar[Cost] = Cost("1, and 1 for each sample", "1 for each sample")

    summary = staticmethod(variance_of_turns)
