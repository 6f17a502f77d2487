"""A scribe: it turns explanations into rows as they come, and commits them as one shard."""

from collections import Counter
from collections.abc import Sequence

import attrs
import numpy as np
import pyarrow as pa

from explainkit.datasets.overlays import draw_overlay
from explainkit.datasets.rows import Explained, as_rows
from explainkit.datasets.runs import Run
from explainkit.datasets.shards import Entry, commit, digest_of_keys
from explainkit.datasets.stores import Store


@attrs.define
class Scribe:
    """The rows of one shard so far.

    What was explained is let go of at once: records may hold pictures and documents.

    Attributes
    ----------
    name : str
        The shard's.
    run : Run
    store : Store
    overlays : bool
        Whether overlays are drawn.
    """

    name: str
    run: Run
    store: Store
    overlays: bool
    _tables: list[pa.Table] = attrs.field(factory=list, init=False)
    _keys: list[str] = attrs.field(factory=list, init=False)
    _errors: Counter[str] = attrs.field(factory=Counter, init=False)
    _blank: int = attrs.field(default=0, init=False)

    def add(self, explained: Sequence[Explained]) -> None:
        """Write documents that follow those that were added before."""
        first = len(self._keys)
        if self.overlays:
            explained = [
                draw_overlay(self.store, self.name, place, one)
                for place, one in enumerate(explained, start=first)
            ]
        self._tables.append(as_rows(explained, first, self.run.constants))
        for one in explained:
            self._keys.append(one.key)
            self._blank += sum(not np.any(target.heatmap) for target in one.expl.targets)
            if one.expl.error:
                self._errors[one.expl.error.partition(": ")[0]] += 1

    def commit(self) -> Entry:
        """Commit the shard.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        entry = Entry(
            self.name,
            self.run.digest,
            len(self._keys),
            sum(table.num_rows for table in self._tables),
            dict(self._errors),
            self._blank,
            digest_of_keys(self._keys),
            self.run.map_shape,
        )
        commit(self.store, entry, self._tables, self.run.constants)
        return entry
