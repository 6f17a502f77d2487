import numpy as np
import pytest

from explainkit.metrics import MaxSensitivity, UnmeasurableError, evaluate, max_sensitivity

from . import given
from .given import DOCS, TOPS, WEIGHTS, on_each_framework


@on_each_framework
def test_a_linear_model_is_as_steep_everywhere(framework):
    case = given.given(framework)
    metric = MaxSensitivity(samples=3, radius=0.5)
    found = evaluate(case.model, case.docs, "gradients", metric, batch_size=3)
    np.testing.assert_allclose(found.values("gradients", "max_sensitivity"), 0, atol=case.close)


@on_each_framework
def test_how_far_the_map_moves_is_worked_out_by_hand(framework):
    case = given.given(framework)
    metric = MaxSensitivity(samples=4, radius=0.1, seed=2)
    method = "input_x_gradient"
    found = evaluate(case.model, case.docs, method, metric, batch_size=2)
    rng = np.random.default_rng(2)
    noise = [rng.uniform(-1, 1, DOCS.shape[1:]) for _ in range(4)]
    for row, target in enumerate(TOPS):
        weights, reach = WEIGHTS[..., target], 0.1 * (DOCS[row].max() - DOCS[row].min())
        map_ = (DOCS[row] * weights).sum(axis=2)
        away = []
        for one in noise:
            near = ((DOCS[row] + reach * one) * weights).sum(axis=2)
            away.append(np.sqrt(((near - map_) ** 2).sum()))
        expected = max(away) / np.sqrt((map_**2).sum())
        assert found.values(method, "max_sensitivity")[row] == pytest.approx(
            expected, abs=case.close
        )


def test_a_picture_whose_neighbours_cannot_be_explained_has_no_number():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((*given.SIZES, 3)),
            layers.Activation(keras.ops.log),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    docs = np.random.default_rng(0).uniform(1, 2, (2, *given.SIZES, 3)).astype(np.float32)
    docs[1, 0, 0] = 1e-3  # so near to zero that noise takes it below
    metric = MaxSensitivity(samples=2, radius=0.1)
    found = evaluate(network, docs, "gradients", metric)
    assert found.measurements[0].reason is None
    assert found.measurements[1].reason == "a picture near this one could not be explained"
    assert np.isfinite(found.values("gradients", "max_sensitivity")).tolist() == [True, False]


def test_the_greatest_distance_counts():
    map_ = np.array([[3.0, -4.0]])
    others = np.array([[[3.0, -4.0]], [[0.0, 0.0]], [[3.0, -3.0]]])
    assert max_sensitivity(map_, others) == 1
    assert max_sensitivity(map_, others[::2]) == pytest.approx(0.2)
    assert max_sensitivity(10 * map_, 10 * others[::2]) == pytest.approx(0.2)
    assert max_sensitivity(map_, others[:1]) == 0


@pytest.mark.parametrize("shape", [(2, 1, 3), (2, 2, 1), (1, 2), (2, 1, 2, 1), (2,)])
def test_the_others_are_of_the_shape_of_the_map(shape):
    with pytest.raises(
        ValueError, match=r"^others has the shape .*; give maps of the shape \(1, 2"
    ):
        max_sensitivity(np.ones((1, 2)), np.ones(shape))


def test_what_is_not_there_cannot_move():
    with pytest.raises(UnmeasurableError, match="the map is zero everywhere"):
        max_sensitivity(np.zeros((1, 2)), np.ones((2, 1, 2)))
    with pytest.raises(UnmeasurableError, match="a picture near this one could not be explained"):
        max_sensitivity(np.ones((1, 2)), np.array([[[1.0, np.nan]]]))
