"""The `fit` of Keras 2, watched."""

import numpy as np
import pytest

tf_keras = pytest.importorskip("tf_keras")

from explainkit import explain_prediction  # noqa: E402
from explainkit.training import TfKerasExplanationCallback  # noqa: E402
from tests.training.made_up import Kept  # noqa: E402

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(12, 10, 12, 3)).astype(np.float32)
Y = RANDOM.integers(0, 3, 12)


def fitted(*callbacks, declared=True):
    tf_keras.utils.set_random_seed(0)
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            *([tf_keras.Input((10, 12, 3))] if declared else []),
            *(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU()),
            *(layers.Dropout(0.5), layers.GlobalAveragePooling2D(), layers.Dense(3)),
        ]
    )
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    history = model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=list(callbacks))
    return model, history.history


@pytest.mark.parametrize("declared", [True, False])
def test_training_goes_as_without(declared):
    kept = Kept()
    why = TfKerasExplanationCallback(X[:1], kept, every=[2, 5], unit="batch", targets=[0])
    found = [fitted(*watching, declared=declared) for watching in ([], [why])]
    (one, history), (other, watched) = found
    assert history == watched
    for weights, same in zip(one.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(weights, same)
    assert kept.steps == [("batch", 0), ("batch", 2), ("batch", 5)]


def test_the_last_epoch_is_that_of_the_trained_model():
    kept = Kept()
    model, _ = fitted(TfKerasExplanationCallback(X[:1], kept, targets=[0]))
    assert kept.steps == [("epoch", 0), ("epoch", 1), ("epoch", 2)]
    [wanted] = explain_prediction(model, X[:1], targets=0).targets
    scores = [entries[0].expl.targets[0].score for entries in kept.entries]
    assert scores[2] == pytest.approx(wanted.score, rel=1e-5)
    assert len(set(scores)) == 3
