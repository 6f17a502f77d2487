"""Questions, and what they mean for one model: which targets, which layers, which picture."""

from collections.abc import Collection, Sequence
from typing import Any

import attrs
import numpy as np

from explainkit.engines.base import Place
from explainkit.estimators.anatomy import Anatomy
from explainkit.estimators.base import Explainer, are_first, sum_at
from explainkit.estimators.biases import chosen_biases
from explainkit.estimators.documents import arrays_of
from explainkit.explanation import warn
from explainkit.layers import LayerCall
from explainkit.map_form import MapForm, given_form
from explainkit.methods import METHODS
from explainkit.methods.base import Canvas, Method
from explainkit.methods.options import whole_number
from explainkit.methods.subject import PICTURE, BiasPoint, PicturePoint, TapPoint
from explainkit.targets import Chosen, TargetSpace


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
    batch_size: int = attrs.field(default=32, validator=whole_number(1))


@attrs.frozen
class Form:
    """What a program is written for, apart from the scores; it keeps no model alive."""

    method: Method
    logits: bool
    taps: tuple[TapPoint, ...]
    picture: PicturePoint | None
    biases: tuple[BiasPoint, ...]
    batch_size: int


@attrs.frozen
class Resolved:
    """What a question means for one model.

    Attributes
    ----------
    question : Question
    anatomy : Anatomy
    space : TargetSpace
    chosen : Chosen
        The targets.
    calls : tuple of LayerCall
        The layers where maps are built.
    picture : PicturePoint or None
        The input that is explained; None where the method does not look at it.
    adding : tuple of LayerCall
        The layers whose biases count.
    drawn : nested arrays
        What the method's maps are made with.
    """

    question: Question
    anatomy: Anatomy
    space: TargetSpace
    chosen: Chosen
    calls: tuple[LayerCall, ...] = ()
    picture: PicturePoint | None = None
    adding: tuple[LayerCall, ...] = ()
    drawn: Any = ()

    @property
    def layer(self) -> str | None:
        """Name the layers as the record does."""
        return " + ".join(self.anatomy.index.describe(call) for call in self.calls) or None

    @property
    def form(self) -> Form:
        """What the program is written for."""
        method = self.question.method
        return Form(
            method.compiled_as,
            self.question.logits,
            tuple(map(_tap_at, self.calls)),
            self.picture,
            tuple(_bias_at(call, self.picture) for call in self.adding),
            # Elsewhere it is of no consequence.
            self.question.batch_size if method.varies else 0,
        )

    @property
    def seen(self) -> list[int]:
        """List the inputs that were explained, that of the picture first."""
        if self.calls:
            return sorted(self.calls[0].flow.sources)
        return [] if self.picture is None else [self.picture.position]

    def unreachable(self, places: Collection[Place]) -> ValueError:
        """Make the error for places that no score depends on."""
        if PICTURE in places:
            return ValueError(
                "the score does not depend on the picture, or not in a way that can be "
                "differentiated"
            )
        calls = [c for c in self.calls if (c.path, c.application) in places]
        return self.anatomy.index.unreachable(calls, range(len(self.space.outputs)))

    def without(self, places: Collection[Place]) -> "Resolved | None":
        """Leave out biases at places that no score depends on; None if there are others."""
        adding = tuple(call for call in self.adding if sum_at(call) not in places)
        left_out = len(self.adding) - len(adding) == len(set(places))
        return attrs.evolve(self, adding=adding) if left_out else None

    def describe(self) -> str:
        """Say what was asked, in a sentence."""
        question, method = self.question, self.question.method
        outputs = self.space.outputs
        activations = sorted({output.activation for output in outputs if output.activation})
        if question.logits and activations:
            what = f"the score before the final {' or '.join(activations)}"
        else:
            what = "the model's output"
        where = "" if self.layer is None else f" at layer '{self.layer}'"
        return f"{method.heading}{where}, of {what}: {method.definition}"


def resolve(explainer: Explainer, docs: Any, question: Question, count: int | None) -> Resolved:
    """Find the targets and the layers that are meant, before any forward pass.

    Parameters
    ----------
    explainer : Explainer
    docs : arrays
        Checked, or stand-ins for them.
    question : Question
    count : int or None
        The number of documents; None where it is not known yet.

    Raises
    ------
    TypeError, ValueError, LookupError
        If there are none such.
    """
    anatomy, method = explainer.anatomy(docs), question.method
    space = TargetSpace(anatomy.outputs, question.target_names)
    chosen = space.choose(question.targets, question.top_targets, count)
    resolved = Resolved(question, anatomy, space, chosen)
    if method.at_layers:
        calls = _layers(explainer, docs, resolved)
        resolved = attrs.evolve(resolved, calls=calls)
    else:
        _check_no_layer(question)
    canvas = Canvas()
    if method.at_picture:
        picture = _picture(explainer, docs, resolved)
        canvas = _canvas(explainer, docs, picture)
        resolved = attrs.evolve(resolved, picture=picture)
    if method.at_biases:
        adding = chosen_biases(explainer, anatomy, method.bias_layers, chosen.outputs)
        resolved = attrs.evolve(resolved, adding=adding)
    if method.rewrites:
        _check_relus(explainer, docs, resolved)
    return attrs.evolve(resolved, drawn=method.drawn(canvas, question.batch_size))


def _check_no_layer(question: Question) -> None:
    for name in ("layer", "reshape"):
        if getattr(question, name) is not None:
            at_layers = ", ".join(n for n, kind in METHODS.items() if kind().at_layers)
            raise TypeError(
                f"{name}={getattr(question, name)!r} was given, but method "
                f"{question.method.spelled!r} explains the picture itself and takes none; built "
                f"at layers are: {at_layers}"
            )


def _layers(explainer: Explainer, docs: Any, resolved: Resolved) -> tuple[LayerCall, ...]:
    calls = _with_forms(explainer, docs, resolved)
    if resolved.question.logits:
        for call in calls:
            resolved.anatomy.index.check_leads(call, resolved.chosen.outputs)
    return calls


def _with_forms(explainer: Explainer, docs: Any, resolved: Resolved) -> tuple[LayerCall, ...]:
    """Find the layers, each with the form in which its output is read as a map."""
    question, anatomy, outputs = resolved.question, resolved.anatomy, resolved.chosen.outputs
    index = anatomy.index
    if question.reshape is not None:
        if question.layer is None:
            raise ValueError("reshape says how one layer is read; give layer= as well")
        calls = explainer.layers(docs, anatomy, question.layer, outputs)
        shapes = [index.check_tensor(call).shape for call in calls]
        forms = [given_form(shape, question.reshape) for shape in shapes]
        return tuple(attrs.evolve(c, form=f) for c, f in zip(calls, forms, strict=True))
    calls = tuple(map(index.check_map, explainer.layers(docs, anatomy, question.layer, outputs)))
    ranks = {len(call.map_shape or ()) for call in calls}
    if len(ranks) > 1:
        names = ", ".join(repr(index.describe(call)) for call in calls)
        raise ValueError(f"the maps of layers {names} differ in their number of axes")
    return calls


def _picture(explainer: Explainer, docs: Any, resolved: Resolved) -> PicturePoint:
    """Find the picture that a method differentiates or changes."""
    spelled = resolved.question.method.spelled
    try:
        picture = picture_among(explainer, docs, resolved.chosen.outputs)
    except ValueError as error:
        raise ValueError(f"method {spelled!r} explains pictures, and {error}") from None
    dtype = np.dtype(str(arrays_of(docs)[picture.position].dtype))
    if dtype.kind != "f":
        raise ValueError(
            f"method {spelled!r} changes the picture by fractions, and model "
            f"'{explainer.name}' takes it as {dtype}; give docs of floats, or a method that is "
            "built at a layer, such as 'gradcam'"
        )
    return picture


def picture_among(explainer: Explainer, docs: Any, outputs: Collection[int]) -> PicturePoint:
    """Find the input that is a picture: of those that the scores depend on, the first.

    Raises
    ------
    ValueError
        If there is none.
    """
    anatomy, wanted = explainer.anatomy(docs), set(outputs)
    given: Sequence[Any] = arrays_of(docs)
    leading = [
        i
        for i, flow in enumerate(anatomy.inputs)
        if len(given[i].shape) > 2 and flow.sinks and wanted <= flow.sinks
    ]
    if not leading:
        shapes = ", ".join(str(tuple(one.shape[1:])) for one in given)
        raise ValueError(
            f"the score of model '{explainer.name}' depends on none: its inputs have the shapes "
            f"{shapes} for each doc"
        )
    # Signals may stand beside a picture.
    position = max(leading, key=lambda i: (len(given[i].shape), -i))
    shape = tuple(given[position].shape[1:])
    first = are_first(shape, anatomy.channels_first)
    return PicturePoint(position, MapForm(shape[1:] if first else shape[:-1], first))


def _canvas(explainer: Explainer, docs: Any, picture: PicturePoint) -> Canvas:
    given: Sequence[Any] = arrays_of(docs)
    shape = tuple(given[picture.position].shape[1:])
    if picture.form.channels_first:
        shape = (*shape[1:], shape[0])
    inputs = explainer.inputs().inputs
    declared = inputs[picture.position].shape if picture.position < len(inputs) else None
    return Canvas(shape, declared is None or None in declared)


def _check_relus(explainer: Explainer, docs: Any, resolved: Resolved) -> None:
    """Refuse models whose relus cannot be found, and warn of those that are missed."""
    method = resolved.question.method
    if method.rewrites is None:
        return
    found = explainer.relus(docs, resolved.anatomy, method.rewrites)
    missed = ", ".join(sorted(found.missed))
    if not found.count:
        raise ValueError(
            f"method {method.spelled!r} rewrites the gradients of relus, and model "
            f"'{explainer.name}' has none that could be"
            + (f": {missed}" if missed else "; 'gradients' takes any model")
        )
    if missed:
        warn(
            f"method {method.spelled!r} could not rewrite the gradient of {missed}; "
            f"{found.count} other relus were"
        )


def _bias_at(call: LayerCall, picture: PicturePoint | None) -> BiasPoint:
    axes = len(picture.form.sizes) if picture else 0
    has_place = not call.inside_attention and len(call.map_shape or ()) == axes
    return BiasPoint(sum_at(call), call.form if has_place else None)


def _tap_at(call: LayerCall) -> TapPoint:
    if call.form is None:
        raise ValueError(f"the output of layer '{call.path}' is no map")
    return TapPoint((call.path, call.application), call.form)
