"""Models that methods could misread: channels that look like none, layers that are subclasses."""

import warnings

import keras
import numpy as np
import pytest

from explainkit import ExplanationWarning, explain_prediction, smooth, tta
from explainkit.estimators import base
from explainkit.methods import METHODS

from . import backend

DOC = np.random.default_rng(0).normal(size=(1, 8, 10, 3)).astype(np.float32)


def network(*layers, shape=(8, 10, 3)):
    return keras.Sequential(
        [
            keras.Input(shape),
            *layers,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, bias_initializer="ones"),
        ]
    )


def assert_complete(model, doc=DOC):
    [found] = explain_prediction(model, doc, method="fullgrad", psi="none").targets
    assert found.map.sum() == pytest.approx(found.score, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("method", ["gradients", "occlusion", "smoothgrad", "fullgrad"])
@pytest.mark.parametrize("shape", [(8, 10, 6), (100, 12)])
def test_many_channels_are_no_cells(method, shape):
    rank = len(shape) - 1
    conv = getattr(keras.layers, f"Conv{rank}D")(4, 3, activation="relu")
    pool = getattr(keras.layers, f"GlobalAveragePooling{rank}D")()
    model = keras.Sequential([keras.Input(shape), conv, pool, keras.layers.Dense(2)])
    doc = np.random.default_rng(1).normal(size=(1, *shape)).astype(np.float32)
    options = {"samples": 2} if method == "smoothgrad" else {}
    [found] = explain_prediction(model, doc, method=method, **options).targets
    assert found.map.shape == shape[:-1]


@pytest.mark.parametrize("shape", [(6, 20, 32), (12, 100)])
def test_nor_are_they_where_they_come_first(shape):
    torch = pytest.importorskip("torch")
    rank = len(shape) - 1
    conv = getattr(torch.nn, f"Conv{rank}d")(shape[0], 4, 3)
    pool = getattr(torch.nn, f"AdaptiveAvgPool{rank}d")(1)
    model = torch.nn.Sequential(
        conv, torch.nn.ReLU(), pool, torch.nn.Flatten(), torch.nn.Linear(4, 2)
    )
    doc = np.random.default_rng(1).normal(size=(1, *shape)).astype(np.float32)
    [found] = explain_prediction(model, doc, method="gradients").targets
    assert found.map.shape == shape[1:]


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.Rescaling(2.0, offset=[0.5, 0.0, -1.0]),
        lambda: keras.layers.Rescaling(2.0, offset=np.float32(3)),
        lambda: keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 0.25]),
        lambda: keras.layers.Normalization(mean=[1.0] * 3, variance=[4.0] * 3, invert=True),
    ],
    ids=["offsets", "numpy offset", "normalization", "inverted"],
)
def test_what_scales_pictures_adds_too(layer):
    assert_complete(network(layer(), keras.layers.Conv2D(4, 3, activation="relu")))


class Own(keras.layers.Conv2D):
    """Its activation is not the one that the layer was given."""

    def call(self, x):
        return keras.ops.relu(super().call(x))


def test_a_subclass_with_a_call_of_its_own_is_named():
    with pytest.warns(ExplanationWarning, match="nobody knows where 'own'"):
        explain_prediction(network(Own(4, 3, name="own")), DOC, method="fullgrad")


def test_subclasses_of_modules_are_named():
    torch = pytest.importorskip("torch")

    class LayerNorm2d(torch.nn.LayerNorm):
        def forward(self, x):
            return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3),
        LayerNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 2),
    )
    with pytest.warns(ExplanationWarning, match="nobody knows where '1'"):
        explain_prediction(model, DOC.transpose(0, 3, 1, 2).copy(), method="fullgrad")


def test_scripted_relus_are_named():
    torch = pytest.importorskip("torch")

    class Rectify(torch.nn.Module):
        def forward(self, x):
            return torch.relu(x)

    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.jit.script(Rectify()).eval(),
        torch.nn.Conv2d(4, 4, 3),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 2),
    )
    doc = DOC.transpose(0, 3, 1, 2).copy()
    with pytest.warns(ExplanationWarning, match="what is scripted in '1'"):
        explain_prediction(model, doc, method="guided_backprop")


def picture_and_signal():
    picture, signal = keras.Input((8, 10, 3)), keras.Input((20, 2))
    seen = keras.layers.Conv2D(4, 3, activation="relu", name="p")(picture)
    heard = keras.layers.Conv1D(4, 3, activation="relu", name="q")(signal)
    joined = keras.layers.Concatenate()(
        [
            keras.layers.GlobalAveragePooling2D()(seen),
            keras.layers.GlobalAveragePooling1D()(heard),
        ]
    )
    docs = [DOC, np.random.default_rng(2).normal(size=(1, 20, 2)).astype(np.float32)]
    return keras.Model([picture, signal], keras.layers.Dense(2)(joined)), docs


@pytest.mark.parametrize("psi", ["absolute", "none"])
def test_signals_beside_a_picture_have_no_place_in_it(psi):
    model, docs = picture_and_signal()
    [found] = explain_prediction(model, docs, method="fullgrad", psi=psi).targets
    assert found.map.shape == (8, 10)


@pytest.mark.parametrize("method", ["scorecam", "guided_gradcam"])
def test_maps_of_signals_are_not_laid_over_pictures(method):
    model, docs = picture_and_signal()
    with pytest.raises(ValueError, match="have 1 axes, and the picture has 2"):
        explain_prediction(model, docs, method=method, layer="q")


def test_a_record_says_that_it_is_turned_round():
    model = network(keras.layers.Conv2D(4, 3, activation="relu"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExplanationWarning)
        expl = explain_prediction(model, DOC, counterfactual=True)
    assert expl.description.startswith("Grad-CAM (counterfactual) at layer")


def test_another_seed_or_baseline_is_compiled_no_more():
    model = network(keras.layers.Conv2D(4, 3, activation="relu"))
    baselines = [np.full((8, 10, 3), value) for value in (0.0, 1.0)]
    asked = [{"method": "smoothgrad", "samples": 2, "seed": seed} for seed in (0, 1)]
    asked += [{"method": "integrated_gradients", "steps": 2, "baseline": one} for one in baselines]
    maps = [explain_prediction(model, DOC, **one).targets[0].map for one in asked]
    kept = len(base.cache._shelf(model).values)
    for one, map_ in zip(asked, maps, strict=True):
        found = explain_prediction(model, DOC, **one).targets[0].map
        np.testing.assert_allclose(found, map_, rtol=1e-5, atol=1e-7)
    assert len(base.cache._shelf(model).values) == kept
    # The anatomy, and a program for each of the two methods.
    assert kept <= 1 + 2 + 2
    assert np.abs(maps[0] - maps[1]).max() > 1e-6
    assert np.abs(maps[2] - maps[3]).max() > 1e-6


@pytest.mark.skipif(backend.NAME == "torch", reason="nothing is compiled there")
def test_biases_that_reach_no_score_are_looked_for_once():
    runs = []

    class Stop(keras.layers.Layer):
        def call(self, x):
            runs.append(1)
            return keras.ops.stop_gradient(x)

    doc = keras.Input((8, 10, 3))
    main = keras.layers.Conv2D(4, 3, activation="relu")(doc)
    aside = Stop()(keras.layers.Conv2D(4, 3)(doc))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([main, aside]))
    model = keras.Model(doc, keras.layers.Dense(2)(pooled))
    explain_prediction(model, DOC, method="fullgrad")
    before = len(runs)
    explain_prediction(model, DOC, method="fullgrad")
    assert len(runs) == before


def test_tokens_are_not_scaled():
    doc = keras.Input((None, None, 3))
    cells = keras.layers.Conv2D(4, 2, strides=2, name="patches")(doc)
    tokens = keras.layers.Reshape((-1, 4))(cells)
    tokens = keras.layers.Dense(4, activation="relu", name="tokens")(tokens)
    scores = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(tokens))
    model = keras.Model(doc, scores)
    with pytest.raises(ValueError, match="the layer gives tokens"):
        explain_prediction(
            model, DOC[:, :, :8], method=tta("hirescam", scales=(1, 2)), layer="tokens"
        )


def test_all_methods_take_a_single_channel():
    model = network(keras.layers.Conv2D(4, 3, activation="relu"), shape=(8, 10, 1))
    for name in set(METHODS) - {"rise", "smoothgrad", "vargrad", "integrated_gradients"}:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExplanationWarning)
            [found] = explain_prediction(model, DOC[..., :1], method=name).targets
        assert found.map.shape in {(8, 10), (6, 8)}


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize(
    "method", [*METHODS, smooth("gradcam", samples=5), tta("gradients")], ids=str
)
def test_no_more_pass_at_once_than_a_batch_holds(method, batch_size):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 2),
    )
    doc = DOC.transpose(0, 3, 1, 2).copy()
    options = {"samples": 5} if method in ("smoothgrad", "vargrad") else {}
    options = {"masks": 5} if method == "rise" else options
    explain_prediction(model, doc, method="gradcam", targets=0)  # looks at it first
    rows = []
    hooks = [
        part.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
        for part in model
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExplanationWarning)
        explain_prediction(model, doc, method=method, targets=0, batch_size=batch_size, **options)
    assert rows
    assert max(rows) <= batch_size
    for hook in hooks:
        hook.remove()
