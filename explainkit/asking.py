"""What is asked of estimators beside explanations: bare answers, and weights drawn anew."""

from collections.abc import Iterable
from functools import singledispatch
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.explain import enter, find
from explainkit.methods.base import Method


@attrs.frozen(eq=False)
class Answered:
    """What a method found of N documents, as arrays.

    Attributes
    ----------
    scores : ndarray, shape (N, K)
        Of the targets: what explanations are of.
    probas : ndarray, shape (N, K)
        The model's own output for them: after its final activation, if it has one.
    maps : ndarray, shape (N, K, ...)
        What the method gives, whatever it is.
    """

    scores: NDArray[Any]
    probas: NDArray[Any]
    maps: NDArray[Any]


@singledispatch
def ask(
    estimator: Any, docs: Any, method: Method, *, targets: Any = None, logits: bool = True
) -> Answered:
    """Ask an estimator by a method, and make no records of the answer.

    Parameters
    ----------
    estimator
        A model.
    docs : array, shape (N, ...)
        All of them pass through the model at once.
    method : Method
    targets, logits
        As in `explainkit.explain_predictions`.
    """
    return enter(ask, estimator)(estimator, docs, method, targets=targets, logits=logits)  # type: ignore[no-any-return]


@singledispatch
def pictures_in(estimator: Any, docs: Any, targets: Any = None) -> NDArray[Any]:
    """Give the pictures among documents, their channels last, shape (N, ..., C).

    Of several inputs it is the first picture that the targets depend on.

    Of an estimator that says nothing of it, the documents are the pictures; those of two axes
    have one channel.
    """
    give = find(pictures_in, estimator)
    if give is not None:
        return give(estimator, docs, targets)  # type: ignore[no-any-return]
    pictures = np.asarray(docs)
    return pictures[..., None] if pictures.ndim <= 3 else pictures


@singledispatch
def with_pictures(estimator: Any, docs: Any, pictures: NDArray[Any], targets: Any = None) -> Any:
    """Put other pictures, shape (N, ..., C), in the place of those that `pictures_in` gives."""
    put = find(with_pictures, estimator)
    if put is None:
        return pictures.reshape(np.shape(docs))
    return put(estimator, docs, pictures, targets)


@singledispatch
def redrawn(
    estimator: Any, docs: Any, *, stages: int | None = None, seed: int = 0
) -> Iterable[Any]:
    """Draw an estimator's weights anew, layer by layer from its output; it keeps its own.

    Parameters
    ----------
    estimator
        A model.
    docs : array, shape (N, ...)
        Documents, for models that do not say what they take.
    stages : int, optional
        In how many steps; None for one for each layer.
    seed : int

    Returns
    -------
    iterable of estimators
        After each step, to be explained. It is one object: the next step changes it, and gone
        through again, it begins again.
    """
    redraw = find(redrawn, estimator)
    if redraw is None:
        raise TypeError(
            f"nobody knows the weights of a {type(estimator).__name__}: they can be drawn anew in "
            "Keras models and PyTorch modules"
        )
    found: Iterable[Any] = redraw(estimator, docs, stages=stages, seed=seed)
    return found


@singledispatch
def digest(estimator: Any, docs: Any = None) -> str:
    """Tell what an estimator has learnt from what another has, by a short text.

    Of two with equal layers and equal weights it is the same; it is empty where nobody can tell.

    Parameters
    ----------
    estimator
        A model.
    docs : array, shape (N, ...), optional
        Documents, for models that are built by them and have seen none.
    """
    tell = find(digest, estimator)
    return "" if tell is None else tell(estimator, docs)
