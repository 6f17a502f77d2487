"""The tensors in what a PyTorch module returns: tuples, dicts, dataclasses, and these nested."""

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch


def named_tensors(outputs: Any) -> list[tuple[str, torch.Tensor]]:
    """List the tensors in a module's outputs, each by the way to it.

    Parameters
    ----------
    outputs
        A tensor, or lists, tuples, mappings and dataclasses of them. What is neither
        is passed over.

    Examples
    --------
    >>> [name for name, _ in named_tensors({"logits": torch.ones(1), "more": [torch.ones(1)]})]
    ['logits', 'more.0']
    """
    if isinstance(outputs, torch.Tensor):
        return [("output", outputs)]
    names_alone = isinstance(outputs, Mapping) or dataclasses.is_dataclass(outputs)
    return [
        (name if names_alone else f"output_{name}", tensor) for name, tensor in _within(outputs)
    ]


def with_tensors(outputs: Any, others: Mapping[int, torch.Tensor]) -> Any:
    """Copy a module's outputs, with other tensors in the place of those, by their ids."""
    if isinstance(outputs, torch.Tensor):
        return others.get(id(outputs), outputs)
    if isinstance(outputs, tuple) and hasattr(outputs, "_fields"):
        return type(outputs)(*(with_tensors(item, others) for item in outputs))
    if isinstance(outputs, list | tuple):
        return type(outputs)(with_tensors(item, others) for item in outputs)
    if isinstance(outputs, Mapping):
        # A copy of whatever kind of mapping it is; some are dataclasses, too.
        copied: Any = copy.copy(outputs)
        for key, item in outputs.items():
            copied[key] = with_tensors(item, others)
        return copied
    if dataclasses.is_dataclass(outputs):
        copied = copy.copy(outputs)
        for name, item in _fields(outputs):
            object.__setattr__(copied, name, with_tensors(item, others))
        return copied
    return outputs


def _within(value: Any) -> Iterator[tuple[str, torch.Tensor]]:
    for name, item in _items(value):
        if isinstance(item, torch.Tensor):
            yield name, item
        else:
            yield from ((f"{name}.{inner}", tensor) for inner, tensor in _within(item))


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(key), item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(position), item) for position, item in enumerate(value))
    elif dataclasses.is_dataclass(value):
        yield from _fields(value)


def _fields(record: Any) -> Iterator[tuple[str, Any]]:
    return ((field.name, getattr(record, field.name)) for field in dataclasses.fields(record))
