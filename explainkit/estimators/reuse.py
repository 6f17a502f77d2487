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


@attrs.define
class _Kept:
    """What a call returned.

    Attributes
    ----------
    output, early
        As it is now, and as it was when it was returned: others may write into it.
    applications
        How often each layer had been applied by then.
    writings
        How often its tensors had been written into when somebody last looked.
    by_calls, between_calls
        Whether that was done by calls that are kept, too, or by what runs between them.
    """

    output: Any
    early: Any
    applications: Counter[str]
    writings: list[int]
    by_calls: bool = False
    between_calls: bool = False

    def was_written_to(self) -> bool:
        """Tell whether its tensors were written into since somebody last looked."""
        before, self.writings = self.writings, _writings(self.output)
        return before != self.writings


@attrs.define(eq=False)
class Memory:
    """The outputs of the calls that end before a place is reached.

    A call that is kept is not run again, and nor is what it wrote into others' outputs:
    these are kept as they are afterwards. What runs between such calls does run again, and
    writes again: that is given what it had been given.

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
    #: For each call that has begun: what was kept then, and written into between calls.
    _begun: list[dict[Place, bool]] = attrs.field(factory=list, init=False)

    def begin(self) -> None:
        """Note that a call begins, in the run on two copies of the document that goes first."""
        if self._notes:
            self._look_for_writings()
            self._begun.append({place: one.between_calls for place, one in self._kept.items()})

    def reach(self, place: Place) -> None:
        """Note that the run has come to a place."""
        if self._notes and place == self.place:
            self._look_for_writings()
            self._notes = False
            # Of what both have written into, nobody can tell what it should be.
            if any(one.by_calls and one.between_calls for one in self._kept.values()):
                self._kept.clear()

    def end(self, place: Place, output: Any, applications: Counter[str]) -> None:
        """Keep what a call returned, in the place of what the calls in it did."""
        if not self._notes:
            return
        before = self._begun.pop()
        # What has not a row for each copy is something else than the document's.
        if not _is_plain(output) or not all(map(_is_twice_the_same, leaves(output))):
            return
        for inside in self._kept.keys() - before.keys():
            del self._kept[inside]
        for other, one in self._kept.items():
            one.by_calls |= one.was_written_to() or one.between_calls != before[other]
            one.between_calls = before[other]
        of_one = mapped(lambda tensor: tensor[:1], output)
        early = mapped(lambda tensor: tensor.clone(), of_one)
        self._kept[place] = _Kept(of_one, early, Counter(applications), _writings(of_one))

    def _look_for_writings(self) -> None:
        for one in self._kept.values():
            one.between_calls |= one.was_written_to()

    def output_of(self, place: Place, applications: Counter[str]) -> Any:
        """Give what a call returned, for each copy of the document; None if it must run."""
        kept = None if self._notes or self.count == 1 else self._kept.get(place)
        if kept is None:
            return None
        applications.clear()
        applications.update(kept.applications)

        def copied(tensor: Any) -> Any:
            # Copies that take no room, but where somebody will write into them.
            copies = tensor.expand(self.count, *tensor.shape[1:])
            return copies.clone() if kept.between_calls else copies

        return mapped(copied, kept.early if kept.between_calls else kept.output)

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


def _writings(output: Any) -> list[int]:
    return [tensor._version for tensor in leaves(output)]  # noqa: SLF001 - no public way
