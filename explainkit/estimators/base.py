"""What all kinds of estimators are asked: to show their parts, and to run with taps."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainkit.engines.base import Engine, Place, ReluRule, Rewrites, Tap, Tensor
from explainkit.engines.cache import WeakCache
from explainkit.estimators.anatomy import Anatomy
from explainkit.estimators.documents import Inputs, arrays_of, closed_like, signature
from explainkit.estimators.mattering import NothingMattersError, last_that_matters
from explainkit.explanation import PictureSource
from explainkit.layers import LayerCall, LayerIndex
from explainkit.pictures import DocPicture

#: Marks the places of what layers add up, before their own activations.
SUM = "sum"

#: What was traced and compiled, for every model that was explained and lives.
cache = WeakCache()


class Explainer(ABC):
    """One estimator, seen as what can be asked of it.

    A kind of estimator says how to run itself with taps, and what its parts are;
    the way from a question to the records is the same for all.
    """

    #: The engine of the framework that the estimator computes with.
    engine: Engine
    #: The estimator's name, for records and messages.
    name: str
    #: The estimator itself.
    model: Any

    @property
    def owner(self) -> Any:
        """That with which what was traced and compiled is kept, and dropped."""
        return self.model

    @abstractmethod
    def inputs(self) -> Inputs:
        """Tell what documents the model takes, as far as it says so."""

    @abstractmethod
    def blank_docs(self) -> Any:
        """Make a stand-in for a document of the model's declared inputs; what is open stays so.

        Raises
        ------
        ValueError
            If the model does not say what it takes.
        """

    @abstractmethod
    def example(self) -> Any:
        """Give such a stand-in where the model says all about its sizes, else None."""

    @abstractmethod
    def fingerprint(self) -> Hashable:
        """Tell one structure of the estimator from another, at no cost to speak of.

        What was compiled is used again only while this stays the same.
        """

    @abstractmethod
    def trace(self, docs: Any) -> Anatomy:
        """Look at one run on stand-ins for the documents."""

    @abstractmethod
    def state(self) -> Any:
        """Give the variables' values, for engines whose programs do not read them."""

    def asking(self) -> AbstractContextManager[None]:
        """Surround what asks the model with what lets it infer, and leaves it as it was found."""
        return nullcontext()

    @abstractmethod
    def runner(self, places: Collection[Place]) -> Callable[[Any, Any, Tap], Any]:
        """Give ``run(state, docs, tap)``, which runs the model and taps some places.

        The function must not keep the model alive. Places are (path, application), of
        outputs, or those that `sum_at` gives, before a layer's own activation.
        """

    def settler(self) -> Callable[[Any], Any]:
        """Give what brings documents, in a program, to where the model is.

        The function must not keep the model alive.
        """
        return lambda docs: docs

    @abstractmethod
    def detached(self) -> "Explainer":
        """See the same estimator with weights of its own, which may be changed.

        Whatever is done to them, the estimator keeps its own.
        """

    @abstractmethod
    def weights_of(self, layer: Any) -> dict[Hashable, NDArray[Any]]:
        """Give the numbers that a layer, and the layers in it, have learnt, by keys."""

    @abstractmethod
    def structure(self) -> str:
        """Say of which layers the estimator is made, alike in every process."""

    @abstractmethod
    def learnt(self) -> Iterable[NDArray[Any]]:
        """Give all that the estimator has learnt, also what is not differentiated."""

    def reweigh(self, weights: Mapping[Hashable, NDArray[Any]]) -> None:  # noqa: ARG002
        """Change some weights of an estimator that is `detached`."""
        raise TypeError(f"the weights of model '{self.name}' are its own")

    def adds(self, call: LayerCall) -> bool:  # noqa: ARG002
        """Tell whether a layer adds something to its output, such as a bias."""
        return False

    def hides_bias(self, call: LayerCall) -> bool:  # noqa: ARG002
        """Tell whether a layer of another kind has weights that are called a bias."""
        return False

    def bias_reader(
        self,
        calls: Sequence[LayerCall],  # noqa: ARG002
    ) -> Callable[[Any], Mapping[Place, Tensor]]:
        """Give ``read(state)``, which gives what layers add, by the places of their sums.

        Each can be broadcast to the sum, shape (1, ...). The function must not keep the
        model alive.
        """
        return lambda _state: {}

    @staticmethod
    @abstractmethod
    def flatten(outputs: Any) -> list[Tensor]:
        """List the tensors in the model's outputs."""

    @staticmethod
    @abstractmethod
    def pack(outputs: Any, tensors: list[Tensor]) -> Any:
        """Put other tensors into the structure of the model's outputs."""

    @abstractmethod
    def layer_at(self, index: int) -> Any:
        """Give the estimator's layer at an index, as it counts them itself."""

    @staticmethod
    @abstractmethod
    def is_layer(value: Any) -> bool:
        """Tell whether a value is a layer, of this model or another."""

    def picture(self, docs: Any, position: int, seen: Sequence[int], first: bool) -> PictureSource:
        """Give what makes a picture of a document, when looked at.

        Parameters
        ----------
        docs : arrays
        position : int
            Which of the documents.
        seen : sequence of int
            The inputs that were explained, of which the first picture is taken.
        first : bool
            Whether the channels are said to come before the spatial axes.
        """
        rank_of_pictures = 4
        arrays = arrays_of(docs)
        pictures = [arrays[i] for i in seen or range(len(arrays))]
        doc = next((one[position] for one in pictures if one.ndim == rank_of_pictures), None)
        if doc is None:
            return None
        # A copy, since the caller may fill the same array with the next document.
        return DocPicture(np.array(np.moveaxis(doc, 0, -1) if are_first(doc.shape, first) else doc))

    def anatomy(self, docs: Any) -> Anatomy:
        """Look at the model, once for each structure and size of document."""
        key = ("anatomy", self.fingerprint(), signature(docs))
        return cache.get(self.owner, key, lambda: self.trace(docs))

    def relus(self, docs: Any, anatomy: Anatomy, rule: ReluRule) -> Rewrites:
        """Look for the model's relus, as far as their gradients can be rewritten."""
        key = ("relus", anatomy, rule)
        return cache.get(self.owner, key, lambda: self._relus(closed_like(docs), rule))

    def _relus(self, docs: Any, rule: ReluRule) -> Rewrites:
        engine, run_model, settle = self.engine, self.runner(()), self.settler()

        def program(state: Any, docs: Any) -> Rewrites:
            with engine.rewriting_relus(rule) as rewrites:
                run_model(state, settle(docs), lambda _, tensor: tensor)
            return rewrites

        with self.asking():
            return engine.trace(program, self.state(), docs)  # type: ignore[no-any-return]

    def layers(
        self, docs: Any, anatomy: Anatomy, layer: Any, outputs: tuple[int, ...] = ()
    ) -> tuple[LayerCall, ...]:
        """Find the calls that `layer=` means, for the scores of some outputs.

        Raises
        ------
        TypeError, ValueError, LookupError
            If it means none.
        """
        index = anatomy.index
        if layer is None:
            return (self._chosen(docs, anatomy, outputs),)
        given = layer if isinstance(layer, list) else [layer]
        if not given:
            raise ValueError("layer is an empty list; give None to have it chosen")
        found = tuple(self.call_of(index, one) for one in given)
        if len(set(found)) < len(found):
            names = [index.describe(call) for call in found]
            raise ValueError(f"layer names the same layer twice: {names}")
        return found

    def _chosen(self, docs: Any, anatomy: Anatomy, outputs: tuple[int, ...]) -> LayerCall:
        """Choose the last call that computes a map and leads to the scores of some outputs."""
        leading = anatomy.index.leading(outputs)
        if not leading[-1].has_extra_tokens:
            return leading[-1]
        # Behind the last attention, often only the token of the class still matters.
        key = ("cells that matter", anatomy, outputs)
        try:
            place = cache.get(self.owner, key, lambda: self._last_that_matters(docs, outputs))
        except NothingMattersError:
            # The model may yet learn: this is not kept.
            return leading[-1]
        return next((c for c in leading if (c.path, c.application) == place), leading[-1])

    def _last_that_matters(self, docs: Any, outputs: tuple[int, ...]) -> Place:
        closed = closed_like(docs)
        calls = self.anatomy(closed).index.leading(outputs)
        call = last_that_matters(self, closed, calls, outputs)
        return call.path, call.application

    def call_of(self, index: LayerIndex, layer: Any) -> LayerCall:
        """Find the call that a name, an index, a layer or (layer, application) means.

        Raises
        ------
        TypeError, LookupError
            If it means none.
        """
        if isinstance(layer, tuple):
            if len(layer) != 2:
                raise TypeError(f"layer {layer!r}: a tuple is (layer, application)")
            if isinstance(layer[0], str):
                return index.find_name(f"{layer[0]}#{layer[1]}")
            return index.find_layer(layer[0], layer[1])
        if isinstance(layer, str):
            return index.find_name(layer)
        if isinstance(layer, int | np.integer) and not isinstance(layer, bool):
            return index.find_layer(self.layer_at(int(layer)))
        if self.is_layer(layer):
            return index.find_layer(layer)
        raise TypeError(
            f"layer is a {type(layer).__name__}; give a name, a path, an index, a layer, "
            "(layer, application), a list of these, or None"
        )


def sum_at(call: LayerCall) -> Place:
    """Give the place of what a layer adds up, before its own activation."""
    return (call.path, call.application, SUM)


def of_one_document(xp: Any, bias: Tensor, call: LayerCall) -> Tensor:
    """Give what is added, which may lack axes in front, the axes of the sum of one document."""
    missing = len(call.shape or ()) + 1 - len(bias.shape)
    return xp.reshape(bias, (*[1] * missing, *bias.shape))


def are_first(shape: Sequence[int], first: bool) -> bool:
    """Tell whether the channels of a picture come before its spatial axes.

    Parameters
    ----------
    shape
        Of one document.
    first : bool
        Whether the model's layers say so.
    """
    channels = (1, 2, 3, 4)
    # What is no picture one way may be one the other way.
    return first if shape[-1] in channels or shape[0] not in channels else True
