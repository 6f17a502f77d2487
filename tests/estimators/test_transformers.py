"""Transformers: their tokens are cells of a map, and some of them are not."""

import copy

import keras
import numpy as np
import pytest

from explainkit import ExplanationWarning, explain_prediction, explain_predictions
from explainkit.inspection import find_layer

from . import models, transformers


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(7)


def in_keras(build, **options):
    """A Keras model, and three documents for it."""
    model = getattr(transformers, build)(**options)
    height, width = model.input_shape[1:3]
    return model, docs_of((height, width, 3))


def in_torch(build, *arguments, size=None, **options):
    """A PyTorch module, and three documents for it."""
    torch = pytest.importorskip("torch")
    from . import torch_transformers

    torch.manual_seed(7)
    sized = options if size is None or build == "Swin" else {"size": size, **options}
    model = getattr(torch_transformers, build)(*arguments, **sized)
    return model, docs_of((3, *(size or (16, 16))))


def docs_of(shape):
    return np.concatenate([models.doc(seed, shape) for seed in range(3)])


def assert_same(one, other):
    for a, b in zip(one.targets, other.targets, strict=True):
        assert a.target == b.target
        assert a.score == pytest.approx(b.score, rel=1e-4, abs=1e-5)
        np.testing.assert_allclose(a.map, b.map, rtol=1e-3, atol=1e-6)


#: What is built, the layer that is chosen, and the sizes of the map.
BUILT = {
    "keras vit": (lambda: in_keras("keras_vit"), "block1_norm1", (4, 4)),
    "keras vit, wide": (lambda: in_keras("keras_vit", size=(16, 24)), "block1_norm1", (4, 6)),
    "keras vit, registers": (lambda: in_keras("keras_vit", extra=5), "block1_norm1", (4, 4)),
    "keras vit, mean": (lambda: in_keras("keras_vit", pooling="mean"), "norm", (4, 4)),
    "keras vit, no extra token": (
        lambda: in_keras("keras_vit", extra=0, pooling="mean"),
        "norm",
        (4, 4),
    ),
    "keras vit, patches cut": (
        lambda: in_keras("keras_vit", convolutional=False),
        "block1_norm1",
        (4, 4),
    ),
    "keras vit, wide patches cut": (
        lambda: in_keras("keras_vit", size=(16, 24), convolutional=False),
        "block1_norm1",
        (4, 6),
    ),
    "keras swin": (lambda: in_keras("keras_swin"), "norm", (4, 6)),
    "torch vit": (lambda: in_torch("VisionTransformer"), "blocks.1.norm1", (4, 4)),
    "torch vit, wide": (
        lambda: in_torch("VisionTransformer", size=(16, 24)),
        "blocks.1.norm1",
        (4, 6),
    ),
    "torch vit, registers": (
        lambda: in_torch("VisionTransformer", extra=5),
        "blocks.1.norm1",
        (4, 4),
    ),
    "torch vit, mean": (lambda: in_torch("VisionTransformer", pooling="mean"), "norm", (4, 4)),
    "torch vit, no extra token": (
        lambda: in_torch("VisionTransformer", extra=0, pooling="mean"),
        "norm",
        (4, 4),
    ),
    "torch encoder, norm first": (lambda: in_torch("Encoder"), "encoder.layers.1.norm1", (4, 4)),
    "torch encoder, norm last": (
        lambda: in_torch("Encoder", False),
        "encoder.layers.0.norm2",
        (4, 4),
    ),
    "torch swin": (lambda: in_torch("Swin", size=(16, 24)), "norm", (4, 6)),
}


@pytest.mark.filterwarnings("ignore:nothing at layer")
@pytest.mark.parametrize("name", BUILT)
def test_the_layer_is_the_last_whose_cells_matter(name):
    build, layer, sizes = BUILT[name]
    model, docs = build()
    # All classes, since there may be one that nothing speaks for.
    every = list(range(transformers.CLASSES))
    expl = explain_prediction(model, docs[:1], targets=every)
    assert expl.layer == layer
    for found in expl.targets:
        assert found.map.shape == found.heatmap.shape == sizes
        assert np.count_nonzero(found.map)
    assert any(found.heatmap.max() == 1 for found in expl.targets)
    assert find_layer(model, doc=docs[:1]) is find_layer(model, layer, doc=docs[:1])
    assert_same(explain_prediction(model, docs[:1], targets=every, layer=layer), expl)


@pytest.mark.parametrize(
    "name", ["keras vit", "keras swin", "torch vit", "torch encoder, norm first", "torch swin"]
)
def test_a_batch_and_several_targets_are_each_as_alone(name):
    model, docs = BUILT[name][0]()
    found = list(explain_predictions(model, docs, targets=[2, 0]))
    assert len(found) == len(docs)
    for position, expl in enumerate(found):
        doc = docs[position : position + 1]
        assert_same(expl, explain_prediction(model, doc, targets=[2, 0]))
    for target in found[0].targets:
        [alone] = explain_prediction(model, docs[:1], targets=target.target).targets
        assert target.score == pytest.approx(alone.score, rel=1e-4, abs=1e-5)
        np.testing.assert_allclose(target.map, alone.map, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("target", range(transformers.CLASSES))
@pytest.mark.parametrize("extra", [1, 5])
def test_the_map_before_the_last_attention_is_that_of_the_definition(extra, target):
    module, docs = in_torch("VisionTransformer", extra=extra)
    import torch

    double, kept = copy.deepcopy(module).double().eval(), []
    double.blocks[1].norm1.register_forward_hook(lambda _layer, _in, output: kept.append(output))
    score = double(torch.tensor(docs[:1]).double())[0, target]
    [gradient] = torch.autograd.grad(score, kept)
    cells, slopes = kept[0][0, extra:], gradient[0, extra:]
    map_ = (cells @ slopes.mean(0)).reshape(4, 4).detach().numpy()

    [found] = explain_prediction(module, docs[:1], targets=target).targets
    assert found.score == pytest.approx(float(score.detach()), rel=1e-4)
    np.testing.assert_allclose(found.map, map_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.heatmap, np.maximum(map_, 0) / map_.max(), atol=1e-4)


@pytest.mark.filterwarnings("ignore:nothing at layer")
@pytest.mark.parametrize("name", ["keras vit, mean", "keras vit, no extra token", "keras swin"])
def test_the_map_before_a_mean_of_cells_is_cam(name):
    model, docs = BUILT[name][0]()
    sizes = BUILT[name][2]
    features = models.said(keras.Model(model.input, model.get_layer("norm").output), docs[:1])[0]
    cells = features.reshape(-1, transformers.WIDTH)[-np.prod(sizes) :]
    kernel = keras.ops.convert_to_numpy(model.get_layer("head").kernel)
    every = list(range(transformers.CLASSES))
    for found in explain_prediction(model, docs[:1], targets=every).targets:
        expected = (cells @ kernel[:, found.target]).reshape(sizes) / len(cells)
        np.testing.assert_allclose(found.map, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["keras vit", "torch vit"])
def test_where_only_the_token_of_the_class_matters_nothing_speaks(name):
    model, docs = BUILT[name][0]()
    with pytest.warns(ExplanationWarning, match="nothing at layer 'norm' speaks"):
        expl = explain_prediction(model, docs[:1], targets=1, layer="norm")
    assert not expl.targets[0].heatmap.any()
    assert not expl.targets[0].map.any()


# reshape=


def fold_in_keras(tokens):
    return keras.ops.reshape(tokens[:, 1:], (-1, 4, 4, transformers.WIDTH))


def fold_in_torch(tokens):
    return tokens[:, 1:].reshape(-1, 4, 4, transformers.WIDTH)


@pytest.mark.parametrize(
    ("name", "layer", "fold"),
    [
        ("keras vit", "block1_norm1", fold_in_keras),
        ("keras vit", "block0_add2", fold_in_keras),
        ("torch vit", "blocks.1.norm1", fold_in_torch),
        ("torch vit", "blocks.0", fold_in_torch),
    ],
)
@pytest.mark.parametrize("targets", [1, [0, 3]])
def test_a_given_grid_and_a_callable_give_the_same_map(name, layer, fold, targets):
    model, docs = BUILT[name][0]()
    expected = explain_prediction(model, docs[:1], targets=targets, layer=layer)
    for reshape in ((4, 4), [4, 4], fold):
        found = explain_prediction(model, docs[:1], targets=targets, layer=layer, reshape=reshape)
        assert found.layer == layer
        assert_same(found, expected)
        batch = explain_predictions(model, docs, targets=targets, layer=layer, reshape=reshape)
        assert_same(next(batch), expected)


@pytest.mark.parametrize(("name", "layer"), [("keras vit", "norm"), ("torch vit", "norm")])
@pytest.mark.parametrize(
    ("reshape", "error", "message"),
    [
        ((5, 5), ValueError, r"takes 25 tokens; .*\(17, 16\)"),
        ("x", TypeError, "give the grid of the tokens"),
        ((4, 0), TypeError, "give the grid of the tokens"),
        (4, TypeError, "give the grid of the tokens"),
    ],
)
def test_a_grid_that_does_not_fit_is_an_error(name, layer, reshape, error, message):
    model, docs = BUILT[name][0]()
    with pytest.raises(error, match=message):
        explain_prediction(model, docs[:1], layer=layer, reshape=reshape)


@pytest.mark.parametrize("name", ["keras vit", "torch vit"])
def test_a_grid_is_of_a_layer(name):
    model, docs = BUILT[name][0]()
    with pytest.raises(ValueError, match="give layer="):
        explain_prediction(model, docs[:1], reshape=(4, 4))


@pytest.mark.parametrize(
    ("name", "layer", "fold"),
    [
        ("keras vit", "block1_norm1", lambda t: keras.ops.mean(t, axis=-1)),
        ("torch vit", "blocks.1.norm1", lambda t: t.mean(-1)),
    ],
)
def test_a_callable_that_leaves_no_cells_is_an_error(name, layer, fold):
    model, docs = BUILT[name][0]()
    with pytest.raises(ValueError, match=r"\(N, height, width, channels\)"):
        explain_prediction(model, docs[:1], layer=layer, reshape=fold)
