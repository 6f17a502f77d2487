"""The doors for kinds of neural networks: from arguments to a question, from answers to records."""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.asking import Answered, ask, digest, pictures_in, redrawn, with_pictures
from explainkit.estimators import exposing
from explainkit.estimators.base import Explainer
from explainkit.estimators.batches import BatchedExplainer
from explainkit.estimators.biases import LayerBias, find_biases
from explainkit.estimators.documents import arrays_of, rearranged
from explainkit.estimators.explaining import explain
from explainkit.estimators.programs import ask as ask_program
from explainkit.estimators.questions import Question, picture_among, resolve
from explainkit.estimators.redrawing import Redrawing, Redrawn
from explainkit.explain import explain_prediction, explain_predictions
from explainkit.explanation import Explanation
from explainkit.failures import OnError
from explainkit.inspection import (
    check_layers,
    find_layer,
    get_logits_layer,
    layers_with_biases,
    outputs_of,
    spatial_layers,
)
from explainkit.layers import LayerCall
from explainkit.methods import find_method
from explainkit.methods.base import Method
from explainkit.methods.subject import PicturePoint
from explainkit.pictures import as_picture
from explainkit.targets import TargetSpace


def register(kind: type, explainer: Callable[[Any], Explainer]) -> None:
    """Open every door for a kind of estimator.

    Parameters
    ----------
    kind : type
        The class of the estimators.
    explainer : callable
        Makes the `Explainer` of one of them.
    """
    doors = _Doors(explainer)
    explain_prediction.register(kind, doors.explain_prediction)
    explain_predictions.register(kind, doors.explain_predictions)
    find_layer.register(kind, doors.find_layer)
    spatial_layers.register(kind, doors.spatial_layers)
    get_logits_layer.register(kind, doors.get_logits_layer)
    layers_with_biases.register(kind, doors.layers_with_biases)
    check_layers.register(kind, doors.check_layers)
    outputs_of.register(kind, doors.outputs_of)
    ask.register(kind, doors.ask)
    pictures_in.register(kind, doors.pictures_in)
    with_pictures.register(kind, doors.with_pictures)
    redrawn.register(kind, doors.redrawn)
    digest.register(kind, doors.digest)


@attrs.frozen
class _Doors:
    """What the doors do for one kind of estimator; each is described where it is declared."""

    explainer: Callable[[Any], Explainer]

    def explain_prediction(
        self,
        model: Any,
        doc: Any,
        *,
        method: str | Method = "gradcam",
        targets: Any = None,
        top_targets: int = 1,
        layer: Any = None,
        image: Any = None,
        target_names: Any = None,
        logits: bool = True,
        reshape: Any = None,
        batch_size: int = 32,
        **options: Any,
    ) -> Explanation:
        question = Question(
            *(find_method(method, options, _ARGUMENTS), layer, targets, top_targets),
            *(target_names, logits, reshape, batch_size),
        )
        explainer = self.explainer(model)
        inputs = explainer.inputs()
        checked = inputs.prepare(inputs.check_doc(doc))
        pictures = None if image is None else [as_picture(image)]
        [result] = explain(explainer, checked, question, pictures)
        if isinstance(result, ValueError):
            raise result
        return result

    def explain_predictions(
        self,
        model: Any,
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
        reshape: Any = None,
        on_error: OnError = "raise",
        **options: Any,
    ) -> Iterator[Explanation]:
        question = Question(
            *(find_method(method, options, _ARGUMENTS), layer, targets, top_targets),
            *(target_names, logits, reshape, batch_size),
        )
        explainer = self.explainer(model)
        batched = BatchedExplainer(explainer, explainer.inputs(), question, on_error)
        if (example := explainer.example()) is not None:
            resolve(explainer, example, question, None)
        return batched.explain(docs, images)

    def find_layer(self, model: Any, layer: Any = None, *, doc: Any = None) -> Any:
        if isinstance(layer, list):
            raise TypeError("layer is a list; give one layer")
        explainer = self.explainer(model)
        docs = _example(explainer, doc)
        anatomy = explainer.anatomy(docs)
        outputs = (TargetSpace(anatomy.outputs).default_output(),)
        [call] = explainer.layers(docs, anatomy, layer, outputs)
        return anatomy.index.check_map(call).layer

    def spatial_layers(self, model: Any, *, doc: Any = None) -> list[LayerCall]:
        explainer = self.explainer(model)
        return explainer.anatomy(_example(explainer, doc)).index.spatial()

    def get_logits_layer(self, model: Any, *, doc: Any = None) -> Any:
        explainer = self.explainer(model)
        anatomy = explainer.anatomy(_example(explainer, doc))
        for output, call in zip(anatomy.outputs, anatomy.logits, strict=True):
            if call is None:
                raise LookupError(
                    f"output '{output.name}' of model '{explainer.name}' is not the output of a "
                    "layer"
                )
        layers = [call.layer for call in anatomy.logits if call is not None]
        return layers[0] if len(layers) == 1 else layers

    def layers_with_biases(
        self, model: Any, exclude: Sequence[Any] = (), *, doc: Any = None
    ) -> tuple[list[Any], list[LayerBias]]:
        explainer = self.explainer(model)
        anatomy = explainer.anatomy(_example(explainer, doc))
        found = find_biases(explainer, anatomy, exclude)
        return [layer for layer, _ in found], [bias for _, bias in found]

    def check_layers(self, model: Any, layers: Sequence[Any], *, doc: Any = None) -> None:
        explainer = self.explainer(model)
        if doc is None and explainer.example() is None:
            return  # its layers are not known before it is run
        index = explainer.anatomy(_example(explainer, doc)).index
        for layer in layers:
            index.check_tensor(explainer.call_of(index, layer))

    def outputs_of(self, model: Any, docs: Any, layers: Sequence[Any], batch_size: int) -> Any:
        explainer = self.explainer(model)
        inputs = explainer.inputs()
        checked = inputs.prepare(inputs.check_docs(docs))
        return exposing.outputs_of(explainer, checked, layers, batch_size)

    def ask(
        self, model: Any, docs: Any, method: Method, *, targets: Any = None, logits: bool = True
    ) -> Answered:
        explainer = self.explainer(model)
        inputs = explainer.inputs()
        checked = inputs.prepare(inputs.check_docs(docs))
        count = len(arrays_of(checked)[0])
        question = Question(method, targets=targets, logits=logits, batch_size=count)
        answer = ask_program(explainer, checked, resolve(explainer, checked, question, count))
        probas = answer.scores if answer.probas is None else answer.probas
        return Answered(answer.scores, probas, answer.maps)

    def pictures_in(self, model: Any, docs: Any, targets: Any = None) -> NDArray[Any]:
        checked, point = self._picture(model, docs, targets)
        pictures = np.asarray(arrays_of(checked)[point.position])
        return np.moveaxis(pictures, 1, -1) if point.form.channels_first else pictures

    def with_pictures(
        self, model: Any, docs: Any, pictures: NDArray[Any], targets: Any = None
    ) -> Any:
        checked, point = self._picture(model, docs, targets)
        parts = arrays_of(checked)
        placed = np.moveaxis(pictures, -1, 1) if point.form.channels_first else pictures
        parts[point.position] = placed
        return rearranged(checked, parts)

    def _picture(self, model: Any, docs: Any, targets: Any) -> tuple[Any, PicturePoint]:
        explainer = self.explainer(model)
        checked = explainer.inputs().check_docs(docs)
        given = list(dict.fromkeys(targets or [None]))
        outputs: tuple[int, ...] = ()
        if not all(map(callable, given)):  # of which nobody knows what they look at
            space = TargetSpace(explainer.anatomy(checked).outputs)
            # Other units than (output, unit) are those of the output that is meant by default.
            named = [target for target in given if isinstance(target, tuple)]
            outputs = space.choose(named or None, 1).outputs
        try:
            return checked, picture_among(explainer, checked, outputs)
        except ValueError:
            if len(outputs) > 1:
                raise ValueError(
                    f"the targets {given} depend on no one picture: ask about the outputs apart"
                ) from None
            raise

    def redrawn(
        self, model: Any, docs: Any, *, stages: int | None = None, seed: int = 0
    ) -> Redrawing:
        explainer = self.explainer(model)
        return Redrawing.of(explainer, explainer.inputs().check_docs(docs), stages, seed)

    def digest(self, model: Any, docs: Any = None) -> str:
        explainer = self.explainer(model)
        if docs is not None:
            explainer.anatomy(explainer.inputs().check_docs(docs))  # builds what is not built yet
        found = hashlib.sha256(explainer.structure().encode())
        for weight in explainer.learnt():
            found.update(f"{weight.dtype}{weight.shape}".encode())
            found.update(np.ascontiguousarray(weight).tobytes())
        return found.hexdigest()[:16]


#: The names that a misspelt argument may have meant.
_ARGUMENTS = tuple(inspect.signature(_Doors.explain_predictions).parameters)[3:]


def _example(explainer: Explainer, doc: Any) -> Any:
    return explainer.blank_docs() if doc is None else explainer.inputs().check_docs(doc, "doc")


register(Redrawn, attrgetter("explainer"))
