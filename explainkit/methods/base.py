"""What a method is: a named rule that turns a question put to a model into maps."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, ClassVar

import attrs

from explainkit.engines.base import Place, PulledBack, ReluRule, Tensor
from explainkit.methods.fusion import Fusion, fuse
from explainkit.methods.options import flag, one_of
from explainkit.methods.subject import Subject


@attrs.frozen
class Mapped:
    """What a method found.

    Attributes
    ----------
    scores : tensor, shape (N, K)
    kept : anything
        What the run gave beside the scores.
    maps : tensor, shape (N, K, ...)
        Of the sizes of the map: (N, K, h, w) for pictures. NaN where the method does not
        fit the model; the reason is the method's `unfit`.
    """

    scores: Tensor
    kept: Any
    maps: Tensor


@attrs.frozen
class Canvas:
    """What pictures a model is given.

    Attributes
    ----------
    shape : tuple of int
        Of one picture, its channels last; empty where a method does not ask.
    open_sizes : bool
        Whether the model takes pictures of other sizes, too.
    """

    shape: tuple[int, ...] = ()
    open_sizes: bool = True


@attrs.frozen
class Cost:
    """What a method asks of a model, for all targets of a document together.

    Attributes
    ----------
    forward, backward : str
        The numbers of passes, in words.
    """

    forward: str = "1"
    backward: str = "0"


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
    #: What it asks of the model.
    cost: ClassVar[Cost]
    #: Why its maps are NaN, where it may be that they are.
    unfit: ClassVar[str] = ""

    @property
    def reason(self) -> str:
        """Why its maps are NaN, also where it is another method that does not fit."""
        return self.unfit

    @property
    def spelled(self) -> str:
        """The method's name in records, with those of other methods in it."""
        return self.name

    @property
    def heading(self) -> str:
        """The method's title, for records."""
        return self.title

    @property
    def definition(self) -> str:
        """The method's formula, for records."""
        return self.formula

    @property
    def at_layers(self) -> bool:
        """Whether the maps are built at layers."""
        return False

    @property
    def at_picture(self) -> bool:
        """Whether the method differentiates, or changes, the pictures themselves."""
        return not self.at_layers

    @property
    def varies(self) -> bool:
        """Whether the model is asked about many variants of a document, so many at once."""
        return False

    @property
    def compiled_as(self) -> "Method":
        """The method without what only `drawn` looks at: programs are compiled for this."""
        return self

    @property
    def at_biases(self) -> bool:
        """Whether the method looks at what the layers add."""
        return False

    @property
    def bias_layers(self) -> Sequence[Any] | None:
        """Which layers' biases count; None for all."""
        return None

    @property
    def rewrites(self) -> ReluRule | None:
        """By which rule relus are differentiated, if not by their own."""
        return None

    def drawn(self, canvas: Canvas, batch_size: int) -> Any:  # noqa: ARG002
        """Draw what the maps are made with, such as noise: the same for each document.

        Parameters
        ----------
        canvas : Canvas
            The pictures that the model is given.
        batch_size
            How many documents pass through the model at once.

        Returns
        -------
        nested arrays of numpy

        Raises
        ------
        ValueError
            If an option does not fit pictures of this shape.
        """
        return ()

    @abstractmethod
    def maps(self, subject: Subject, drawn: Any) -> Mapped:
        """Map each score, inside a compiled program.

        Parameters
        ----------
        subject : Subject
            The model, the documents and the scores.
        drawn : nested tensors
            What `drawn` gave.
        """


@attrs.frozen(slots=False)
class LayerMethod(Method):
    """A method whose maps are built at layers, and fused where there are several.

    Parameters
    ----------
    fusion : {"mean", "max"}
        How the maps of several layers are made one.
    """

    fusion: Fusion = attrs.field(default="mean", kw_only=True, validator=one_of("mean", "max"))

    @property
    def at_layers(self) -> bool:
        """The maps are built at layers."""
        return True

    def fused(self, subject: Subject, maps: Sequence[Tensor]) -> Tensor:
        """Make the maps of the layers one."""
        return fuse(subject.engine.xp, maps, self.fusion)


@attrs.frozen(slots=False)
class GradientMethod(Method):
    """A method that differentiates the scores.

    Parameters
    ----------
    counterfactual
        Negate the gradients: what lowers the score?
    """

    counterfactual: bool = attrs.field(default=False, kw_only=True, validator=flag)

    @property
    def heading(self) -> str:
        """The method's title, and whether it is turned round."""
        return f"{self.title} (counterfactual)" if self.counterfactual else self.title

    def pull_back(self, subject: Subject, places: Sequence[Place]) -> PulledBack:
        """Pull the scores back to some places."""
        rewriting = subject.engine.rewriting_relus(self.rewrites) if self.rewrites else None
        with rewriting or nullcontext():
            if not self.counterfactual:
                return subject.pull_back(places)
            # Not the gradients: rewritten relus do not treat both signs alike.
            pulled = subject.negated().pull_back(places)
            return attrs.evolve(pulled, scores=-pulled.scores)
