"""The door for people with arrays: batches in, scores and maps out.

There is a function for each method, such as `gradcam(model, x, y)`.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainkit.explain import explain_predictions
from explainkit.filters import Filter, positive_normalize
from explainkit.methods import METHODS, Method
from explainkit.progress import progress_bar

#: What is written otherwise in Python than as `method=`.
_SPELLINGS = {"gradcam++": "gradcampp"}


def explain_arrays(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    method: str | Method = "gradcam",
    batch_size: int = 32,
    postprocess: Filter | None = positive_normalize,
    progress: bool | None = None,
    **options: Any,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Explain many documents, and give arrays in place of records.

    Parameters
    ----------
    model
        Any estimator that `explainkit.explain_predictions` takes, or what
        `inspection.expose` makes of one.
    x : array, shape (N, ...), or iterable of batches
        The documents; a dict, or a list of arrays, for models of several inputs. A
        `tf.data.Dataset` or a PyTorch `DataLoader` gives batches; of what is a pair, such as
        docs with labels, the first is taken, as `predict` does.
    y : array of int, shape (N, K), optional
        For each document the units to be explained; None for the unit of the highest score.
    method : str or Method
        As in `explainkit.explain_prediction`; its own options may follow.
    batch_size : int
        How many documents, or variants of one, pass through the model at once.
    postprocess : callable or None
        What is done to the raw maps, shape (N, K, ...): one of `explainkit.filters`, or a
        function of one's own; None leaves them raw and signed.
    progress : bool, optional
        Show a bar, or none. Where nothing is said, one is shown in a terminal when it takes
        more than some seconds.
    **options
        Others of `explainkit.explain_predictions`, such as `layer` and `logits`, and those
        of the method. `targets` in place of `y` for what is no unit of the only output.

    Returns
    -------
    scores : ndarray, shape (N, K)
    maps : ndarray of float32, shape (N, K, h, w)

    Raises
    ------
    TypeError, ValueError, LookupError
        As `explainkit.explain_predictions` does; an error names the document by its index.

    Examples
    --------
    >>> import explainkit
    >>> x = np.concatenate([scene.doc for scene in explainkit.scenes.draw_scenes(4)])
    >>> network = explainkit.scenes.load_network()
    >>> scores, maps = explain_arrays(network, x, np.array([[0, 1]] * 4), method="layercam")
    >>> scores.shape, maps.shape
    ((4, 2), (4, 2, 12, 12))
    """
    _check_options(y, options)
    if y is not None:
        options["targets"] = _checked_targets(y)
    arrays = arrays_in(model, x)
    docs = x if arrays else _docs_in(x)
    total = len(arrays[0]) if arrays else None
    found = explain_predictions(model, docs, method=method, batch_size=batch_size, **options)
    scores, maps = [], []
    for expl in progress_bar(found, total=total, unit="doc", progress=progress):
        scores.append([one.score for one in expl.targets])
        maps.append(np.stack([one.map for one in expl.targets]))
        if maps[-1].shape != maps[0].shape:
            raise ValueError(
                f"the map of doc {len(maps) - 1} has the shape {maps[-1].shape[1:]}, that of the "
                f"first {maps[0].shape[1:]}: docs of several sizes have no common array; use "
                "explain_predictions"
            )
    if not maps:
        raise ValueError("x is empty")
    return np.asarray(scores), _processed(np.stack(maps), postprocess)


def _check_options(y: Any, options: dict[str, Any]) -> None:
    if y is not None and options.get("targets") is not None:
        raise TypeError("y says what to explain, and so does targets; give one of them")
    for name in ("on_error", "images"):
        if name in options:
            raise TypeError(
                f"{name} is no argument here, where there are arrays and no records; "
                "explain_predictions takes it"
            )


def arrays_in(model: Any, x: Any) -> list[Any]:
    """List the arrays that hold all documents, one for each input; none where x is batches."""
    if hasattr(x, "shape"):
        return [x]
    if isinstance(x, Mapping):
        return list(x.values())
    inputs = getattr(getattr(model, "estimator", model), "inputs", None)
    several = isinstance(x, list | tuple) and len(x) == len(inputs or ()) > 1
    return list(x) if several and all(hasattr(one, "shape") for one in x) else []


def _checked_targets(y: Any) -> NDArray[Any]:
    targets = np.asarray(y)
    if targets.ndim != 2:
        raise ValueError(
            f"y has the shape {targets.shape}; give a row of units for each doc, shape (N, K)"
            + (": y[:, np.newaxis] would do" if targets.ndim == 1 else "")
        )
    return targets


def _docs_in(batches: Any) -> Iterator[Any]:
    """Give the documents of a data set one by one."""
    if not isinstance(batches, Iterable) or isinstance(batches, str | bytes):
        raise TypeError(
            f"x is a {type(batches).__name__}; give an array of docs, a tf.data.Dataset, a "
            "DataLoader, or another iterable of batches"
        )
    for batch in batches:
        docs = batch[0] if isinstance(batch, list | tuple) else batch
        parts = docs.values() if isinstance(docs, dict) else docs
        inputs = list(parts) if isinstance(docs, dict | list | tuple) else [docs]
        for position in range(len(inputs[0])):
            rows = [one[position : position + 1] for one in inputs]
            if isinstance(docs, dict):
                yield dict(zip(docs, rows, strict=True))
            else:
                yield rows if isinstance(docs, list | tuple) else rows[0]


def _processed(maps: NDArray[Any], postprocess: Filter | None) -> NDArray[Any]:
    if postprocess is None:
        return maps
    # Filters know maps of two axes: those of signals and volumes are laid flat meanwhile.
    flat = maps if maps.ndim == 4 else maps.reshape(*maps.shape[:2], 1, -1)
    return np.asarray(postprocess(flat)).reshape(maps.shape)


def _door_of(name: str) -> Callable[..., tuple[NDArray[Any], NDArray[Any]]]:
    method = METHODS[name]

    def explain(
        model: Any, x: Any, y: Any = None, **options: Any
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        return explain_arrays(model, x, y, method=name, **options)

    _, _, own = (inspect.getdoc(method) or "").partition("Parameters\n----------\n")
    explain.__name__ = explain.__qualname__ = _SPELLINGS.get(name, name)
    explain.__doc__ = f"""Explain many documents by {method.title}, and give arrays.

    The map is {method.formula} ({method.source}).

    Parameters
    ----------
    model, x, y
        As in `explain_arrays`.
    **options
        Those of `explain_arrays`, such as `batch_size`, `postprocess`, `layer` and `logits`,
        and those of the method: {", ".join(_options_in(own)) or "none"}.

    Returns
    -------
    scores : ndarray, shape (N, K)
    maps : ndarray of float32, shape (N, K, h, w)
    """
    return explain


def _options_in(parameters: str) -> list[str]:
    lines = [line for line in parameters.splitlines() if line and not line.startswith(" ")]
    return [f"`{name.strip()}`" for line in lines for name in line.partition(" : ")[0].split(",")]


#: A function for each method, by its name in Python.
DOORS = {_SPELLINGS.get(name, name): _door_of(name) for name in METHODS}
globals().update(DOORS)

__all__ = ["DOORS", "explain_arrays", *DOORS]  # noqa: PLE0604 - they are names
