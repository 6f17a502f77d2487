"""The layers of a model that add something to their output, and those of them that count."""

from collections.abc import Sequence
from typing import Any

import attrs
from numpy.typing import NDArray

from explainkit.estimators.anatomy import Anatomy
from explainkit.estimators.base import Explainer
from explainkit.explanation import warn
from explainkit.layers import LayerCall


@attrs.frozen
class LayerBias:
    """What a layer adds to its output.

    Attributes
    ----------
    layer : str
        Its path, as `layer=` takes it.
    kind : str
        The name of its class.
    values : ndarray
        What is added; it can be broadcast to the layer's output, shape (1, ...). For a
        normalisation, what its numbers come to: β − γ μ / √(σ² + ε).
    """

    layer: str
    kind: str
    values: NDArray[Any] = attrs.field(eq=False, repr=False)


def layers_adding(
    explainer: Explainer, anatomy: Anatomy, outputs: Sequence[int]
) -> tuple[LayerCall, ...]:
    """List the calls that add something that leads to some outputs; to any where none is said."""
    wanted = set(outputs) or set(range(len(anatomy.outputs)))
    return tuple(
        call
        for call in anatomy.index.calls
        if call.shape is not None and wanted & _leads_to(anatomy, call) and explainer.adds(call)
    )


def _leads_to(anatomy: Anatomy, call: LayerCall) -> set[int]:
    # What a layer gives after a final activation of its own leads to no score; its sum does.
    place = (call.path, call.application)
    making = (
        i for i, one in enumerate(anatomy.logits) if one and (one.path, one.application) == place
    )
    return {*call.flow.sinks, *making}


def chosen_biases(
    explainer: Explainer, anatomy: Anatomy, given: Sequence[Any] | None, outputs: Sequence[int]
) -> tuple[LayerCall, ...]:
    """Find the calls whose biases count.

    Parameters
    ----------
    explainer : Explainer
    anatomy : Anatomy
    given : sequence or None
        Names, paths or layers, or what `find_biases` gave; None for all.
    outputs : sequence of int
        The outputs to be explained; none for all.

    Raises
    ------
    ValueError, LookupError
        If there are none such.
    """
    adding = layers_adding(explainer, anatomy, outputs)
    if not adding:
        raise ValueError(
            f"model '{explainer.name}' has no biases that lead to the score: neither dense layers "
            "and convolutions with a bias, nor normalisations; 'input_x_gradient' needs none"
        )
    if given is None:
        _warn_of_hidden(explainer, anatomy)
        return adding
    wanted = []
    for one in given:
        found = [call for call in _calls_of(explainer, anatomy, one) if call in adding]
        if not found:
            [call, *_] = _calls_of(explainer, anatomy, one)
            raise ValueError(
                f"layer '{anatomy.index.describe(call)}' adds no bias that leads to the score; "
                f"these do: {', '.join(anatomy.index.describe(one) for one in adding)}"
            )
        wanted += found
    return tuple(call for call in adding if call in wanted)


def _warn_of_hidden(explainer: Explainer, anatomy: Anatomy) -> None:
    calls = [
        call
        for call in anatomy.index.calls
        if explainer.hides_bias(call) or (call.shape is None and explainer.adds(call))
    ]
    if calls:
        names = sorted({anatomy.index.describe(call) for call in calls})
        warn(
            f"nobody knows where {', '.join(repr(one) for one in names)} of model "
            f"'{explainer.name}' add their biases: the map lacks what these contribute"
        )


def find_biases(
    explainer: Explainer, anatomy: Anatomy, exclude: Sequence[Any]
) -> list[tuple[Any, LayerBias]]:
    """List the layers that add something to what leads to an output, and what each adds.

    Parameters
    ----------
    explainer : Explainer
    anatomy : Anatomy
    exclude : sequence
        Names, paths or layers to be left out.
    """
    if not isinstance(exclude, list | tuple):
        raise TypeError(f"exclude is {exclude!r}; give a list of names, paths or layers")
    left_out = [call for one in exclude for call in _calls_of(explainer, anatomy, one)]
    calls = [one for one in layers_adding(explainer, anatomy, ()) if one not in left_out]
    read, state = explainer.bias_reader(calls), explainer.state()
    run = explainer.engine.compile(lambda state: tuple(read(state).values()), state)
    return [
        (call.layer, LayerBias(anatomy.index.describe(call), call.kind, values))
        for call, values in zip(calls, run(state), strict=True)
    ]


def _calls_of(explainer: Explainer, anatomy: Anatomy, given: Any) -> list[LayerCall]:
    """Find the calls of a layer: all its applications, unless it is said which."""
    name = given.layer if isinstance(given, LayerBias) else given
    call = explainer.call_of(anatomy.index, name)
    if isinstance(name, tuple) or (isinstance(name, str) and "#" in name):
        return [call]
    return [one for one in anatomy.index.calls if one.path == call.path]
