"""What a method is: a named rule that turns a question put to a model into maps."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import attrs

from explainkit.engines.base import Ask, Engine, Place, Tensor


@attrs.frozen
class TapPoint:
    """A tap at a layer with two spatial axes.

    Attributes
    ----------
    place : hashable
    channels_first : bool
        Whether the channels come before the spatial axes.
    """

    place: Place
    channels_first: bool = False

    def channels_last(self, xp: Any, tensor: Tensor, axis: int) -> Tensor:
        """Move the channels, which may be at `axis`, behind the spatial axes."""
        if not self.channels_first:
            return tensor
        order = list(range(len(tensor.shape)))
        order.append(order.pop(axis))
        return xp.transpose(tensor, order)


@attrs.frozen
class Mapped:
    """What a method found.

    Attributes
    ----------
    scores : tensor, shape (N, K)
    kept : anything
        What the run gave beside the scores.
    maps : tensor, shape (N, K, h, w)
    """

    scores: Tensor
    kept: Any
    maps: Tensor


class Method(ABC):
    """A named rule; its options are its fields, so that a method is one value.

    Methods are frozen attrs classes: two with equal options are the same question,
    and share what was compiled for it.
    """

    #: What `method=` takes.
    name: ClassVar[str]
    #: What people call it.
    title: ClassVar[str]
    #: Its definition, in the words of the design.
    formula: ClassVar[str]
    #: The paper that it comes from.
    source: ClassVar[str]

    @abstractmethod
    def maps(self, engine: Engine, ask: Ask, docs: Any, taps: Sequence[TapPoint]) -> Mapped:
        """Ask the model about documents, and map each score, inside a compiled program.

        Parameters
        ----------
        engine : Engine
        ask : callable
            ``ask(docs, tap)`` runs the model; it may be asked again, about other docs.
        docs : tensors
            In the model's own structure.
        taps : sequence of TapPoint
            Where the maps are to be built; `tap` is called there.
        """
