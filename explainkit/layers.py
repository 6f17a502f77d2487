"""The layers of a model as they ran: which there are, and which one is meant."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import attrs

from explainkit.engines.base import Flow
from explainkit.map_form import MapForm, Sizes
from explainkit.suggestions import did_you_mean


@attrs.frozen
class LayerCall:
    """One application of one layer, as one run of the model has shown it.

    Attributes
    ----------
    path : str
        The names of the models and layers around it and its own, joined by slashes in
        Keras, by dots in PyTorch.
    application : int
        How often the layer at this path had been applied before.
    kind : str
        The name of its class.
    shape : tuple of (int or None), or None
        The output's shape without the documents' axis; None where the output is
        not a single tensor that can be tapped.
    form : MapForm or None
        How the output is read as a map; None where it is none.
    computes : bool
        Whether the output is worked out here: it is not where a layer hands on
        another's tensor, nor where it merely pads, crops, pools, drops or scales.
    flow : Flow
        The inputs of the model that the output is made of, and the outputs of the
        model whose scores are made of it.
    inside_attention : bool
        Whether it mixes what others worked out, so that its axes may be none of a map.
    layer : object or None
        The layer; None once it is gone.
    """

    path: str
    application: int
    kind: str
    shape: tuple[int | None, ...] | None
    form: MapForm | None
    computes: bool
    flow: Flow
    inside_attention: bool = attrs.field(default=False, kw_only=True)
    # What is noted of a model must not keep it alive.
    _reference: Callable[[], Any] = attrs.field(repr=False, eq=False)

    @property
    def layer(self) -> Any:
        """The layer object; None once it is gone."""
        return self._reference()

    @property
    def map_shape(self) -> Sizes | None:
        """The sizes of the map's axes, (height, width) for pictures; None without a map."""
        return None if self.form is None else self.form.sizes

    @property
    def is_spatial(self) -> bool:
        """Whether each axis of the map is greater than 1, as far as is known."""
        sizes = self.map_shape
        return sizes is not None and all(size is None or size > 1 for size in sizes)

    @property
    def has_map(self) -> bool:
        """Whether a map built here has more cells than one."""
        return self.map_shape is not None and any(size != 1 for size in self.map_shape)

    @property
    def has_extra_tokens(self) -> bool:
        """Whether there are tokens beside those of the map, such as that of the class."""
        return self.form is not None and bool(self.form.extra_tokens)


@attrs.frozen
class LayerIndex:
    """All calls of one run of a model, in the order in which they ended.

    Attributes
    ----------
    model : str
        The model's name, for messages.
    calls : tuple of LayerCall
    separator : str
        What stands between the names in a path.
    """

    model: str
    calls: tuple[LayerCall, ...]
    separator: str = "/"

    def name_of(self, call: LayerCall) -> str:
        """Give the layer's own name."""
        return call.path.rpartition(self.separator)[2]

    def spatial(self) -> list[LayerCall]:
        """List the calls that an explanation could be built from."""
        return [call for call in self.calls if call.computes and call.is_spatial]

    def leading(self, outputs: Collection[int]) -> list[LayerCall]:
        """List the calls to choose from where nobody says which, the last being the best.

        They compute maps, of as many axes as there are any of: where a model is
        asked about a picture, the maps are those of the picture.

        Parameters
        ----------
        outputs
            The positions of the outputs to be explained, whose scores must all be
            made of it; none where any output will do.

        Raises
        ------
        ValueError
            If there are none.
        """
        wanted = set(outputs)
        found = [c for c in self.spatial() if c.flow.sinks and wanted <= c.flow.sinks]
        if not found:
            raise ValueError(
                f"model '{self.model}' has no layer whose output has spatial axes greater than 1 "
                "and leads to the score, so there is nowhere to build a heatmap from"
            )
        most = max(len(c.map_shape or ()) for c in found)
        return [call for call in found if len(call.map_shape or ()) == most]

    def check_leads(self, call: LayerCall, outputs: Collection[int]) -> LayerCall:
        """Return the call if the scores of some outputs depend on it.

        Raises
        ------
        ValueError
            If none of them does.
        """
        if not outputs or call.flow.sinks & set(outputs):
            return call
        raise self.unreachable([call], outputs)

    def unreachable(self, calls: Sequence[LayerCall], outputs: Collection[int]) -> ValueError:
        """Make the error for layers that no score depends on."""
        names = ", ".join(repr(self.describe(call)) for call in calls)
        leading = [c for c in self.spatial() if c not in calls and c.flow.sinks & set(outputs)]
        hint = f"; it depends on that of '{self.describe(leading[-1])}'" if leading else ""
        return ValueError(
            f"the score does not depend on the output of layer {names}, or not in a way that can "
            f"be differentiated{hint}"
        )

    def describe(self, call: LayerCall) -> str:
        """Give a call's path, with its application where the layer has several."""
        alone = sum(other.path == call.path for other in self.calls) == 1
        return call.path if alone else f"{call.path}#{call.application}"

    def find_name(self, name: str) -> LayerCall:
        """Find a layer by its name, its path or the end of its path.

        A layer that is applied several times gives its last application;
        ``"name#0"`` is the first.

        Raises
        ------
        LookupError
            If there is no such layer, or there are several.
        """
        wanted, _, application = name.partition("#")
        if application and not application.isdecimal():
            raise LookupError(f"layer {name!r}: behind '#' comes the application, a number from 0")
        paths = dict.fromkeys(call.path for call in self.calls)
        ending = [
            path for path in paths if path == wanted or path.endswith(f"{self.separator}{wanted}")
        ]
        found = [wanted] if wanted in paths else ending
        if not found:
            known = [*paths, *(path.rpartition(self.separator)[2] for path in paths)]
            raise LookupError(
                f"no layer {name!r} ran in model '{self.model}'" + did_you_mean(wanted, known)
            )
        if len(found) > 1:
            raise LookupError(
                f"several layers are called {name!r}: {', '.join(found)}; give a path"
            )
        calls = [call for call in self.calls if call.path == found[0]]
        return self._application(calls, int(application) if application else -1, name)

    def find_layer(self, layer: Any, application: int = -1) -> LayerCall:
        """Find the call of a layer object; the last one, unless it is said which.

        Raises
        ------
        LookupError
            If the layer did not run in this model.
        """
        calls = [call for call in self.calls if call.layer is layer]
        if not calls:
            name = getattr(layer, "name", type(layer).__name__)
            raise LookupError(
                f"layer {name!r} is not among the layers that ran in model '{self.model}'"
                + did_you_mean(str(name), [self.name_of(call) for call in self.calls])
            )
        return self._application(calls, application, calls[0].path)

    def check_map(self, call: LayerCall) -> LayerCall:
        """Return the call if a heatmap can be built from it.

        Raises
        ------
        ValueError
            If its output has no spatial axes.
        """
        if call.has_map:
            return call
        spatial = self.spatial()
        # A near name is the likelier slip; else the layer that would be the default.
        suggestion = did_you_mean(
            self.name_of(call), [self.name_of(other) for other in spatial]
        ) or (f"; '{self.describe(spatial[-1])}' has" if spatial else "")
        if call.shape is None:
            raise ValueError(f"{self._untappable(call)}{suggestion}")
        raise ValueError(
            f"layer '{self.describe(call)}' gives the shape {call.shape} for each doc, which has "
            f"no spatial axes greater than 1{suggestion}"
        )

    def check_tensor(self, call: LayerCall) -> LayerCall:
        """Return the call if its output can be tapped, whatever its axes.

        Raises
        ------
        ValueError
            If it is not one tensor of a row for each document.
        """
        if call.shape is None:
            raise ValueError(self._untappable(call))
        return call

    def _untappable(self, call: LayerCall) -> str:
        return (
            f"layer '{self.describe(call)}' does not give one tensor whose first axis counts docs: "
            "it gives several, or has tokens or windows in front"
        )

    @staticmethod
    def _application(calls: Sequence[LayerCall], application: Any, name: Any) -> LayerCall:
        if isinstance(application, bool) or not isinstance(application, int):
            raise TypeError(f"layer {name!r}: application {application!r} is no number")
        if not -len(calls) <= application < len(calls):
            raise LookupError(
                f"layer {name!r} is applied {len(calls)} times; there is no application "
                f"{application}"
            )
        return calls[application]
