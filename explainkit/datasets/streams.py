"""Documents that a program makes: an iterable of pairs."""

from collections.abc import Iterable, Iterator, Sized
from itertools import chain, count, islice, tee
from typing import Any

import attrs
import numpy as np

from explainkit.datasets.items import Item
from explainkit.datasets.plain_text import written
from explainkit.datasets.shards import Entry, digest_of_keys, shard_name
from explainkit.datasets.sources import Source

_PAIR = 2


@attrs.define
class Stream(Source):
    """Pairs of a key and a document, gone through once.

    Attributes
    ----------
    pairs : iterable of (key, array)
    count : int or None
        How many pairs there are, where the iterable says.
    """

    pairs: Iterable[Any]
    count: int | None = attrs.field(init=False)

    @count.default
    def _counted(self) -> int | None:
        return len(self.pairs) if isinstance(self.pairs, Sized) else None

    def in_words(self) -> dict[str, Any]:
        # What the keys are is seen as they come: each shard has a digest of its own.
        return {"kind": "pairs", "count": self.count}

    def first(self) -> Iterator[Item]:
        # What is looked at now is there again when it is explained.
        self.pairs, looked_at = tee(self.pairs)
        return Stream(looked_at).items()

    def shards(self, size: int) -> Iterator["StreamShard"]:
        items = self.items()
        for number in count():
            first = next(items, None)
            if first is None:
                return
            yield StreamShard(shard_name(number), chain([first], islice(items, size - 1)))

    def items(self) -> Iterator[Item]:
        """Go through the pairs.

        Raises
        ------
        TypeError, ValueError
            Where one is no pair, or its key came before.
        """
        # Hashes are small, however long the keys are.
        seen: set[int] = set()
        for position, pair in enumerate(self.pairs):
            key, content = _parted(position, pair)
            if hash(key) in seen:
                raise ValueError(
                    f"the key {key!r} comes twice, again at {position}; keys must differ"
                )
            seen.add(hash(key))
            yield Item(key, content)


@attrs.frozen
class StreamShard:
    """Some of the pairs, which can be gone through once."""

    name: str
    _items: Iterator[Item] = attrs.field(alias="items")

    def items(self) -> Iterator[Item]:
        """Give the documents, in order."""
        return self._items

    def pass_over(self, entry: Entry) -> None:
        """Go through the pairs that are explained already.

        Raises
        ------
        ValueError
            If they are not those that were explained.
        """
        keys = [item.key for item in self._items]
        if digest_of_keys(keys) != entry.keys:
            raise ValueError(
                f"source gives other keys than before, or in another order: of shard "
                f"{self.name}, {len(keys)} documents from {keys[0]!r} to {keys[-1]!r}; give the "
                "same ones, or another output"
            )


def _parted(position: int, pair: Any) -> tuple[str, Any]:
    if not isinstance(pair, tuple | list) or len(pair) != _PAIR or isinstance(pair[0], np.ndarray):
        said = (
            f"an array of shape {pair.shape}"
            if isinstance(pair, np.ndarray)
            else f"a {type(pair).__name__}"
        )
        raise TypeError(
            f"source gives {said} at {position}; an iterable gives pairs (key, array), such as "
            "enumerate(docs) does"
        )
    return written(pair[0]), pair[1]
