"""Methods whose gradients pass relus by another rule than the relus' own."""

from typing import Any, ClassVar

import attrs

from explainkit.engines.base import ReluRule, Tensor
from explainkit.methods.base import Cost, GradientMethod, LayerMethod, Mapped
from explainkit.methods.cam import GradCAM
from explainkit.methods.gradients import (
    Channels,
    PixelMethod,
    channels_field,
    pixel_gradients,
    together,
)
from explainkit.methods.resampling import resize
from explainkit.methods.subject import Subject


@attrs.frozen
class GuidedBackprop(PixelMethod):
    """Guided backpropagation: gradients that only pass relus that are active and are raised.

    Its pictures are sharp, and nearly the same for each target: `GuidedGradCAM` tells
    targets apart.

    Parameters
    ----------
    channels, counterfactual
        As in `Gradients`.
    """

    name: ClassVar[str] = "guided_backprop"
    title: ClassVar[str] = "Guided backpropagation"
    formula: ClassVar[str] = "∂y/∂x, with relu'(z) g = 1[z > 0] 1[g > 0] g"
    source: ClassVar[str] = "Springenberg et al. 2015, arXiv:1412.6806"
    cost: ClassVar[Cost] = Cost("1", "1")

    @property
    def rewrites(self) -> ReluRule:
        """Only what is positive passes, where the relu was active."""
        return "guided"

    def parts(self, subject: Subject, gradients: Tensor) -> Tensor:  # noqa: ARG002
        """Take the gradients as they are."""
        return gradients


@attrs.frozen
class Deconvnet(PixelMethod):
    """Deconvolution: gradients that pass relus as signals do on the way up.

    Parameters
    ----------
    channels, counterfactual
        As in `Gradients`.
    """

    name: ClassVar[str] = "deconvnet"
    title: ClassVar[str] = "Deconvolution"
    formula: ClassVar[str] = "∂y/∂x, with relu'(z) g = 1[g > 0] g"
    source: ClassVar[str] = "Zeiler and Fergus 2014, arXiv:1311.2901"
    cost: ClassVar[Cost] = Cost("1", "1")

    @property
    def rewrites(self) -> ReluRule:
        """Only what is positive passes, wherever the relu was active."""
        return "deconvnet"

    def parts(self, subject: Subject, gradients: Tensor) -> Tensor:  # noqa: ARG002
        """Take the gradients as they are."""
        return gradients


@attrs.frozen
class GuidedGradCAM(GradientMethod, LayerMethod):
    """Guided Grad-CAM: the detail of guided backpropagation, where Grad-CAM is positive.

    Parameters
    ----------
    channels, counterfactual
        As in `Gradients`.
    fusion : {"mean", "max"}
        How the maps of several layers are made one.
    """

    name: ClassVar[str] = "guided_gradcam"
    title: ClassVar[str] = "Guided Grad-CAM"
    formula: ClassVar[str] = "guided backpropagation ⊙ up(relu(Grad-CAM))"
    source: ClassVar[str] = "Selvaraju et al. 2017, arXiv:1610.02391"
    cost: ClassVar[Cost] = Cost("2", "1, and 1 behind the layer")

    channels: Channels = channels_field()

    @property
    def at_picture(self) -> bool:
        """The gradients are those of the picture."""
        return True

    @property
    def rewrites(self) -> ReluRule:
        """As guided backpropagation."""
        return "guided"

    def maps(self, subject: Subject, drawn: Any) -> Mapped:
        """Map each score."""
        xp = subject.engine.xp
        for tap in subject.taps:
            subject.check_axes(tap)
        coarse = GradCAM(counterfactual=self.counterfactual, fusion=self.fusion)
        found = coarse.maps(subject, drawn)
        _, gradients = pixel_gradients(self, subject.of(found.kept.columns))
        detail = together(xp, gradients, self.channels)
        positive = xp.where(found.maps > 0, found.maps, xp.zeros_like(found.maps))
        sizes = [int(size) for size in detail.shape[2:]]
        return attrs.evolve(found, maps=detail * resize(xp, positive, sizes))
