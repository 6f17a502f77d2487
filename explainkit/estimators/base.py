"""What all kinds of estimators share: from checked documents to filled records."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.engines.base import Engine, Tap, Tensor, UnreachableTapError
from explainkit.engines.cache import WeakCache
from explainkit.engines.callable_key import CallableKey
from explainkit.estimators.anatomy import Anatomy
from explainkit.estimators.calls import Place
from explainkit.estimators.documents import Inputs, arrays_of, closed_like
from explainkit.estimators.mattering import NothingMattersError, last_that_matters
from explainkit.explanation import (
    Explanation,
    PictureSource,
    TargetExplanation,
    TargetName,
    warn,
)
from explainkit.layers import LayerCall, LayerIndex
from explainkit.map_form import given_form
from explainkit.methods.base import Method, TapPoint
from explainkit.methods.heatmap import heatmap_of
from explainkit.methods.scoring import ClassScores, Scored
from explainkit.pictures import DocPicture
from explainkit.targets import Chosen, TargetSpace

#: What was traced and compiled, for every model that was explained and lives.
cache = WeakCache()


@attrs.frozen
class Question:
    """What is asked of a model, apart from the documents."""

    method: Method
    layer: Any = None
    targets: Any = None
    top_targets: int = 1
    target_names: Any = None
    logits: bool = attrs.field(default=True, validator=attrs.validators.instance_of(bool))
    reshape: Any = None


@attrs.frozen
class Resolved:
    """What a question means for one model: which targets, and which layers."""

    anatomy: Anatomy
    space: TargetSpace
    chosen: Chosen
    calls: tuple[LayerCall, ...]

    def layer(self) -> str:
        """Name the layers as the record does."""
        return " + ".join(self.anatomy.index.describe(call) for call in self.calls)

    @property
    def taps(self) -> tuple[TapPoint, ...]:
        """Where the maps are built."""
        return tuple(map(_tap_at, self.calls))


@attrs.frozen
class Answer:
    """What the model said of N documents, as arrays of numpy."""

    scores: NDArray[Any]
    maps: NDArray[Any]
    probas: NDArray[Any] | None
    units: NDArray[np.int32] | None
    space: TargetSpace
    function_names: tuple[str, ...]

    def target(self, doc: int, position: int) -> TargetName:
        if self.units is None:
            return self.function_names[position]
        return self.space.name(int(self.units[doc, position]))

    def label(self, doc: int, position: int) -> str | None:
        if self.units is None:
            return None
        return self.space.label(int(self.units[doc, position]))

    def proba(self, doc: int, position: int) -> float | None:
        if self.units is None or self.probas is None:
            return None
        output = self.space.output(int(self.units[doc, position]))
        return float(self.probas[doc, position]) if output.activation else None

    def is_regression(self, doc: int) -> bool:
        if self.units is None:
            return False
        return self.space.output(int(self.units[doc, 0])).is_regression


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

        The function must not keep the model alive. Places are (path, application).
        """

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

    def picture(self, docs: Any, position: int, resolved: Resolved) -> PictureSource:
        """Give what makes the picture of the input that the layer depends on, when looked at."""
        rank_of_pictures = 4
        arrays = arrays_of(docs)
        seen = sorted(resolved.calls[0].flow.sources) or range(len(arrays))
        pictures = [arrays[i] for i in seen if arrays[i].ndim == rank_of_pictures]
        if not pictures:
            return None
        doc = pictures[0][position]
        channels = (1, 2, 3, 4)
        # What is no picture one way may be one the other way.
        first = (
            resolved.anatomy.channels_first
            if doc.shape[-1] in channels
            else doc.shape[0] in channels
        )
        # A copy, since the caller may fill the same array with the next document.
        return DocPicture(np.array(np.moveaxis(doc, 0, -1) if first else doc))

    def anatomy(self, docs: Any) -> Anatomy:
        """Look at the model, once for each structure and size of document."""
        key = ("anatomy", self.fingerprint(), signature(docs))
        return cache.get(self.model, key, lambda: self.trace(docs))

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
        found = tuple(self._call_of(index, one) for one in given)
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
            place = cache.get(self.model, key, lambda: self._last_that_matters(docs, outputs))
        except NothingMattersError:
            # The model may yet learn: this is not kept.
            return leading[-1]
        return next((c for c in leading if (c.path, c.application) == place), leading[-1])

    def _last_that_matters(self, docs: Any, outputs: tuple[int, ...]) -> Place:
        closed = closed_like(docs)
        calls = self.anatomy(closed).index.leading(outputs)
        call = last_that_matters(self, closed, calls, outputs)
        return call.path, call.application

    def resolve(self, docs: Any, question: Question, count: int | None) -> Resolved:
        """Find the targets and the layers that are meant, before any forward pass.

        Raises
        ------
        TypeError, ValueError, LookupError
            If there are none such.
        """
        anatomy = self.anatomy(docs)
        space = TargetSpace(anatomy.outputs, question.target_names)
        chosen = space.choose(question.targets, question.top_targets, count)
        calls = self._mapped(docs, anatomy, question, chosen.outputs)
        if question.logits:
            for call in calls:
                anatomy.index.check_leads(call, chosen.outputs)
        return Resolved(anatomy, space, chosen, calls)

    def _mapped(
        self, docs: Any, anatomy: Anatomy, question: Question, outputs: tuple[int, ...]
    ) -> tuple[LayerCall, ...]:
        """Find the layers, each with the form in which its output is read as a map."""
        index = anatomy.index
        if question.reshape is not None:
            if question.layer is None:
                raise ValueError("reshape says how one layer is read; give layer= as well")
            calls = self.layers(docs, anatomy, question.layer, outputs)
            shapes = [index.check_tensor(call).shape for call in calls]
            forms = [given_form(shape, question.reshape) for shape in shapes]
            return tuple(attrs.evolve(c, form=f) for c, f in zip(calls, forms, strict=True))
        calls = tuple(map(index.check_map, self.layers(docs, anatomy, question.layer, outputs)))
        ranks = {len(call.map_shape or ()) for call in calls}
        if len(ranks) > 1:
            names = ", ".join(repr(index.describe(call)) for call in calls)
            raise ValueError(f"the maps of layers {names} differ in their number of axes")
        return calls

    def explain(
        self, docs: Any, question: Question, pictures: Sequence[PictureSource] | None = None
    ) -> list[Explanation | ValueError]:
        """Explain checked documents; what went wrong with one stands in its place.

        The pictures are made of the documents where none are given.
        """
        count = len(arrays_of(docs)[0])
        resolved = self.resolve(docs, question, count)
        answer = self._ask(docs, question, resolved, count)
        layer = resolved.layer()
        description = _description(question, resolved, layer)
        _warn_of_blanks(answer, layer)
        given = pictures or [None] * count
        return [
            _unusable(answer, doc)
            or Explanation(
                estimator=self.name,
                method=question.method.name,
                layer=layer,
                description=description,
                is_regression=answer.is_regression(doc),
                targets=_target_explanations(answer, doc),
                image=given[doc] or self.picture(docs, doc, resolved),
            )
            for doc in range(count)
        ]

    def _call_of(self, index: LayerIndex, layer: Any) -> LayerCall:
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

    def _ask(self, docs: Any, question: Question, resolved: Resolved, count: int) -> Answer:
        space, chosen, taps = resolved.space, resolved.chosen, resolved.taps
        functions = tuple(map(CallableKey, chosen.functions or ()))
        units = None if chosen.functions else space.units_of(chosen.outputs)
        arguments = [docs]
        if chosen.indices is not None and units is not None:
            columns = np.searchsorted(units, chosen.indices).astype(np.int32)
            rows = np.broadcast_to(columns, (count, columns.shape[1]))
            arguments.append(np.ascontiguousarray(rows))
        question_of_form = (question.method, question.logits, taps, chosen.top, chosen.outputs)
        # The documents' signature is that of the anatomy.
        key = (resolved.anatomy, signature(arguments[1:]), *question_of_form, functions)
        state = self.state()
        scoring = ClassScores(space.outputs, chosen.outputs, question.logits)

        def compiled() -> Callable[..., Any]:
            program = self._program(question.method, taps, scoring, chosen.top, functions)
            return self.engine.compile(program, state, *arguments)

        try:
            with self.asking():
                answers = cache.get(self.model, key, compiled)(state, *arguments)
        except UnreachableTapError as error:
            calls = [c for c in resolved.calls if (c.path, c.application) in error.places]
            raise resolved.anatomy.index.unreachable(calls, range(len(space.outputs))) from None
        scores, maps, probas, columns = answers
        names = _function_names(chosen.functions or (), scores, count)
        return Answer(scores, maps, probas, None if units is None else units[columns], space, names)

    def _program(
        self,
        method: Method,
        taps: tuple[TapPoint, ...],
        scoring: ClassScores,
        top: int | None,
        functions: tuple[CallableKey, ...],
    ) -> Callable[..., Any]:
        """Write the program that is compiled: it must not keep the model alive."""
        engine, flatten, pack = self.engine, self.flatten, self.pack
        places: list[Any] = [tap.place for tap in taps]
        run_model = self.runner(places)
        looks_back = scoring.logits and any(output.activation for output in scoring.outputs)

        def score(result: Any, *columns: Tensor) -> Scored:
            tensors = flatten(result)
            if functions:
                if looks_back:
                    tensors = [_before_activation(engine, tensor) for tensor in tensors]
                return Scored(_call_all(engine, functions, pack(result, tensors)))
            if top is not None:
                return scoring.top(engine, tensors, top)
            return scoring.at(engine, tensors, *columns)

        def program(state: Any, docs: Any, *columns: Tensor) -> Any:
            def ask(docs: Any, tap: Tap) -> tuple[Tensor, Any]:
                with engine.watching() if looks_back else nullcontext():
                    scored = score(run_model(state, docs, tap), *columns)
                return scored.scores, scored

            mapped = method.maps(engine, ask, docs, taps)
            return mapped.scores, mapped.maps, mapped.kept.probas, mapped.kept.columns

        return program


def _description(question: Question, resolved: Resolved, layer: str) -> str:
    outputs = resolved.space.outputs
    activations = sorted({output.activation for output in outputs if output.activation})
    if question.logits and activations:
        what = f"the score before the final {' or '.join(activations)}"
    else:
        what = "the model's output"
    method = question.method
    return f"{method.title} at layer '{layer}', of {what}: {method.formula}"


def _tap_at(call: LayerCall) -> TapPoint:
    if call.form is None:
        raise ValueError(f"the output of layer '{call.path}' is no map")
    return TapPoint((call.path, call.application), call.form)


def signature(value: Any) -> Hashable:
    """Shapes and dtypes of nested arrays, without the documents' axis."""
    if isinstance(value, dict):
        return tuple((key, signature(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(signature(item) for item in value)
    return value.shape[1:], str(value.dtype)


def _before_activation(engine: Engine, output: Any) -> Any:
    return engine.before_activation(output)[0] if engine.is_floating(output) else output


def _call_all(engine: Engine, functions: tuple[CallableKey, ...], outputs: Any) -> Tensor:
    columns = []
    for key in functions:
        function = key.get()
        try:
            scores = function(outputs)
        except Exception as error:  # somebody's code may raise anything
            raise ValueError(
                f"the target {_name(function)} fails: {type(error).__name__}: {error}; it is "
                "called with the outputs of the model, tensors of its framework"
            ) from error
        if not engine.is_floating(scores):
            raise TypeError(
                f"the target {_name(function)} gives a {type(scores).__name__}; give a tensor of "
                "real numbers, made of the outputs by operations of their framework"
            )
        if len(scores.shape) not in (1, 2):
            raise ValueError(
                f"the target {_name(function)} gives scores of shape {tuple(scores.shape)}; one "
                "score for each doc, shape (N,), or K of them, shape (N, K), would do"
            )
        scores = engine.widen(scores)
        columns.append(scores if len(scores.shape) == 2 else scores[:, None])
    return columns[0] if len(columns) == 1 else engine.xp.concatenate(columns, axis=1)


def _name(function: Callable[[Any], Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _function_names(
    functions: tuple[Callable[[Any], Any], ...], scores: NDArray[Any], count: int
) -> tuple[str, ...]:
    names = [_name(function) for function in functions]
    if len(scores) != count:
        raise ValueError(
            f"the target {'+'.join(names)} gives {len(scores)} scores for {count} docs; give one "
            "for each: outputs have an axis of docs, so that unit 3 is outputs[:, 3]"
        )
    if len(names) == scores.shape[1]:
        return tuple(names)
    return tuple(f"{'+'.join(names)}[{column}]" for column in range(scores.shape[1]))


def _unusable(answer: Answer, doc: int) -> ValueError | None:
    for what, values in (("score", answer.scores[doc]), ("gradient", answer.maps[doc])):
        if not np.isfinite(values).all():
            return ValueError(
                f"the model gives a {what} that is NaN or infinite for this doc; there is "
                "nothing to be explained by it"
            )
    return None


def _warn_of_blanks(answer: Answer, layer: str) -> None:
    """Say where a picture will be blank, since nothing there speaks for the target."""
    axes = tuple(range(2, answer.maps.ndim))
    blank = (answer.maps <= 0).all(axis=axes) & np.isfinite(answer.scores)
    if blank.any():
        doc, position = (int(i) for i in np.argwhere(blank)[0])
        others = np.count_nonzero(blank) - 1
        warn(
            f"nothing at layer '{layer}' speaks for target {answer.target(doc, position)!r}"
            f"{f' (and {others} more in this batch)' if others else ''}: its heatmap is all "
            "zeros (its map shows what speaks against it)"
        )


def _target_explanations(answer: Answer, doc: int) -> list[TargetExplanation]:
    maps = answer.maps[doc]
    return [
        TargetExplanation(
            target=answer.target(doc, position),
            label=answer.label(doc, position),
            score=float(answer.scores[doc, position]),
            proba=answer.proba(doc, position),
            heatmap=heatmap_of(map_),
            map=map_.copy(),  # a view would keep the whole batch
        )
        for position, map_ in enumerate(maps)
    ]
