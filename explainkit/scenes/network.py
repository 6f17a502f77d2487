"""A small network that knows the ten kinds.

It is deliberately ordinary, with what image models are made of: strided
convolutions, batch norm, residual blocks, global pooling, a sigmoid for each
label. Keras is imported when a network is asked for, not before.
"""

from importlib import resources
from typing import Any

from explainkit.scenes.shapes import KINDS

WEIGHTS = resources.files("explainkit.scenes") / "network.weights.h5"


def build_network() -> Any:
    """Build the network, with random weights.

    Returns
    -------
    keras.Model
        From docs of float32 in [0, 1], shape (N, 96, 96, 3), to the
        probability of each of `KINDS` being there, shape (N, 10). Its last
        spatial layer is 12 by 12. It works on every Keras backend.
    """
    import keras

    doc = keras.Input((96, 96, 3), name="doc")
    x = _convolve(doc, 16, strides=2)
    x = _convolve(x, 32, strides=2)
    x = _residual(x, 32)
    x = _convolve(x, 64, strides=2)
    x = _residual(x, 64)
    x = _convolve(x, 128, kernel=1)
    # The highest, not the mean: whether a thing is there is for the cells on it to
    # say, and those around it, which see some of it too, would have the same say.
    x = keras.layers.GlobalMaxPooling2D(data_format="channels_last")(x)
    kinds = keras.layers.Dense(len(KINDS), activation="sigmoid", name="kinds")(x)
    return keras.Model(doc, kinds, name="scenes")


def load_network() -> Any:
    """Build the network and give it the weights that come with the package.

    Returns
    -------
    keras.Model
        What `build_network` gives, trained.

    Examples
    --------
    >>> from explainkit.scenes import KINDS, draw_scene, load_network
    >>> network = load_network()
    >>> scene = draw_scene(seed=7)
    >>> probabilities = network.predict(scene.doc, verbose=0)[0]
    >>> {kind for kind, p in zip(KINDS, probabilities) if p > 0.5} == {
    ...     thing.kind for thing in scene.objects
    ... }
    True
    """
    network = build_network()
    with resources.as_file(WEIGHTS) as path:
        network.load_weights(path)
    return network


def _convolve(
    x: Any, filters: int, strides: int = 1, kernel: int = 3, activation: str = "relu"
) -> Any:
    from keras import layers

    # An even stride takes an even kernel: what a cell of the map sees is then
    # centred on the pixels the cell lies over, not shifted half a cell away.
    kernel = 4 if strides == 2 else kernel
    x = layers.Conv2D(
        filters, kernel, strides, padding="same", use_bias=False, data_format="channels_last"
    )(x)
    return layers.Activation(activation)(layers.BatchNormalization()(x))


def _residual(x: Any, filters: int) -> Any:
    from keras import layers

    change = _convolve(_convolve(x, filters), filters, activation="linear")
    return layers.ReLU()(layers.Add()([x, change]))
