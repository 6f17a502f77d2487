"""Look at a model as explanations see it: its layers, their outputs and their biases."""

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import attrs
from numpy.typing import NDArray

from explainkit.explain import enter, explain_prediction, explain_predictions
from explainkit.layers import LayerCall
from explainkit.methods import find_method, option_names


@singledispatch
def find_layer(estimator: Any, layer: Any = None, *, doc: Any = None) -> Any:
    """Find the layer that `layer=` means in `explain_prediction`.

    Parameters
    ----------
    estimator
        A model.
    layer : optional
        A name, a path, an index or a layer; None for the one that is chosen when
        nothing is said: the last that computes something with spatial axes
        greater than 1, nested models included.
    doc : array, optional
        A document, for models that do not say what they take.

    Returns
    -------
    layer
        The layer object.

    Raises
    ------
    LookupError
        If there is no such layer.
    ValueError
        If no heatmap can be built from it.

    Examples
    --------
    >>> import explainkit
    >>> network = explainkit.scenes.load_network()
    >>> explainkit.inspection.find_layer(network).output.shape
    (None, 12, 12, 128)
    """
    return enter(find_layer, estimator)(estimator, layer, doc=doc)


@singledispatch
def spatial_layers(estimator: Any, *, doc: Any = None) -> list[LayerCall]:
    """List what a heatmap could be built from, in the order in which it runs.

    Parameters
    ----------
    estimator
        A model.
    doc : array, optional
        A document, for models that do not say what they take.

    Returns
    -------
    list of LayerCall
        With the `path` to give as ``layer=``, the class (`kind`), the output's
        `shape` and the size of the map (`map_shape`). The last is the default.
    """
    return enter(spatial_layers, estimator)(estimator, doc=doc)  # type: ignore[no-any-return]


@singledispatch
def get_logits_layer(estimator: Any, *, doc: Any = None) -> Any:
    """Find the layer that works out the scores before a final softmax or sigmoid.

    Where the activation is fused into a layer, it is that layer; where it is a
    layer of its own, the one before it.

    Parameters
    ----------
    estimator
        A model.
    doc : array, optional
        A document, for models that do not say what they take.

    Returns
    -------
    layer
        The layer object; a list of them where the model has several outputs.

    Raises
    ------
    LookupError
        If an output is not made by a layer.
    """
    return enter(get_logits_layer, estimator)(estimator, doc=doc)


@singledispatch
def layers_with_biases(
    estimator: Any, exclude: Sequence[Any] = (), *, doc: Any = None
) -> tuple[list[Any], list[Any]]:
    """List the layers that add something to their output, and what each of them adds.

    Those are dense layers and convolutions with a bias, of all kinds, and normalisations.
    A batch norm that infers adds what its learnt numbers come to; a layer or group norm
    adds its centre. Where an activation is part of a layer, its sum is what FullGrad looks
    at, before the activation.

    Parameters
    ----------
    estimator
        A model.
    exclude : sequence, optional
        Names, paths or layers to be left out.
    doc : array, optional
        A document, for models that do not say what they take.

    Returns
    -------
    layers : list
        The layer objects, in the order in which they run.
    biases : list of LayerBias
        For each, its path, its kind, and the `values` that are added. Some of them may be
        given to ``method="fullgrad"`` as its option `biases`.

    Raises
    ------
    LookupError
        If there is no layer to be excluded of that name.

    Examples
    --------
    >>> import explainkit
    >>> network = explainkit.scenes.load_network()
    >>> layers, biases = explainkit.inspection.layers_with_biases(network)
    >>> biases[-1].kind, biases[-1].values.shape
    ('Dense', (1, 10))
    """
    found: tuple[list[Any], list[Any]]
    found = enter(layers_with_biases, estimator)(estimator, exclude, doc=doc)
    return found


@attrs.frozen(eq=False)
class Exposed:
    """A model seen as a function to its scores and to what passes at some layers.

    It can be explained as the model itself, with these layers where nothing else is said.

    Attributes
    ----------
    estimator
        The model, which is not changed.
    layers : list
        As `layer=` takes them.
    """

    estimator: Any
    layers: list[Any]

    def __call__(self, docs: Any, *, batch_size: int = 32) -> list[NDArray[Any]]:
        """Run the model.

        Parameters
        ----------
        docs : array, shape (N, ...)
        batch_size : int
            How many documents pass through the model at once.

        Returns
        -------
        list of ndarray
            The scores, shape (N, units), before a final softmax or sigmoid; and what each
            layer gives, shapes (N, ...).
        """
        found: list[NDArray[Any]] = outputs_of(self.estimator, docs, self.layers, batch_size)
        return found

    def asked(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Complete what is asked of the model by these layers, where the method takes any."""
        given = {
            name: asked[name]
            for name in option_names(asked.get("method", "gradcam"))
            if name in asked
        }
        method: Any = asked.get("method", "gradcam")
        chosen = find_method(method, given if isinstance(method, str) else {})
        return {"layer": self.layers, **asked} if chosen.at_layers else asked


@explain_prediction.register(Exposed)
def _explain_exposed(exposed: Exposed, doc: Any, **asked: Any) -> Any:
    return explain_prediction(exposed.estimator, doc, **exposed.asked(asked))


@explain_predictions.register(Exposed)
def _explain_exposed_many(exposed: Exposed, docs: Any, **asked: Any) -> Any:
    return explain_predictions(exposed.estimator, docs, **exposed.asked(asked))


def expose(estimator: Any, layers: Any = None, logits: Any = None, *, doc: Any = None) -> Exposed:
    """See a model as a function to its scores and to what passes at some layers.

    Parameters
    ----------
    estimator
        A model. It is neither changed nor rebuilt.
    layers : optional
        A layer, or a list of them, as `layer=` takes them; None for the one that is chosen
        when nothing is said.
    logits : optional
        The layer that works out the scores: that which `get_logits_layer` finds, which is
        what scores are taken of anyway.
    doc : array, optional
        A document, for models that do not say what they take.

    Returns
    -------
    Exposed

    Raises
    ------
    ValueError
        If the scores are not those of `logits`.
    LookupError
        If there is no such layer.

    Examples
    --------
    >>> import explainkit
    >>> network = explainkit.inspection.expose(explainkit.scenes.load_network())
    >>> scores, features = network(explainkit.scenes.draw_scene(seed=0).doc)
    >>> scores.shape, features.shape
    ((1, 10), (1, 12, 12, 128))
    """
    if isinstance(estimator, Exposed):
        return expose(estimator.estimator, layers, logits, doc=doc)
    if logits is not None:
        _check_logits(logits, get_logits_layer(estimator, doc=doc))
    if layers is None:
        layers = [find_layer(estimator, doc=doc)]
    given = list(layers) if isinstance(layers, list | tuple) else [layers]
    check_layers(estimator, given, doc=doc)
    return Exposed(estimator, given)


def _check_logits(given: Any, found: Any) -> None:
    known = found if isinstance(found, list) else [found]
    for one in given if isinstance(given, list | tuple) else [given]:
        names = [getattr(layer, "name", type(layer).__name__) for layer in known]
        if not any(one is layer for layer in known) and one not in names:
            raise ValueError(
                f"logits is layer {getattr(one, 'name', one)!r}, but the scores are worked out by "
                f"{', '.join(map(repr, names))}: give what get_logits_layer finds, or nothing"
            )


@singledispatch
def check_layers(estimator: Any, layers: Sequence[Any], *, doc: Any = None) -> None:
    """Raise what `expose` raises for layers that are not there."""
    enter(check_layers, estimator)(estimator, layers, doc=doc)


@singledispatch
def outputs_of(estimator: Any, docs: Any, layers: Sequence[Any], batch_size: int = 32) -> Any:
    """Run a model, and give its scores and what passes at some layers: see `expose`."""
    return enter(outputs_of, estimator)(estimator, docs, layers, batch_size)


def _look_inside(door: Any) -> Any:
    """Let an exposed model be looked at as the model itself is."""
    return lambda exposed, *args, **named: door(exposed.estimator, *args, **named)


for _door in (find_layer, spatial_layers, get_logits_layer, layers_with_biases, outputs_of):
    _door.register(Exposed, _look_inside(_door))
