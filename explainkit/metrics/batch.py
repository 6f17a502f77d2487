"""What metrics look at: some documents, what a method said of them, and the model."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.asking import pictures_in, with_pictures
from explainkit.explanation import Explanation
from explainkit.metrics.laying import laid
from explainkit.metrics.targeting import explained_at

Value = TypeVar("Value")


@attrs.define(eq=False, slots=False)
class Batch:
    """Some documents, and one explanation of each, of one target.

    Attributes
    ----------
    model
        The estimator.
    docs : array, shape (N, ...)
        In the model's own structure.
    explanations : sequence of Explanation
        One for each document.
    targets : sequence
        What is explained: a unit, (output, unit) or a callable, one for each document.
    asked : mapping
        The arguments with which they were explained, apart from `targets`.
    positions : sequence of int
        Which documents they are, in all that is evaluated.
    masks : ndarray of bool, shape (N, ...), or None
        The pixels that belong to the target of each document, where that is known.
    activation : {"softmax", "sigmoid"} or None
        What makes probabilities of the model's outputs where the model does not.
    shared : dict
        What metrics keep from one batch to the next, and from one method to the next.
    """

    model: Any
    docs: Any
    explanations: Sequence[Explanation]
    targets: Sequence[Any]
    asked: Mapping[str, Any] = attrs.field(factory=dict)
    positions: Sequence[int] = ()
    masks: NDArray[np.bool_] | None = None
    activation: str | None = None
    shared: dict[Hashable, Any] = attrs.field(factory=dict)
    _found: dict[Hashable, Any] = attrs.field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self.explanations)

    @property
    def logits(self) -> bool:
        """Whether the scores are those before a final softmax or sigmoid."""
        return bool(self.asked.get("logits", True))

    @cached_property
    def pictures(self) -> NDArray[Any]:
        """The pictures among the documents, floats, channels last, shape (N, ..., C)."""
        pictures = pictures_in(self.model, self.docs, self.targets)
        # Of whole numbers, what is added would be cut off.
        return pictures if pictures.dtype.kind == "f" else pictures.astype(np.float32)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Height and width of the pictures."""
        return tuple(self.pictures.shape[1:-1])

    @cached_property
    def maps(self) -> NDArray[np.float64]:
        """The raw, signed maps, laid over the pictures, shape (N, height, width)."""
        return laid(np.stack([one.targets[0].map for one in self.explanations]), self.sizes)

    @cached_property
    def heatmaps(self) -> NDArray[np.float64]:
        """The heatmaps, in [0, 1], laid over the pictures, shape (N, height, width)."""
        return laid(np.stack([one.targets[0].heatmap for one in self.explanations]), self.sizes)

    def once(self, key: Hashable, find: Callable[[], Value]) -> Value:
        """Find what several metrics ask for, once."""
        if key not in self._found:
            self._found[key] = find()
        found: Value = self._found[key]
        return found

    def explained(
        self, pictures: NDArray[Any] | None = None, model: Any = None, targets: Any = None
    ) -> NDArray[np.float64]:
        """Explain as the documents were explained, but for other pictures, weights or targets.

        Returns
        -------
        ndarray, shape (N, h, w)
            The raw maps, of their own size: NaN where there is none.
        """
        docs = self.docs
        if pictures is not None:
            docs = with_pictures(self.model, docs, pictures, self.targets)
        asked = {"batch_size": len(self), **self.asked, "on_error": "record"}
        layer = self.explanations[0].layer
        if model is not None and "layer" in asked and layer:
            # The model's own layers may be none of the other's, but are called alike.
            asked["layer"] = layer.split(" + ")
        found = explained_at(
            self.model if model is None else model,
            docs,
            self.targets if targets is None else targets,
            **asked,
        )
        blank = np.full(self.explanations[0].targets[0].map.shape, np.nan)
        maps = [blank if one.error else one.targets[0].map for one in found]
        return np.stack(maps).astype(np.float64)
