"""Arrays in, scores and maps out: the same numbers as those of the records."""

import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402

import explainkit  # noqa: E402
from explainkit import arrays, explain_arrays, explain_predictions, filters  # noqa: E402
from explainkit.arrays import DOORS  # noqa: E402
from explainkit.methods import METHODS  # noqa: E402

from .estimators import models  # noqa: E402

ROOT = Path(__file__).parents[1]

X = np.concatenate([models.doc(seed) for seed in range(5)])
#: Of each doc two units, and of no two docs in a row the same.
Y = np.array([[0, 1], [2, 3], [3, 0], [1, 2], [0, 3]])

#: Options that keep the methods quick.
SMALL = {
    "ablationcam": {"max_channels": 3},
    "integrated_gradients": {"steps": 4},
    "occlusion": {"patch": 8, "stride": 8},
    "rise": {"masks": 8, "cells": 3},
    "scorecam": {"max_channels": 3},
    "smoothgrad": {"samples": 3},
    "vargrad": {"samples": 3},
}
#: What is written otherwise in Python.
METHOD_OF = {"gradcampp": "gradcam++"}

pytestmark = pytest.mark.filterwarnings("ignore:nothing at")
every_door = pytest.mark.parametrize("name", DOORS)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = models.functional()
    for layer in model.layers:
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(np.linspace(-0.5, 0.5, layer.bias.shape[0]))
    return model


@pytest.fixture(scope="module")
def two():
    """A model of two inputs, and of one output."""
    keras.utils.set_random_seed(0)
    image = keras.Input((models.SIZE, models.SIZE, 3), name="image")
    hint = keras.Input((3,), name="hint")
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="last")(image))
    both = layers.Concatenate()([pooled, layers.Dense(4, activation="tanh")(hint)])
    outputs = layers.Dense(models.CLASSES, activation="softmax")(both)
    return keras.Model({"image": image, "hint": hint}, outputs)


HINTS = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)


def recorded(model, docs, **options):
    """What the records say, as arrays."""
    found = list(explain_predictions(model, docs, **options))
    scores = np.array([[one.score for one in expl.targets] for expl in found])
    maps = np.array([[one.map for one in expl.targets] for expl in found])
    heatmaps = np.array([[one.heatmap for one in expl.targets] for expl in found])
    return scores, maps, heatmaps


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


# The functions


def test_there_is_a_function_for_every_method():
    assert {METHOD_OF.get(name, name) for name in DOORS} == set(METHODS)


def test_the_names_of_the_package_are_those_of_the_functions():
    """They are listed there once more, so that the package need not load them."""
    assert sorted(explainkit._ARRAY_DOORS) == sorted(DOORS)
    assert all(name.isidentifier() for name in DOORS)
    for name, function in DOORS.items():
        assert getattr(explainkit, name) is function
        assert getattr(arrays, name) is function
        assert name in dir(explainkit)
        assert name in arrays.__all__


@every_door
def test_a_function_tells_its_name_and_the_options_of_its_method(name):
    function, method = DOORS[name], METHODS[METHOD_OF.get(name, name)]
    assert function.__name__ == function.__qualname__ == name
    assert method.title in function.__doc__
    assert method.formula in function.__doc__
    for field in method.__attrs_attrs__:
        if field.name != "fusion" or "fusion" in inspect.getdoc(method):
            assert f"`{field.name}`" in function.__doc__, field.name


@every_door
def test_scores_and_maps_are_those_of_the_records(model, name):
    options = SMALL.get(name, {})
    method = METHOD_OF.get(name, name)
    scores, maps = DOORS[name](model, X, Y, postprocess=None, **options)
    expected = recorded(model, X, targets=Y, method=method, **options)
    assert scores.shape == Y.shape
    assert maps.shape[:2] == Y.shape
    assert maps.ndim == 4
    assert scores.dtype.kind == "f"
    assert maps.dtype == np.float32
    assert_same((scores, maps), expected[:2])
    # A row of units for each doc: not one list for all.
    said = models.said(functional_logits(model), X)
    np.testing.assert_allclose(scores, np.take_along_axis(said, Y, axis=1), rtol=1e-4, atol=1e-5)


def functional_logits(model):
    """The model without its softmax, for which no explanation is asked."""
    twin = models.functional(activation=None)
    twin.set_weights(model.get_weights())
    return twin


@every_door
def test_maps_are_the_heatmaps_of_the_records_where_nothing_is_said(model, name):
    options = SMALL.get(name, {})
    scores, maps = DOORS[name](model, X, Y, **options)
    expected = recorded(model, X, targets=Y, method=METHOD_OF.get(name, name), **options)
    assert_same((scores, maps), (expected[0], expected[2]))
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_explain_arrays_is_gradcam_where_nothing_is_said(model):
    assert_same(explain_arrays(model, X, Y), explainkit.gradcam(model, X, Y))
    with_name = explain_arrays(model, X, Y, method="hirescam")
    assert_same(with_name, explainkit.hirescam(model, X, Y))


# What is explained


def test_without_units_the_top_class_is_explained(model):
    top = models.said(model, X).argmax(axis=1)
    assert len(set(top.tolist())) > 1, "all docs are of one class, which shows little"
    assert_same(explain_arrays(model, X), explain_arrays(model, X, top[:, np.newaxis]))


def test_several_top_classes(model):
    order = np.argsort(-models.said(model, X), axis=1)[:, :3]
    found = explain_arrays(model, X, top_targets=3)
    assert found[0].shape == (5, 3)
    assert_same(found, explain_arrays(model, X, order))


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda rows: np.array(rows, np.uint8)])
def test_units_of_any_kind(model, kind):
    assert_same(explain_arrays(model, X, kind(Y.tolist())), explain_arrays(model, X, Y))


def test_a_row_of_units_that_is_no_row_is_refused_with_a_hint(model):
    with pytest.raises(ValueError, match=r"shape \(5,\).*\(N, K\): y\[:, np.newaxis\] would do"):
        explain_arrays(model, X, Y[:, 0])
    with pytest.raises(ValueError, match=r"shape \(5, 2, 1\); give a row of units for each doc"):
        explain_arrays(model, X, Y[..., None])
    with pytest.raises(ValueError, match=r"shape \(\)"):
        explain_arrays(model, X, 1)


@pytest.mark.parametrize("rows", [4, 6])
@pytest.mark.parametrize("kind", ["array", "batches"])
def test_more_or_fewer_rows_than_docs(model, rows, kind):
    x = X if kind == "array" else iter([X[:3], X[3:]])
    with pytest.raises(ValueError, match=f"targets has {rows} rows"):
        explain_arrays(model, x, np.resize(Y, (rows, 2)))


def test_units_that_the_model_has_not(model):
    with pytest.raises((ValueError, LookupError), match="4"):
        explain_arrays(model, X, Y + 1)
    with pytest.raises(TypeError, match="give integers"):
        explain_arrays(model, X, Y.astype(float))


def test_other_options_pass_through(model):
    options = {"layer": "first", "logits": False}
    scores, maps = explain_arrays(model, X, Y, postprocess=None, **options)
    assert maps.shape == (5, 2, 14, 14)
    said = np.take_along_axis(models.said(model, X), Y, axis=1)
    np.testing.assert_allclose(scores, said, rtol=1e-4)
    assert_same((scores, maps), recorded(model, X, targets=Y, **options)[:2])


def test_methods_made_of_methods(model):
    for method in (
        explainkit.smooth("gradcam", samples=3),
        explainkit.tta("layercam", flips=("horizontal", "vertical")),
        explainkit.tta(explainkit.smooth("gradcam", samples=2)),
        explainkit.counterfactual("gradcam"),
    ):
        found = explain_arrays(model, X, Y, method=method, postprocess=None)
        assert_same(found, recorded(model, X, targets=Y, method=method)[:2])


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
@pytest.mark.parametrize("name", ["gradcam", "rise", "ablationcam"])
def test_the_size_of_a_batch_changes_nothing(model, name, batch_size):
    found = DOORS[name](model, X, Y, batch_size=batch_size, postprocess=None, **SMALL.get(name, {}))
    assert_same(found, DOORS[name](model, X, Y, postprocess=None, **SMALL.get(name, {})))


# What is done to the maps


@pytest.mark.parametrize(
    "postprocess",
    [
        filters.positive,
        filters.negative_normalize,
        filters.compose(filters.absolute, filters.normalize),
        lambda maps: maps * 2,
    ],
)
def test_maps_pass_through_a_filter(model, postprocess):
    _, raw = explain_arrays(model, X, Y, postprocess=None)
    _, maps = explain_arrays(model, X, Y, postprocess=postprocess)
    np.testing.assert_allclose(maps, postprocess(raw), rtol=1e-5, atol=1e-7)


def test_raw_maps_are_signed(model):
    _, raw = explain_arrays(model, X, Y, postprocess=None)
    assert raw.min() < 0 < raw.max()


def test_a_map_does_not_depend_on_the_docs_beside_it(model):
    _, together = explain_arrays(model, X, Y)
    for position in range(len(X)):
        rows = slice(position, position + 1)
        _, alone = explain_arrays(model, X[rows], Y[rows])
        np.testing.assert_allclose(alone[0], together[position], rtol=1e-4, atol=1e-6)


def test_maps_of_signals_and_volumes_are_filtered_too():
    """They have one axis, or three, where those of pictures have two."""
    for shape, convolution, pooling in (
        ((16, 2), layers.Conv1D(3, 3), layers.GlobalAveragePooling1D()),
        ((6, 6, 6, 2), layers.Conv3D(3, 3), layers.GlobalAveragePooling3D()),
    ):
        network = keras.Sequential([keras.Input(shape), convolution, pooling, layers.Dense(3)])
        docs = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
        y = np.array([[0, 1], [1, 2], [2, 0]])
        scores, maps = explain_arrays(network, docs, y)
        expected = recorded(network, docs, targets=y)
        assert_same((scores, maps), (expected[0], expected[2]))


# What docs may come in


@pytest.fixture(scope="module")
def expected(model):
    return explain_arrays(model, X, Y)


def test_a_data_set_of_tensorflow(model, expected):
    tf = pytest.importorskip("tensorflow")
    docs = tf.data.Dataset.from_tensor_slices(X).batch(2)
    assert_same(explain_arrays(model, docs, Y), expected)
    pairs = tf.data.Dataset.from_tensor_slices((X, Y[:, 0])).batch(3)
    assert_same(explain_arrays(model, pairs, Y), expected)
    weighed = tf.data.Dataset.from_tensor_slices((X, Y[:, 0], np.ones(5))).batch(3)
    assert_same(explain_arrays(model, weighed, Y, batch_size=2), expected)


def test_a_data_loader_of_pytorch(model, expected):
    data = pytest.importorskip("torch.utils.data")
    torch = pytest.importorskip("torch")
    docs, labels = torch.from_numpy(X), torch.from_numpy(Y[:, 0])
    pairs = data.DataLoader(data.TensorDataset(docs, labels), batch_size=2)
    assert_same(explain_arrays(model, pairs, Y), expected)
    assert_same(explain_arrays(model, data.DataLoader(docs, batch_size=3), Y), expected)


def test_batches_from_a_generator_are_taken_as_they_are_needed(model, expected):
    assert_same(explain_arrays(model, (batch for batch in (X[:1], X[1:4], X[4:])), Y), expected)
    assert_same(explain_arrays(model, [X[:2], X[2:]], Y), expected)
    assert_same(explain_arrays(model, ((X[i : i + 1], "cat") for i in range(5)), Y), expected)


def test_a_tensor(model, expected):
    tensor = keras.ops.convert_to_tensor(X)
    assert_same(explain_arrays(model, tensor, Y), expected)


def test_the_docs_are_left_as_they_were(model):
    before = X.copy()
    X.flags.writeable = False
    try:
        explain_arrays(model, X, Y)
    finally:
        X.flags.writeable = True
    np.testing.assert_array_equal(X, before)


def test_batches_of_several_inputs(two):
    tf = pytest.importorskip("tensorflow")
    docs = {"image": X, "hint": HINTS}
    expected = recorded(two, docs, targets=Y)[:2]
    for x in (
        tf.data.Dataset.from_tensor_slices(docs).batch(2),
        tf.data.Dataset.from_tensor_slices((docs, Y[:, 0])).batch(2),
        iter([docs]),
        # A pair is docs and labels, as for `predict`, so several docs come within one.
        iter([([X, HINTS], Y[:, 0])]),
        iter([((X[:2], HINTS[:2]), 0), ((X[2:], HINTS[2:]), 0)]),
    ):
        assert_same(explain_arrays(two, x, Y, postprocess=None), expected)


@pytest.mark.parametrize("kind", ["dict", "list"])
def test_arrays_of_several_inputs(two, kind):
    """As `explain_predictions` takes them, and `predict` does."""
    docs = {"image": X, "hint": HINTS} if kind == "dict" else [X, HINTS]
    expected = recorded(two, docs, targets=Y)[:2]
    assert_same(explain_arrays(two, docs, Y, postprocess=None), expected)


def test_docs_of_two_sizes_have_no_common_array():
    size_free = keras.Sequential([keras.Input((None, None, 3)), *models.body()])
    x = [models.doc(0, (16, 16, 3)), models.doc(1, (16, 16, 3)), models.doc(2, (20, 16, 3))]
    with pytest.raises(ValueError, match=r"map of doc 2 .*docs of several sizes.*explain_predic"):
        explain_arrays(size_free, x)
    assert explain_arrays(size_free, x[:2])[1].shape == (2, 1, 5, 5)


@pytest.mark.parametrize("x", [[], iter([]), X[:0], iter([X[:0]])], ids=lambda x: str(type(x)))
def test_no_docs_at_all(model, x):
    with pytest.raises(ValueError, match="empty"):
        explain_arrays(model, x)


@pytest.mark.parametrize("x", ["cats/", b"cats", None, 3])
def test_what_holds_no_docs(model, x):
    with pytest.raises(TypeError, match=f"x is a {type(x).__name__}; give an array of docs"):
        explain_arrays(model, x)


def test_a_doc_that_does_not_fit_is_named(model):
    bad = X.copy()
    bad[3, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="doc 3: doc holds NaN"):
        explain_arrays(model, bad)
    with pytest.raises(ValueError, match="doc 2: .*the model takes"):
        explain_arrays(model, iter([X[:2], X[:, :8]]))


def test_options_and_methods_are_checked(model):
    with pytest.raises(ValueError, match="no method 'gradcamm'.*did you mean 'gradcam'"):
        explain_arrays(model, X, method="gradcamm")
    with pytest.raises(TypeError, match="'steps' is no argument.*integrated_gradients"):
        explainkit.gradcam(model, X, steps=3)
    with pytest.raises(ValueError, match="batch_size is 0"):
        explain_arrays(model, X, batch_size=0)
    with pytest.raises(TypeError, match="cannot explain a builtins.str"):
        explain_arrays("model.keras", X)


@pytest.mark.parametrize("on_error", ["raise", "record"])
def test_a_doc_without_a_map_has_no_place_in_an_array(model, on_error):
    """Where errors are recorded, the doc is named too: there are no scores to put there."""
    bad = np.concatenate([X[:1], X[:1] * np.nan])
    with pytest.raises((TypeError, ValueError), match=r"doc 1|on_error"):
        explain_arrays(model, bad, on_error=on_error)


# Progress


def test_a_bar_is_shown_where_it_is_asked_for(model, capsys):
    explain_arrays(model, X, Y, progress=True)
    assert "5/5" in capsys.readouterr().err
    explain_arrays(model, iter([X]), Y, progress=True)
    assert "5doc" in capsys.readouterr().err  # nobody knows how many there will be


@pytest.mark.parametrize("progress", [None, False])
def test_no_bar_is_shown_where_there_is_no_terminal(model, capsys, progress):
    explain_arrays(model, X, Y, progress=progress)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_a_warning_points_to_who_asked(model):
    """Not into what draws the bar."""
    dead = models.functional()
    head = dead.get_layer("head")
    head.set_weights([-np.abs(weights) for weights in head.get_weights()])
    first = dead.get_layer("last")
    first.activation = keras.activations.sigmoid
    with pytest.warns(explainkit.ExplanationWarning, match="nothing at layer") as caught:
        explain_arrays(dead, X, Y)
    assert {Path(one.filename).name for one in caught} == {Path(__file__).name}


# Other models


def test_a_module_of_pytorch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.ReLU(),
        torch.nn.Conv2d(4, 5, 3),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(5, 4),
    )
    x = np.moveaxis(X, -1, 1)
    with torch.no_grad():
        said = module.eval()(torch.tensor(x)).numpy()
    for name in ("gradcam", "fullgrad", "ablationcam"):
        scores, maps = DOORS[name](module, x, Y, postprocess=None)
        np.testing.assert_allclose(scores, np.take_along_axis(said, Y, axis=1), rtol=1e-4)
        expected = recorded(module, x, targets=Y, method=name)
        assert_same((scores, maps), expected[:2])
    loader = torch.utils.data.DataLoader(torch.tensor(x), batch_size=2)
    assert_same(explain_arrays(module, loader, Y), explain_arrays(module, x, Y))


@pytest.mark.parametrize("layer", ["first", None])
def test_an_exposed_model(model, layer):
    exposed = explainkit.inspection.expose(model, layer)
    expected = explain_arrays(model, X, Y, layer=layer)
    assert_same(explain_arrays(exposed, X, Y), expected)
    assert_same(explainkit.gradcam(exposed, X, Y), expected)
    # Methods of the picture take no layer, and are given none.
    assert_same(explainkit.gradients(exposed, X, Y), explainkit.gradients(model, X, Y))


# The documents that this grew from, with the names of today


def of_today(build, **options):
    keras.utils.set_random_seed(0)
    return build(weights=None, classifier_activation=None, input_shape=(64, 64, 3), **options)


def test_the_snippets_about_gradcam():
    model = of_today(keras.applications.MobileNetV2, alpha=0.35, classes=10)
    images = np.random.default_rng(0).uniform(0, 255, size=(3, 64, 64, 3)).astype("float32")

    inputs = images / 127.5 - 1
    logits = model.predict(inputs, verbose=0)
    indices = np.argsort(logits, axis=-1)[:, ::-1]
    explaining_units = indices[:, :1]  # First most likely class of each sample.

    exposed = explainkit.inspection.expose(model)
    scores, cams = explainkit.gradcam(exposed, inputs, explaining_units, batch_size=32)

    np.testing.assert_allclose(scores, logits.max(axis=1, keepdims=True), rtol=1e-3, atol=1e-5)
    assert cams.shape == (3, 1, 2, 2)
    assert_same((scores, cams), explainkit.gradcam(model, inputs))

    found, maps = explainkit.gradients(model, inputs, explaining_units, batch_size=32)
    np.testing.assert_allclose(found, scores, rtol=1e-4, atol=1e-6)
    assert maps.shape == (3, 1, 64, 64)


def test_the_snippets_about_full_gradients():
    model = of_today(keras.applications.MobileNet, alpha=0.25, classes=10)
    model.layers[-1].activation = keras.activations.linear  # Usually softmax or sigmoid.

    logits = explainkit.inspection.get_logits_layer(model)
    inters, biases = explainkit.inspection.layers_with_biases(model, exclude=[logits])
    exposed = explainkit.inspection.expose(model, inters, logits)
    assert logits is model.get_layer("conv_preds")
    assert logits not in inters

    x, y = (
        np.random.default_rng(0).random((4, 64, 64, 3)),
        np.random.default_rng(1).integers(10, size=[4, 1]),
    )
    scores, maps = explainkit.fullgrad(exposed, x, y, biases=biases)

    said = model.predict(x, verbose=0)
    np.testing.assert_allclose(scores, np.take_along_axis(said, y, 1), rtol=1e-3, atol=1e-5)
    assert maps.shape == (4, 1, 64, 64)


def test_full_gradients_need_not_be_told_the_biases(model):
    """That of the head has no place in a map."""
    logits = explainkit.inspection.get_logits_layer(model)
    _, biases = explainkit.inspection.layers_with_biases(model, exclude=[logits])
    told = explainkit.fullgrad(model, X, Y, biases=biases)
    assert_same(told, explainkit.fullgrad(model, X, Y))
    fewer = explainkit.fullgrad(model, X, Y, biases=biases[:1])
    assert not np.allclose(told[1], fewer[1], rtol=1e-2)


# What is loaded


def run(code):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ,
    )


def test_nothing_heavy_is_loaded_before_it_is_needed():
    ran = run("""
        import sys, explainkit
        heavy = {"tensorflow", "keras", "jax", "torch", "matplotlib", "tqdm", "pandas"}
        print(sorted(heavy & set(sys.modules)))
        explainkit.gradcam, explainkit.fullgrad, explainkit.explain_arrays, explainkit.filters
        explainkit.filters.compose(explainkit.filters.positive, explainkit.filters.scale)
        dir(explainkit)
        print(sorted(heavy & set(sys.modules)))
    """)
    assert ran.stdout.split("\n")[:2] == ["[]", "[]"], ran.stderr
