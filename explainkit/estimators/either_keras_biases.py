"""What layers of some Keras add to their output, and where the sum can be tapped."""

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from explainkit.engines.base import Tensor


@attrs.frozen
class BiasedKinds:
    """The classes of layers that add something, in some Keras.

    Attributes
    ----------
    weighing, normalising, batch : tuple of types
        Dense layers and convolutions; normalisations by each document's own numbers;
        normalisations by numbers that were learnt.
    rescaling, standardising : type
    """

    weighing: tuple[Any, ...]
    normalising: tuple[Any, ...]
    batch: Any
    rescaling: Any
    standardising: Any

    @classmethod
    def of(cls, layers: Any) -> "BiasedKinds":
        """Find them in the module of the layers of some Keras."""
        ranked = ("Conv", "Conv{}Transpose", "DepthwiseConv", "SeparableConv")
        names = [
            *("Dense", "EinsumDense"),
            *(_ranked(kind, rank) for kind in ranked for rank in (1, 2, 3)),
        ]
        found = [getattr(layers, name) for name in names if hasattr(layers, name)]
        normalising = ("LayerNormalization", "GroupNormalization")
        return cls(
            tuple(found),
            tuple(getattr(layers, name) for name in normalising),
            layers.BatchNormalization,
            layers.Rescaling,
            layers.Normalization,
        )

    def adds(self, layer: Any) -> bool:
        """Tell whether a layer adds something."""
        kinds = (*self.weighing, *self.normalising, self.batch, self.rescaling, self.standardising)
        # A subclass may put something else behind the sum.
        if not any(isinstance(layer, one) and type(layer).call is one.call for one in kinds):
            return False
        if isinstance(layer, self.weighing):
            return getattr(layer, "bias", None) is not None
        if isinstance(layer, self.normalising):
            return getattr(layer, "beta", None) is not None
        return not isinstance(layer, self.rescaling) or bool(np.any(np.asarray(layer.offset)))

    def bias_of(self, layer: Any, rank: int, reshape: Any, value: Callable[[Any], Tensor]) -> Any:
        """Give what a layer adds, in a shape that can be broadcast to its sum.

        Parameters
        ----------
        layer
        rank : int
            Of the sum, the documents' axis included.
        reshape
            Of the engine.
        value
            Gives a variable's value.
        """
        if isinstance(layer, self.weighing):
            # That of a dense layer is added from the end.
            first = getattr(layer, "data_format", None) == "channels_first"
            return _along(reshape, value(layer.bias), rank, [1]) if first else value(layer.bias)
        if isinstance(layer, self.rescaling):
            return np.asarray(layer.offset, np.float32)
        if isinstance(layer, self.standardising):
            mean = np.asarray(layer.mean, np.float32)
            if getattr(layer, "invert", False):
                return mean
            # As Keras does, lest even numbers be divided by zero.
            return -mean / np.maximum(np.sqrt(np.asarray(layer.variance, np.float32)), 1e-7)
        if isinstance(layer, self.batch):
            scale = (value(layer.moving_variance) + layer.epsilon) ** -0.5
            if layer.gamma is not None:
                scale = scale * value(layer.gamma)
            shift = -value(layer.moving_mean) * scale
            if layer.beta is not None:
                shift = shift + value(layer.beta)
            return _along(reshape, shift, rank, _axes(layer.axis, rank))
        return _along(reshape, value(layer.beta), rank, _axes(layer.axis, rank))


def _ranked(kind: str, rank: int) -> str:
    return kind.format(f"{rank}D") if "{}" in kind else f"{kind}{rank}D"


def _axes(axis: Any, rank: int) -> list[int]:
    axes = [axis] if isinstance(axis, int) else list(axis)
    return sorted(one % rank for one in axes)


def _along(reshape: Any, bias: Tensor, rank: int, axes: list[int]) -> Tensor:
    shape = [1] * rank
    for axis, size in zip(axes, bias.shape, strict=True):
        shape[axis] = int(size)
    return reshape(bias, shape)


def has_activation(layer: Any) -> bool:
    """Tell whether a layer passes its sum through an activation of its own."""
    activation = getattr(layer, "activation", None)
    return callable(activation) and getattr(activation, "__name__", "") != "linear"


def with_tapped_sum(layer: Any, tap: Callable[[Tensor], Tensor]) -> Any:
    """Make a twin of a layer, of the same variables, whose sum is tapped before its activation.

    The layer itself stays as it is: somebody else may be calling it.
    """
    twin = object.__new__(type(layer))
    activation = layer.activation
    twin.__dict__.update(layer.__dict__, activation=lambda tensor: activation(tap(tensor)))
    return twin
