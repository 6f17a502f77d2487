"""Operations noted as they are called, for frameworks whose tensors do not know their makers."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import ClassVar

import attrs

from explainkit.engines.base import ActivationName, Engine, Flow, Tensor

#: The activations that may end a model, by the names of the functions that compute them.
ACTIVATIONS: dict[str, ActivationName] = {
    "softmax": "softmax",
    "log_softmax": "log_softmax",
    "sigmoid": "sigmoid",
    "logistic": "sigmoid",
    "expit": "sigmoid",
}


@attrs.frozen(eq=False)
class _Made:
    """The operation that made a tensor."""

    name: str
    operands: tuple[Tensor, ...]


class OperationLog:
    """What each tensor of a program was made of, by which operation.

    Parameters
    ----------
    passing_on
        The names of the operations that hand a tensor on with its values.
    only
        The names of those that are to be noted; None for all.
    """

    def __init__(self, passing_on: Iterable[str], only: Iterable[str] | None = None) -> None:
        self._passing_on = frozenset(passing_on)
        self._only = None if only is None else frozenset(only)
        self._made: dict[int, list[_Made]] = {}
        # Tensors are kept while they are told apart by identity.
        self._kept: list[Tensor] = []

    def wants(self, name: str) -> bool:
        """Tell whether operations of this name are to be noted."""
        return self._only is None or name in self._only

    def note(self, name: str, operands: Iterable[Tensor], results: Iterable[Tensor]) -> None:
        """Note that an operation made some tensors of others."""
        operation = _Made(name, tuple(operands))
        for result in results:
            self._kept.append(result)
            self._made.setdefault(id(result), []).append(operation)

    def is_made_by(self, tensor: Tensor, name: str) -> bool:
        """Tell whether an operation of this name made a tensor."""
        return any(operation.name == name for operation in self._made.get(id(tensor), ()))

    def names(self) -> set[str]:
        """Give the names of the operations that were noted."""
        return {operation.name for operations in self._made.values() for operation in operations}

    def before_activation(self, output: Tensor) -> tuple[Tensor, ActivationName | None]:
        """Find what a final activation was called with, handed on as its result was."""
        activated = self.originals(output)[-1]
        for operation in reversed(self._made.get(id(activated), ())):
            name = ACTIVATIONS.get(operation.name)
            if name is not None:
                logits = operation.operands[0]
                alike = tuple(logits.shape) == tuple(output.shape)
                return logits if alike else logits.reshape(output.shape), name
        return output, None

    def originals(self, tensor: Tensor) -> list[Tensor]:
        """List the tensor, and those before it that were merely handed on."""
        found = [tensor]
        while True:
            operations = self._made.get(id(found[-1]), ())
            before = next(
                (one.operands[0] for one in operations if one.name in self._passing_on), None
            )
            if before is None or any(before is one for one in found):
                return found
            found.append(before)

    def flow(
        self, inputs: Sequence[Tensor], tensors: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> list[Flow]:
        """Tell for each of some tensors which inputs it is made of, and which outputs of it."""
        operands = self._operands()
        results = _turned(operands)
        after = [_reached(one, results) for one in inputs]
        before = [_reached(one, operands) for one in outputs]
        return [
            Flow(
                frozenset(i for i, found in enumerate(after) if id(tensor) in found),
                frozenset(i for i, found in enumerate(before) if id(tensor) in found),
            )
            for tensor in tensors
        ]

    def _operands(self) -> dict[int, list[int]]:
        return {
            result: [id(one) for operation in operations for one in operation.operands]
            for result, operations in self._made.items()
        }


def _turned(steps: dict[int, list[int]]) -> dict[int, list[int]]:
    """Turn steps round, so that they lead from each tensor to what is made of it."""
    found: dict[int, list[int]] = {}
    for result, operands in steps.items():
        for operand in operands:
            found.setdefault(operand, []).append(result)
    return found


def _reached(tensor: Tensor, steps: dict[int, list[int]]) -> set[int]:
    """Follow a tensor, one operation after the other, to all that it leads to."""
    found: set[int] = set()
    open_ends = [id(tensor)]
    while open_ends:
        one = open_ends.pop()
        if one not in found:
            found.add(one)
            open_ends += steps.get(one, ())
    return found


_log: ContextVar[OperationLog | None] = ContextVar("log", default=None)


def noted_log() -> OperationLog | None:
    """Give the log in which operations of this thread are to be noted, if any."""
    return _log.get()


class WatchingEngine(Engine):
    """An engine that looks back with the help of a log."""

    #: The operations that hand a tensor on with its values.
    passing_on: ClassVar[tuple[str, ...]]

    @abstractmethod
    def noting(self) -> AbstractContextManager[None]:
        """Note each operation of this thread in its log."""

    def watching(self) -> AbstractContextManager[None]:
        # What looking back from an output needs: the rest would be kept for nothing.
        only = (*self.passing_on, *ACTIVATIONS)
        return self._noted_in(OperationLog(self.passing_on, only))

    def watching_all(self) -> AbstractContextManager[None]:
        """Note every operation, to tell where tensors come from and go to."""
        return self._noted_in(OperationLog(self.passing_on))

    @contextmanager
    def _noted_in(self, log: OperationLog) -> Iterator[None]:
        token = _log.set(log)
        try:
            with self.noting():
                yield
        finally:
            _log.reset(token)

    def before_activation(self, output: Tensor) -> tuple[Tensor, ActivationName | None]:
        log = _log.get()
        return (output, None) if log is None else log.before_activation(output)

    def originals(self, tensor: Tensor) -> list[Tensor]:
        log = _log.get()
        return [tensor] if log is None else log.originals(tensor)

    def flow(
        self, inputs: Sequence[Tensor], tensors: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> list[Flow]:
        log = _log.get()
        if log is None:
            raise RuntimeError("nobody watched where the tensors went")
        return log.flow(inputs, tensors, outputs)
