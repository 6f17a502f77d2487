"""The TensorFlow engine: a tape that watches only the tapped tensors."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

from explainkit.engines.base import (
    ActivationName,
    Engine,
    Place,
    PulledBack,
    Run,
    Tensor,
    UnreachableTapError,
)

#: Operations that hand a tensor on with its values, so that the activation
#: behind them is still the final one.
_PASSING_ON = {"Identity", "Cast", "Reshape", "Squeeze", "ExpandDims", "StopGradient"}
_ACTIVATIONS: dict[str, ActivationName] = {"Softmax": "softmax", "Sigmoid": "sigmoid"}


def _take_along_axis(tensor: Tensor, indices: Tensor, axis: int) -> Tensor:
    if axis != 1:
        raise NotImplementedError(f"axis={axis}: only axis 1 is taken along")
    return tf.gather(tensor, indices, axis=1, batch_dims=1)


_NAMESPACE = SimpleNamespace(
    abs=tf.abs,
    argsort=tf.argsort,
    asarray=tf.convert_to_tensor,
    concatenate=tf.concat,
    einsum=tf.einsum,
    max=tf.reduce_max,
    mean=tf.reduce_mean,
    ones_like=tf.ones_like,
    stack=tf.stack,
    sum=tf.reduce_sum,
    take_along_axis=_take_along_axis,
    transpose=tf.transpose,
    where=tf.where,
    zeros_like=tf.zeros_like,
)


def _spec(array: Any) -> tf.TensorSpec:
    return tf.TensorSpec([None, *array.shape[1:]], array.dtype)


def _to_numpy(value: Any) -> Any:
    return None if value is None else np.asarray(value)


def _specs(arguments: tuple[Any, ...]) -> list[Any]:
    return list(tf.nest.map_structure(_spec, arguments))


class TensorFlowEngine(Engine):
    """Explanations on TensorFlow, each compiled into one `tf.function`."""

    name = "tensorflow"
    errors = (tf.errors.OpError,)
    xp = _NAMESPACE

    def trace(self, program: Callable[..., Any], *arguments: Any) -> Any:
        said: list[Any] = []

        def traced(*tensors: Tensor) -> None:
            said.append(program(*tensors))

        tf.function(traced, autograph=False).get_concrete_function(*_specs(arguments))
        return said[-1]

    def compile(self, program: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
        compiled = tf.function(program, input_signature=_specs(arguments), autograph=False)

        def run(*arrays: Any) -> Any:
            return tf.nest.map_structure(_to_numpy, compiled(*arrays))

        return run

    def pull_back(self, run: Run) -> PulledBack:
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

        gradients = _pull_back_each(tape, scores, activations)
        return PulledBack(scores, kept, activations, gradients)

    def before_activation(self, output: Tensor) -> tuple[Tensor, ActivationName | None]:
        tensor = output
        while tensor.op.type in _PASSING_ON:
            tensor = tensor.op.inputs[0]
        name = _ACTIVATIONS.get(tensor.op.type)
        if name is None:
            return output, None
        logits = tensor.op.inputs[0]
        return logits if tensor is output else tf.reshape(logits, tf.shape(output)), name

    def widen(self, tensor: Tensor) -> Tensor:
        return tf.cast(tensor, tf.float32) if tensor.dtype.size < 4 else tensor

    def is_tappable(self, value: Any) -> bool:
        return tf.is_symbolic_tensor(value) and value.graph is tf.compat.v1.get_default_graph()


def _pull_back_each(
    tape: tf.GradientTape, scores: Tensor, activations: dict[Place, Tensor]
) -> dict[Place, Tensor]:
    """Differentiate each column of the scores, shape (N, K), for every document at once."""
    places, tensors = tuple(activations), tuple(activations.values())

    def pull(cotangents: Tensor) -> list[Tensor]:
        found = tape.gradient(scores, tensors, output_gradients=cotangents)
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
        stacked = tf.vectorized_map(pull, cotangents)
        gradients = [tf.experimental.numpy.moveaxis(gradient, 0, 1) for gradient in stacked]
    return dict(zip(places, gradients, strict=True))
