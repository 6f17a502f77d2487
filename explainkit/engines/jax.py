"""The JAX engine: zeros added at the taps, and a pull-back to them."""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from explainkit.engines.base import (
    Place,
    PulledBack,
    ReluRule,
    Rewrites,
    Run,
    Tensor,
    UnreachableTapError,
)
from explainkit.engines.jax_relus import MAXIMUM_WITH_ZERO, missed_relus, rewriting_relus
from explainkit.engines.nested import leaves, mapped
from explainkit.engines.operations import OperationLog, WatchingEngine, noted_log
from explainkit.shared_context import SharedContext, replaced

#: Where JAX's own functions are written.
_HOME = str(Path(jax.__file__).parent)

#: Where JAX stands when it traces the program itself, and no function within it.
_level: ContextVar[Any] = ContextVar("level", default=None)


def _noted(original: Callable[..., Any], name_of: Callable[..., str]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        results = original(*args, **kwargs)
        log, name = noted_log(), name_of(*args, **kwargs)
        if log is not None and log.wants(name):
            made = results if isinstance(results, list | tuple) else [results]
            log.note(name, filter(_is_tracer, args), filter(_is_tracer, made))
        return results

    return call


def _name_of_primitive(primitive: Any, *args: Any, **params: Any) -> str:
    name, log = _own_name(primitive, params), noted_log()
    zeros = [_is_zero(one, log) for one in args]
    if name in _HANDING_ON and zeros and all(zeros):
        return ZEROS
    return MAXIMUM_WITH_ZERO if name in _LIMITING and any(zeros) else name


#: What zeros are noted as, whatever their shape; what hands them on; what limits numbers.
ZEROS = "zeros"
_HANDING_ON = ("broadcast_in_dim", "convert_element_type", "copy", "reshape", "squeeze", "stage")
_LIMITING = ("max", "maximum", "clip", "clamp")


def _is_zero(value: Any, log: OperationLog | None) -> bool:
    if _is_tracer(value):
        return log is not None and log.is_made_by(value, ZEROS)
    plain = isinstance(value, int | float | np.generic | np.ndarray | jax.Array)
    if not plain or np.ndim(value) > 0 or not jnp.issubdtype(jnp.result_type(value), np.number):
        return False
    # On the host: JAX would have to compute it, and be noted.
    return bool(np.asarray(value) == 0)


def _own_name(primitive: Any, params: Any) -> str:
    # A jitted function within a program is a call of one primitive. Somebody's own may have
    # the name of one of JAX's, and do something else.
    if "jaxpr" not in params or "name" not in params:
        return str(primitive.name)
    source = getattr(params["jaxpr"].jaxpr.debug_info, "func_src_info", None) or ""
    return str(params["name"]) if f" at {_HOME}" in source else str(primitive.name)


def _watched_functions() -> Iterator[tuple[Any, str, Callable[..., str]]]:
    yield core.Primitive, "bind", _name_of_primitive
    # Several operations, of which no single one is the activation.
    yield jax.nn, "softmax", lambda *_, **__: "softmax"


@contextmanager
def _noting() -> Iterator[None]:
    with ExitStack() as scope:
        for owner, name, name_of in _watched_functions():
            wrapper = _noted(getattr(owner, name), name_of)
            scope.enter_context(replaced(owner, name, wrapper))
        yield


#: Has each operation noted, in the log of the thread that calls it.
_all_noting = SharedContext(_noting)


def _is_tracer(value: Any) -> bool:
    return isinstance(value, jax.core.Tracer)


def _stand_in(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(tuple(1 if n is None else n for n in array.shape), array.dtype)


class JaxEngine(WatchingEngine):
    """Explanations on JAX, each compiled once for each shape of its arguments."""

    name = "jax"
    reads_variables = False
    compiles = True
    errors = (jax.errors.JaxRuntimeError,)
    xp: ClassVar[Any] = jnp
    passing_on = (
        *("reshape", "squeeze", "expand_dims", "copy", "copy_p", "convert_element_type"),
        *("_reshape", "_squeeze", "stop_gradient", "optimization_barrier"),
    )

    def trace(self, program: Callable[..., Any], state: Any, *arguments: Any) -> Any:
        said: list[Any] = []
        given = (state, *arguments)

        def traced(tensors: list[Any]) -> None:
            # JAX would give dicts back with their keys sorted, which are inputs in order.
            following = iter(tensors)
            structured = mapped(lambda _: next(following), given)
            token = _level.set(core.get_opaque_trace_state(convention="flax"))
            try:
                with self.watching_all():
                    said.append(program(*structured))
            finally:
                _level.reset(token)

        jax.eval_shape(traced, [_stand_in(one) for one in leaves(given)])
        return said[-1]

    def compile(
        self, program: Callable[..., Any], state: Any, *arguments: Any
    ) -> Callable[..., Any]:
        compiled = jax.jit(program)
        # Traced now, so that what is wrong with the program is told now.
        jax.eval_shape(compiled, *jax.tree.map(_stand_in, (state, *arguments)))

        def run(*arrays: Any) -> Any:
            # Somebody may be tracing a function of their own.
            with jax.ensure_compile_time_eval():
                return jax.tree.map(np.asarray, compiled(*arrays))

        return run

    def collect(self, step: Callable[[Any], Tensor], items: Any, like: Tensor) -> Tensor:  # noqa: ARG002
        return jax.lax.map(step, items)

    @contextmanager
    def rewriting_relus(self, rule: ReluRule) -> Iterator[Rewrites]:
        with rewriting_relus(rule) as rewrites:
            yield rewrites
        log = noted_log()
        rewrites.missed |= missed_relus(log.names() if log else ())

    def noting(self) -> AbstractContextManager[None]:
        return _all_noting

    def pull_back(self, run: Run) -> PulledBack:
        specs = self._tapped(run)

        def from_zeros(zeros: list[Tensor]) -> tuple[Tensor, Any]:
            added = dict(zip(specs, zeros, strict=True))
            activations: dict[Place, Tensor] = {}

            def tap(place: Place, tensor: Tensor) -> Tensor:
                activations[place] = tensor + added[place]
                return activations[place]

            scores, kept = run(tap)
            return scores, (kept, [activations[place] for place in specs])

        zeros = [jnp.zeros(spec.shape, spec.dtype) for spec in specs.values()]
        scores, pull, (kept, activations) = jax.vjp(from_zeros, zeros, has_aux=True)
        columns = jnp.eye(scores.shape[1], dtype=scores.dtype)
        cotangents = jnp.broadcast_to(columns[:, None], (len(columns), *scores.shape))
        _check_reached(pull, scores, tuple(specs))
        [gradients] = jax.vmap(pull, out_axes=1)(cotangents)
        by_place = (dict(zip(specs, one, strict=True)) for one in (activations, gradients))
        return PulledBack(scores, kept, *by_place)

    @staticmethod
    def _tapped(run: Run) -> dict[Place, jax.ShapeDtypeStruct]:
        """Run on stand-ins, to see which places are tapped and what shapes are there."""
        specs: dict[Place, jax.ShapeDtypeStruct] = {}

        def tap(place: Place, tensor: Tensor) -> Tensor:
            specs[place] = _stand_in(tensor)
            return tensor

        jax.eval_shape(lambda: run(tap)[0])
        return specs

    def widen(self, tensor: Tensor) -> Tensor:
        return tensor.astype(jnp.float32) if tensor.dtype.itemsize < 4 else tensor

    def is_tappable(self, value: Any) -> bool:
        here = core.get_opaque_trace_state(convention="flax")
        return _is_tracer(value) and here == _level.get()

    def is_floating(self, value: Any) -> bool:
        return isinstance(value, jax.Array) and bool(jnp.issubdtype(value.dtype, jnp.floating))


def _check_reached(pull: Callable[..., Any], scores: Tensor, places: tuple[Place, ...]) -> None:
    """Raise an error for taps whose gradients are zeros that no cotangent made."""
    traced = jax.make_jaxpr(pull)(scores).jaxpr
    made = set(traced.invars)
    for equation in traced.eqns:
        if any(isinstance(v, core.Var) and v in made for v in equation.invars):
            made |= set(equation.outvars)
    unreachable = tuple(
        place
        for place, gradient in zip(places, traced.outvars, strict=True)
        if not (isinstance(gradient, core.Var) and gradient in made)
    )
    if unreachable:
        raise UnreachableTapError(unreachable)
