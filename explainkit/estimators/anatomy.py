"""What one run of a model on stand-ins has shown of it."""

from collections.abc import Iterable

import attrs

from explainkit.engines.base import Engine, Flow, Tensor
from explainkit.estimators.record import Record
from explainkit.layers import LayerCall, LayerIndex
from explainkit.targets import Output


@attrs.frozen(eq=False)
class Anatomy:
    """The parts of a model, of one structure, for documents of one shape.

    There is one for each, which tells them apart where programs are kept.

    Attributes
    ----------
    index : LayerIndex
        The layers that ran.
    outputs : tuple of Output
        The outputs, flattened.
    logits : tuple of (LayerCall or None)
        For each output, the layer that worked out its scores before a final
        softmax or sigmoid.
    channels_first : bool
        Whether the documents have their channels before the spatial axes.
    inputs : tuple of Flow
        For each input, which outputs are made of it.
    """

    index: LayerIndex
    outputs: tuple[Output, ...]
    logits: tuple[LayerCall | None, ...]
    channels_first: bool
    inputs: tuple[Flow, ...]


def anatomy_of(
    engine: Engine, model: str, record: Record, outputs: Iterable[tuple[str, Tensor]]
) -> Anatomy:
    """Tell the parts of a model, while the run that was recorded can be looked back at.

    Parameters
    ----------
    engine : Engine
    model : str
        The model's name, for messages.
    record : Record
        Of a run of the model.
    outputs : iterable of (str, tensor)
        What the run gave, by names.
    """
    named = list(outputs)
    before = [
        engine.before_activation(one) if engine.is_floating(one) else (None, None)
        for _, one in named
    ]
    numbers = [i for i, (logits, _) in enumerate(before) if logits is not None]
    calls = record.finish([before[i][0] for i in numbers], numbers)
    return Anatomy(
        index=LayerIndex(model, calls, record.separator),
        outputs=tuple(
            Output(name, None if logits is None else tuple(one.shape[1:]), activation)
            for (name, one), (logits, activation) in zip(named, before, strict=True)
        ),
        logits=tuple(
            record.maker_of(logits, one)
            for (_, one), (logits, _) in zip(named, before, strict=True)
        ),
        channels_first=record.docs_channels_first,
        inputs=record.inputs,
    )
