"""Keras, and the backend that it runs on, imported when the first model is loaded."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_FRAMEWORKS = ("keras", "tensorflow", "jax", "torch")


def import_keras() -> Any:
    """Import Keras and its backend, without the backend's chatter on stderr.

    Where this is what imports Keras, and nobody has said how loud TensorFlow shall be,
    ``TF_CPP_MIN_LOG_LEVEL`` is set to ``3``.

    Returns
    -------
    module
        ``keras``.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed, or its backend is not.
    """
    try:
        with _silent_import():
            import keras
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing not in _FRAMEWORKS:
            raise
        extra = "tensorflow" if missing == "keras" else missing
        raise ModuleNotFoundError(
            f"loading a model needs {missing}, which is not installed: "
            f"pip install 'explainkit[{extra}]'",
            name=missing,
        ) from error
    return keras


@contextmanager
def _silent_import() -> Iterator[None]:
    # TensorFlow's libraries write to the descriptor before they read how loud to be.
    if "keras" in sys.modules or os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3") != "3":
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
