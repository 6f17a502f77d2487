"""The framework that Keras runs on, and how it does what tests need of each."""

import keras
import numpy as np
import pytest

from explainkit import explain_prediction
from explainkit.estimators.keras_explainer import engine_of_backend

NAME = keras.backend.backend()
ENGINE = type(engine_of_backend())

not_on_torch = pytest.mark.skipif(
    NAME == "torch", reason="PyTorch runs the Python of a model each time: nothing is compiled"
)


def compiled(function):
    """Compile a function as the framework's users do."""
    if NAME == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, autograph=False)


def amid_somebodys_own(function):
    """Call a function while somebody traces, or infers in a mode of the framework."""
    if NAME == "torch":
        import torch

        with torch.inference_mode():
            return function()
    returned = []
    compiled(lambda x: (returned.append(function()), x)[1])(np.zeros(1, np.float32))
    return returned[-1]


def explain_without_numbers(model, doc):
    """Explain what stands for a document, and has no numbers."""
    if NAME == "torch":
        import torch

        explain_prediction(model, torch.zeros(doc.shape, device="meta"))
    else:
        compiled(lambda doc: explain_prediction(model, doc))(doc)


def is_stand_in(tensor):
    """Tell whether a tensor may be there while a model is only looked at."""
    if NAME == "jax":
        import jax

        return isinstance(tensor, jax.core.Tracer)
    if NAME == "torch":
        return True  # there a model is looked at by running it, on one document
    import tensorflow as tf

    return tf.is_symbolic_tensor(tensor)


def _stumbling_in_tensorflow(x, stumble):
    import tensorflow as tf

    @tf.custom_gradient
    def forward_and_back(x):
        def on_numbers(stage, x):
            return tf.py_function(lambda x: stumble(stage) or x, [x], tf.float32)

        def back(upstream):
            stumble("backward trace")
            return on_numbers("backward", upstream)

        return tf.ensure_shape(on_numbers("forward", x), x.shape), back

    return forward_and_back(x)


def _stumbling_in_jax(x, stumble):
    import jax

    def on_numbers(stage, x):
        like = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return jax.pure_callback(
            lambda x: stumble(stage) or x, like, x, vmap_method="broadcast_all"
        )

    def back(_, upstream):
        stumble("backward trace")
        return (on_numbers("backward", upstream),)

    forward_and_back = jax.custom_vjp(lambda x: on_numbers("forward", x))
    forward_and_back.defvjp(lambda x: (on_numbers("forward", x), None), back)
    return forward_and_back(x)


def _stumbling_in_torch(x, stumble):
    import torch

    class ForwardAndBack(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            stumble("forward")
            return x.clone()

        @staticmethod
        def backward(context, upstream):
            stumble("backward trace")
            stumble("backward")
            return upstream

    return ForwardAndBack.apply(x)


def stumbling(x, stumble, framework=NAME):
    """Hand a tensor on, and call `stumble` with the name of each stage of that."""
    stumble("trace")
    through = {
        "tensorflow": _stumbling_in_tensorflow,
        "jax": _stumbling_in_jax,
        "torch": _stumbling_in_torch,
    }
    return through[framework](x, stumble)
