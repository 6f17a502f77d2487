"""Grad-CAM another way: eager TensorFlow on the parts of a model, in float64, one doc.

It is TensorFlow whatever Keras runs on.
"""

import keras
import numpy as np
import tensorflow as tf


def gradcam(features, head, target):
    """Grad-CAM of `head(features)[target]`; features (h, w, C), maps (h, w)."""
    features = tf.constant(keras.ops.convert_to_numpy(features).astype(np.float64))
    with tf.GradientTape() as tape:
        tape.watch(features)
        score = head(features)[target]
    gradient = tape.gradient(score, features).numpy()
    return np.asarray(score), np.tensordot(features.numpy(), gradient.mean((0, 1)), axes=1)


def pooling_head(dense):
    """Global average pooling and a dense layer, before any activation."""
    kernel, bias = (np.asarray(w, np.float64) for w in dense.get_weights())
    return lambda features: tf.linalg.matvec(kernel.T, tf.reduce_mean(features, (0, 1))) + bias


def convolution(layer):
    """A convolution that keeps the size, and its tanh."""
    kernel, bias = (np.asarray(w, np.float64) for w in layer.get_weights())
    return lambda features: tf.tanh(tf.nn.conv2d(features[None], kernel, 1, "SAME") + bias)[0]
