"""The layers of a model that add something to their output, and those of them that count."""

from collections.abc import Sequence
from typing import Any

import attrs

from explainkit.estimators.anatomy import Anatomy
from explainkit.estimators.base import Explainer
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
    shape : tuple of int
        Of the sum, without the documents' axis.
    """

    layer: str
    kind: str
    shape: tuple[int | None, ...]


def layers_adding(
    explainer: Explainer, anatomy: Anatomy, outputs: Sequence[int]
) -> tuple[LayerCall, ...]:
    """List the calls that add something that leads to some outputs; to any where none is said."""
    wanted = set(outputs)
    return tuple(
        call
        for call in anatomy.index.calls
        if call.shape is not None
        and call.flow.sinks
        and (not wanted or wanted & call.flow.sinks)
        and explainer.adds(call)
    )


def chosen_biases(
    explainer: Explainer, anatomy: Anatomy, given: Sequence[Any] | None, outputs: Sequence[int]
) -> tuple[LayerCall, ...]:
    """Find the calls whose biases count.

    Parameters
    ----------
    explainer : Explainer
    anatomy : Anatomy
    given : sequence or None
        Names, paths or layers, or what `describe` made of calls; None for all.
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
        return adding
    wanted = [_call_of(explainer, anatomy, one) for one in given]
    for call in wanted:
        if call not in adding:
            raise ValueError(
                f"layer '{anatomy.index.describe(call)}' adds no bias that leads to the score; "
                f"these do: {', '.join(anatomy.index.describe(one) for one in adding)}"
            )
    return tuple(call for call in adding if call in wanted)


def describe(anatomy: Anatomy, call: LayerCall) -> LayerBias:
    """Describe a call that adds something."""
    return LayerBias(anatomy.index.describe(call), call.kind, call.shape or ())


def _call_of(explainer: Explainer, anatomy: Anatomy, given: Any) -> LayerCall:
    return explainer.call_of(anatomy.index, given.layer if isinstance(given, LayerBias) else given)
