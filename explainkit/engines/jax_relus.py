"""Relus of JAX that are differentiated by another rule, while a program is traced."""

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp

from explainkit.engines.base import ReluRule, Rewrites, Tensor
from explainkit.shared_context import SharedContext, replaced

#: The functions that are relus, and the number above which each is flat.
_RELUS: dict[str, float | None] = {"relu": None, "relu6": 6.0}

#: What operations are noted as that compute a relu without its name.
MAXIMUM_WITH_ZERO = "the maximum of a tensor and 0"

#: What JAX keeps of functions that are traced in here is found in here only.
_traced_apart = jax.make_user_context(None)

_current: ContextVar[tuple[ReluRule, Rewrites] | None] = ContextVar("current", default=None)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _relu(tensor: Tensor, rule: ReluRule, limit: float | None) -> Tensor:  # noqa: ARG001
    # Not by a maximum, which would pass for a relu that was missed.
    positive = jnp.where(tensor > 0, tensor, jnp.zeros_like(tensor))
    return positive if limit is None else jnp.minimum(positive, limit)


def _forward(tensor: Tensor, rule: ReluRule, limit: float | None) -> tuple[Tensor, Tensor]:
    return _relu(tensor, rule, limit), tensor


def _backward(
    rule: ReluRule, limit: float | None, tensor: Tensor, gradient: Tensor
) -> tuple[Tensor]:
    lets_through = gradient > 0
    if rule == "guided":
        lets_through &= tensor > 0
        if limit is not None:
            lets_through &= tensor < limit
    return (jnp.where(lets_through, gradient, jnp.zeros_like(gradient)),)


_relu.defvjp(_forward, _backward)


def _rewritten(original: Callable[..., Any], limit: float | None) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(x: Any) -> Any:
        current = _current.get()
        if current is None:
            return original(x)
        rule, rewrites = current
        rewrites.count += 1
        return _relu(jnp.asarray(x), rule, limit)

    return call


@contextmanager
def _replacing() -> Iterator[None]:
    with ExitStack() as scope:
        for name, limit in _RELUS.items():
            wrapper = _rewritten(getattr(jax.nn, name), limit)
            scope.enter_context(replaced(jax.nn, name, wrapper))
        yield


_replaced = SharedContext(_replacing)


@contextmanager
def rewriting_relus(rule: ReluRule) -> Iterator[Rewrites]:
    """Have this thread trace relus that are differentiated by a rule."""
    rewrites = Rewrites()
    # Somebody's own compiled functions are traced anew in here, and as ever outside.
    with _replaced, _traced_apart(rule):
        token = _current.set((rule, rewrites))
        try:
            yield rewrites
        finally:
            _current.reset(token)


def missed_relus(operations: Iterable[str]) -> set[str]:
    """Tell which of the operations that ran were relus with their own gradients."""
    # Somebody may have taken the function out of its module before it was replaced there.
    named = {f"{name}, taken from jax.nn before" for name in _RELUS if name in set(operations)}
    return named | ({MAXIMUM_WITH_ZERO} & set(operations))
