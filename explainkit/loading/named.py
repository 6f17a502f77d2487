"""Models of keras.applications, which are built by name."""

import inspect
import os
import urllib.error
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from explainkit.loading.files import MODEL_SUFFIXES
from explainkit.loading.frameworks import import_keras
from explainkit.loading.troubles import check_file, in_brief
from explainkit.loading.weights import classes_in, reading
from explainkit.suggestions import did_you_mean


@attrs.frozen
class Named:
    """A constructor of keras.applications.

    Attributes
    ----------
    name : str
        As Keras spells it.
    build : callable
    family : str
        The module that has its `preprocess_input`.
    """

    name: str
    build: Any
    family: str


def find_named(model: str | os.PathLike[str]) -> Named | None:
    """Find what a model's name means; None where it is that of a file.

    Parameters
    ----------
    model : str or path
        A path of `pathlib` is always that of a file.

    Raises
    ------
    TypeError
        If it is neither.
    LookupError
        If it looks like no file, and keras.applications has no such name.
    ModuleNotFoundError
        If Keras is not installed.
    """
    if isinstance(model, os.PathLike):
        return None
    if not isinstance(model, str):
        raise TypeError(
            f"model is a {type(model).__name__}; give the path of a file, or a name of "
            "keras.applications"
        )
    path = Path(model)
    if path.suffix.lower() in MODEL_SUFFIXES or path.is_file() or len(path.parts) > 1:
        return None
    applications = import_keras().applications
    known = {
        name.lower(): name
        for name, value in vars(applications).items()
        if inspect.isfunction(value) and name[0].isupper()
    }
    if model.lower() not in known:
        raise LookupError(
            f"'{model}' is neither a file nor a model of keras.applications, such as MobileNetV2"
            + did_you_mean(model.lower(), known)
        )
    name = known[model.lower()]
    build = getattr(applications, name)
    return Named(name, build, build.__module__.rpartition(".")[2])


def build_named(named: Named, weights: str | os.PathLike[str] | None = None) -> Any:
    """Build a model of keras.applications with the weights of a file, or those of ImageNet.

    The number of its classes is that of the weights.

    Parameters
    ----------
    named : Named
    weights : str or path, optional
        A file; without it, ImageNet's are downloaded.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds no weights for this model.
    ConnectionError
        If ImageNet's cannot be downloaded.
    """
    if weights is None:
        with _Download(named.name):
            return named.build(weights="imagenet")
    file = Path(weights)
    check_file(file, "weights")
    model = named.build(weights=None)
    with reading(file, model):
        classes = classes_in(file, model)
        if classes not in (None, model.output_shape[-1]):
            model = named.build(weights=None, classes=classes)
        model.load_weights(file)
    return model


@attrs.frozen
class _Download:
    """Tells a failed download, which Keras raises as an error of no type of its own."""

    name: str

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: Any, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for one in (error, getattr(error, "__context__", None)):
            if isinstance(one, urllib.error.URLError | OSError):
                raise ConnectionError(
                    f"the ImageNet weights of {self.name} cannot be downloaded "
                    f"({in_brief(one)}); give a file of weights with weights="
                ) from error
