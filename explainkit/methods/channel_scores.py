"""Class activation maps whose channels are weighed by scores, without gradients."""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, ClassVar

import attrs
import numpy as np

from explainkit.engines.base import Tensor
from explainkit.methods.base import Canvas, Cost, LayerMethod, Mapped, Method
from explainkit.methods.baselines import (
    Baseline,
    baseline_field,
    baseline_of,
    drawn_baseline,
    undrawn,
)
from explainkit.methods.options import whole_number
from explainkit.methods.resampling import resize
from explainkit.methods.subject import Subject, TapPoint
from explainkit.methods.turns import positions_in_turns


def scorecam_weights(xp: Any, scores: Tensor, baseline: Tensor) -> Tensor:
    """Weigh channels by the softmax of what a picture scores that shows where they are active.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    scores : array, shape (N, K, C)
        Of the picture, seen through each channel.
    baseline : array, shape (N, K)
        The score of the picture of which nothing is seen.

    Returns
    -------
    array, shape (N, K, C)
    """
    gains = scores - baseline[..., None]
    powers = xp.exp(gains - xp.max(gains, axis=2, keepdims=True))
    return powers / xp.sum(powers, axis=2, keepdims=True)


def ablationcam_weights(xp: Any, scores: Tensor, whole: Tensor) -> Tensor:
    """Weigh channels by the share of the score that is lost without them.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    scores : array, shape (N, K, C)
        Without each channel.
    whole : array, shape (N, K)
        With all of them.

    Returns
    -------
    array, shape (N, K, C)
    """
    size = xp.abs(whole)
    # A score of 0 has no share: then what is lost stands for itself.
    size = xp.where(size > 0, size, xp.ones_like(size))
    return (whole[..., None] - scores) / size[..., None]


def liveliest(xp: Any, activations: Tensor, count: int) -> Tensor:
    """List so many channels of each document, those that vary most over the cells first.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    activations : array, shape (N, ..., C)
    count : int

    Returns
    -------
    array of int, shape (N, count)
    """
    cells = tuple(range(1, len(activations.shape) - 1))
    centred = activations - xp.mean(activations, axis=cells, keepdims=True)
    return xp.argsort(-xp.mean(centred * centred, axis=cells), axis=1)[:, :count]


def _masks(xp: Any, channels: Tensor) -> Tensor:
    """Scale each channel, shape (C, ...), to [0, 1]; one that is even shows nothing."""
    cells = tuple(range(1, len(channels.shape)))
    lowest = xp.min(channels, axis=cells, keepdims=True)
    spread = xp.max(channels, axis=cells, keepdims=True) - lowest
    return (channels - lowest) / xp.where(spread > 0, spread, xp.ones_like(spread))


@attrs.frozen
class Ablation:
    """One document at one tap, whose channels are tried one after the other.

    Attributes
    ----------
    subject : Subject
        Of the document and its targets.
    tap : TapPoint
    output : tensor, shape (1, ...)
        Of the layer, as it is.
    channels : tensor, shape (c, ...)
        Those that are tried, with the axes of the map.
    chosen : tensor of int, shape (c,)
        Which channels of the output they are.
    scores : tensor, shape (1, K)
        Of the document as it is.
    """

    subject: Subject
    tap: TapPoint
    output: Tensor
    channels: Tensor
    chosen: Tensor
    scores: Tensor


@attrs.frozen(slots=False)
class ChannelScoring(LayerMethod):
    """A sum of a layer's channels, each weighed by the scores of a variant of the document.

    Parameters
    ----------
    max_channels : int, optional
        How many channels are tried, chosen for each document by itself: those that vary
        most over its cells. All of them where nothing is said.
    """

    max_channels: int | None = attrs.field(
        default=None, kw_only=True, validator=attrs.validators.optional(whole_number(1))
    )

    @property
    def varies(self) -> bool:
        """The model is asked about variants."""
        return True

    @abstractmethod
    def weights(self, one: Ablation, drawn: Any) -> Tensor:
        """Weigh the channels that are tried, shape (1, K, c)."""

    def maps(self, subject: Subject, drawn: Any) -> Mapped:
        """Map each score at each tap, and fuse the maps of several."""
        engine = subject.engine
        seen = subject.look([tap.place for tap in subject.taps])
        scores = engine.widen(seen.scores)
        again = subject.of(seen.kept.columns)
        maps = []
        for tap in subject.taps:
            output = seen.activations[tap.place]
            step = partial(self._map_of_one, tap=tap, drawn=drawn)
            maps.append(again.each(step, scores, output, scores))
        return Mapped(seen.scores, seen.kept, self.fused(subject, maps))

    def _map_of_one(
        self, subject: Subject, output: Tensor, scores: Tensor, tap: TapPoint, drawn: Any
    ) -> Tensor:
        xp = subject.engine.xp
        activations = tap.form.fold(xp, subject.engine.widen(output)[None], leading=1)
        all_channels = int(activations.shape[-1])
        chosen = liveliest(xp, activations, min(self.max_channels or all_channels, all_channels))[0]
        axes = list(range(len(activations.shape) - 1))
        channels = xp.take(xp.transpose(activations[0], [axes[-1], *axes[:-1]]), chosen, axis=0)
        one = Ablation(subject, tap, output[None], channels, chosen, scores[None])
        weights = xp.astype(self.weights(one, drawn), channels.dtype)
        return xp.einsum("nkc,c...->nk...", weights, channels)[0]

    @staticmethod
    def tried(one: Ablation, score: Callable[[Tensor], Tensor]) -> Tensor:
        """Score the variants of all channels, shape (1, K, c), so many at once as a batch holds.

        Parameters
        ----------
        one : Ablation
        score
            Gives the scores, shape (b, K), of the variants of some channels, by their
            positions among those that are tried, shape (b,).
        """
        engine, count = one.subject.engine, int(one.channels.shape[0])
        positions = positions_in_turns(count, one.subject.batch_size)
        found = engine.collect(score, engine.beside(positions, one.chosen), one.scores)
        flat = engine.xp.reshape(found, (positions.size, one.scores.shape[1]))[:count]
        return engine.xp.transpose(flat, [1, 0])[None]


@attrs.frozen
class ScoreCAM(ChannelScoring):
    """Score-CAM: the channels through which the picture alone still scores.

    Parameters
    ----------
    max_channels : int, optional
        How many channels are tried, chosen for each document by itself: those that vary
        most over its cells. All of them where nothing is said.
    baseline : float, "mean", "blur" or array
        What hides the picture where a channel is not active: a number, each picture's mean
        colour, the picture blurred, or a picture.
    fusion : {"mean", "max"}
        How the maps of several layers are made one.
    """

    name: ClassVar[str] = "scorecam"
    title: ClassVar[str] = "Score-CAM"
    formula: ClassVar[str] = "Σ_k α_k A_k, α = softmax_k(f(x ⊙ up(norm A_k)) − f(baseline))"
    source: ClassVar[str] = "Wang et al. 2020, arXiv:1910.01279"
    cost: ClassVar[Cost] = Cost("2, and 1 for each channel", "0")

    baseline: Baseline = baseline_field(0.0)

    @property
    def at_picture(self) -> bool:
        """The picture is seen through masks."""
        return True

    @property
    def compiled_as(self) -> Method:
        """Whatever the picture that is the baseline."""
        return attrs.evolve(self, baseline=undrawn(self.baseline))

    def drawn(self, canvas: Canvas, batch_size: int) -> Any:  # noqa: ARG002
        """Give the baseline."""
        return drawn_baseline(self.baseline, canvas.shape)

    def weights(self, one: Ablation, drawn: Any) -> Tensor:
        """Weigh the channels by what the picture scores that is seen through them."""
        engine, xp = one.subject.engine, one.subject.engine.xp
        one.subject.check_axes(one.tap)
        pixels = one.subject.pixels
        hidden = baseline_of(xp, self.baseline, drawn, pixels)
        sizes = [int(size) for size in pixels.shape[1:-1]]
        masks = _masks(xp, one.channels)

        def score(positions: Tensor) -> Tensor:
            some = resize(xp, xp.take(masks, positions, axis=0), sizes, leading=1)
            seen = hidden + xp.astype(some[..., None], pixels.dtype) * (pixels - hidden)
            return engine.widen(one.subject.variants(seen).look().scores)

        baseline = engine.widen(one.subject.variants(hidden).look().scores)
        return scorecam_weights(xp, self.tried(one, score), baseline)


@attrs.frozen
class AblationCAM(ChannelScoring):
    """Ablation-CAM: the channels without which the score drops.

    Only what is behind the layer runs again.

    Parameters
    ----------
    max_channels : int, optional
        How many channels are tried, chosen for each document by itself: those that vary
        most over its cells. All of them where nothing is said.
    fusion : {"mean", "max"}
        How the maps of several layers are made one.
    """

    name: ClassVar[str] = "ablationcam"
    title: ClassVar[str] = "Ablation-CAM"
    formula: ClassVar[str] = "Σ_k ((y − y_k) / abs(y)) A_k, y_k the score without channel k"
    source: ClassVar[str] = "Ramaswamy and Desai 2020, doi:10.1109/WACV45572.2020.9093360"
    cost: ClassVar[Cost] = Cost("1, and 1 for each channel behind the layer", "0")

    def weights(self, one: Ablation, drawn: Any) -> Tensor:  # noqa: ARG002
        """Weigh the channels by the share of the score that is lost without them."""
        engine, xp = one.subject.engine, one.subject.engine.xp
        axis = one.tap.form.channel_axis(len(one.output.shape))
        every = engine.beside(np.arange(one.output.shape[axis], dtype=np.int32), one.chosen)
        shape = [1] * len(one.output.shape)
        shape[axis] = int(one.output.shape[axis])

        def score(positions: Tensor) -> Tensor:
            left_out = xp.take(one.chosen, positions, axis=0)
            kept = xp.astype(left_out[:, None] != every[None], one.output.dtype)
            without = xp.reshape(kept, (-1, *shape[1:]))
            repeated = one.subject.repeated(int(positions.shape[0]))
            return engine.widen(repeated.run_on({one.tap.place: one.output * without}))

        # Two copies tell what has a row for each; where one is all a batch holds, none are made.
        several = one.subject.batch_size > 1
        first_run = one.subject.repeated(2).look
        with one.subject.reusing(first_run, one.tap.place) if several else nullcontext():
            found = self.tried(one, score)
        return ablationcam_weights(xp, found, one.scores)
