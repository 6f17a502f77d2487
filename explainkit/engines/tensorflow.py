"""The TensorFlow engine: a tape that watches only the tapped tensors."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

from explainkit.engines.base import (
    ActivationName,
    Engine,
    Flow,
    Place,
    PulledBack,
    ReluRule,
    Rewrites,
    Run,
    Tensor,
    UnreachableTapError,
)
from explainkit.engines.tensorflow_relus import rewrites_relus, rewriting_relus

#: Operations that hand a tensor on with its values, so that the activation
#: behind them is still the final one.
_PASSING_ON = {"Identity", "Cast", "Reshape", "Squeeze", "ExpandDims", "StopGradient"}
_ACTIVATIONS: dict[str, ActivationName] = {
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Sigmoid": "sigmoid",
}

#: What looks at a variable and leaves it.
_READING = {"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape"}


def _take_along_axis(tensor: Tensor, indices: Tensor, axis: int) -> Tensor:
    # Of numpy's function what formulas need: along the last axis.
    return tf.gather(tensor, indices, axis=axis, batch_dims=axis)


_NAMESPACE = SimpleNamespace(
    abs=tf.abs,
    argsort=tf.argsort,
    asarray=tf.convert_to_tensor,
    astype=tf.cast,
    concatenate=tf.concat,
    copy=tf.identity,
    einsum=tf.einsum,
    exp=tf.exp,
    flip=lambda tensor, axis: tf.reverse(tensor, [axis]),
    linalg=SimpleNamespace(eigh=tf.linalg.eigh),
    max=tf.reduce_max,
    mean=tf.reduce_mean,
    min=tf.reduce_min,
    ones_like=tf.ones_like,
    repeat=tf.repeat,
    reshape=tf.reshape,
    sqrt=tf.sqrt,
    stack=tf.stack,
    sum=tf.reduce_sum,
    take=tf.gather,
    take_along_axis=_take_along_axis,
    transpose=tf.transpose,
    where=tf.where,
    zeros_like=tf.zeros_like,
)


#: The graph of the program that is being traced; functions within it have their own.
_program_graph: ContextVar[Any] = ContextVar("program_graph", default=None)


def _open_spec(array: Any) -> tf.TensorSpec:
    return tf.TensorSpec([None, *array.shape[1:]], array.dtype)


def _spec(array: Any) -> tf.TensorSpec:
    return tf.TensorSpec(array.shape, array.dtype)


def _to_numpy(value: Any) -> Any:
    return None if value is None else np.asarray(value)


def _single_spec(array: Any) -> tf.TensorSpec:
    return tf.TensorSpec([1, *array.shape[1:]], array.dtype)


def _traced(program: Callable[..., Any], *specs: Any) -> Any:
    def in_its_graph(*tensors: Any) -> Any:
        token = _program_graph.set(tf.compat.v1.get_default_graph())
        try:
            return program(*tensors)
        finally:
            _program_graph.reset(token)

    function = tf.function(in_its_graph, autograph=False)
    if tf.executing_eagerly():
        return function.get_concrete_function(*specs)
    # Somebody is tracing a function of their own; a thread of ours knows nothing of it.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(function.get_concrete_function, *specs).result()


def _variables_written(graph: tf.Graph) -> list[tf.Variable]:
    """List the variables that a program writes to, as layers that count do, say."""
    captured = {id(outer): inner for outer, inner in graph.captures}
    return [
        variable
        for variable in graph.variables
        if id(variable.handle) in captured and _is_written(captured[id(variable.handle)])
    ]


def _is_written(resource: Tensor) -> bool:
    return any(
        operand is resource and position not in _only_read(operation)
        for operation in resource.consumers()
        for position, operand in enumerate(operation.inputs)
    )


def _only_read(operation: tf.Operation) -> Collection[int]:
    """Tell by their positions which resources an operation does not write to."""
    if operation.type in _READING:
        return range(len(operation.inputs))
    # Functions that are called note it of their inputs.
    noted = operation.node_def.attr.get("_read_only_resource_inputs")
    return noted.list.i if noted else ()


@contextmanager
def _left_as_found(variables: list[tf.Variable]) -> Iterator[None]:
    # One program at a time, or what one has written would be what another has found.
    with _writing if variables else nullcontext():
        values = [tf.identity(variable) for variable in variables]
        try:
            yield
        finally:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)


_writing = threading.RLock()


class TensorFlowEngine(Engine):
    """Explanations on TensorFlow, each compiled into one function."""

    name = "tensorflow"
    reads_variables = True
    compiles = True
    errors = (tf.errors.OpError,)
    xp = _NAMESPACE

    def __init__(self, substitutes: Sequence[tuple[tf.Variable, tf.Variable]] = ()) -> None:
        """Have compiled programs read some variables in the place of others."""
        self._substitutes = substitutes

    def trace(self, program: Callable[..., Any], state: Any, *arguments: Any) -> Any:
        said: list[Any] = []

        def traced(*tensors: Any) -> None:
            said.append(program(*tensors))

        # One document, so that windows or tokens in front do not pass for documents.
        specs = tf.nest.map_structure(_single_spec, arguments)
        _traced(traced, tf.nest.map_structure(_spec, state), *specs)
        return said[-1]

    def compile(
        self, program: Callable[..., Any], state: Any, *arguments: Any
    ) -> Callable[..., Any]:
        specs = tf.nest.map_structure(_open_spec, arguments)
        compiled = _traced(program, tf.nest.map_structure(_spec, state), *specs)
        written = _variables_written(compiled.graph)
        if self._substitutes:
            handles = {id(one.handle): other.handle for one, other in self._substitutes}
            captured = [handles.get(id(one), one) for one in compiled.captured_inputs]
            compiled.set_external_captures(captured)

        def run(*arrays: Any) -> Any:
            # Somebody's tape is paused in here.
            with tf.init_scope():
                tensors = tf.nest.map_structure(tf.convert_to_tensor, arrays)
                with _left_as_found(written):
                    return tf.nest.map_structure(_to_numpy, compiled(*tensors))

        return run

    def collect(self, step: Callable[[Any], Tensor], items: Any, like: Tensor) -> Tensor:
        shapes: list[tf.TensorShape] = []

        def made(item: Any) -> Tensor:
            result = tf.cast(step(item), like.dtype)
            shapes.append(result.shape)
            return result

        stacked = tf.map_fn(made, items, fn_output_signature=like.dtype, parallel_iterations=1)
        # Which the loop forgets.
        return tf.ensure_shape(stacked, [None, *shapes[-1]])

    def rewriting_relus(self, rule: ReluRule) -> AbstractContextManager[Rewrites]:
        return rewriting_relus(rule)

    def pull_back(self, run: Run) -> PulledBack:
        if rewrites_relus():
            return _pulled_back_symbolically(run)
        activations: dict[Place, Tensor] = {}

        # Persistent, since every score is pulled back through the same recording.
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:

            def tap(place: Place, tensor: Tensor) -> Tensor:
                # A tensor of our own: the model may use the original elsewhere.
                tapped = tf.identity(tensor)
                tape.watch(tapped)
                activations[place] = tapped
                return tapped

            scores, kept = run(tap)

        def differentiate(tensors: Sequence[Tensor], cotangents: Tensor) -> Sequence[Tensor]:
            found: Sequence[Tensor] = tape.gradient(scores, tensors, output_gradients=cotangents)
            return found

        gradients = _pull_back_each(differentiate, scores, activations)
        return PulledBack(scores, kept, activations, gradients)

    def before_activation(self, output: Tensor) -> tuple[Tensor, ActivationName | None]:
        activated = self.originals(output)[-1]
        name = _ACTIVATIONS.get(activated.op.type)
        if name is None:
            return output, None
        logits = activated.op.inputs[0]
        return logits if activated is output else tf.reshape(logits, tf.shape(output)), name

    def widen(self, tensor: Tensor) -> Tensor:
        return tf.cast(tensor, tf.float32) if tensor.dtype.size < 4 else tensor

    def is_tappable(self, value: Any) -> bool:
        return tf.is_symbolic_tensor(value) and value.graph is _program_graph.get()

    def is_floating(self, value: Any) -> bool:
        return bool(tf.is_tensor(value) and value.dtype.is_floating)

    def originals(self, tensor: Tensor) -> list[Tensor]:
        found = [tensor]
        while found[-1].op.type in _PASSING_ON:
            found.append(found[-1].op.inputs[0])
        return found

    def flow(
        self, inputs: Sequence[Tensor], tensors: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> list[Flow]:
        after = [_reached([one], _consumers) for one in inputs]
        before = [_reached([one], _operands) for one in outputs]
        return [
            Flow(
                frozenset(i for i, found in enumerate(after) if tensor.ref() in found),
                frozenset(i for i, found in enumerate(before) if tensor.ref() in found),
            )
            for tensor in tensors
        ]


def _consumers(tensor: Tensor) -> list[Tensor]:
    return [output for op in tensor.consumers() for output in op.outputs]


def _operands(tensor: Tensor) -> list[Tensor]:
    return list(tensor.op.inputs)


def _reached(tensors: list[Tensor], step: Callable[[Tensor], list[Tensor]]) -> set[Any]:
    """Follow tensors through the graph, one step after the other, to all they lead to."""
    found: set[Any] = set()
    while tensors:
        tensor = tensors.pop()
        if tensor.ref() not in found:
            found.add(tensor.ref())
            tensors += step(tensor)
    return found


def _pulled_back_symbolically(run: Run) -> PulledBack:
    """Pull back through the graph: tapes do not know of gradients that it overrides."""
    activations: dict[Place, Tensor] = {}

    def tap(place: Place, tensor: Tensor) -> Tensor:
        activations[place] = tf.identity(tensor)
        return activations[place]

    scores, kept = run(tap)

    def differentiate(tensors: Sequence[Tensor], cotangents: Tensor) -> Sequence[Tensor]:
        return tf.gradients(scores, tensors, cotangents)  # type: ignore[no-any-return]

    gradients = _pull_back_each(differentiate, scores, activations)
    return PulledBack(scores, kept, activations, gradients)


def _pull_back_each(
    differentiate: Callable[[Sequence[Tensor], Tensor], Sequence[Tensor]],
    scores: Tensor,
    activations: dict[Place, Tensor],
) -> dict[Place, Tensor]:
    """Differentiate each column of the scores, shape (N, K), for every document at once."""
    places, tensors = tuple(activations), tuple(activations.values())

    def pull(cotangents: Tensor) -> list[Tensor]:
        found = differentiate(tensors, cotangents)
        unreachable = tuple(
            p for p, gradient in zip(places, found, strict=True) if gradient is None
        )
        if unreachable:
            raise UnreachableTapError(unreachable)
        # Sparse gradients made dense, and lost shapes given back.
        return [
            tf.ensure_shape(tf.convert_to_tensor(gradient), tensor.shape)
            for gradient, tensor in zip(found, tensors, strict=True)
        ]

    count = scores.shape[1]
    if count == 1:
        gradients = [gradient[:, tf.newaxis] for gradient in pull(tf.ones_like(scores))]
    else:
        columns = tf.one_hot(tf.range(count), count, dtype=scores.dtype)
        cotangents = tf.ones_like(scores) * columns[:, tf.newaxis]
        if _multiplies_stacks(scores.graph):
            dtypes = [tensor.dtype for tensor in tensors]
            stacked = tf.map_fn(pull, cotangents, fn_output_signature=dtypes)
        else:
            stacked = tf.vectorized_map(pull, cotangents)
        gradients = [tf.experimental.numpy.moveaxis(gradient, 0, 1) for gradient in stacked]
    return dict(zip(places, gradients, strict=True))


def _multiplies_stacks(graph: tf.Graph) -> bool:
    """Tell whether stacks of matrices are multiplied, as attention does.

    Vectorized, they are multiplied with an axis to be broadcast, which TensorFlow
    does wrongly in places: it writes beyond its memory and crashes (issues 117700
    and 123109 of tensorflow/tensorflow). One score after the other, they are not.
    """
    return any(op.type.startswith(("BatchMatMul", "Einsum")) for op in graph.get_operations())
