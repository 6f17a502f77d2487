"""Maps of the picture itself: the gradient of the score with respect to its pixels.

The formulas are functions of arrays: pictures x, shape (N, ..., C), and gradients
g = ∂y/∂x, shape (N, K, ..., C), of K scores y. They give signed maps, shape (N, K, ...).
"""

from abc import abstractmethod
from typing import Any, ClassVar, Literal

import attrs

from explainkit.engines.base import Tensor
from explainkit.methods.base import Cost, GradientMethod, Mapped
from explainkit.methods.options import one_of
from explainkit.methods.subject import PICTURE, Subject

#: How the channels of a pixel are brought together.
Channels = Literal["sum", "max"]


def together(xp: Any, parts: Tensor, channels: Channels) -> Tensor:
    """Bring the channels of each pixel together.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    parts : array, shape (N, K, ..., C)
    channels : {"sum", "max"}
        Add them, so that nothing is lost and signs are kept; or take the largest
        absolute value, as the first paper on gradients did.

    Returns
    -------
    array, shape (N, K, ...)

    Examples
    --------
    >>> import numpy as np
    >>> parts = np.array([[[[3.0, -4.0]]]])
    >>> together(np, parts, "sum"), together(np, parts, "max")
    (array([[[-1.]]]), array([[[4.]]]))
    """
    if channels == "sum":
        return xp.sum(parts, axis=len(parts.shape) - 1)
    return xp.max(xp.abs(parts), axis=len(parts.shape) - 1)


def pixel_gradients(method: GradientMethod, subject: Subject) -> tuple[Any, Tensor]:
    """Pull the scores back to the pictures.

    Returns
    -------
    pulled : PulledBack
    gradients : tensor, shape (N, K, ..., C)
    """
    pulled = method.pull_back(subject, [PICTURE])
    engine = subject.engine
    gradients = engine.widen(pulled.gradients[PICTURE])
    return pulled, subject.point.form.fold(engine.xp, gradients, leading=2)


def channels_field() -> Any:
    """Make the field of a method that says how channels are brought together."""
    return attrs.field(default="sum", kw_only=True, validator=one_of("sum", "max"))


@attrs.frozen(slots=False)
class PixelMethod(GradientMethod):
    """A map of the picture's own size, made of the gradient with respect to it.

    Parameters
    ----------
    channels : {"sum", "max"}
        How the channels of a pixel are brought together: added, or the largest
        absolute value.
    """

    channels: Channels = channels_field()

    @abstractmethod
    def parts(self, subject: Subject, gradients: Tensor) -> Tensor:
        """Make of the gradients what each number of the picture is given, in the same shape."""

    def maps(self, subject: Subject, drawn: Any) -> Mapped:  # noqa: ARG002
        """Map each score."""
        pulled, gradients = pixel_gradients(self, subject)
        parts = self.parts(subject, gradients)
        return Mapped(pulled.scores, pulled.kept, together(subject.engine.xp, parts, self.channels))


@attrs.frozen
class Gradients(PixelMethod):
    """Gradients: what the score would gain if a pixel were a little brighter.

    Parameters
    ----------
    channels : {"sum", "max"}
        How the channels of a pixel are brought together: added, or the largest
        absolute value.
    counterfactual
        Negate the gradients: what would the score lose?
    """

    name: ClassVar[str] = "gradients"
    title: ClassVar[str] = "Gradients"
    formula: ClassVar[str] = "∂y/∂x"
    source: ClassVar[str] = "Simonyan et al. 2014, arXiv:1312.6034"
    cost: ClassVar[Cost] = Cost("1", "1")

    def parts(self, subject: Subject, gradients: Tensor) -> Tensor:  # noqa: ARG002
        """Take the gradients as they are."""
        return gradients


@attrs.frozen
class InputXGradient(PixelMethod):
    """Input x gradient: what each pixel contributes to the score, to first order.

    Parameters
    ----------
    channels, counterfactual
        As in `Gradients`.
    """

    name: ClassVar[str] = "input_x_gradient"
    title: ClassVar[str] = "Input × gradient"
    formula: ClassVar[str] = "x ⊙ ∂y/∂x"
    source: ClassVar[str] = "Simonyan et al. 2014, arXiv:1312.6034"
    cost: ClassVar[Cost] = Cost("1", "1")

    def parts(self, subject: Subject, gradients: Tensor) -> Tensor:
        """Weigh the gradients by the picture."""
        return subject.engine.widen(subject.pixels)[:, None] * gradients
