"""Metrics that note what they are asked, and fall over where they are told."""

from typing import ClassVar

import attrs
import numpy as np

from explainkit.metrics import Metric, UnmeasurableError

#: Which documents were measured, since it was last cleared.
SEEN = []


@attrs.frozen
class Counting(Metric):
    """The mean of the map; it notes which documents it has seen."""

    name: ClassVar[str] = "counting"
    title: ClassVar[str] = "Counting"
    formula: ClassVar[str] = "mean of the map"
    source: ClassVar[str] = "none"
    better: ClassVar = "higher"

    def measure(self, batch):
        for position in batch.positions:
            if position in FALLS_AT:
                raise KeyboardInterrupt
        SEEN.extend(batch.positions)
        return [float(map_.mean()) for map_ in batch.maps]


#: At which documents somebody pulls the plug.
FALLS_AT = set()


@attrs.frozen
class Odd(Metric):
    """A number for even documents only."""

    name: ClassVar[str] = "odd"
    title: ClassVar[str] = "Odd"
    formula: ClassVar[str] = "1"
    source: ClassVar[str] = "none"
    better: ClassVar = "lower"
    is_share: ClassVar[bool] = True

    def measure(self, batch):
        return [UnmeasurableError("it is odd") if p % 2 else 1.0 for p in batch.positions]


@attrs.frozen
class Endless(Odd):
    """What overflows."""

    name: ClassVar[str] = "endless"

    def measure(self, batch):
        return [float(np.inf) for _ in batch.positions]
