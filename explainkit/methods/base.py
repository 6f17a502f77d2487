"""What a method is: a named rule that turns a question put to a model into maps."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import attrs

from explainkit.engines.base import Ask, Engine, Place, Tensor
from explainkit.map_form import MapForm


@attrs.frozen
class TapPoint:
    """A tap at a layer whose output can be read as a map.

    Attributes
    ----------
    place : hashable
    form : MapForm
        How the output, and its gradients, are folded to a map's axes.
    """

    place: Place
    form: MapForm


@attrs.frozen
class Mapped:
    """What a method found.

    Attributes
    ----------
    scores : tensor, shape (N, K)
    kept : anything
        What the run gave beside the scores.
    maps : tensor, shape (N, K, ...)
        Of the sizes of the map: (N, K, h, w) for pictures.
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
