"""Many explanations measured: each document, by each method, by each metric."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from os import PathLike
from typing import Any, Literal

import numpy as np

from explainkit.arrays import arrays_in
from explainkit.asking import pictures_in
from explainkit.estimators.documents import (
    arrays_of,
    joined,
    on_the_host,
    rearranged,
    rows_of,
    signature,
)
from explainkit.methods.base import Method
from explainkit.metrics.arguments import Masks, Targets, find_methods
from explainkit.metrics.base import Metric
from explainkit.metrics.finding import find_metrics
from explainkit.metrics.kept import Explanations, Kept
from explainkit.metrics.measuring import Evaluator
from explainkit.metrics.results import Evaluation, Measurement
from explainkit.metrics.saving import Saved
from explainkit.progress import progress_bar

#: A method by name or by hand, all arguments with which documents are explained, or
#: explanations of them that are there already.
MethodLike = str | Method | Mapping[str, Any] | Explanations


def evaluate(
    model: Any,
    docs: Any,
    methods: MethodLike | Sequence[str | Method] | Mapping[str, MethodLike] = ("gradcam",),
    metrics: Any = ("deletion", "insertion"),
    *,
    targets: Any = None,
    masks: Any = None,
    activation: Literal["softmax", "sigmoid"] | None = None,
    batch_size: int = 32,
    confidence: float = 0.95,
    save: str | PathLike[str] | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Evaluation:
    """Measure how good the explanations of methods are.

    One target of each document is explained by each method, and each explanation measured by
    each metric. A document that cannot be explained, or measured, has NaN in the table, and
    the reason beside it.

    Parameters
    ----------
    model
        Any estimator that `explainkit.explain_predictions` takes.
    docs : array, shape (N, ...), or iterable of docs
        Preprocessed as the model takes them. Of an iterable, so many as a batch holds are in
        memory at once, each of shape (1, ...).
    methods : sequence or mapping
        Names of methods, or methods made by hand; or a mapping from names of one's own to
        these, or to dicts of the arguments of `explainkit.explain_predictions`, such as
        ``{"early": {"method": "layercam", "layer": "block_3"}}``, or to explanations that are
        there already, one for each document in the same order: a list, or what
        `explainkit.datasets.load` gives.
    metrics : sequence or mapping
        Names of metrics (`explainkit.metrics.METRICS`), or metrics made by hand; or a mapping
        from names of one's own to these.
    targets : optional
        What is explained: an array or list of a unit for each document; or one unit, label,
        (output, unit) or callable for all. None for the unit with the highest score.
    masks : array of bool, shape (N, height, width), or iterable of them, optional
        The pixels that belong to the target of each document: for metrics that must know.
    activation : {"softmax", "sigmoid"}, optional
        What makes probabilities of the outputs of a model that ends with raw scores.
    batch_size : int
        How many documents, or variants of one, pass through the model at once.
    confidence : float
        Of the intervals, in (0, 1).
    save : path, optional
        A file to which measurements are written while it runs. Called again with the same
        question and file, it goes on where it was.
    progress : bool, optional
        Show a bar, or none. Where nothing is said, one is shown in a terminal when it takes
        more than some seconds.
    **options
        Others of `explainkit.explain_predictions`, for all methods: `layer` is for those that
        are built at a layer.

    Returns
    -------
    Evaluation
        Print it for a table; it gives a summary with intervals, tidy rows, dataframes of
        pandas, and a plot.

    Raises
    ------
    TypeError, ValueError, LookupError
        If the question makes no sense: before any forward pass, as far as can be told.

    Examples
    --------
    >>> import explainkit
    >>> scenes = list(explainkit.scenes.draw_scenes(4))
    >>> found = evaluate(
    ...     explainkit.scenes.load_network(),
    ...     np.concatenate([scene.doc for scene in scenes]),
    ...     ["gradcam", "layercam"],
    ...     ["sparseness", "relevance_mass"],
    ...     targets=[scene.objects[-1].target for scene in scenes],
    ...     masks=[scene.objects[-1].mask for scene in scenes],
    ... )
    >>> found.values("gradcam", "sparseness").shape
    (4,)
    """
    asked = find_methods(methods, options)
    measures = find_metrics(metrics)
    kept = [one["method"] for one in asked.values() if isinstance(one.get("method"), Kept)]
    _check(measures, masks, activation, batch_size, confidence)
    _check_nothing_anew(measures, kept)
    arrays = arrays_in(model, docs)
    count = len(arrays[0]) if arrays else None
    for explanations in kept:
        explanations.check_count(count)
    of_docs, of_pictures = Targets(targets, count), Masks(masks, count)
    parts = _parts(docs, count, batch_size)
    first = next(parts, None)
    if first is None:
        raise ValueError("docs is empty")
    evaluator = Evaluator(model, asked, measures, activation, batch_size)
    saved = None if save is None else Saved.at(save, evaluator.in_words(first[1]))
    rows: list[Measurement] = []
    total = None if count is None else count * len(asked)
    with progress_bar(total=total, unit="explanation", progress=progress) as bar:
        for start, part in chain([first], parts):
            positions = range(start, start + len(arrays_of(part)[0]))
            of_part = of_docs.of(positions)
            sizes = pictures_in(model, part, of_part).shape[1:-1]
            seen = of_pictures.following(len(positions), sizes)
            for found in evaluator.measured(part, positions, of_part, seen, saved):
                rows += [row for of_doc in found for row in of_doc]
                bar.update(len(found))
    for what in (of_docs, of_pictures, *kept):
        what.check_used_up(positions[-1] + 1)
    return Evaluation(tuple(rows), tuple(asked), measures, confidence)


def _check(
    metrics: Mapping[str, Metric], masks: Any, activation: Any, batch_size: Any, confidence: Any
) -> None:
    """Find what is wrong with a question, as far as it can be told without the model."""
    blind = [name for name, metric in metrics.items() if metric.needs_masks]
    if blind and masks is None:
        raise ValueError(
            f"{', '.join(blind)} must know which pixels belong to the target: give masks, truth "
            "values of shape (N, height, width)"
        )
    if activation not in (None, "softmax", "sigmoid"):
        raise ValueError(f"activation is {activation!r}; give 'softmax', 'sigmoid' or None")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size is {batch_size!r}; give a whole number, 1 or more")
    if not isinstance(confidence, float) or not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}; give a number between 0 and 1")


def _check_nothing_anew(metrics: Mapping[str, Metric], kept: Sequence[Kept]) -> None:
    anew = [name for name, metric in metrics.items() if metric.explains]
    if anew and kept:
        raise ValueError(
            f"{', '.join(anew)} explains documents anew, and {kept[0].name!r} names explanations "
            "that are kept: leave out the one or the other"
        )


def _parts(docs: Any, count: int | None, batch_size: int) -> Iterator[tuple[int, Any]]:
    """Part documents into batches, each with the place of its first."""
    if count is not None:
        for start in range(0, count, batch_size):
            yield start, _on_the_host(rows_of(docs, slice(start, start + batch_size)))
        return
    if not isinstance(docs, Iterable) or isinstance(docs, str | bytes):
        raise TypeError(
            f"docs is a {type(docs).__name__}; give an array of docs, or an iterable of docs of "
            "shape (1, ...)"
        )
    batch: list[Any] = []
    start = 0
    for doc in map(_one_on_the_host, docs):
        # A doc of another size begins a batch of its own.
        if len(batch) == batch_size or (batch and signature(batch[-1]) != signature(doc)):
            yield start, joined(batch)
            start += len(batch)
            batch = []
        batch.append(doc)
    if batch:
        yield start, joined(batch)


def _one_on_the_host(doc: Any) -> Any:
    found = _on_the_host(doc)
    counts = {len(array) if array.ndim else 0 for array in arrays_of(found)}
    if counts != {1}:
        raise ValueError(
            f"docs gives arrays of shape {arrays_of(found)[0].shape}; an iterable gives docs one "
            "by one, each of shape (1, ...); an array gives all at once"
        )
    return found


def _on_the_host(docs: Any) -> Any:
    if isinstance(docs, Mapping | list | tuple):
        return rearranged(docs, [_on_the_host(one) for one in arrays_of(docs)])
    return np.asarray(on_the_host(docs) if hasattr(docs, "detach") else docs)
