"""Small transformers for pictures, in Keras and in PyTorch, with random weights.

The same parts in both: patches embedded by a convolution, blocks of attention and a
perceptron with norms before them, and a head on the class token or on the mean.
"""

import keras
from keras import layers, ops

WIDTH = 16
HEADS = 2
CLASSES = 4


class ClassToken(layers.Layer):
    """Puts learned tokens before those of the patches."""

    def __init__(self, count=1, **options):
        super().__init__(**options)
        self.count = count

    def build(self, shape):
        self.tokens = self.add_weight(
            shape=(1, self.count, shape[-1]), initializer="random_normal", name="tokens"
        )

    def call(self, patches):
        first = ops.broadcast_to(
            self.tokens, (ops.shape(patches)[0], self.count, patches.shape[-1])
        )
        return ops.concatenate([first, patches], axis=1)


class Positions(layers.Layer):
    """Adds what tells the tokens' places apart."""

    def build(self, shape):
        self.places = self.add_weight(shape=(1, *shape[1:]), initializer="random_normal")

    def call(self, tokens):
        return tokens + self.places


def block(tokens, name):
    normed = layers.LayerNormalization(name=f"{name}_norm1")(tokens)
    attended = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, name=f"{name}_attention")(
        normed, normed
    )
    tokens = layers.Add(name=f"{name}_add1")([tokens, attended])
    normed = layers.LayerNormalization(name=f"{name}_norm2")(tokens)
    hidden = layers.Dense(2 * WIDTH, activation="gelu", name=f"{name}_dense1")(normed)
    return layers.Add(name=f"{name}_add2")(
        [tokens, layers.Dense(WIDTH, name=f"{name}_dense2")(hidden)]
    )


def keras_vit(size=(16, 16), patch=4, extra=1, pooling="class", convolutional=True):
    """A vision transformer with `extra` tokens before those of the patches."""
    height, width = size
    image = keras.Input((height, width, 3), name="image")
    rows, columns = height // patch, width // patch
    if convolutional:
        patches = layers.Conv2D(WIDTH, patch, strides=patch, name="patches")(image)
    else:
        cut = layers.Reshape((rows, patch, columns, patch * 3))(image)
        patches = layers.Permute((1, 3, 2, 4))(cut)
    tokens = layers.Reshape((rows * columns, -1))(patches)
    tokens = tokens if convolutional else layers.Dense(WIDTH, name="patches")(tokens)
    if extra:
        tokens = ClassToken(extra, name="class_token")(tokens)
    tokens = Positions(name="positions")(tokens)
    for number in range(2):
        tokens = block(tokens, f"block{number}")
    tokens = layers.LayerNormalization(name="norm")(tokens)
    pooled = tokens[:, 0] if pooling == "class" else ops.mean(tokens[:, extra:], axis=1)
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax", name="head")(pooled))


class WindowAttention(layers.Layer):
    """Attention within windows of a grid, as a Swin transformer's; windows are cut inside."""

    def __init__(self, window, **options):
        super().__init__(**options)
        self.window = window
        self.attention = layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
        self.norm = layers.LayerNormalization()

    def call(self, grid):
        size, (rows, columns, channels) = self.window, grid.shape[1:]
        cut = ops.reshape(grid, (-1, rows // size, size, columns // size, size, channels))
        windows = ops.reshape(ops.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, size * size, channels))
        windows = self.norm(windows)
        windows = self.attention(windows, windows)
        cut = ops.reshape(windows, (-1, rows // size, columns // size, size, size, channels))
        return ops.reshape(ops.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, rows, columns, channels))


def keras_swin(size=(16, 24), patch=2):
    """Tokens that stay a grid, attention in windows, and a merger of patches between."""
    image = keras.Input((*size, 3), name="image")
    grid = layers.Conv2D(WIDTH, patch, strides=patch, name="patches")(image)
    for stage in range(2):
        normed = layers.LayerNormalization(name=f"stage{stage}_norm1")(grid)
        attended = WindowAttention(2, name=f"stage{stage}_attention")(normed)
        grid = layers.Add(name=f"stage{stage}_add1")([grid, attended])
        normed = layers.LayerNormalization(name=f"stage{stage}_norm2")(grid)
        hidden = layers.Dense(2 * WIDTH, activation="gelu", name=f"stage{stage}_dense1")(normed)
        hidden = layers.Dense(WIDTH, name=f"stage{stage}_dense2")(hidden)
        grid = layers.Add(name=f"stage{stage}_add2")([grid, hidden])
        if stage == 0:
            merged = ops.concatenate([grid[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], axis=-1)
            grid = layers.Dense(WIDTH, name="merging")(merged)
    grid = layers.LayerNormalization(name="norm")(grid)
    pooled = layers.GlobalAveragePooling2D()(grid)
    return keras.Model(image, layers.Dense(CLASSES, name="head")(pooled))
