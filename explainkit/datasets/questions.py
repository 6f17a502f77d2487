"""What is asked about every document of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from explainkit.datasets.key_digests import KeyDigest
from explainkit.datasets.plain_text import written
from explainkit.datasets.preparing import Preprocess
from explainkit.function_words import name_function
from explainkit.methods.base import Method
from explainkit.methods.cam import GradCAM
from explainkit.option_words import in_words


@attrs.frozen
class Question:
    """What is asked, and how the answer is kept.

    Attributes
    ----------
    method : Method
        How explanations are worked out.
    said : dict
        What else was said of the arguments of `explainkit.explain_predictions`: estimators of
        others need not know what was not.
    targets
        As there; or a mapping from keys to the unit, or the units, of each document.
    preprocess : str, callable or None
    size : tuple of (int, int), or None
        The height and the width of pictures for a model that takes any.
    overlays : bool
        Whether pictures with their heatmaps are kept, too.
    batch_size : int
        How many documents pass through the model at once.
    """

    method: Method
    said: dict[str, Any]
    targets: Any
    preprocess: Preprocess
    size: tuple[int, int] | None
    overlays: bool
    batch_size: int

    def in_words(self) -> dict[str, str]:
        """Say all that the rows depend on."""
        all_said = {
            "method": self.method,
            **self.said,
            "targets": self.targets,
            "preprocess": self.preprocess,
            "size": self.size,
            "overlays": self.overlays,
        }
        words = {
            name: in_words(value, _name_layer if name == "layer" else name_function)
            for name, value in all_said.items()
        }
        return words | {
            name: f"digest {_digest(words[name])}" for name in words if len(words[name]) > _LONGEST
        }

    def arguments(self, keys: Sequence[str] = ()) -> dict[str, Any]:
        """Give the arguments of `explain_predictions` for the documents of some keys."""
        arguments = dict(self.said)
        if self.method != GradCAM():
            arguments["method"] = self.method
        if not isinstance(self.targets, Mapping):
            return arguments if self.targets is None else {**arguments, "targets": self.targets}
        if not keys:
            return arguments
        targets = np.array([np.atleast_1d(self.targets[key]) for key in keys])
        return {**arguments, "targets": targets}

    def lacks(self, key: str) -> bool:
        """Tell whether nobody said what to explain of a document."""
        return isinstance(self.targets, Mapping) and key not in self.targets


#: Longer options, such as the names of a thousand classes, are told by a digest.
_LONGEST = 400


def _digest(text: str) -> str:
    found = KeyDigest()
    found.add(text)
    return found.hexdigest()


def check_targets(targets: Any) -> Any:
    """Refuse a mapping that does not say as many units of each document, and rows without keys.

    Raises
    ------
    TypeError, ValueError
        If its values are no units, or not the same number for each key; if it is an array with
        a row for each document, whose order nobody can check.
    """
    if getattr(targets, "ndim", 0) > 1:
        raise TypeError(
            f"targets is an array of shape {targets.shape}; give a mapping from keys to the unit, "
            "or the units, of each document, or what is asked of all"
        )
    if not isinstance(targets, Mapping):
        return targets
    if not targets:
        raise ValueError("targets is an empty mapping; give the units of each key")
    counts: dict[int, str] = {}
    for key, units in targets.items():
        array = np.atleast_1d(units)
        if array.dtype.kind not in "iu" or array.ndim != 1 or not array.size:
            raise TypeError(
                f"targets[{key!r}] is {units!r}; a mapping gives a unit, or a list of units, for "
                "each key"
            )
        counts.setdefault(len(array), str(key))
    if len(counts) > 1:
        (few, one), (many, other) = sorted(counts.items())[:2]
        raise ValueError(
            f"targets has {few} for {one!r} and {many} for {other!r}; give as many for each key"
        )
    return {written(key): units for key, units in targets.items()}


def _name_layer(value: Any) -> str:
    # A layer is called by its path in the model, as who names it calls it.
    path = getattr(value, "path", None) or getattr(value, "name", None)
    return repr(path) if isinstance(path, str) else name_function(value)
