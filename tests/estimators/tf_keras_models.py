"""Small Keras 2 models, each of which has a twin among the models of Keras 3."""

import tf_keras
from tf_keras import layers

from . import models

SHAPE = (models.SIZE, models.SIZE, 3)


def body(classes=models.CLASSES, activation="softmax"):
    """The layers of a small network, its last spatial one called "last"."""
    return [
        layers.Conv2D(5, 3, activation="relu", name="first"),
        layers.MaxPooling2D(),
        layers.Conv2D(6, 3, activation="tanh", name="last"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(classes, activation=activation, name="head"),
    ]


def sequential():
    return tf_keras.Sequential([tf_keras.Input(SHAPE), *body()], name="sequential")


def deferred():
    """A Sequential that builds itself anew for documents of another shape."""
    return tf_keras.Sequential(body(), name="sequential")


def functional():
    inputs = tf_keras.Input(SHAPE, name="image")
    outputs = inputs
    for layer in body():
        outputs = layer(outputs)
    return tf_keras.Model(inputs, outputs, name="functional")


def separate_softmax():
    return tf_keras.Sequential(
        [tf_keras.Input(SHAPE), *body(activation=None), layers.Softmax(name="softmax")]
    )


class Subclassed(tf_keras.Model):
    """Its call is Python; the activations are no layers."""

    def __init__(self, **options):
        super().__init__(**options)
        self.convolutions = [
            layers.Conv2D(5, 3, activation="relu", name="first"),
            layers.Conv2D(6, 3, name="last"),
        ]
        self.drop = layers.Dropout(0.5)
        self.head = layers.Dense(models.CLASSES, name="head")

    def call(self, x, training=True):
        import tensorflow as tf

        for convolution in self.convolutions:
            x = tf.tanh(convolution(x))
        x = self.drop(x, training=training)
        return tf.nn.softmax(self.head(tf.reduce_mean(x, (1, 2))))


def subclassed():
    return Subclassed(name="subclassed")


def nested_functional():
    inner = functional()
    inputs = tf_keras.Input(SHAPE)
    return tf_keras.Model(inputs, inner(layers.Rescaling(1.0)(inputs)), name="outer")


def nested_three_deep():
    backbone = tf_keras.Sequential([tf_keras.Input(SHAPE), *body()[:3]], name="backbone")
    middle = tf_keras.Sequential(
        [tf_keras.Input(SHAPE), layers.Rescaling(0.5), backbone], name="middle"
    )
    return tf_keras.Sequential(
        [
            tf_keras.Input(SHAPE),
            layers.Rescaling(2.0),
            middle,
            layers.Dropout(0.5),
            *body()[3:],
        ],
        name="outer",
    )


def two_inputs_two_outputs():
    image = tf_keras.Input(SHAPE, name="image")
    hint = tf_keras.Input((3,), name="hint")
    features = layers.Conv2D(6, 3, activation="tanh", name="last")(image)
    pooled = layers.GlobalAveragePooling2D()(features)
    both = layers.Concatenate()([pooled, layers.Dense(4, activation="tanh")(hint)])
    return tf_keras.Model(
        {"image": image, "hint": hint},
        {
            "kind": layers.Dense(models.CLASSES, activation="softmax")(both),
            "box": layers.Dense(4)(both),
        },
        name="two_by_two",
    )


def mobile(size=32, classes=3):
    """A network as Teachable Machine exports it: three deep, of depthwise convolutions."""
    inputs = tf_keras.Input((size, size, 3))
    x = layers.ZeroPadding2D()(inputs)
    x = layers.Conv2D(6, 3, strides=2, use_bias=False, name="Conv1")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    x = layers.Add()([x, layers.Conv2D(6, 1, use_bias=False, name="project")(y)])
    x = layers.ReLU(6.0, name="out_relu")(layers.BatchNormalization()(x))
    features = tf_keras.Sequential(
        [tf_keras.Model(inputs, x, name="backbone"), layers.GlobalAveragePooling2D()],
        name="features",
    )
    classifier = tf_keras.Sequential(
        [
            layers.Dense(10, activation="relu", input_shape=(6,)),
            layers.Dense(classes, use_bias=False, activation="softmax"),
        ],
        name="classifier",
    )
    return tf_keras.Sequential([features, classifier], name="teachable")


BUILDS = [
    sequential,
    functional,
    separate_softmax,
    subclassed,
    nested_functional,
    nested_three_deep,
]
