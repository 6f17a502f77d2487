"""Put back what the parts of a model note on themselves when they are called."""

import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import attrs

from explainkit.engines.cache import WeakCache
from explainkit.shared_context import SharedContext

#: Containers, by the classes whose own methods fill them, whatever a framework's do beside.
_CONTAINERS: tuple[Any, ...] = (OrderedDict, dict, list, set)

_contexts = WeakCache()


def left_as_found(
    model: Any, parts_of: Callable[[Any], Collection[Any]]
) -> AbstractContextManager[None]:
    """Take back what calls of a model's parts set as attributes, or put into their containers.

    The last of the threads that explain a model at the same time puts back what the
    first has found.

    Parameters
    ----------
    model
    parts_of
        Lists those whose attributes may be set; a function of a module.
    """
    reference = weakref.ref(model)

    @contextmanager
    def held() -> Iterator[None]:
        found = [Attributes.of(part) for part in parts_of(reference())]
        try:
            yield
        finally:
            for attributes in found:
                attributes.put_back()

    shared: SharedContext = _contexts.get(model, parts_of, lambda: SharedContext(held))
    return shared


@attrs.frozen
class Attributes:
    """The attributes of an object, and what its lists, dicts and sets held, as they were found."""

    _now: dict[str, Any]
    _found: dict[str, Any]
    _contents: dict[str, Any]

    @classmethod
    def of(cls, owner: Any) -> "Attributes":
        """Take down what there is."""
        now = vars(owner)
        kinds = {name: _kind_of(_bare(value)) for name, value in now.items()}
        contents = {name: kind.copy(_bare(now[name])) for name, kind in kinds.items() if kind}
        return cls(now, dict(now), contents)

    def put_back(self) -> None:
        """Make it so again."""
        # Not by setattr, which frameworks follow.
        for name in self._now.keys() - self._found.keys():
            del self._now[name]
        self._now.update(self._found)
        for name, content in self._contents.items():
            _refill(self._found[name], content)


def _bare(value: Any) -> Any:
    """Take off what Keras 2 wraps around lists and dicts."""
    if type(value).__module__.partition(".")[0] not in ("tensorflow", "tf_keras"):
        return value
    inside = (getattr(value, name, None) for name in ("__wrapped__", "_storage"))
    return next((one for one in inside if isinstance(one, dict | list)), value)


def _kind_of(value: Any) -> Any:
    return next((kind for kind in _CONTAINERS if isinstance(value, kind)), None)


def _refill(container: Any, content: Any) -> None:
    bare = _bare(container)
    # Not where nothing changed: other threads look up layers in here.
    if _items(bare) == _items(content):
        return
    kind = _kind_of(bare)
    kind.clear(bare)
    (kind.extend if kind is list else kind.update)(bare, content)
    if hasattr(container, "_update_snapshot"):
        container._update_snapshot()  # noqa: SLF001 - else it would not be saved any more


def _items(container: Any) -> Any:
    if isinstance(container, dict):
        return [(id(key), id(value)) for key, value in container.items()]
    return set(container) if isinstance(container, set) else list(map(id, container))
