"""Relus of TensorFlow that are differentiated by another rule, while a graph is written."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from explainkit.engines.base import ReluRule, Rewrites, Tensor

#: The operations that are relus, and the number above which each is flat.
_RELUS = {"Relu": None, "Relu6": 6}
#: Operations that call a function, which keeps the gradients that it was written with.
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")

_rule: ContextVar[ReluRule | None] = ContextVar("rule", default=None)


def _guided(operation: tf.Operation, gradient: Tensor) -> Tensor:
    output = operation.outputs[0]
    active = output > 0
    limit = _RELUS[operation.type]
    if limit is not None:
        active &= output < limit
    return tf.where(active & (gradient > 0), gradient, tf.zeros_like(gradient))


def _deconvolved(_operation: tf.Operation, gradient: Tensor) -> Tensor:
    return tf.nn.relu(gradient)


_GRADIENTS: dict[ReluRule, Callable[[tf.Operation, Tensor], Tensor]] = {
    "guided": _guided,
    "deconvnet": _deconvolved,
}

for _name, _gradient in _GRADIENTS.items():
    tf.RegisterGradient(f"explainkit.{_name}")(_gradient)


def rewrites_relus() -> bool:
    """Tell whether this thread writes a graph whose relus have other gradients."""
    return _rule.get() is not None


@contextmanager
def rewriting_relus(rule: ReluRule) -> Iterator[Rewrites]:
    """Have the graph that is being written differentiate relus by a rule."""
    graph, rewrites = tf.compat.v1.get_default_graph(), Rewrites()
    before = len(graph.get_operations())
    token = _rule.set(rule)
    try:
        with graph.gradient_override_map(dict.fromkeys(_RELUS, f"explainkit.{rule}")):
            yield rewrites
    finally:
        _rule.reset(token)
    _take_stock(graph.get_operations()[before:], graph, rewrites)


def _take_stock(operations: Sequence[tf.Operation], graph: tf.Graph, rewrites: Rewrites) -> None:
    for operation in operations:
        if operation.type in _RELUS:
            rewrites.count += 1
        elif operation.type in _CALLS and _has_relus(graph, operation):
            name = operation.get_attr("f").name
            rewrites.missed.add(f"the compiled function {_as_written(name)}")
        elif operation.type == "Maximum" and any(map(_is_zero, operation.inputs)):
            rewrites.missed.add("the maximum of a tensor and 0")


def _has_relus(graph: Any, call: tf.Operation) -> bool:
    definitions = {one.signature.name: one for one in graph.as_graph_def().library.function}
    inside = [call.get_attr("f").name]
    for name in inside:
        for node in definitions[name].node_def if name in definitions else ():
            if node.op in _RELUS:
                return True
            if node.op in _CALLS and node.attr["f"].func.name not in inside:
                inside.append(node.attr["f"].func.name)
    return False


def _as_written(name: str) -> str:
    """Take off what TensorFlow adds to the name of a function."""
    return name.removeprefix("__inference_").removeprefix("__forward_").rstrip("0123456789_")


def _is_zero(tensor: Tensor) -> bool:
    return bool(
        tf.get_static_value(tensor) is not None and (tf.get_static_value(tensor) == 0).all()
    )
