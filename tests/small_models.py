"""Small models of Keras, for what loads them and what gives them pictures."""


def make_small_model(shape=(24, 32, 3), classes=3, activation="softmax", first=()):
    """Make a network of one convolution."""
    import keras

    keras.utils.set_random_seed(7)
    doc = keras.Input(shape, name="doc")
    x = doc
    for layer in first:
        x = layer(x)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="conv")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(classes, activation=activation, name="classes")(x)
    return keras.Model(doc, x, name="small")
