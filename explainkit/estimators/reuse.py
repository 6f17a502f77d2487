"""What was worked out before some place, used again by later runs on the same document.

Engines that compile leave out by themselves what nobody needs. Elsewhere a run on other
tensors at a place would work out again all that comes before it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import attrs

from explainkit.engines.base import Place
from explainkit.engines.nested import leaves, mapped


@attrs.frozen
class _Kept:
    """What a call returned, and how often each layer had been applied by then."""

    output: Any
    applications: Counter[str]


@attrs.define(eq=False)
class Memory:
    """The outputs of the calls that end before a place is reached.

    Attributes
    ----------
    place : hashable
    count : int
        How many documents the present run is about.
    """

    place: Place
    count: int = 1
    _kept: dict[Place, _Kept] = attrs.field(factory=dict, init=False)
    _notes: bool = attrs.field(default=True, init=False)

    def note(self, place: Place, output: Any, applications: Counter[str]) -> None:
        """Keep what a call returned, in the run on two copies of the document that goes first."""
        if self._notes and place != self.place:
            # What has not a row for each copy is something else than the document's.
            if _is_plain(output) and all(map(_is_twice_the_same, leaves(output))):
                of_one = mapped(lambda tensor: tensor[:1], output)
                self._kept[place] = _Kept(of_one, Counter(applications))
        else:
            self._notes = False

    def output_of(self, place: Place, applications: Counter[str]) -> Any:
        """Give what a call returned, for each copy of the document; None if it must run."""
        kept = None if self._notes or self.count == 1 else self._kept.get(place)
        if kept is None:
            return None
        applications.clear()
        applications.update(kept.applications)
        # Copies that take no room. Who writes into them is stopped by an error.
        return mapped(lambda tensor: tensor.expand(self.count, *tensor.shape[1:]), kept.output)

    def forget(self) -> None:
        """Have all calls run."""
        self._kept.clear()

    @property
    def is_used(self) -> bool:
        """Whether runs use what was kept."""
        return bool(self._kept) and not self._notes


_memory: ContextVar[Memory | None] = ContextVar("memory", default=None)


def current_memory() -> Memory | None:
    """Give what this thread's runs may use, if anything."""
    return _memory.get()


@contextmanager
def reusing(first_run: Callable[[], Any], place: Place) -> Iterator[None]:
    """Let runs on copies of a document use what a first run works out before a place.

    Parameters
    ----------
    first_run
        Runs the model on two copies.
    place
    """
    token = _memory.set(Memory(place))
    try:
        first_run()
        yield
    finally:
        _memory.reset(token)


def run_with_memory(run: Callable[[], Any], count: int) -> Any:
    """Run a model on so many documents, and use what is kept where that can be done."""
    memory = current_memory()
    if memory is None:
        return run()
    memory.count = count
    try:
        return run()
    except RuntimeError:
        if not memory.is_used:
            raise
        # Something between the layers writes into what they gave it.
        memory.forget()
    return run()


def _is_plain(output: Any) -> bool:
    """Tell a tensor, or plain containers of tensors, from what has a mind of its own."""
    if type(output) is dict:
        return all(map(_is_plain, output.values()))
    if type(output) in (tuple, list):
        return all(map(_is_plain, output))
    return hasattr(output, "clone")


def _is_twice_the_same(value: Any) -> bool:
    shape = tuple(getattr(value, "shape", ()))
    return shape[:1] == (2,) and bool((value[0] == value[1]).all())
