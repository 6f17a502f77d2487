"""What a metric is: a number that says how good an explanation is, and which way is better."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from explainkit.metrics.batch import Batch
from explainkit.metrics.checking import UnmeasurableError

#: A number, or why there is none.
Measured = float | UnmeasurableError


class Metric(ABC):
    """A named measure of explanations; its options are its fields, so that it is one value.

    Metrics are frozen attrs classes.
    """

    #: What `metrics=` takes.
    name: ClassVar[str]
    #: What people call it.
    title: ClassVar[str]
    #: Its definition.
    formula: ClassVar[str]
    #: The paper that it comes from.
    source: ClassVar[str]
    #: Which way is better.
    better: ClassVar[Literal["higher", "lower"]]
    #: What it asks of the model for each explanation, in words.
    cost: ClassVar[str] = "nothing"
    #: Whether it is yes or no for each explanation: 1 or 0.
    is_share: ClassVar[bool] = False
    #: Whether it must be known which pixels belong to the target.
    needs_masks: ClassVar[bool] = False
    #: Whether the model must say probabilities.
    needs_probabilities: ClassVar[bool] = False

    #: Whether it has documents explained anew.
    explains: ClassVar[bool] = False

    @abstractmethod
    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each explanation of a batch."""


def each(measure: Callable[..., float], *columns: Iterable[Any]) -> list[Measured]:
    """Measure explanations one by one; what cannot be measured stands in its place."""
    found: list[Measured] = []
    for row in zip(*columns, strict=True):
        try:
            found.append(float(measure(*row)))
        except UnmeasurableError as error:
            found.append(error)
    return found


def masks_of(batch: Batch) -> NDArray[np.bool_]:
    """Give the masks of a batch, which `evaluate` has seen to be there."""
    if batch.masks is None:
        raise ValueError("masks say which pixels belong to the target; there are none")
    return batch.masks
