"""For each metric, an explanation that is known to be perfect is better than maps at random."""

import numpy as np
import pytest

from explainkit import explain_predictions
from explainkit.methods import METHODS
from explainkit.metrics import METRICS, MaxSensitivity, ParameterRandomization, RandomLogit
from explainkit.metrics.batch import Batch

from . import given
from .given import BIASES, CHANNELS, CLASSES, SIZES, WEIGHTS

COUNT, RANDOM = 3, 20
TARGET = 2


def options_of(name):
    few = {
        "deletion": {"baseline": 0.0},
        "insertion": {"baseline": 0.0},
        "top_k_intersection": {"k": 4},
        "pointing_game": {"tolerance": 0.0},
        "random_logit": {"similarity": "pearson"},
        "max_sensitivity": {"radius": 0.2},
    }
    return few.get(name, {})


@pytest.fixture(scope="module")
def pictures():
    """Pictures of a bright object on nothing: where it is, is known."""
    rng = np.random.default_rng(0)
    docs, masks = rng.normal(size=(COUNT, *SIZES, CHANNELS)) / 20, np.zeros((COUNT, *SIZES), bool)
    for row, (top, left) in enumerate([(0, 1), (2, 2), (4, 0)]):
        masks[row, top : top + 2, left : left + 2] = True
    # The object shows just what the class looks for, and what is around it speaks against that.
    wanted = np.sign(np.broadcast_to(WEIGHTS[..., TARGET], docs.shape))
    docs += np.where(masks[..., None], 3, -0.2) * wanted
    return docs, masks


@pytest.fixture(scope="module")
def model():
    keras = pytest.importorskip("keras")
    made = given.keras_model(keras, "softmax", "float32")
    # The target does not win easily, so that there is something to be gained and lost.
    made.set_weights([WEIGHTS.reshape(-1, CLASSES), BIASES - 2 * np.eye(CLASSES)[TARGET]])
    return made


@pytest.fixture(scope="module")
def perfect(model, pictures):
    """Input × gradient, which of a linear model says each pixel's share."""
    docs, masks = pictures
    asked = {"method": METHODS["input_x_gradient"]()}
    found = list(explain_predictions(model, np.float32(docs), targets=[TARGET], **asked))
    return Batch(model, np.float32(docs), found, [TARGET] * COUNT, asked, range(COUNT), masks)


#: Which way the map itself must be random, where a metric asks the method again.
ASKING_AGAIN = (MaxSensitivity, ParameterRandomization, RandomLogit)


def at_random(perfect, seed):
    maps = np.random.default_rng(seed).normal(size=(COUNT, *SIZES))
    return given.batch_of(
        maps,
        model=perfect.model,
        docs=perfect.docs,
        targets=perfect.targets,
        masks=perfect.masks,
        asked=perfect.asked,
    )


@pytest.mark.parametrize("name", METRICS)
def test_the_perfect_explanation_is_better_than_those_at_random(perfect, name):
    metric = METRICS[name](**options_of(name))
    best = np.mean([float(one) for one in metric.measure(perfect)])
    if isinstance(metric, (ParameterRandomization, RandomLogit)):
        # Random maps look at nothing: like themselves, whatever the weights and the target.
        others = [1.0] * RANDOM
    else:
        few = [at_random(perfect, seed) for seed in range(RANDOM)]
        others = [np.mean([float(one) for one in metric.measure(batch)]) for batch in few]
    sign = 1 if metric.better == "higher" else -1
    print(f"{name}: {best:.3f}, at random {np.mean(others):.3f}")
    assert sign * best >= sign * np.mean(others)
    # And not just by luck.
    assert sign * best > sign * np.mean(others) + np.std(others) / 2
