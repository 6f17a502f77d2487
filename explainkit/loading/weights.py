"""Weights in files, and the models that they fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from explainkit.loading.troubles import UNREADABLE, in_brief


@contextmanager
def reading(weights: Path, model: Any) -> Iterator[None]:
    """Say which file of weights it is that does not fit.

    Raises
    ------
    ValueError
        If Keras cannot give what is in it to the model.
    """
    try:
        yield
    except UNREADABLE as error:
        raise ValueError(
            f"{weights} holds no weights for {model.name}: {in_brief(error)}"
        ) from error


def classes_in(weights: Path, model: Any) -> int | None:
    """Read how many classes the head has in a file; None where that cannot be told.

    Parameters
    ----------
    weights : Path
    model : keras.Model
        With a head of any number of classes.
    """
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
