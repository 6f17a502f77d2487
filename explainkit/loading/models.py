"""The door: a model of a file, or of keras.applications by name."""

import os
from typing import Any

from explainkit.loading.files import load_file
from explainkit.loading.named import build_named, find_named


def load_model(model: str | os.PathLike[str], weights: str | os.PathLike[str] | None = None) -> Any:
    """Load a model of a file, or of keras.applications by name.

    Parameters
    ----------
    model : str or path
        A ``.keras``, ``.h5`` or ``.hdf5`` file, which is opened in Keras's safe mode, so
        that no code in it is run; of those that Keras 2 saved and Keras 3 cannot open,
        tf_keras makes a ``tf_keras.Model``. Or a name of keras.applications, such as
        ``"MobileNetV2"``, in upper or lower case.
    weights : str or path, optional
        A file of weights. For a named model without it, those of ImageNet, which Keras
        downloads once; with it, the model has as many classes as the weights.

    Returns
    -------
    keras.Model or tf_keras.Model
        Not compiled.

    Raises
    ------
    LookupError
        If it is neither a file's name nor one of keras.applications.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file holds no model, or one that runs code of its own, or the weights are
        not those of such a model.
    ModuleNotFoundError
        If Keras or its backend is not installed, or tf_keras for a file that needs it.
    ConnectionError
        If the weights of ImageNet cannot be downloaded.

    Examples
    --------
    >>> import tempfile
    >>> from explainkit import scenes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scenes.load_network().save(f"{folder}/mine.keras")
    ...     model = load_model(f"{folder}/mine.keras")
    >>> model.name
    'scenes'
    """
    named = find_named(model)
    return load_file(model, weights) if named is None else build_named(named, weights)


def family_of(model: str | os.PathLike[str]) -> str | None:
    """Say which family's preprocessing a model of keras.applications was trained with.

    Parameters
    ----------
    model : str or path
        As for `load_model`. It is not loaded.

    Returns
    -------
    str or None
        The module of keras.applications that has its ``preprocess_input``; None for a
        file, which does not tell.

    Raises
    ------
    LookupError, ModuleNotFoundError
        As `load_model` does.

    Examples
    --------
    >>> family_of("ResNet50V2"), family_of("mine.keras")
    ('resnet_v2', None)
    """
    named = find_named(model)
    return None if named is None else named.family
