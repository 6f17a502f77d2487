"""See, and change, what passes between a model's layers while it runs.

Frameworks have no hook for this that leaves a model untouched. So the method that
every layer is called through, `__call__` of some base class, is wrapped for as
long as somebody looks on. Other threads, and models that nobody observes, pass
through it as ever; when the last observer leaves, the original is back.
"""

import functools
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

import attrs

from explainkit.estimators.reuse import current_memory
from explainkit.shared_context import SharedContext, replaced

#: Where a tap sits: the path of the layer, and which of its applications, counted from 0.
Place = tuple[str, int]
#: May give another object to be called in the place of a layer, at a place.
Entrance = Callable[[Any, Place], Any]


def unchanged(layer: Any, _place: Place) -> Any:
    """Let a layer be called as it is."""
    return layer


@attrs.frozen
class Call:
    """One application of one layer, just ended.

    Attributes
    ----------
    layer : object
    place : tuple of (str, int)
        The path of the layer, and how often the layer at this path was applied before.
    output : anything
        What the layer returned.
    """

    layer: Any
    place: Place
    output: Any


#: Sees each call as it ends, and gives the output to go on with.
Visitor = Callable[[Call], Any]


class Observation(ABC):
    """One run of one model, seen by one visitor."""

    def __init__(self, visit: Visitor, enter: Entrance = unchanged) -> None:
        self._visit = visit
        self._enter = enter
        self._memory = current_memory()
        self._around: list[str] = []
        self._applications: Counter[str] = Counter()

    @abstractmethod
    def path_of(self, layer: Any, around: list[str]) -> str:
        """Give the path of a layer that is called within others; empty for the model itself."""

    def call(self, layer: Any, original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call a layer, and show what comes of it."""
        path = self.path_of(layer, self._around)
        place = (path, self._applications[path])
        if path and self._memory is not None:
            known = self._memory.output_of(place, self._applications)
            if known is not None:
                return known
            self._memory.begin()
        self._around.append(path)
        try:
            entered = self._enter(layer, place) if path else layer
            output = original(entered, *args, **kwargs)
        finally:
            self._around.pop()
        if not path:
            return output
        visited = self.visit(layer, path, output)
        if self._memory is not None:
            self._memory.end(place, output, self._applications)
        return visited

    def visit(self, layer: Any, path: str, output: Any) -> Any:
        """Show the output of a layer to the visitor."""
        place = (path, self._applications[path])
        self._applications[path] += 1
        if self._memory is not None:
            self._memory.reach(place)
        return self._visit(Call(layer, place, output))


class NamedObservation(Observation):
    """A run of a model whose layers have names of their own."""

    def path_of(self, layer: Any, around: list[str]) -> str:
        # The model itself is the root: paths start inside it.
        if not around:
            return ""
        return f"{around[-1]}/{layer.name}" if around[-1] else str(layer.name)


class ObservedCalls:
    """The `__call__` of some classes, wrapped for as long as somebody looks on.

    Parameters
    ----------
    *kinds
        The classes.
    """

    def __init__(self, *kinds: type) -> None:
        self._kinds = kinds
        self._observation: ContextVar[Observation | None] = ContextVar("observation", default=None)
        self._wrapped = SharedContext(self._wrapping)

    @contextmanager
    def by(self, observation: Observation) -> Iterator[None]:
        """Let an observation see the calls of this thread."""
        with self._wrapped:
            token = self._observation.set(observation)
            try:
                yield
            finally:
                self._observation.reset(token)

    def _observed(self, kind: type, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(called: Any, *args: Any, **kwargs: Any) -> Any:
            observation = self._observation.get()
            # An object of several of the classes calls itself as each: that is one call.
            if observation is None or self._first_kind(called) is not kind:
                return original(called, *args, **kwargs)
            return observation.call(called, original, args, kwargs)

        return call

    def _first_kind(self, called: Any) -> type | None:
        return next((kind for kind in self._kinds if isinstance(called, kind)), None)

    @contextmanager
    def _wrapping(self) -> Iterator[None]:
        with ExitStack() as scope:
            for kind in self._kinds:
                wrapper = self._observed(kind, kind.__call__)
                scope.enter_context(replaced(kind, "__call__", wrapper))
            yield
