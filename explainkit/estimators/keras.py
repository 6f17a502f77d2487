"""The doors for Keras 3 models: from arguments to a question, from answers to records."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import keras

from explainkit.estimators.base import Anatomy, Question
from explainkit.estimators.batches import BatchedExplainer
from explainkit.estimators.keras_explainer import KerasExplainer
from explainkit.explain import explain_prediction, explain_predictions
from explainkit.explanation import Explanation
from explainkit.failures import OnError
from explainkit.inspection import find_layer, get_logits_layer, spatial_layers
from explainkit.layers import LayerCall
from explainkit.methods import find_method
from explainkit.methods.base import Method
from explainkit.pictures import as_picture
from explainkit.targets import TargetSpace


@explain_prediction.register
def explain_keras_prediction(
    model: keras.Model,
    doc: Any,
    *,
    method: str | Method = "gradcam",
    targets: Any = None,
    top_targets: int = 1,
    layer: Any = None,
    image: Any = None,
    target_names: Any = None,
    logits: bool = True,
    **options: Any,
) -> Explanation:
    """Explain one document; see `explainkit.explain_prediction`."""
    chosen = find_method(method, options, _ARGUMENTS)
    question = Question(chosen, layer, targets, top_targets, target_names, logits)
    explainer = KerasExplainer(model)
    inputs = explainer.inputs()
    checked = inputs.prepare(inputs.check_doc(doc))
    pictures = None if image is None else [as_picture(image)]
    [result] = explainer.explain(checked, question, pictures)
    if isinstance(result, ValueError):
        raise result
    return result


@explain_predictions.register
def explain_keras_predictions(
    model: keras.Model,
    docs: Any,
    *,
    batch_size: int = 32,
    method: str | Method = "gradcam",
    targets: Any = None,
    top_targets: int = 1,
    layer: Any = None,
    images: Iterable[Any] | None = None,
    target_names: Any = None,
    logits: bool = True,
    on_error: OnError = "raise",
    **options: Any,
) -> Iterator[Explanation]:
    """Explain many documents; see `explainkit.explain_predictions`."""
    chosen = find_method(method, options, _ARGUMENTS)
    question = Question(chosen, layer, targets, top_targets, target_names, logits)
    explainer = KerasExplainer(model)
    batched = BatchedExplainer(explainer, explainer.inputs(), question, batch_size, on_error)
    if (example := explainer.example()) is not None:
        explainer.resolve(example, question, None)
    return batched.explain(docs, images)


#: The names that a misspelt argument may have meant.
_ARGUMENTS = tuple(inspect.signature(explain_keras_predictions).parameters)[2:]


@find_layer.register
def find_keras_layer(model: keras.Model, layer: Any = None, *, doc: Any = None) -> Any:
    """Find the layer that `layer=` means; see `explainkit.inspection.find_layer`."""
    if isinstance(layer, list):
        raise TypeError("layer is a list; give one layer")
    explainer, anatomy = _anatomy(model, doc)
    [call] = explainer.layers(
        anatomy.index, layer, (TargetSpace(anatomy.outputs).default_output(),)
    )
    return call.layer


@spatial_layers.register
def keras_spatial_layers(model: keras.Model, *, doc: Any = None) -> list[LayerCall]:
    """List what a heatmap could be built from; see `explainkit.inspection.spatial_layers`."""
    return _anatomy(model, doc)[1].index.spatial()


@get_logits_layer.register
def get_keras_logits_layer(model: keras.Model, *, doc: Any = None) -> Any:
    """Find the layer of the scores; see `explainkit.inspection.get_logits_layer`."""
    _, anatomy = _anatomy(model, doc)
    for output, call in zip(anatomy.outputs, anatomy.logits, strict=True):
        if call is None:
            raise LookupError(
                f"output '{output.name}' of model '{model.name}' is not the output of a layer"
            )
    layers = [call.layer for call in anatomy.logits if call is not None]
    return layers[0] if len(layers) == 1 else layers


def _anatomy(model: keras.Model, doc: Any) -> tuple[KerasExplainer, Anatomy]:
    explainer = KerasExplainer(model)
    docs = explainer.blank_docs() if doc is None else explainer.inputs().check_docs(doc, "doc")
    return explainer, explainer.anatomy(docs)
