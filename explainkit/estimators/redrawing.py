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
    if stages is not None and (isinstance(stages, bool) or not isinstance(stages, int)):
        raise TypeError(
            f"stages is {stages!r}; give a whole number, or None for one for each layer"
        )
    if stages is not None and stages < 1:
        raise ValueError(f"stages is {stages}; give 1 or more, or None for one for each layer")
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
    layers: dict[str, Any] = {}
    for call in reversed(index.calls):  # of a layer that is shared, its last turn
        if explainer.is_layer(call.layer):
            layers.setdefault(call.path, call.layer)
    weights = {path: explainer.weights_of(layer) for path, layer in layers.items()}
    # A layer has the weights of those in it, too, which have their turns by themselves.
    within: dict[str, set[Any]] = {path: set() for path in layers}
    for path in layers:
        for around in _paths_around(path, index.separator):
            within.get(around, set()).update(weights[path])
    own = [_without(weights[path], within[path]) for path in layers]
    # What belongs to the model itself, such as the token of the class, comes in at its input.
    own.append(explainer.weights_of(explainer.model))
    known: set[Any] = set()
    found = []
    for one in own:
        found.append(_without(one, known))
        known |= set(one)
    return [one for one in found if one]


def _without(weights: dict[Any, Any], keys: set[Any]) -> dict[Any, Any]:
    return {key: weight for key, weight in weights.items() if key not in keys}


def _paths_around(path: str, separator: str) -> Iterator[str]:
    while separator in path:
        path = path.rpartition(separator)[0]
        yield path
