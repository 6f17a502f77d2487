"""Contexts that hold for the whole process, while anybody in it needs them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any


class SharedContext:
    """A context that the first to need it enters, and the last leaves.

    If each thread entered and left by itself, one would put back what it had found
    while another had already changed it, and the change would stay.

    Parameters
    ----------
    make
        Makes the context.

    Examples
    --------
    >>> from contextlib import contextmanager
    >>> @contextmanager
    ... def said():
    ...     print("in")
    ...     yield
    ...     print("out")
    >>> shared = SharedContext(said)
    >>> with shared, shared:
    ...     print("held twice")
    in
    held twice
    out
    """

    def __init__(self, make: Callable[[], AbstractContextManager[Any]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._held = 0
        self._context: AbstractContextManager[Any] | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._held == 0:
                context = self._make()
                context.__enter__()
                self._context = context
            self._held += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._held -= 1
            if self._held == 0 and self._context is not None:
                # Whatever went wrong for the last is nothing to the context.
                self._context.__exit__(None, None, None)
                self._context = None


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give a class or a module another attribute for a while."""
    found = vars(owner).get(name, _NOTHING)
    setattr(owner, name, value)
    try:
        yield
    finally:
        # Somebody may have wrapped ours meanwhile, and still needs it.
        if vars(owner).get(name) is value:
            if found is _NOTHING:
                delattr(owner, name)
            else:
                setattr(owner, name, found)


_NOTHING = object()
