"""Look at a model as explanations see it: its layers, and the one a heatmap is built from."""

from functools import singledispatch
from typing import Any

from explainkit.explain import enter
from explainkit.layers import LayerCall


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
