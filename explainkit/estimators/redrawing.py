"""An estimator whose weights are drawn anew, from its output to its input; it keeps its own."""

from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np

from explainkit.estimators.base import Explainer
from explainkit.layers import LayerIndex


@attrs.frozen(eq=False)
class Redrawn:
    """An estimator with weights of its own, to be explained as the one it was made of.

    Attributes
    ----------
    explainer : Explainer
        That runs the estimator with these weights.
    """

    explainer: Explainer


def redraw(explainer: Explainer, docs: Any, stages: int | None, seed: int) -> Iterator[Redrawn]:
    """Draw the weights of a model anew, layer by layer, beginning with its output.

    The numbers of each weight change places, so that their sizes are those of a model that
    has learnt, and nothing else is.

    Parameters
    ----------
    explainer : Explainer
    docs : arrays
        Checked documents.
    stages : int or None
        In how many steps all layers are gone through; None for one for each layer.
    seed : int

    Returns
    -------
    iterator of Redrawn
        After each step. It is one object: the next step changes it.
    """
    explainer.anatomy(docs)  # builds what is built when it is first called
    other, rng = explainer.detached(), np.random.default_rng(seed)
    layers = _learning(other, other.anatomy(docs).index)
    if not layers:
        raise ValueError(f"model '{explainer.name}' has no weights that could be drawn anew")
    count = len(layers) if stages is None else min(stages, len(layers))
    redrawn = Redrawn(other)
    for positions in np.array_split(np.arange(len(layers)), count):
        for position in positions:
            layer = layers[position]
            other.reweigh({key: rng.permuted(one, axis=None) for key, one in layer.items()})
        yield redrawn


def _learning(explainer: Explainer, index: LayerIndex) -> list[dict[Any, Any]]:
    """List the weights of each layer, those of the output first, each weight once."""
    # A layer holds the weights of those in it, too, which have their turns by themselves.
    around = {path for call in index.calls for path in _paths_around(call.path, index.separator)}
    inner = [call for call in index.calls if call.path not in around]
    outer = [call for call in index.calls if call.path in around]
    known: set[Any] = set()
    found: list[dict[Any, Any]] = []
    for call in (*reversed(inner), *reversed(outer)):
        if not explainer.is_layer(call.layer):
            continue  # a function, which has learnt nothing
        own = {k: v for k, v in explainer.weights_of(call.layer).items() if k not in known}
        known |= set(own)
        if own:
            found.append(own)
    return found


def _paths_around(path: str, separator: str) -> Iterator[str]:
    while separator in path:
        path = path.rpartition(separator)[0]
        yield path
