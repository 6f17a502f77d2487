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


@attrs.frozen(eq=False)
class Redrawing:
    """The stages in which an estimator's weights are drawn anew, beginning with its output.

    The numbers of each weight change places, so that their sizes are those of a model that
    has learnt, and nothing else is. It is gone through as often as is wanted, the newest round
    being the one that counts: what is compiled for the estimator with other weights is kept.

    Attributes
    ----------
    redrawn : Redrawn
        What each stage gives: one object, which the next stage changes.
    layers : list of dict
        The weights of each layer, those of the output first.
    count : int
        In how many stages all layers are gone through.
    seed : int
    """

    redrawn: Redrawn
    layers: list[dict[Any, Any]]
    count: int
    seed: int

    @classmethod
    def of(cls, explainer: Explainer, docs: Any, stages: int | None, seed: int) -> "Redrawing":
        """Detach a model from its weights.

        Raises
        ------
        TypeError, ValueError
            If there is nothing to be drawn, or not in so many stages.
        """
        if stages is not None and (isinstance(stages, bool) or not isinstance(stages, int)):
            raise TypeError(
                f"stages is {stages!r}; give a whole number, or None for one for each layer"
            )
        if stages is not None and stages < 1:
            raise ValueError(f"stages is {stages}; give 1 or more, or None for one for each layer")
        explainer.anatomy(docs)  # builds what is built when it is first called
        other = explainer.detached()
        layers = _learning(other, other.anatomy(docs).index)
        if not layers:
            raise ValueError(f"model '{explainer.name}' has no weights that could be drawn anew")
        count = len(layers) if stages is None else min(stages, len(layers))
        return cls(Redrawn(other), layers, count, seed)

    def __iter__(self) -> Iterator[Redrawn]:
        other, rng = self.redrawn.explainer, np.random.default_rng(self.seed)
        for layer in self.layers:
            other.reweigh(layer)
        for positions in np.array_split(np.arange(len(self.layers)), self.count):
            for position in positions:
                layer = self.layers[position]
                other.reweigh({key: rng.permuted(one, axis=None) for key, one in layer.items()})
            yield self.redrawn


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
