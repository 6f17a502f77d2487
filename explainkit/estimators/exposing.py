"""What passes at some layers of a model, and its scores, as arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainkit.engines.base import Place, Tensor
from explainkit.estimators.base import Explainer, cache
from explainkit.estimators.documents import arrays_of, rows_of, signature
from explainkit.targets import TargetSpace


def outputs_of(
    explainer: Explainer, docs: Any, layers: Sequence[Any], batch_size: int
) -> list[NDArray[Any]]:
    """Run a model on checked documents.

    Returns
    -------
    list of ndarray
        The scores of the output that is explained when nothing is said, and what each
        layer gives.
    """
    anatomy = explainer.anatomy(docs)
    output = TargetSpace(anatomy.outputs).default_output()
    calls = [anatomy.index.check_tensor(explainer.call_of(anatomy.index, one)) for one in layers]
    places: list[Place] = [(call.path, call.application) for call in calls]
    engine, flatten, settle = explainer.engine, explainer.flatten, explainer.settler()
    run_model = explainer.runner(places)

    def program(state: Any, docs: Any) -> Any:
        seen: dict[Place, Tensor] = {}

        def tap(place: Place, tensor: Tensor) -> Tensor:
            seen[place] = engine.xp.copy(tensor)
            return tensor

        with engine.watching():
            tensor = flatten(run_model(state, settle(docs), tap))[output]
            logits = engine.before_activation(tensor)[0]
        return (logits, *(seen[place] for place in places))

    state = explainer.state()
    key = ("outputs", anatomy, tuple(places), signature(docs))
    with explainer.asking():
        run = cache.get(explainer.owner, key, lambda: engine.compile(program, state, docs))
        found = [
            run(state, rows_of(docs, slice(start, start + batch_size)))
            for start in range(0, len(arrays_of(docs)[0]), batch_size)
        ]
    return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]
