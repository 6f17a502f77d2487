"""Methods made of other methods: smoothed, averaged over flips and scales, turned round."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import attrs
import numpy as np

from explainkit.engines.base import ReluRule, Tensor
from explainkit.methods.base import Canvas, Cost, Mapped, Method
from explainkit.methods.noise import (
    mean_of_turns,
    noise_field,
    noisy_turns,
    over_noise,
    samples_field,
    seed_field,
)
from explainkit.methods.options import REAL
from explainkit.methods.resampling import resize
from explainkit.methods.subject import Subject


def _check_inner(_method: Any, _option: Any, value: Any) -> None:
    if not isinstance(value, Method):
        raise TypeError(
            f"a {type(value).__name__} is no method to be wrapped; explainkit.smooth and "
            "explainkit.tta take names, too"
        )


@attrs.frozen(slots=False)
class Wrapper(Method):
    """A method made of another one.

    Parameters
    ----------
    inner : Method
    """

    inner: Method = attrs.field(validator=_check_inner)

    @property
    def spelled(self) -> str:
        """Both names."""
        return f"{self.name}({self.inner.spelled})"

    @property
    def heading(self) -> str:
        """Both titles."""
        return f"{self.inner.heading}, {self.title}"

    @property
    def definition(self) -> str:
        """Both formulas."""
        return f"{self.formula} of {self.inner.definition}"

    @property
    def varies(self) -> bool:
        """The model is asked about variants."""
        return True

    @property
    def at_layers(self) -> bool:
        """As the inner method."""
        return self.inner.at_layers

    @property
    def at_picture(self) -> bool:
        """The picture is changed."""
        return True

    @property
    def compiled_as(self) -> Method:
        """With the inner method as it is compiled."""
        return attrs.evolve(self, inner=self.inner.compiled_as)

    @property
    def at_biases(self) -> bool:
        """As the inner method."""
        return self.inner.at_biases

    @property
    def bias_layers(self) -> Sequence[Any] | None:
        """As the inner method."""
        return self.inner.bias_layers

    @property
    def rewrites(self) -> ReluRule | None:
        """As the inner method."""
        return self.inner.rewrites

    @property
    def reason(self) -> str:
        """As the inner method."""
        return self.inner.reason


@attrs.frozen
class Smooth(Wrapper):
    """The mean of the maps of noisy copies of the picture.

    Parameters
    ----------
    inner : Method
    samples : int
        How many copies.
    noise : float
        The standard deviation of the noise, as a share of the picture's range of values.
    seed : int
        Which noise is drawn: the same for each document and on each framework.
    """

    name: ClassVar[str] = "smooth"
    title: ClassVar[str] = "smoothed"
    formula: ClassVar[str] = "mean over noisy copies of the picture"
    source: ClassVar[str] = "Smilkov et al. 2017, arXiv:1706.03825"
    cost: ClassVar[Cost] = Cost("1, and the method's for each sample", "the method's")

    samples: int = samples_field(25)
    noise: float = noise_field()
    seed: int = seed_field()

    @property
    def compiled_as(self) -> Method:
        """Whatever the seed."""
        return attrs.evolve(self, inner=self.inner.compiled_as, seed=0)

    def drawn(self, canvas: Canvas, batch_size: int) -> Any:
        """Draw the noise, and what the inner method needs."""
        return noisy_turns(self, canvas, batch_size), self.inner.drawn(canvas, batch_size)

    def maps(self, subject: Subject, drawn: Any) -> Mapped:
        """Map each score."""
        turns, inside = drawn
        return over_noise(
            self, subject, turns, lambda one: self.inner.maps(one, inside).maps, mean_of_turns
        )


#: The axes of a picture, its channels last, along which it is flipped.
_AXES = {"horizontal": -2, "vertical": -3}
Flip = Literal["horizontal", "vertical"]


def _check_flips(_method: Any, option: Any, flips: Any) -> None:
    _check_all(option, flips, str, "'horizontal' and 'vertical'")
    for flip in flips:
        if flip not in _AXES:
            raise ValueError(f"flips has {flip!r}; there are 'horizontal' and 'vertical'")
    if len(set(flips)) < len(flips):
        raise ValueError(f"flips names one twice: {list(flips)}")


def _check_scales(_method: Any, option: Any, scales: Any) -> None:
    _check_all(option, scales, REAL, "numbers")
    if not scales:
        raise ValueError("scales is empty; give (1.0,) for none but the picture's own")
    for scale in scales:
        if not 0 < scale < np.inf:
            raise ValueError(f"scales has {scale}; give positive numbers")


def _check_all(option: Any, values: Any, kind: Any, wanted: str) -> None:
    if not isinstance(values, tuple) or not all(isinstance(value, kind) for value in values):
        raise TypeError(f"{option.name} is {values!r}; give a list of {wanted}")


def _tuple(values: Any) -> Any:
    return tuple(values) if isinstance(values, Iterable) and not isinstance(values, str) else values


@attrs.frozen
class TestTimeAugmentation(Wrapper):
    """The mean of the maps of a picture that is flipped and scaled, each put back in place.

    Parameters
    ----------
    inner : Method
    flips : sequence of {"horizontal", "vertical"}
        Each is made beside the picture as it is.
    scales : sequence of float
        Sizes of the picture, as shares of its own: for models that take any size.
    weights : sequence of float, optional
        One for each variant, adding up to 1: for each scale, that of the picture and those
        of its flips. All equal where nothing is said.
    """

    __test__: ClassVar[bool] = False  # nothing for pytest
    name: ClassVar[str] = "tta"
    title: ClassVar[str] = "averaged over flips and scales"
    formula: ClassVar[str] = "weighted mean over flips and scales of the picture"
    source: ClassVar[str] = "Simonyan and Zisserman 2015, arXiv:1409.1556"
    cost: ClassVar[Cost] = Cost("1, and the method's for each variant", "the method's")

    flips: Sequence[Flip] = attrs.field(
        default=("horizontal",), kw_only=True, converter=_tuple, validator=_check_flips
    )
    scales: Sequence[float] = attrs.field(
        default=(1.0,), kw_only=True, converter=_tuple, validator=_check_scales
    )
    weights: Sequence[float] | None = attrs.field(default=None, kw_only=True, converter=_tuple)

    @weights.validator
    def _check_weights(self, option: Any, weights: Any) -> None:
        if weights is None:
            return
        _check_all(option, weights, REAL, "numbers")
        count = len(self.scales) * (1 + len(self.flips))
        if len(weights) != count:
            raise ValueError(
                f"weights has {len(weights)} numbers; there are {count} variants: "
                f"{len(self.scales)} scales, each as it is and {len(self.flips)} times flipped"
            )
        if not abs(sum(weights) - 1) <= 1e-6:
            raise ValueError(f"weights add up to {sum(weights)}; they must add up to 1")

    def drawn(self, canvas: Canvas, batch_size: int) -> Any:
        """Draw what the inner method needs; pictures of other sizes have other noise."""
        if len(canvas.shape) != 3:
            raise ValueError(
                f"tta flips pictures, of shape (height, width, channels), and this is of shape "
                f"{canvas.shape}"
            )
        if set(self.scales) != {1.0} and not canvas.open_sizes:
            raise ValueError(
                f"the model takes pictures of {canvas.shape[0]}x{canvas.shape[1]} only, so that "
                f"they cannot be scaled; give scales=(1.0,)"
            )
        return tuple(
            self.inner.drawn(attrs.evolve(canvas, shape=self._scaled(canvas.shape, s)), batch_size)
            for s in self.scales
        )

    @staticmethod
    def _scaled(shape: Sequence[int], scale: float) -> tuple[int, ...]:
        return (*(max(1, round(size * scale)) for size in shape[:-1]), shape[-1])

    def maps(self, subject: Subject, drawn: Any) -> Mapped:
        """Map each score."""
        seen = subject.look()
        scores = subject.engine.widen(seen.scores)

        def map_of_one(one: Subject) -> Tensor:
            return self._map_of_one(one, drawn)

        maps = subject.of(seen.kept.columns).each(map_of_one, scores)
        return Mapped(seen.scores, seen.kept, maps)

    def _map_of_one(self, one: Subject, drawn: Any) -> Tensor:
        xp, pixels = one.engine.xp, one.pixels
        if set(self.scales) != {1.0} and any(tap.form.extra_tokens is not None for tap in one.taps):
            raise ValueError(
                "the layer gives tokens, whose grid is known for the picture's own size only; "
                "give scales=(1.0,)"
            )
        found: list[Tensor] = []
        for scale, inside in zip(self.scales, drawn, strict=True):
            sizes = self._scaled([int(size) for size in pixels.shape[1:]], scale)[:-1]
            scaled = resize(xp, pixels, sizes, leading=1)
            flipped = [scaled, *(xp.flip(scaled, len(scaled.shape) + _AXES[f]) for f in self.flips)]
            found += self._put_back(one, flipped, inside)
        nearest = min(range(len(self.scales)), key=lambda i: abs(self.scales[i] - 1))
        sizes = tuple(int(size) for size in found[nearest * (1 + len(self.flips))].shape[1:])
        weights = self.weights or [1 / len(found)] * len(found)
        parts = [
            weight * resize(xp, map_, sizes, leading=1)
            for weight, map_ in zip(weights, found, strict=True)
        ]
        return sum(parts[1:], start=parts[0])

    def _put_back(self, one: Subject, flipped: list[Tensor], drawn: Any) -> list[Tensor]:
        """Map variants, shape (1, ..., C), so many at once as a batch holds, and undo the flips."""
        xp, size = one.engine.xp, one.batch_size
        batches = [flipped[i : i + size] for i in range(0, len(flipped), size)]
        maps = [
            self.inner.maps(one.variants(xp.concatenate(batch, axis=0)), drawn).maps
            for batch in batches
        ]
        rows = [
            each[i] for each, batch in zip(maps, batches, strict=True) for i in range(len(batch))
        ]
        # Without the channels, the axes of a map are one nearer to the end.
        axes = [None, *(_AXES[flip] + 1 for flip in self.flips)]
        return [
            row if axis is None else xp.flip(row, len(row.shape) + axis)
            for row, axis in zip(rows, axes, strict=True)
        ]
