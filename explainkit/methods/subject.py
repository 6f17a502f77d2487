"""What a method asks: a model about documents, inside a compiled program."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import attrs

from explainkit.engines.base import Ask, Engine, Place, PulledBack, Tap, Tensor
from explainkit.map_form import MapForm


@attrs.frozen
class TapPoint:
    """A tap at a layer whose output can be read as a map.

    Attributes
    ----------
    place : hashable
    form : MapForm
        How the output, and its gradients, are folded to a map's axes.
    """

    place: Place
    form: MapForm


@attrs.frozen
class PicturePoint:
    """The input that is a picture, among those of a model.

    Attributes
    ----------
    position : int
        Which of the inputs it is.
    form : MapForm
        How it is read as a map.
    """

    position: int
    form: MapForm


@attrs.frozen
class BiasPoint:
    """What a layer adds to its output.

    Attributes
    ----------
    place : hashable
        Where the sum is tapped: before the layer's activation.
    form : MapForm or None
        How the sum is read as a map; None where it has no spatial axes.
    """

    place: Place
    form: MapForm | None


#: The place of the picture itself.
PICTURE: Place = "the picture"


@attrs.frozen
class Structure:
    """Documents in a model's own structure, taken apart and put together.

    Attributes
    ----------
    parts : callable
        Lists the tensors in documents.
    whole : callable
        ``whole(docs, parts)`` puts other tensors into the structure of documents.
    """

    parts: Callable[[Any], list[Tensor]]
    whole: Callable[[Any, Sequence[Tensor]], Any]


def _anew(_first_run: Callable[[], Any], _place: Place) -> AbstractContextManager[None]:
    return nullcontext()


@attrs.frozen
class Subject:
    """A model that is asked about documents, and the scores to be explained.

    Attributes
    ----------
    engine : Engine
    docs : nested tensors
        In the model's own structure, N of them.
    ask : callable
        ``ask(docs, tap, columns)`` runs the model; without columns it chooses the targets.
    structure : Structure
        Of the documents.
    taps : tuple of TapPoint
        The layers where maps are to be built.
    picture : PicturePoint or None
        Which of the inputs is explained; None where a method does not ask.
    bias_points : tuple of BiasPoint
        The layers that add something.
    biases : callable
        Gives, by place, what each adds: it can be broadcast to the sum, shape (1, ...).
    batch_size : int
        How many documents pass through the model at once.
    columns : tensor, shape (N, K), or None
        The targets, if they were chosen before.
    reusing : callable
        ``reusing(first_run, place)`` is a context in which runs on copies of a document
        need not work out again what a first run, on two copies, works out before a place.
    """

    engine: Engine
    docs: Any
    ask: Ask
    structure: Structure
    taps: tuple[TapPoint, ...] = ()
    picture: PicturePoint | None = None
    bias_points: tuple[BiasPoint, ...] = ()
    biases: Callable[[], Mapping[Place, Tensor]] = dict
    batch_size: int = 32
    columns: Tensor | None = None
    reusing: Callable[[Callable[[], Any], Place], AbstractContextManager[Any]] = _anew

    # The pictures

    @property
    def point(self) -> PicturePoint:
        """Which of the inputs is the picture."""
        if self.picture is None:
            raise LookupError("nobody said which input is the picture")
        return self.picture

    @property
    def pixels(self) -> Tensor:
        """The pictures with their channels last, shape (N, ..., C)."""
        return self.point.form.fold(self.engine.xp, self._image, leading=1)

    @property
    def _image(self) -> Tensor:
        return self.structure.parts(self.docs)[self.point.position]

    def _with_image(self, image: Tensor) -> Any:
        parts = self.structure.parts(self.docs)
        parts[self.point.position] = image
        return self.structure.whole(self.docs, parts)

    def check_axes(self, tap: TapPoint) -> None:
        """Raise an error for a layer whose maps cannot be laid over the picture."""
        axes, wanted = len(tap.form.sizes), len(self.point.form.sizes)
        if tap.form.sizes and axes != wanted:
            raise ValueError(
                f"the maps of the layer have {axes} axes, and the picture has {wanted}: the one "
                "cannot be laid over the other; give another layer"
            )

    # What is asked

    def look(self, places: Collection[Place] = ()) -> PulledBack:
        """Run the model once, and keep what passes at some places; no gradients."""
        seen: dict[Place, Tensor] = {}

        def tap(place: Place, tensor: Tensor) -> Tensor:
            if place in places:
                # A model may write into the tensor that it goes on with.
                seen[place] = self.engine.xp.copy(tensor)
            return tensor

        scores, kept = self.ask(self.docs, tap, self.columns)
        return PulledBack(scores, kept, seen, {})

    def pull_back(self, places: Collection[Place]) -> PulledBack:
        """Run the model once, and pull the scores back to some places."""

        def run(tap: Tap) -> tuple[Tensor, Any]:
            def at(place: Place, tensor: Tensor) -> Tensor:
                return tap(place, tensor) if place in places else tensor

            docs = self._with_image(at(PICTURE, self._image)) if PICTURE in places else self.docs
            return self.ask(docs, at, self.columns)

        return self.engine.pull_back(run)

    def run_on(self, replacements: Mapping[Place, Tensor]) -> Tensor:
        """Run what is behind some places on other tensors, and give the scores."""

        def run(tap: Tap) -> tuple[Tensor, Any]:
            def at(place: Place, tensor: Tensor) -> Tensor:
                return tap(place, tensor) if place in replacements else tensor

            return self.ask(self.docs, at, self.columns)

        return self.engine.run_on(run, replacements)[0]

    # What else can be asked about

    def negated(self) -> "Subject":
        """Ask about the negated scores."""

        def ask(docs: Any, tap: Tap, columns: Tensor | None) -> tuple[Tensor, Any]:
            scores, kept = self.ask(docs, tap, columns)
            return -scores, kept

        return attrs.evolve(self, ask=ask)

    def of(self, columns: Tensor | None) -> "Subject":
        """Ask about the targets that were chosen."""
        return attrs.evolve(self, columns=columns)

    def each(self, explain: Callable[..., Tensor], like: Tensor, *beside: Tensor) -> Tensor:
        """Stack what is found of each document by itself, one after the other.

        Parameters
        ----------
        explain
            ``explain(subject, *beside)`` is given a subject of one document, and the rows
            of the other tensors that belong to it.
        like : tensor
            Of the dtype of what it gives.
        *beside : tensors, shape (N, ...)
        """
        columns = [] if self.columns is None else [self.columns]

        def step(item: Any) -> Tensor:
            parts, columns, beside = item
            docs = self.structure.whole(self.docs, [part[None] for part in parts])
            one = attrs.evolve(self, docs=docs, columns=columns[0][None] if columns else None)
            return explain(one, *beside)

        items = (self.structure.parts(self.docs), columns, list(beside))
        return self.engine.collect(step, items, like)

    def repeated(self, count: int) -> "Subject":
        """Ask about the only document so many times."""
        repeat = self.engine.xp.repeat
        parts = [repeat(part, count, axis=0) for part in self.structure.parts(self.docs)]
        columns = None if self.columns is None else repeat(self.columns, count, axis=0)
        return attrs.evolve(self, docs=self.structure.whole(self.docs, parts), columns=columns)

    def variants(self, pixels: Tensor) -> "Subject":
        """Ask about other pictures, shape (n, ..., C), in place of that of the only document."""
        return self.repeated(int(pixels.shape[0])).showing(pixels)

    def showing(self, pixels: Tensor) -> "Subject":
        """Ask about other pictures, shape (N, ..., C), one for each document."""
        image = self.point.form.unfold(self.engine.xp, pixels)
        return attrs.evolve(self, docs=self._with_image(image))
