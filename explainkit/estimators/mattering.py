"""Where the cells of a map still matter to a score.

Behind the last attention of a transformer, often only the token of the class does: the
gradients of all others are zero there, and so would be the map.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from explainkit.engines.base import Place, Tap, Tensor, UnreachableTapError
from explainkit.estimators.documents import noise_like
from explainkit.layers import LayerCall

if TYPE_CHECKING:
    from explainkit.estimators.base import Explainer


class NothingMattersError(Exception):
    """No cell of any map matters to any score."""


#: How many of the last calls are looked at: those of some blocks of a transformer.
_LOOKED_AT = 32


def last_that_matters(
    explainer: "Explainer", docs: Any, calls: Sequence[LayerCall], outputs: tuple[int, ...]
) -> LayerCall:
    """Find the last of some calls whose cells have a gradient, for one document of noise.

    Parameters
    ----------
    explainer : Explainer
    docs : arrays
        Of the shapes that the model takes.
    calls : sequence of LayerCall
        In the order in which they ran.
    outputs : tuple of int
        The outputs to be explained; none for all.

    Returns
    -------
    LayerCall

    Raises
    ------
    NothingMattersError
        If no gradient says anything, such as those of a head that was never trained.
    """
    looked_at = list(calls[-_LOOKED_AT:])
    noise = noise_like(docs)
    while looked_at:
        try:
            slopes = _slopes(explainer, noise, looked_at, outputs)
        except UnreachableTapError as error:
            looked_at = [c for c in looked_at if (c.path, c.application) not in error.places]
        else:
            mattering = [c for c, slope in zip(looked_at, slopes, strict=True) if slope > 0]
            if mattering:
                return mattering[-1]
            break
    raise NothingMattersError


def _slopes(
    explainer: "Explainer", docs: Any, calls: Sequence[LayerCall], outputs: tuple[int, ...]
) -> Sequence[float]:
    """Give the largest gradient in the cells at each call."""
    engine, xp = explainer.engine, explainer.engine.xp
    places = [(call.path, call.application) for call in calls]
    run_model = explainer.runner(set(places))
    score = _a_score(explainer, outputs)

    def program(state: Any, docs: Any) -> Any:
        def run(tap: Tap) -> tuple[Tensor, None]:
            with engine.watching():
                return score(run_model(state, docs, tap)), None

        gradients = engine.pull_back(run).gradients
        return tuple(xp.max(xp.abs(_cells(xp, call, gradients))) for call in calls)

    state = explainer.state()
    with explainer.asking():
        found = engine.compile(program, state, docs)(state, docs)
    return [float(slope) for slope in found]


def _cells(xp: Any, call: LayerCall, gradients: "dict[Place, Tensor] | Any") -> Tensor:
    gradient = gradients[call.path, call.application]
    return gradient if call.form is None else call.form.fold(xp, gradient, leading=2)


def _a_score(explainer: "Explainer", outputs: tuple[int, ...]) -> Callable[[Any], Tensor]:
    """Weigh all units of some outputs, each differently, so that none cancels another."""
    engine, xp, flatten = explainer.engine, explainer.engine.xp, explainer.flatten

    def score(result: Any) -> Tensor:
        tensors = [one for one in flatten(result) if engine.is_floating(one)]
        chosen = [flatten(result)[i] for i in outputs] or tensors
        weighed = [_weighed(xp, engine.widen(engine.before_activation(t)[0])) for t in chosen]
        return xp.stack([sum(weighed[1:], start=weighed[0])], axis=1)

    return score


def _weighed(xp: Any, tensor: Tensor) -> Tensor:
    size = int(np.prod([int(n) for n in tensor.shape[1:]]))
    weights = xp.asarray(np.cos(np.arange(size)), dtype=tensor.dtype)
    return xp.einsum("nu,u->n", xp.reshape(tensor, (-1, size)), weights)
