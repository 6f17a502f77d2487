"""Sizes that a model leaves open, for engines that must be told all."""

from typing import Any

import attrs

from explainkit.layers import LayerCall
from explainkit.map_form import Sizes

#: Two sizes that most models take; what differs between them was open.
SIZES = (224, 256)


class Spec:
    """The shape and dtype of an array that nobody has made.

    No attrs class, since TensorFlow would take it for a structure of tensors.
    """

    def __init__(self, shape: Sizes, dtype: str) -> None:
        self.shape = shape
        self.dtype = dtype

    @property
    def is_open(self) -> bool:
        """Whether a size, beside the number of documents, is not known."""
        return None in self.shape[1:]

    def closed(self, size: int) -> "Spec":
        """Give every open axis a size."""
        first, *others = self.shape
        return Spec((first, *(size if n is None else n for n in others)), self.dtype)


def opened(calls: tuple[LayerCall, ...], others: tuple[LayerCall, ...]) -> tuple[LayerCall, ...]:
    """Make of the calls of two runs, for two sizes, those for any size."""
    if [call.kind for call in calls] != [other.kind for other in others]:
        return calls
    return tuple(_opened(call, other) for call, other in zip(calls, others, strict=True))


def _opened(call: LayerCall, other: LayerCall) -> LayerCall:
    shape = _common(call.shape, other.shape)
    if call.form is None or other.form is None:
        return attrs.evolve(call, shape=shape, form=None)
    sizes: Any = _common(call.form.sizes, other.form.sizes)
    form = None if sizes is None else attrs.evolve(call.form, sizes=sizes)
    return attrs.evolve(call, shape=shape, form=form)


def _common(sizes: Sizes | None, others: Sizes | None) -> Sizes | None:
    if sizes is None or others is None or len(sizes) != len(others):
        return None
    return tuple(n if n == m else None for n, m in zip(sizes, others, strict=True))
