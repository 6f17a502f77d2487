"""The doors: one call for any estimator, and how kinds of estimators come in."""

import importlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial, singledispatch
from importlib.metadata import entry_points
from itertools import repeat
from typing import Any

import attrs

from explainkit import plug_ins
from explainkit.explanation import Explanation
from explainkit.failures import FAILURES, OnError, check_on_error, naming_doc, recorded

#: The entry points by which other distributions bring their estimators.
ENTRY_POINTS = "explainkit.estimators"


@attrs.frozen
class Supported:
    """A kind of estimator that explainkit explains itself.

    Attributes
    ----------
    framework : str
        The package that must be imported before anyone can have such an estimator.
    module : str
        The module that registers it.
    estimator : str
        What is explained, for people.
    extra : str
        What to install.
    """

    framework: str
    module: str
    estimator: str
    extra: str


SUPPORTED = (
    Supported("keras", "explainkit.estimators.keras", "keras.Model (Keras 3)", "tensorflow"),
    Supported("tf_keras", "explainkit.estimators.tf_keras", "tf_keras.Model (Keras 2)", "tf_keras"),
    Supported("torch", "explainkit.estimators.torch", "torch.nn.Module", "torch"),
)

_NONE_LEFT = object()
_registering = threading.RLock()
_plug_ins_loaded = False


@singledispatch
def explain_prediction(estimator: Any, doc: Any, **options: Any) -> Explanation:
    """Explain what in a document made an estimator say what it said.

    Parameters
    ----------
    estimator
        A model: a `keras.Model` on any backend, a `torch.nn.Module`, a
        `tf_keras.Model`, or what a plug-in brings.
    doc : array or tensor, shape (1, ...)
        A batch of one, preprocessed as the model takes it: ``(1, H, W, C)`` for
        pictures, ``(1, C, H, W)`` in PyTorch. A list or dict of arrays for models of
        several inputs.
    **options
        Depend on the estimator. Those of Keras models and PyTorch modules:

        method : str or Method, default "gradcam"
            The name of a method, whose own options may follow, or one made of others by
            `smooth`, `tta` and `counterfactual`.
        targets : optional
            What to explain: a unit of the output, a label, ``(output, unit)``, a
            list of these, or a callable from the outputs to a score for each doc.
            None for the classes with the highest scores.
        top_targets : int, default 1
            How many classes where `targets` is None.
        layer : optional
            Where to build the heatmap: a name, a path such as
            ``"backbone/out_relu"``, an index, a layer, or a list of these to be
            fused. ``"conv#0"`` is the first application of a layer. None for the
            last layer with spatial axes greater than 1. For methods that are built at
            a layer; others explain the picture itself.
        image : PIL.Image.Image, array or path, optional
            The picture to show; by default it is made of the doc.
        target_names : sequence or mapping, optional
            The names of the units.
        logits : bool, default True
            Take the score before a final softmax or sigmoid.
        reshape : tuple of int or callable, optional
            How the output of `layer` is read as a map, where that cannot be told: the
            grid of its tokens, (height, width), or a function from an output, shape
            (N, ...), to one of shape (N, height, width, channels).
        batch_size : int, default 32
            How many variants of the doc pass through the model at once, for methods that
            ask about many: it bounds their memory.

    Returns
    -------
    Explanation

    Raises
    ------
    TypeError
        If the estimator is none that can be explained, or the doc no array.
    ValueError
        If the doc does not fit the model, or holds NaN or infinite numbers.
    LookupError
        If there is no such layer or label.

    Examples
    --------
    >>> import explainkit
    >>> scene = explainkit.scenes.draw_scene(seed=0)
    >>> expl = explainkit.explain_prediction(explainkit.scenes.load_network(), scene.doc)
    >>> expl.targets[0].heatmap.shape
    (12, 12)
    """
    explain: Callable[..., Explanation] = enter(explain_prediction, estimator)
    return explain(estimator, doc, **options)


@singledispatch
def explain_predictions(estimator: Any, docs: Any, **options: Any) -> Iterator[Explanation]:
    """Explain many documents, a batch at a time, in order.

    Parameters
    ----------
    estimator
        As in `explain_prediction`.
    docs : array, shape (N, ...), or iterable of arrays
        Each doc with or without the axis of docs. An iterable is consumed as the
        explanations are, so that memory is bounded by a batch.
    **options
        As in `explain_prediction`, and:

        batch_size : int, default 32
            The number of docs that are explained at once, and of variants of each.
        targets : optional
            Also an integer array, shape (N, K): a row of units for each doc.
        images : iterable, optional
            In place of `image`: one for each doc.
        on_error : {"raise", "record"}, default "raise"
            What becomes of a doc that cannot be explained: an error that names
            its index, or a record with `error` set.

    Returns
    -------
    iterator of Explanation

    Examples
    --------
    >>> import explainkit
    >>> docs = (scene.doc for scene in explainkit.scenes.draw_scenes(3))
    >>> network = explainkit.scenes.load_network()
    >>> [expl.method for expl in explainkit.explain_predictions(network, docs, batch_size=2)]
    ['gradcam', 'gradcam', 'gradcam']
    """
    explain: Callable[..., Iterator[Explanation]]
    explain = find(explain_predictions, estimator) or partial(
        _one_by_one, enter(explain_prediction, estimator)
    )
    return explain(estimator, docs, **options)


def _one_by_one(
    explain: Callable[..., Explanation],
    estimator: Any,
    docs: Any,
    *,
    targets: Any = None,
    images: Iterable[Any] | None = None,
    batch_size: int = 1,  # noqa: ARG001 - one doc at a time is within every bound
    on_error: OnError = "raise",
    **options: Any,
) -> Iterator[Explanation]:
    """Explain many documents for an estimator that knows how to explain one."""
    check_on_error(on_error)
    batched = hasattr(docs, "shape")
    one_by_one = (docs[i : i + 1] for i in range(len(docs))) if batched else docs
    rows = iter(targets) if getattr(targets, "ndim", 0) > 1 else repeat(targets)
    pictures = None if images is None else iter(images)

    def explained() -> Iterator[Explanation]:
        for position, doc in enumerate(one_by_one):
            # What is not asked is not given: estimators need not know of it.
            asked: dict[str, Any] = {}
            if targets is not None:
                asked["targets"] = next(rows, _NONE_LEFT)
            if pictures is not None:
                asked["image"] = next(pictures, _NONE_LEFT)
            if asked.get("targets") is _NONE_LEFT:
                raise ValueError(f"targets has {position} rows, but there are more docs")
            if asked.get("image") is _NONE_LEFT:
                raise ValueError(f"images has only {position} pictures for more docs")
            try:
                yield explain(estimator, doc, **asked, **options)
            except FAILURES as error:
                if on_error == "raise":
                    raise naming_doc(position, error) from error
                method = options.get("method", "")
                spelled = getattr(method, "spelled", method)
                yield recorded(type(estimator).__name__, spelled, error)

    return explained()


def find(door: Any, estimator: Any) -> Callable[..., Any] | None:
    """Find what a door does for an estimator, once what may do it is registered.

    The default of every door comes here: kinds of estimators register when their
    framework is already imported, plug-ins when nothing else fits.
    """
    closed = door.dispatch(object)
    for register in (_register_supported, _register_plug_ins):
        register()
        found: Callable[..., Any] = door.dispatch(type(estimator))
        if found is not closed:
            return found
    return None


def enter(door: Any, estimator: Any) -> Callable[..., Any]:
    """Find what a door does for an estimator.

    Raises
    ------
    TypeError
        If there is nothing for estimators of this type.
    """
    found = find(door, estimator)
    if found is None:
        raise TypeError(_unsupported(estimator))
    return found


def _register_supported() -> None:
    for kind in SUPPORTED:
        if kind.framework in sys.modules:
            importlib.import_module(kind.module)


def _register_plug_ins() -> None:
    global _plug_ins_loaded  # noqa: PLW0603 - entry points are read once a process
    # Other threads wait until all are there.
    with _registering:
        if not _plug_ins_loaded:
            for entry_point in entry_points(group=ENTRY_POINTS):
                plug_ins.load(entry_point, _call)
            _plug_ins_loaded = True


def _call(register: Any) -> None:
    # A module registers as it is imported; a function does so when it is called.
    if callable(register):
        register()


def _unsupported(estimator: Any) -> str:
    kind = type(estimator)
    known = [f"{s.estimator} (pip install 'explainkit[{s.extra}]')" for s in SUPPORTED]
    known += [
        f"{registered.__module__}.{registered.__qualname__}"
        for registered in explain_prediction.registry
        if registered is not object
        and not registered.__module__.startswith(("keras.", "tf_keras."))
    ]
    hint = "; give an instance, not the class" if isinstance(estimator, type) else ""
    hint = "; load the model first" if isinstance(estimator, str) else hint
    return (
        f"cannot explain a {kind.__module__}.{kind.__qualname__}{hint}. explainkit explains: "
        f"{', '.join(known)}. Plug-ins add more through the entry-point group '{ENTRY_POINTS}'"
    )
