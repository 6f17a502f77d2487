"""From pictures to documents: what a model takes, and how its pictures are scaled."""

import re
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explainkit.loading import import_keras
from explainkit.pictures import picture_to_array
from explainkit.suggestions import did_you_mean

__all__ = ["Intake", "make_intake"]

Doc = NDArray[np.float32]
Scale = Callable[[Doc], Any]

#: The height and width for models that take any, unless the user says otherwise.
USUAL_SIZE = (224, 224)

_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)")


@attrs.frozen
class Layout:
    """What pictures a model takes.

    Attributes
    ----------
    size : tuple of (int or None, int or None)
        The height and the width; None where it takes any.
    channels : {1, 3, 4}
    channels_first : bool
        Whether the channels come before the spatial axes.
    """

    size: tuple[int | None, int | None]
    channels: int
    channels_first: bool


@attrs.frozen
class Intake:
    """Makes documents of pictures. It can be pickled, and sent to other processes.

    Attributes
    ----------
    size : tuple of (int, int)
        The height and the width that the model takes.
    channels : {1, 3, 4}
    channels_first : bool
        Whether the channels come before the spatial axes.
    scale : callable
        From an array in [0, 255], shape (1, H, W, C), to what the model takes.
    assumed : str
        What nobody said of the scale and was assumed, in a sentence; empty where nothing was.
    """

    size: tuple[int, int]
    channels: int
    channels_first: bool
    scale: Scale
    assumed: str = ""

    def doc(self, picture: Image.Image) -> Doc:
        """Make the document of a picture, a batch of one.

        Parameters
        ----------
        picture : PIL.Image.Image
            In any mode, of any size.

        Returns
        -------
        ndarray of float32, shape (1, H, W, C) or (1, C, H, W)
        """
        scaled: Doc = np.asarray(self.scale(picture_to_array(picture, self.size, self.channels)))
        return np.ascontiguousarray(np.moveaxis(scaled, -1, 1)) if self.channels_first else scaled

    def blank(self) -> Doc:
        """Make a document of the same shape that shows nothing.

        Returns
        -------
        ndarray of float32, shape (1, H, W, C) or (1, C, H, W)
            Zeros.
        """
        shape = (self.channels, *self.size) if self.channels_first else (*self.size, self.channels)
        return np.zeros((1, *shape), np.float32)


def make_intake(
    model: Any,
    preprocess: str | None = None,
    size: tuple[int, int] | None = None,
    family: str | None = None,
) -> Intake:
    """Find how pictures are made ready for a model.

    Parameters
    ----------
    model : keras.Model or tf_keras.Model
    preprocess : str, optional
        To what pictures are scaled: a range, such as ``"-1..1"``, or a family of
        keras.applications, such as ``"mobilenet_v2"``, whose ``preprocess_input`` is used.
    size : tuple of (int, int), optional
        The height and the width for a model that takes any: (224, 224) unless given.
    family : str, optional
        The family that a named model is of (`explainkit.loading.family_of`), where
        `preprocess` does not say otherwise. With neither, 0..255 is assumed for a model
        that begins with layers that scale, else 0..1, and `Intake.assumed` tells so.

    Returns
    -------
    Intake

    Raises
    ------
    TypeError
        If `preprocess` is no text, or `size` is not of two whole numbers.
    LookupError
        If `preprocess` is neither a range nor a family.
    ValueError
        If the model takes no pictures, does not say what it takes, or takes none of that
        size or with so many channels as the family is for.

    Examples
    --------
    >>> from explainkit import scenes
    >>> intake = make_intake(scenes.load_network())
    >>> intake.doc(Image.new("RGB", (640, 480))).shape, intake.assumed[:30]
    ((1, 96, 96, 3), 'pictures are scaled to 0..1, f')
    """
    layout = layout_of(model)
    said = family if preprocess is None else preprocess
    if said is None:
        scales = scales_by_itself(model)
        high = 255 if scales else 1
        assumed = (
            f"pictures are scaled to 0..{high}, for the model "
            f"{'begins' if scales else 'does not begin'} with a layer that scales them"
        )
        return attrs.evolve(intake_of(model, scale_to(0, high), size), assumed=assumed)
    intake = intake_of(model, find_scale(said), size)
    if layout.channels != 3 and parse_range(said) is None:
        raise ValueError(
            f"preprocess is '{said}', which is for 3 channels; model '{model.name}' takes "
            f"{layout.channels}: give a range, such as 0..1"
        )
    return intake


def intake_of(model: Any, scale: Scale, size: tuple[int, int] | None = None) -> Intake:
    """Look up what pictures a model takes.

    Parameters
    ----------
    model : keras.Model
    scale : callable
        As in `Intake`.
    size : tuple of (int, int), optional
        The height and the width for a model that takes any.

    Raises
    ------
    TypeError, ValueError
        If it takes no pictures, or none of that size.
    """
    layout = layout_of(model)
    _check_size(size)
    wanted = size or tuple(own or usual for own, usual in zip(layout.size, USUAL_SIZE, strict=True))
    if any(own not in (None, one) for own, one in zip(layout.size, wanted, strict=True)):
        raise ValueError(
            f"size is {_written(wanted)}, but model '{model.name}' takes {_written(layout.size)}"
        )
    return Intake((wanted[0], wanted[1]), layout.channels, layout.channels_first, scale)


def layout_of(model: Any) -> Layout:
    """Read what pictures a model takes from what it says of its input.

    Raises
    ------
    ValueError
        If it takes none, or does not say.
    """
    inputs = getattr(model, "inputs", None) or []
    shape = tuple(inputs[0].shape[1:]) if len(inputs) == 1 else ()
    last = len(shape) == 3 and shape[2] in (1, 3, 4)
    first = len(shape) == 3 and shape[0] in (1, 3, 4) and not last
    if not (last or first):
        name = getattr(model, "name", type(model).__name__)
        taken = ", ".join(str(tuple(one.shape[1:])) for one in inputs) or "what it does not say"
        raise ValueError(
            f"model '{name}' takes {taken}; pictures can be given to models with one input "
            "(height, width, channels) or (channels, height, width) of 1, 3 or 4 channels; for "
            "others, give explainkit.explain_dataset a function from a picture to a document, "
            "as preprocess="
        )
    return Layout(shape[1:] if first else shape[:2], shape[0] if first else shape[2], first)


def find_scale(preprocess: str) -> Scale:
    """Find what a range or a family of keras.applications does to pictures.

    Parameters
    ----------
    preprocess : str
        As for `make_intake`.

    Returns
    -------
    callable
        From an array in [0, 255], shape (1, H, W, C), to what the model takes.

    Raises
    ------
    TypeError, LookupError, ValueError
        If there is no such range and no such family.
    """
    if not isinstance(preprocess, str):
        raise TypeError(
            f"preprocess is a {type(preprocess).__name__}; give a range, such as '0..1', or a "
            "family of keras.applications"
        )
    return parse_range(preprocess) or family_scale(import_keras(), preprocess)


def parse_range(text: str) -> Scale | None:
    """Read a range such as ``-1..1``, and give what scales [0, 255] to it; None if it is none.

    Raises
    ------
    ValueError
        If it goes nowhere, or downwards.

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
        raise ValueError(f"preprocess is '{text}'; a range goes from the lower to the higher")
    return scale_to(low, high)


# Scales are records, for a function within a function cannot be pickled.
@attrs.frozen
class _Linear:
    """Scales by a factor, and shifts."""

    factor: np.float32
    offset: np.float32

    def __call__(self, doc: Doc) -> Doc:
        return doc * self.factor + self.offset


@attrs.frozen
class _OfFamily:
    """Scales as a family of keras.applications does."""

    family: str

    def __call__(self, doc: Doc) -> Any:
        preprocess = getattr(import_keras().applications, self.family).preprocess_input
        return preprocess(doc, data_format="channels_last")


def scale_to(low: float, high: float) -> Scale:
    """Give what scales [0, 255] to another range."""
    return _Linear(np.float32((high - low) / 255), np.float32(low))


def family_scale(keras: Any, family: str) -> Scale:
    """Give the `preprocess_input` of a family of keras.applications.

    Raises
    ------
    LookupError
        If there is no such family.
    """
    families = [
        name
        for name, module in vars(keras.applications).items()
        if hasattr(module, "preprocess_input") and name != "imagenet_utils"
    ]
    if family not in families:
        raise LookupError(
            f"preprocess is '{family}'; give a range (0..255, 0..1, -1..1) or a family of "
            f"keras.applications: {', '.join(sorted(families))}" + did_you_mean(family, families)
        )
    return _OfFamily(family)


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


def _check_size(size: Any) -> None:
    if size is None:
        return
    wanted = "give (height, width) in pixels"
    if not (
        isinstance(size, tuple | list)
        and len(size) == 2
        and all(isinstance(one, int | np.integer) for one in size)
    ):
        raise TypeError(f"size is {size!r}; {wanted}")
    if min(size) < 1:
        raise ValueError(f"size is {size!r}; {wanted}, 1 or more")


def _written(size: tuple[int | None, ...]) -> str:
    return "x".join("any" if one is None else str(one) for one in size)
