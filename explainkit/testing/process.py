"""What the whole process shares, and an explanation could change."""

import random
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from explainkit.testing.parts import definitions


def modes() -> dict[str, Any]:
    """Note how things are done in this process: modes, defaults, and the frameworks' classes."""
    noted: dict[str, Any] = {
        "folder": Path.cwd(),
        "numpy errors": np.geterr(),
        "recursion limit": sys.getrecursionlimit(),
    }
    for name, note in (("torch", _of_torch), ("jax", _of_jax), ("tensorflow", _of_tensorflow)):
        if name in sys.modules:
            noted.update(note())
    for name in ("keras", "tf_keras"):
        if name in sys.modules:
            noted.update(_of_keras(name))
    return noted


def streams() -> dict[str, Any]:
    """Note where random numbers go on, and which warnings are shown."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - whose state anyone may have set
    noted: dict[str, Any] = {
        "random": random.getstate(),
        "numpy.random": (kind, np.asarray(keys).tobytes(), *rest),
        "warnings": list(warnings.filters),
    }
    if "torch" in sys.modules:
        import torch

        noted["torch.random"] = torch.get_rng_state().numpy().tobytes()
    return noted


def _of_torch() -> dict[str, Any]:
    import torch
    from torch.nn.modules import module

    return {
        "torch.is_grad_enabled": torch.is_grad_enabled(),
        "torch.is_inference_mode_enabled": torch.is_inference_mode_enabled(),
        "torch.get_default_dtype": torch.get_default_dtype(),
        "torch.get_default_device": torch.get_default_device(),
        "torch.is_autocast_enabled": torch.is_autocast_enabled(),
        "torch.mha.fastpath": torch.backends.mha.get_fastpath_enabled(),
        "torch.deterministic": torch.are_deterministic_algorithms_enabled(),
        "torch.global hooks": {
            name: list(hooks)
            for name, hooks in vars(module).items()
            if name.startswith("_global_") and isinstance(hooks, dict)
        },
        **definitions(torch.nn.Module),
    }


def _of_jax() -> dict[str, Any]:
    import jax

    return {f"jax.config.{name}": value for name, value in jax.config.values.items()}


def _of_tensorflow() -> dict[str, Any]:
    import tensorflow as tf

    return {
        "tensorflow.executing_eagerly": tf.executing_eagerly(),
        "tensorflow.run_functions_eagerly": tf.config.functions_run_eagerly(),
    }


def _of_keras(name: str) -> dict[str, Any]:
    keras = sys.modules[name]
    kinds = [getattr(keras.layers, "Layer", None), getattr(keras, "Operation", None), keras.Model]
    noted = {
        f"{name}.floatx": keras.backend.floatx(),
        f"{name}.image_data_format": keras.backend.image_data_format(),
    }
    for kind in filter(None, kinds):
        noted.update(definitions(kind))
    return noted
