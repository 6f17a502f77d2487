"""Small Keras models of every build, for the tests."""

import keras
import numpy as np
from keras import layers

SIZE = 16
CLASSES = 4


def doc(seed=0, shape=(SIZE, SIZE, 3)):
    return np.random.default_rng(seed).normal(size=(1, *shape)).astype(np.float32)


def said(model, doc, **mode):
    """What a model says of a doc, as arrays of numpy."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, model(doc, **mode))


def body(data_format="channels_last", classes=CLASSES, activation="softmax"):
    """The layers of a small network, its last spatial one called "last"."""
    return [
        layers.Conv2D(5, 3, activation="relu", data_format=data_format, name="first"),
        layers.MaxPooling2D(data_format=data_format),
        layers.Conv2D(6, 3, activation="tanh", data_format=data_format, name="last"),
        layers.GlobalAveragePooling2D(data_format=data_format),
        layers.Dense(classes, activation=activation, name="head"),
    ]


def sequential(**options):
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), *body(**options)], name="sequential")


def functional(**options):
    inputs = keras.Input((SIZE, SIZE, 3), name="image")
    outputs = inputs
    for layer in body(**options):
        outputs = layer(outputs)
    return keras.Model(inputs, outputs, name="functional")


def separate_softmax():
    return keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), *body(activation=None), layers.Softmax(name="softmax")]
    )


@keras.saving.register_keras_serializable("explainkit tests")
class Subclassed(keras.Model):
    """Its call is Python; the activations are no layers."""

    def __init__(self, **options):
        super().__init__(**options)
        self.convolutions = [
            layers.Conv2D(5, 3, activation="relu", name="first"),
            layers.Conv2D(6, 3, name="last"),
        ]
        self.drop = layers.Dropout(0.5)
        self.head = layers.Dense(CLASSES, name="head")

    def call(self, x, training=True):
        for convolution in self.convolutions:
            x = keras.ops.tanh(convolution(x))
        x = self.drop(x, training=training)
        return keras.ops.softmax(self.head(keras.ops.mean(x, axis=(1, 2))))


def subclassed():
    return Subclassed(name="subclassed")


def nested_functional():
    inner = functional()
    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Model(inputs, inner(layers.Rescaling(1.0)(inputs)), name="outer")


def nested_three_deep():
    backbone = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *body()[:3]], name="backbone")
    middle = keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), layers.Rescaling(0.5), backbone], name="middle"
    )
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Rescaling(2.0),
            middle,
            layers.Dropout(0.5),
            *body()[3:],
        ],
        name="outer",
    )


def two_inputs_two_outputs():
    image = keras.Input((SIZE, SIZE, 3), name="image")
    hint = keras.Input((3,), name="hint")
    features = layers.Conv2D(6, 3, activation="tanh", name="last")(image)
    pooled = layers.GlobalAveragePooling2D()(features)
    both = layers.Concatenate()([pooled, layers.Dense(4, activation="tanh")(hint)])
    return keras.Model(
        {"image": image, "hint": hint},
        {
            "kind": layers.Dense(CLASSES, activation="softmax")(both),
            "box": layers.Dense(4)(both),
        },
        name="two_by_two",
    )


BUILDS = [
    sequential,
    functional,
    separate_softmax,
    subclassed,
    nested_functional,
    nested_three_deep,
]
