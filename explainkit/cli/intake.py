"""From pictures to documents: what a model takes, and how its pictures are scaled."""

import re
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explainkit.cli.shell import CommandError, UsageError
from explainkit.pictures import picture_to_array
from explainkit.suggestions import did_you_mean

Doc = NDArray[np.float32]

#: The height and width for models that take any, unless the user says otherwise.
USUAL_SIZE = (224, 224)

_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)")
_SIZE = re.compile(r"(\d+)(?:x(\d+))?")


@attrs.frozen
class Intake:
    """Makes documents of pictures.

    Attributes
    ----------
    size : tuple of (int, int)
        The height and the width that the model takes.
    channels : {1, 3, 4}
    channels_first : bool
        Whether the channels come before the spatial axes.
    scale : callable
        From an array in [0, 255], shape (1, H, W, C), to what the model takes.
    """

    size: tuple[int, int]
    channels: int
    channels_first: bool
    scale: Callable[[Doc], Any]

    def doc(self, picture: Image.Image) -> Doc:
        """Make the document of a picture, a batch of one."""
        scaled: Doc = np.asarray(self.scale(picture_to_array(picture, self.size, self.channels)))
        return np.ascontiguousarray(np.moveaxis(scaled, -1, 1)) if self.channels_first else scaled

    def blank(self) -> Doc:
        """Make a document of the same shape that shows nothing."""
        shape = (self.channels, *self.size) if self.channels_first else (*self.size, self.channels)
        return np.zeros((1, *shape), np.float32)


def intake_of(model: Any, scale: Callable[[Doc], Any], size: tuple[int, int] | None) -> Intake:
    """Look up what pictures a model takes.

    Parameters
    ----------
    model : keras.Model
    scale : callable
        As in `Intake`.
    size : tuple of (int, int), or None
        The height and the width for a model that takes any.

    Raises
    ------
    CommandError
        If it takes no pictures, or none of that size.
    """
    inputs = getattr(model, "inputs", None) or []
    shape = tuple(inputs[0].shape[1:]) if len(inputs) == 1 else ()
    last = len(shape) == 3 and shape[2] in (1, 3, 4)
    first = len(shape) == 3 and shape[0] in (1, 3, 4) and not last
    if not (last or first):
        taken = ", ".join(str(tuple(one.shape[1:])) for one in inputs) or "what it does not say"
        raise CommandError(
            f"model '{model.name}' takes {taken}; pictures can be given to models with one input "
            "(height, width, channels) or (channels, height, width) of 1, 3 or 4 channels"
        )
    declared = shape[1:] if first else shape[:2]
    wanted = size or tuple(own or usual for own, usual in zip(declared, USUAL_SIZE, strict=True))
    if any(own not in (None, one) for own, one in zip(declared, wanted, strict=True)):
        raise UsageError(
            f"--size is {_written(wanted)}, but model '{model.name}' takes {_written(declared)}"
        )
    return Intake((wanted[0], wanted[1]), shape[0] if first else shape[2], first, scale)


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Read a height and a width.

    Examples
    --------
    >>> parse_size("224"), parse_size("240x320"), parse_size(None)
    ((224, 224), (240, 320), None)
    """
    if text is None:
        return None
    found = _SIZE.fullmatch(text)
    if not found or "0" in found.groups():
        raise UsageError(f"--size is '{text}'; give HEIGHTxWIDTH, such as 240x320, or one number")
    return int(found[1]), int(found[2] or found[1])


def parse_range(text: str) -> Callable[[Doc], Doc] | None:
    """Read a range such as ``-1..1``, and give what scales [0, 255] to it; None if it is none.

    Examples
    --------
    >>> parse_range("-1..1")(np.array([0, 255], np.float32))
    array([-1.,  1.], dtype=float32)
    """
    found = _RANGE.fullmatch(text)
    if not found:
        return None
    low, high = float(found[1]), float(found[2])
    if low >= high:
        raise UsageError(f"--preprocess is '{text}'; a range goes from the lower to the higher")
    return scale_to(low, high)


def scale_to(low: float, high: float) -> Callable[[Doc], Doc]:
    """Give what scales [0, 255] to another range."""
    factor, offset = np.float32((high - low) / 255), np.float32(low)
    return lambda doc: doc * factor + offset


def family_scale(keras: Any, family: str) -> Callable[[Doc], Any]:
    """Give the `preprocess_input` of a family of keras.applications.

    Raises
    ------
    UsageError
        If there is no such family.
    """
    families = {
        name: module.preprocess_input
        for name, module in vars(keras.applications).items()
        if hasattr(module, "preprocess_input") and name != "imagenet_utils"
    }
    if family not in families:
        raise UsageError(
            f"--preprocess is '{family}'; give a range (0..255, 0..1, -1..1) or a family of "
            f"keras.applications: {', '.join(sorted(families))}" + did_you_mean(family, families)
        )
    preprocess = families[family]
    return lambda doc: preprocess(doc, data_format="channels_last")


def scales_by_itself(model: Any) -> bool:
    """Tell whether a model begins with layers that scale pictures, before any that learns."""
    for layer in _in_order(model):
        if type(layer).__name__ in ("Rescaling", "Normalization"):
            return True
        if layer.trainable_variables:
            return False
    return False


def _in_order(model: Any) -> list[Any]:
    """List a model's layers, those of models within it in their place."""
    layers = []
    for layer in model.layers:
        layers += _in_order(layer) if hasattr(layer, "layers") else [layer]
    return layers


def _written(size: tuple[int | None, ...]) -> str:
    return "x".join("any" if one is None else str(one) for one in size)
