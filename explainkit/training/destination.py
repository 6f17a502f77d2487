"""Where explanations go while a model is trained."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import attrs
from PIL import Image

from explainkit.explanation import Explanation


@attrs.frozen
class Entry:
    """One document, as it was explained at one moment of a training.

    Attributes
    ----------
    name : str
        Of the document.
    expl : Explanation
    picture : PIL.Image.Image or None
        The explanation, drawn, in mode RGB or RGBA; None where it failed, or its map is no
        picture.
    series : tuple of str
        What the numbers of each target are called, at every step alike.
    """

    name: str
    expl: Explanation
    picture: Image.Image | None
    series: tuple[str, ...]


class Destination(ABC):
    """What takes the explanations of each step; subclass it to send them elsewhere."""

    @abstractmethod
    def begin(self, names: Sequence[str]) -> None:
        """Make sure, before training begins, that something can be written.

        Parameters
        ----------
        names : sequence of str
            Of the documents, in their order.
        """

    def withdraw(self) -> None:  # noqa: B027 - most have nothing to take back
        """Take back what `begin` did, where something else then kept training from beginning."""

    @abstractmethod
    def write(self, unit: str, step: int, entries: Sequence[Entry]) -> None:
        """Take the explanations of one step.

        Parameters
        ----------
        unit : str
            What is counted: "epoch", "batch" or "step".
        step : int
            Its number: 0 before training.
        entries : sequence of Entry
            One for each document, in their order.
        """
