"""The kinds of estimators that explainkit explains itself, each as a network of equal numbers."""

from explainkit.methods import METHODS, smooth, tta
from explainkit.testing import EstimatorContract
from tests.estimators import backend

from . import network, probe

#: Methods made of others, by what records call them.
WRAPPERS = {
    "tta(smooth(gradcam))": tta(smooth("gradcam", **network.OPTIONS["tta(smooth(gradcam))"])),
}
STAGES = ("trace", "backward trace", "forward", "backward")
WITHOUT_GRADIENTS = {"scorecam", "ablationcam"}


def stages_of(method):
    """Where a model can fail that is asked by a method."""
    return [stage for stage in STAGES if "backward" not in stage or method not in WITHOUT_GRADIENTS]


class Network(EstimatorContract):
    """The network of `network`, on some framework."""

    targets = (2, 0, 3)
    stages = STAGES

    @property
    def options(self):
        if self.method in WRAPPERS:
            asked, at_layers = {"method": WRAPPERS[self.method]}, WRAPPERS[self.method].at_layers
        else:
            asked = {"method": self.method, **network.OPTIONS.get(self.method, {})}
            at_layers = METHODS[self.method]().at_layers
        return {**asked, "layer": "features"} if at_layers else asked

    def make_doc(self, seed):
        return network.doc(seed)

    def reference(self, doc, target):
        return network.expected(self.method, doc, target)

    def failing(self, stage):
        return probe.stumbling_at(stage)


def probe_layer(layer_class, framework):
    """Make a layer that hands its input on, and notes it, for either Keras."""

    class Probe(layer_class):
        def __init__(self, **options):
            super().__init__(**options)
            self.seen, self.last = [], None

        def call(self, x):
            probe.count_run(self)
            self.seen.append(len(self.seen))
            self.last = x
            return backend.stumbling(x, probe.stumble, framework)

    return Probe(name="probe")


class KerasNetwork(Network):
    compiles = backend.NAME != "torch"

    def make_model(self):
        import keras

        return keras_network(keras, keras.layers, backend.NAME)

    def runs(self, model):
        return probe.runs_of(model.get_layer("probe"))


class TfKerasNetwork(Network):
    def make_model(self):
        import tf_keras

        return keras_network(tf_keras, tf_keras.layers, "tensorflow")

    def runs(self, model):
        return probe.runs_of(model.get_layer("probe"))


def keras_network(keras, layers, framework):
    model = keras.Sequential(
        [
            keras.Input((network.SIZE, network.SIZE + 2, 3)),
            layers.Conv2D(network.CHANNELS, network.SIDE, activation="relu", name="features"),
            probe_layer(layers.Layer, framework),
            layers.Dropout(0.5),
            layers.GlobalAveragePooling2D(),
            layers.Dense(network.CLASSES, activation="softmax", name="head"),
        ]
    )
    model.set_weights([network.KERNEL, network.BIAS, network.HEAD, network.HEAD_BIAS])
    # Keras notes on a model that it was called at all, whoever calls it first.
    model(network.doc(0))
    return model


class TorchNetwork(Network):
    """A module that notes what it sees."""

    compiles = False

    def make_doc(self, seed):
        return super().make_doc(seed).transpose(0, 3, 1, 2).copy()

    def reference(self, doc, target):
        return super().reference(doc.transpose(0, 2, 3, 1), target)

    def make_model(self):
        from .torch_network import Module

        return Module()

    def runs(self, model):
        return probe.runs_of(model)


class TorchNetworkOfSeveralOutputs(TorchNetwork):
    """The same scores are one of several outputs, in a dict."""

    targets = (("kind", 2), ("kind", 0), ("kind", 3))
    target_forms = ("callable",)

    def make_model(self):
        from .torch_network import ModuleOfSeveralOutputs

        return ModuleOfSeveralOutputs()

    def reference(self, doc, target):
        return super().reference(doc, target[1])
