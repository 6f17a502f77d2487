"""What is noted of one run of a model: which layers ran, and what they made."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import attrs

from explainkit.engines.base import Engine, Flow, Tensor
from explainkit.engines.nested import leaves
from explainkit.estimators.calls import Call
from explainkit.layers import LayerCall
from explainkit.map_form import MapForm, Sizes, form_of


class Record(ABC):
    """Notes each call of a run, and which call made which tensor.

    Parameters
    ----------
    engine : Engine
    docs : sequence of tensors
        The inputs of the model.
    """

    def __init__(self, engine: Engine, docs: Sequence[Tensor]) -> None:
        self._engine = engine
        self._docs = tuple(docs)
        self._calls: list[LayerCall] = []
        self._channels_first: list[bool] = []
        self._outputs: list[Any] = []
        #: The calls inside attention.
        self._mixing: set[int] = set()
        # Tensors are kept while they are told apart by identity.
        self._makers: dict[Hashable, int] = {}
        #: For each input, once the run is finished, which outputs are made of it.
        self.inputs: tuple[Flow, ...] = ()

    @property
    @abstractmethod
    def docs_channels_first(self) -> bool:
        """Whether the documents have their channels before the spatial axes."""

    @abstractmethod
    def puts_channels_first(self, call: Call) -> bool:
        """Tell whether the output of a call has its channels before the spatial axes."""

    @abstractmethod
    def hands_on(self, layer: Any) -> bool:
        """Tell whether a layer moves, drops or scales numbers, but works nothing out.

        A heatmap built on one would be that of the layer before it, padded, thinned
        or shrunk.
        """

    @abstractmethod
    def attends(self, call: Call) -> bool:
        """Tell whether the layers inside a layer make no maps, though some look like it."""

    @abstractmethod
    def refer(self, layer: Any) -> Any:
        """Give a function that gives the layer, and does not keep its model alive."""

    #: What stands between the names in a path.
    separator = "/"

    def identity(self, tensor: Tensor) -> Hashable:
        """Tell tensors apart."""
        return id(tensor)

    def visit(self, call: Call) -> Any:
        """Note a call, and let its output pass."""
        path, application = call.place
        if self.attends(call):
            inside = f"{path}{self.separator}"
            self._mixing |= {i for i, c in enumerate(self._calls) if c.path.startswith(inside)}
        tappable = self._is_tappable(call.output)
        self._calls.append(
            LayerCall(
                path=path,
                application=application,
                kind=getattr(call.layer, "__name__", type(call.layer).__name__),
                shape=tuple(call.output.shape[1:]) if tappable else None,
                form=None,
                computes=tappable and self._is_made_by(call),
                flow=Flow(frozenset(), frozenset()),
                reference=self.refer(call.layer),
            )
        )
        self._channels_first.append(self.puts_channels_first(call))
        self._outputs.append(call.output)
        if tappable:
            self._makers.setdefault(self.identity(call.output), len(self._calls) - 1)
        return call.output

    def finish(self, scores: Sequence[Tensor], positions: Sequence[int]) -> tuple[LayerCall, ...]:
        """Give the calls, now that it is known which inputs and outputs they lie between.

        Parameters
        ----------
        scores : sequence of tensors
            The outputs, before their final activations.
        positions : sequence of int
            Which outputs of the model they are.
        """
        tappable = [i for i, call in enumerate(self._calls) if call.shape is not None]
        tensors = [*self._docs, *(self._outputs[i] for i in tappable)]
        flows = [
            Flow(flow.sources, frozenset(positions[sink] for sink in flow.sinks))
            for flow in self._engine.flow(self._docs, tensors, scores)
        ]
        self.inputs = tuple(flows[: len(self._docs)])
        placed = dict(zip(tappable, flows[len(self._docs) :], strict=True))
        calls = self._read(placed, self._mixing)
        # Where there is nothing else, what looks like a map is one.
        return calls if any(c.computes and c.is_spatial for c in calls) else self._read(placed, ())

    def _read(self, flows: Mapping[int, Flow], mixing: Collection[int]) -> tuple[LayerCall, ...]:
        """Read outputs as maps, but for those of calls that only mix what others worked out."""
        calls = list(self._calls)
        earlier: list[Sizes] = []
        for i, flow in flows.items():
            computes, form = calls[i].computes and i not in mixing, self._form_of(i, flow, earlier)
            calls[i] = attrs.evolve(
                calls[i], flow=flow, form=form, computes=computes, inside_attention=i in mixing
            )
            if computes and form is not None:
                earlier.append(form.sizes)
        return tuple(calls)

    def maker_of(self, logits: Tensor | None, output: Any) -> LayerCall | None:
        """Find the layer that worked out an output's scores, before its final activation."""
        if logits is None:
            return None
        tensors = [*self._engine.originals(logits), *self._engine.originals(output)]
        keys = [self.identity(tensor) for tensor in tensors]
        makers = [self._calls[self._makers[key]] for key in keys if key in self._makers]
        return next((call for call in makers if call.computes), None)

    def _form_of(self, position: int, flow: Flow, earlier: Sequence[Sizes]) -> MapForm | None:
        sources = [self._spatial_sizes(self._docs[source]) for source in sorted(flow.sources)]
        shape = self._calls[position].shape
        return form_of(shape, self._channels_first[position], sources, earlier)

    def _spatial_sizes(self, doc: Tensor) -> Sizes:
        shape = tuple(doc.shape[1:])
        return shape[1:] if self.docs_channels_first else shape[:-1]

    def _is_tappable(self, output: Any) -> bool:
        # What is cut into windows counts windows first, not documents; a few outputs do not say.
        return (
            self._engine.is_tappable(output)
            and len(output.shape) > 0
            and output.shape[0] in (None, self._docs[0].shape[0])
        )

    def _is_made_by(self, call: Call) -> bool:
        return self.identity(call.output) not in self._makers and not self.hands_on(call.layer)


def is_named_attention(call: Call) -> bool:
    """Tell by the name of a layer's class whether it is one of somebody's own for attention.

    A whole model that is called so gives scores, which attend to nothing.
    """
    name = type(call.layer).__name__.lower()
    shape = getattr(leaves(call.output)[0], "shape", ()) if leaves(call.output) else ()
    return ("attention" in name or "attn" in name) and len(shape) > 2
