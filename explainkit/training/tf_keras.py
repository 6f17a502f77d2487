"""A callback of Keras 2."""

import tf_keras

from explainkit.training.callback import Explaining


class TfKerasExplanationCallback(Explaining, tf_keras.callbacks.Callback):
    """Explain the same documents after each epoch of the `fit` of a `tf_keras.Model`.

    Parameters
    ----------
    docs, to, every, unit, names, on_error, **arguments
        As for `ExplanationCallback`.
    """
