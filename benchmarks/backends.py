"""What the benchmark asks of each framework: a device, a model, its bare forward pass."""

# ruff: noqa: D102 - the contract of Backend says what the methods do

import importlib.metadata
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Something to be timed: it begins with arrays of numpy and ends with such arrays.
Contender = Callable[[], Any]


class Backend(ABC):
    """A framework on a device. It is imported when this is made, and not before.

    Parameters
    ----------
    device : {"cpu", "gpu"}
        With "gpu", the first accelerator that the framework finds.

    Raises
    ------
    SystemExit
        If it finds none.
    """

    #: What it is called, and the distributions whose versions matter.
    title: str
    packages: tuple[str, ...]
    #: The name of the device.
    device: str

    def __init__(self, device: str) -> None:
        found = self.cpu() if device == "cpu" else self.accelerator()
        if found is None:
            raise SystemExit(f"--device gpu: {self.title} finds no accelerator on this machine")
        self.device = found

    def versions(self) -> str:
        """List the versions of what it is made of."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in self.packages)

    @abstractmethod
    def cpu(self) -> str:
        """Keep to the CPU, and name it."""

    @abstractmethod
    def accelerator(self) -> str | None:
        """Choose the first accelerator, and name it; None where there is none."""

    @abstractmethod
    def build(self, name: str) -> Any:
        """Build a model with random weights."""

    @abstractmethod
    def doc_shape(self, model: Any) -> tuple[int, ...]:
        """Tell the shape of one doc."""

    @abstractmethod
    def classes(self, model: Any) -> int:
        """Tell how many units the output has."""

    @abstractmethod
    def forward_pass(self, model: Any, docs: NDArray[np.float32]) -> Contender:
        """Run the model as fast as the framework does, and give its output: the yardstick."""

    @abstractmethod
    def forward_and_backward(self, model: Any, docs: NDArray[np.float32]) -> Contender:
        """Run the model, and give the gradient of its first unit with respect to the docs."""

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until the device has nothing left to do."""


class KerasBackend(Backend):
    """Keras 3 on one of its backends."""

    framework: str

    def __init__(self, device: str) -> None:
        os.environ["KERAS_BACKEND"] = self.framework
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        super().__init__(device)

    def build(self, name: str) -> Any:
        import keras

        keras.utils.set_random_seed(0)
        return getattr(keras.applications, name)(weights=None)

    def doc_shape(self, model: Any) -> tuple[int, ...]:
        return tuple(size or 224 for size in model.input_shape[1:])

    def classes(self, model: Any) -> int:
        return int(model.output_shape[-1])


class TensorFlowBackend(KerasBackend):
    """The forward pass is a compiled `tf.function`."""

    title = "Keras on TensorFlow"
    packages = ("tensorflow", "keras")
    framework = "tensorflow"

    def cpu(self) -> str:
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")
        return cpu_name()

    def accelerator(self) -> str | None:
        import tensorflow as tf

        devices = tf.config.list_physical_devices("GPU")
        if not devices:
            return None
        tf.config.set_visible_devices(devices[:1], "GPU")
        return tf.config.experimental.get_device_details(devices[0]).get("device_name", "a GPU")

    def forward_pass(self, model: Any, docs: NDArray[np.float32]) -> Contender:
        import tensorflow as tf

        spec = tf.TensorSpec([None, *docs.shape[1:]], docs.dtype)
        forward = tf.function(lambda x: model(x, training=False), [spec], autograph=False)
        return lambda: forward(docs).numpy()

    def forward_and_backward(self, model: Any, docs: NDArray[np.float32]) -> Contender:
        import tensorflow as tf

        spec = tf.TensorSpec([None, *docs.shape[1:]], docs.dtype)

        def gradients(x: Any) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                scores = model(x, training=False)[:, 0]
            return tape.gradient(scores, x)

        both = tf.function(gradients, [spec], autograph=False)
        return lambda: both(docs).numpy()

    def synchronize(self) -> None:
        import tensorflow as tf

        tf.test.experimental.sync_devices()


class JaxBackend(KerasBackend):
    """The forward pass is a `jax.jit` that takes the weights as arguments."""

    title = "Keras on JAX"
    packages = ("jax", "keras")
    framework = "jax"

    def cpu(self) -> str:
        import jax

        jax.config.update("jax_platforms", "cpu")
        return cpu_name()

    def accelerator(self) -> str | None:
        import jax

        first = jax.devices()[0]
        return None if first.platform == "cpu" else first.device_kind

    def forward_pass(self, model: Any, docs: NDArray[np.float32]) -> Contender:
        import jax

        variables = _copied(model)

        @jax.jit
        def forward(variables: Any, x: Any) -> Any:
            return model.stateless_call(*variables, x, training=False)[0]

        return lambda: np.asarray(forward(variables, docs))

    def forward_and_backward(self, model: Any, docs: NDArray[np.float32]) -> Contender:
        import jax

        variables = _copied(model)

        def score(x: Any, variables: Any) -> Any:
            return model.stateless_call(*variables, x, training=False)[0][:, 0].sum()

        both = jax.jit(jax.grad(score))
        return lambda: np.asarray(both(docs, variables))

    def synchronize(self) -> None:
        import jax

        # Behind whatever was sent to the device before.
        jax.block_until_ready(jax.device_put(0.0) + 1)


class KerasTorchBackend(KerasBackend):
    """The forward pass is a call of the model that records no gradients."""

    title = "Keras on PyTorch"
    packages = ("torch", "keras")
    framework = "torch"

    def cpu(self) -> str:
        os.environ["KERAS_TORCH_DEVICE"] = "cpu"
        return cpu_name()

    def accelerator(self) -> str | None:
        found = torch_accelerator()
        if found:
            os.environ["KERAS_TORCH_DEVICE"] = found[0]
        return found and found[1]

    def forward_pass(self, model: Any, docs: NDArray[np.float32]) -> Contender:
        import torch

        model.eval()

        def forward() -> Any:
            with torch.no_grad():
                return model(docs, training=False).numpy(force=True)

        return forward

    def forward_and_backward(self, model: Any, docs: NDArray[np.float32]) -> Contender:
        model.eval()
        return torch_gradient(lambda x: model(x, training=False), docs, "cpu")

    def synchronize(self) -> None:
        torch_synchronize()


class TorchBackend(Backend):
    """A plain `torch.nn.Module`, channels first."""

    title = "PyTorch"
    packages = ("torch",)

    def cpu(self) -> str:
        self._place = "cpu"
        return cpu_name()

    def accelerator(self) -> str | None:
        found = torch_accelerator()
        if found:
            self._place = found[0]
        return found and found[1]

    def build(self, name: str) -> Any:
        import mobilenet
        import torch

        if not hasattr(mobilenet, name):
            raise SystemExit(f"--model {name}: in plain PyTorch there is MobileNetV2 only")
        torch.manual_seed(0)
        return getattr(mobilenet, name)().eval().to(self._place)

    def doc_shape(self, model: Any) -> tuple[int, ...]:  # noqa: ARG002 - it does not say
        return 3, 224, 224

    def classes(self, model: Any) -> int:
        return int(model.classifier.out_features)

    def forward_pass(self, model: Any, docs: NDArray[np.float32]) -> Contender:
        import torch

        def forward() -> Any:
            with torch.no_grad():
                return model(torch.from_numpy(docs).to(self._place)).numpy(force=True)

        return forward

    def forward_and_backward(self, model: Any, docs: NDArray[np.float32]) -> Contender:
        return torch_gradient(model, docs, self._place)

    def synchronize(self) -> None:
        torch_synchronize()


def _copied(model: Any) -> tuple[list[Any], list[Any]]:
    """Copy the variables: `model.predict` gives their buffers away to new ones."""
    import jax

    trained, others = model.trainable_variables, model.non_trainable_variables
    return tuple([jax.numpy.array(one.value) for one in ones] for ones in (trained, others))


def torch_gradient(model: Any, docs: NDArray[np.float32], place: str) -> Contender:
    """Differentiate the first unit of a model by docs on a device, and not by its weights."""
    import torch

    def both() -> Any:
        x = torch.from_numpy(docs).to(place).requires_grad_()
        [gradient] = torch.autograd.grad(model(x)[:, 0].sum(), x)
        return gradient.numpy(force=True)

    return both


def cpu_name() -> str:
    """Name the CPU by its cores."""
    return f"CPU, {os.cpu_count()} cores"


def torch_accelerator() -> tuple[str, str] | None:
    """Tell where PyTorch's first accelerator is, and its name."""
    import torch

    if torch.cuda.is_available():
        return "cuda:0", torch.cuda.get_device_name(0)
    return ("mps", "Apple GPU") if torch.backends.mps.is_available() else None


def torch_synchronize() -> None:
    """Wait for PyTorch's accelerator, where there is one."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()


BACKENDS: dict[str, type[Backend]] = {
    "tensorflow": TensorFlowBackend,
    "jax": JaxBackend,
    "torch": KerasTorchBackend,
    "native-torch": TorchBackend,
}
