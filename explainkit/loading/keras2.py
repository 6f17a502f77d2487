"""Models in files that Keras 2 saved, which Keras 3 may not open: tf_keras does."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

logger = logging.getLogger("explainkit")

#: The parts of TensorFlow, and the functions outside of them, that a file may call: they
#: compute, and read or write nothing.
_MODULES = {"__operators__", "image", "linalg", "math", "nn", "signal"}
_FUNCTIONS = {
    *("abs", "add", "broadcast_to", "cast", "clip_by_value", "concat", "divide", "exp"),
    *("expand_dims", "gather", "identity", "maximum", "minimum", "multiply", "ones_like", "pad"),
    *("pow", "reduce_max", "reduce_mean", "reduce_min", "reduce_sum", "repeat", "reshape"),
    *("reverse", "round", "shape", "sigmoid", "sign", "slice", "split", "sqrt", "square"),
    *("squeeze", "stack", "stop_gradient", "strided_slice", "subtract", "tanh", "tensordot"),
    *("tile", "transpose", "unstack", "where", "zeros_like"),
}


def read_version(path: Path) -> str | None:
    """Read which Keras saved a file, such as "2.15.0"; None if it is none of Keras 2 or older."""
    version = str(_attribute(path, "keras_version") or "")
    return version if version.startswith(("1.", "2.")) else None


def holds_code(path: Path) -> bool:
    """Tell whether a model in a file would run code that came with it."""
    config = json.loads(_attribute(path, "model_config") or "null")
    return any(
        part["class_name"] == "Lambda" or _calls_out(part.get("config")) for part in _parts(config)
    )


def import_tf_keras(path: Path, version: str) -> Any:
    """Import tf_keras, which a file needs.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed.
    """
    try:
        import tf_keras
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing not in ("tf_keras", "tensorflow"):
            raise
        raise ModuleNotFoundError(
            f"{path} was saved by Keras {version}, and Keras 3 cannot open it; tf_keras does, "
            "which is not installed: pip install 'explainkit[tf_keras]'",
            name=missing,
        ) from error
    return tf_keras


def load_file(tf_keras: Any, path: Path, version: str) -> Any:
    """Load a model with tf_keras."""
    model = tf_keras.models.load_model(path, compile=False)
    logger.info("%s, of Keras %s, was opened with tf_keras", path, version)
    return model


def is_of_keras2(model: Any) -> bool:
    """Tell whether it was tf_keras that made a model."""
    return type(model).__module__.partition(".")[0] == "tf_keras"


def _attribute(path: Path, name: str) -> Any:
    import h5py

    if not h5py.is_hdf5(path):
        return None
    with h5py.File(path) as file:
        value = file.attrs.get(name)
    return value.decode() if isinstance(value, bytes) else value


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    """Find what is made of classes, however deep it lies."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _parts(value)


def _calls_out(config: Any) -> bool:
    """Tell whether a layer calls a function of TensorFlow that may do anything."""
    function = config.get("function") if isinstance(config, dict) else None
    if not isinstance(function, str):
        return False
    name = function.removeprefix("compat.v1.")
    first, dot, _ = name.partition(".")
    return first not in _MODULES if dot else name not in _FUNCTIONS
