"""Models for the command line: of a file, or of keras.applications by name."""

import inspect
import os
import sys
import textwrap
import urllib.error
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from explainkit.cli import keras2
from explainkit.cli.shell import CommandError, UsageError, in_words_of_a_shell
from explainkit.suggestions import did_you_mean

#: The endings of files that Keras loads a model from.
MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")

_FRAMEWORKS = ("keras", "tensorflow", "jax", "torch")
#: What Keras raises, of all kinds, for files that it cannot make a model of.
_LOADING = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
    RuntimeError,
    zipfile.BadZipFile,
)


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


def import_keras() -> Any:
    """Import Keras and its backend, without the backend's chatter on stderr.

    Raises
    ------
    CommandError
        If it is not installed.
    """
    try:
        with _silent_import():
            import keras
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing not in _FRAMEWORKS:
            raise
        extra = "tensorflow" if missing == "keras" else missing
        raise CommandError(
            f"this command needs {missing}, which is not installed: "
            f"pip install 'explainkit[{extra}]'"
        ) from error
    return keras


@contextmanager
def _silent_import() -> Iterator[None]:
    # TensorFlow's libraries write to the descriptor before they read how loud to be.
    if "keras" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def find_named(model: str) -> Named | None:
    """Find what a model's name means; None where it is that of a file.

    Raises
    ------
    UsageError
        If it looks like no file, and keras.applications has no such name.
    """
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
        raise UsageError(
            f"'{model}' is neither a file nor a model of keras.applications, such as MobileNetV2"
            + did_you_mean(model.lower(), known)
        )
    name = known[model.lower()]
    build = getattr(applications, name)
    return Named(name, build, build.__module__.rpartition(".")[2])


def load_file(path: Path, weights: Path | None = None) -> Any:
    """Load a model that was saved, without running any code that came with it.

    Raises
    ------
    CommandError
        If there is none that can be loaded so.
    """
    _check_file(path, "a model")
    if weights is not None:
        _check_file(weights, "weights")
    if path.suffix.lower() == ".keras" and not zipfile.is_zipfile(path):
        raise CommandError(
            f"{path} cannot be loaded as a model: it is cut off, or never was a .keras file, which "
            "is a zip archive"
        )
    model = _load(path)
    if weights is not None:
        with _reading(weights, model):
            model.load_weights(weights)
    return model


def _load(path: Path) -> Any:
    try:
        return import_keras().models.load_model(path, compile=False, safe_mode=True)
    except _LOADING as error:
        version = keras2.read_version(path)
        if _is_of_code(error) or (version is not None and keras2.holds_code(path)):
            raise CommandError(
                f"{path} holds Python code, as in a Lambda layer, and code out of a file is not "
                "run here (Keras's safe mode); if you trust it, load it in Python and give it to "
                "explainkit.explain_prediction"
            ) from error
        if version is None:
            raise CommandError(f"{path} cannot be loaded as a model: {_brief(error)}") from error
    try:
        return keras2.load_file(path, version)
    except _LOADING as error:
        raise CommandError(f"{path} cannot be loaded as a model: {_brief(error)}") from error


def _is_of_code(error: BaseException) -> bool:
    return "safe_mode" in str(error) or "unsafe_deserialization" in str(error)


def build_named(named: Named, weights: Path | None) -> Any:
    """Build a model of keras.applications with the weights of a file, or those of ImageNet.

    The number of its classes is that of the weights.

    Raises
    ------
    CommandError
        If the weights cannot be had.
    """
    if weights is None:
        with _Download(named.name):
            return named.build(weights="imagenet")
    _check_file(weights, "weights")
    model = named.build(weights=None)
    with _reading(weights, model):
        classes = _classes_in(weights, model)
        if classes not in (None, model.output_shape[-1]):
            model = named.build(weights=None, classes=classes)
        model.load_weights(weights)
    return model


def _check_file(path: Path, what: str) -> None:
    if not path.is_file():
        raise CommandError(f"{path}: there is no such file to read {what} from")


@contextmanager
def _reading(weights: Path, model: Any) -> Iterator[None]:
    try:
        yield
    except _LOADING as error:
        raise CommandError(
            f"{weights} holds no weights for {model.name}: {_brief(error)}"
        ) from error


def _classes_in(weights: Path, model: Any) -> int | None:
    """Read how many classes the head has in a file; None where that cannot be told."""
    import h5py

    if not h5py.is_hdf5(weights):
        return None
    head = [layer for layer in model.layers if layer.weights][-1]
    # Keras's own files count the layers of a class, a Dense or a Conv2D; older ones name them.
    before = sum(type(layer) is type(head) for layer in model.layers) - 1
    stored = type(head).__name__.lower() + (f"_{before}" if before else "")
    with h5py.File(weights) as file:
        for place in (f"layers/{stored}/vars", f"{head.name}/{head.name}", head.name):
            arrays = [a for a in getattr(file.get(place), "values", list)() if hasattr(a, "shape")]
            if arrays:
                return int(arrays[0].shape[-1])
    return None


def _brief(error: BaseException) -> str:
    """Cut short what Keras says, which may hold all of a model's configuration."""
    return textwrap.shorten(in_words_of_a_shell(error), 240, placeholder=" …")


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
                raise CommandError(
                    f"the ImageNet weights of {self.name} cannot be downloaded "
                    f"({_brief(one)}); give a file of weights with --weights"
                ) from error
