"""What was worked out for a model, kept for as long as the model lives."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")

#: How many programs are kept for a model. Each question of another form (layer,
#: number of targets, size of document) is one; the least used one is dropped.
PROGRAMS_PER_MODEL = 128


class _Shelf:
    """The values kept for one model, with a lock: work is done once, by one thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.values: OrderedDict[Hashable, Any] = OrderedDict()


class WeakCache:
    """Values by model and key, dropped when the model is.

    Models are told apart by identity, since their classes may define equality.
    The values must not refer to their model, or it would never be freed.
    """

    def __init__(self, size: int = PROGRAMS_PER_MODEL) -> None:
        self._size = size
        self._shelves: dict[int, _Shelf] = {}
        self._lock = threading.Lock()

    def get(self, model: Any, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made on the first call."""
        shelf = self._shelf(model)
        with shelf.lock:
            if key not in shelf.values:
                shelf.values[key] = make()
                while len(shelf.values) > self._size:
                    shelf.values.popitem(last=False)
            shelf.values.move_to_end(key)
            value: Value = shelf.values[key]
            return value

    def _shelf(self, model: Any) -> _Shelf:
        with self._lock:
            identity = id(model)
            if identity not in self._shelves:
                self._shelves[identity] = _Shelf()
                weakref.finalize(model, self._shelves.pop, identity, None).atexit = False
            return self._shelves[identity]

    def __len__(self) -> int:
        return len(self._shelves)
