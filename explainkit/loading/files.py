"""Models that were saved, opened without running any code that came with them."""

import os
import zipfile
from pathlib import Path
from typing import Any

from explainkit.loading import keras2
from explainkit.loading.frameworks import import_keras
from explainkit.loading.troubles import UNREADABLE, check_file, in_brief
from explainkit.loading.weights import reading

#: The endings of files that Keras loads a model from.
MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")


def load_file(model: str | os.PathLike[str], weights: str | os.PathLike[str] | None = None) -> Any:
    """Load a model that was saved, without running any code that came with it.

    Parameters
    ----------
    model : str or path
    weights : str or path, optional
        A file of weights to put in the place of its own.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds no model that can be loaded so, or the weights are of another.
    ModuleNotFoundError
        If what opens it is not installed.
    """
    path = Path(model)
    check_file(path, "a model")
    if weights is not None:
        check_file(Path(weights), "weights")
    if path.suffix.lower() == ".keras" and not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path} cannot be loaded as a model: it is cut off, or never was a .keras file, which "
            "is a zip archive"
        )
    loaded = _load(path)
    if weights is not None:
        with reading(Path(weights), loaded):
            loaded.load_weights(weights)
    return loaded


def _load(path: Path) -> Any:
    keras = import_keras()
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except UNREADABLE as error:
        version = keras2.read_version(path)
        if _is_of_code(error) or (version is not None and keras2.holds_code(path)):
            raise ValueError(
                f"{path} holds Python code, as in a Lambda layer, and code out of a file is not "
                "run here (Keras's safe mode); if you trust it, load it in Python and give it to "
                "explainkit.explain_prediction"
            ) from error
        if version is None:
            raise ValueError(f"{path} cannot be loaded as a model: {in_brief(error)}") from error
    tf_keras = keras2.import_tf_keras(path, version)
    try:
        return keras2.load_file(tf_keras, path, version)
    except UNREADABLE as error:
        raise ValueError(f"{path} cannot be loaded as a model: {in_brief(error)}") from error


def _is_of_code(error: BaseException) -> bool:
    return "safe_mode" in str(error) or "unsafe_deserialization" in str(error)
