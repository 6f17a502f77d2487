"""The programs that ask a model, compiled once for each form of question."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from explainkit.engines.base import Engine, Place, Tap, Tensor, UnreachableTapError
from explainkit.engines.callable_key import CallableKey
from explainkit.engines.nested import mapped
from explainkit.estimators.answers import Answer, function_names, name_of
from explainkit.estimators.base import Explainer, cache
from explainkit.estimators.documents import arrays_of, rearranged, signature
from explainkit.estimators.questions import Resolved
from explainkit.estimators.reuse import reusing, run_with_memory
from explainkit.methods.scoring import ClassScores, Scored
from explainkit.methods.subject import Structure, Subject

_STRUCTURE = Structure(arrays_of, rearranged)


def ask(explainer: Explainer, docs: Any, resolved: Resolved) -> Answer:
    """Ask a model about checked documents.

    Raises
    ------
    ValueError
        If the scores do not depend on what the maps are built from.
    """
    # What a layer adds to another output than those that are explained adds nothing here.
    key = ("unreachable biases", resolved.anatomy, resolved.form, resolved.chosen.outputs)
    unreachable: set[Place] = cache.get(explainer.owner, key, set)
    asked = resolved.without(unreachable) or resolved
    try:
        return _ask(explainer, docs, asked)
    except UnreachableTapError as error:
        reachable = asked.without(error.places)
        if reachable is None:
            raise asked.unreachable(error.places) from None
        unreachable.update(error.places)
    return _ask(explainer, docs, reachable)


def _ask(explainer: Explainer, docs: Any, resolved: Resolved) -> Answer:
    space, chosen, question = resolved.space, resolved.chosen, resolved.question
    count = len(arrays_of(docs)[0])
    functions = tuple(map(CallableKey, chosen.functions or ()))
    units = None if chosen.functions else space.units_of(chosen.outputs)
    arguments = [docs, resolved.drawn]
    if chosen.indices is not None and units is not None:
        columns = np.searchsorted(units, chosen.indices).astype(np.int32)
        rows = np.broadcast_to(columns, (count, columns.shape[1]))
        arguments.append(np.ascontiguousarray(rows))
    # The documents' signature is that of the anatomy.
    key = (
        *(resolved.anatomy, signature(arguments[1:]), resolved.form, chosen.top, chosen.outputs),
        functions,
    )
    state = explainer.state()
    scoring = ClassScores(space.outputs, chosen.outputs, question.logits)

    def compiled() -> Callable[..., Any]:
        program = _program(explainer, resolved, scoring, functions)
        return explainer.engine.compile(program, state, *arguments)

    with explainer.asking():
        answers = cache.get(explainer.owner, key, compiled)(state, *arguments)
    scores, maps, probas, columns = answers
    names = function_names(chosen.functions or (), scores, count)
    return Answer(scores, maps, probas, None if units is None else units[columns], space, names)


def _program(
    explainer: Explainer,
    resolved: Resolved,
    scoring: ClassScores,
    functions: tuple[CallableKey, ...],
) -> Callable[..., Any]:
    """Write the program that is compiled: it must not keep the model alive."""
    engine, flatten, pack, settle = (
        *(explainer.engine, explainer.flatten, explainer.pack, explainer.settler()),
    )
    form, top = resolved.form, resolved.chosen.top
    places: list[Place] = [tap.place for tap in form.taps]
    places += [bias.place for bias in form.biases]
    run_model = explainer.runner(places)
    biases = explainer.bias_reader(resolved.adding)
    looks_back = scoring.logits and any(output.activation for output in scoring.outputs)

    def score(result: Any, columns: Tensor | None) -> Scored:
        tensors = flatten(result)
        if functions:
            if looks_back:
                tensors = [_before_activation(engine, tensor) for tensor in tensors]
            return Scored(_call_all(engine, functions, pack(result, tensors)))
        if columns is not None:
            return scoring.at(engine, tensors, columns)
        return scoring.top(engine, tensors, top or 1)

    def program(state: Any, docs: Any, drawn: Any, *columns: Tensor) -> Any:
        def ask(docs: Any, tap: Tap, columns: Tensor | None) -> tuple[Tensor, Any]:
            def run() -> Scored:
                with engine.watching() if looks_back else nullcontext():
                    return score(run_model(state, docs, tap), columns)

            count = 0 if engine.compiles else len(arrays_of(docs)[0])
            scored: Scored = run_with_memory(run, count)
            return scored.scores, scored

        docs = settle(docs)
        beside = arrays_of(docs)[0]
        subject = Subject(
            engine,
            docs,
            ask,
            _STRUCTURE,
            taps=form.taps,
            picture=form.picture,
            bias_points=form.biases,
            biases=lambda: biases(state),
            batch_size=form.batch_size,
            columns=columns[0] if columns else None,
            **({} if engine.compiles else {"reusing": reusing}),
        )
        found = form.method.maps(subject, mapped(lambda one: engine.beside(one, beside), drawn))
        return found.scores, found.maps, found.kept.probas, found.kept.columns

    return program


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
                f"the target {name_of(function)} fails: {type(error).__name__}: {error}; it is "
                "called with the outputs of the model, tensors of its framework"
            ) from error
        if not engine.is_floating(scores):
            raise TypeError(
                f"the target {name_of(function)} gives a {type(scores).__name__}; give a tensor of "
                "real numbers, made of the outputs by operations of their framework"
            )
        if len(scores.shape) not in (1, 2):
            raise ValueError(
                f"the target {name_of(function)} gives scores of shape {tuple(scores.shape)}; one "
                "score for each doc, shape (N,), or K of them, shape (N, K), would do"
            )
        scores = engine.widen(scores)
        columns.append(scores if len(scores.shape) == 2 else scores[:, None])
    return columns[0] if len(columns) == 1 else engine.xp.concatenate(columns, axis=1)
