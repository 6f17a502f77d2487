"""Bad input: each is refused before any forward pass, with what was given and what would do."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from explainkit import explain_prediction
from explainkit.estimators import keras_explainer
from explainkit.inspection import find_layer, get_logits_layer

from . import backend, models


@pytest.fixture(scope="module")
def model():
    return models.functional()


@pytest.fixture(scope="module")
def nested():
    return models.nested_three_deep()


DOC = models.doc()


@pytest.fixture
def _no_forward_pass(monkeypatch):
    """Let models be looked at, on stand-ins, but not be run on numbers."""
    call = keras.Layer.__call__

    def on_stand_ins_only(layer, *args, **kwargs):
        for one in keras.tree.flatten((args, kwargs)):
            assert not isinstance(one, np.ndarray), "the model was run"
            assert not keras.ops.is_tensor(one) or backend.is_stand_in(one), "the model was run"
        return call(layer, *args, **kwargs)

    def compiled(*_arguments, **_options):
        raise AssertionError("the model was compiled")

    monkeypatch.setattr(keras.Layer, "__call__", on_stand_ins_only)
    monkeypatch.setattr(backend.ENGINE, "compile", compiled)


@pytest.mark.usefixtures("_no_forward_pass")
@pytest.mark.parametrize(
    ("doc", "error", "message"),
    [
        (None, TypeError, "doc is a NoneType; give an array"),
        ("cat.jpg", TypeError, "doc is a str; give an array"),
        ([[1.0, 2.0]], TypeError, "doc is a list; give an array"),
        (Image.new("RGB", (16, 16)), TypeError, "doc is a Image; give an array"),
        (np.array([["a"]]), TypeError, "doc is an array of <U1; give numbers"),
        (DOC[0], ValueError, r"shape \(16, 16, 3\), of rank 3.*give doc\[np.newaxis\]"),
        (DOC[:, :, 0], ValueError, r"shape \(1, 16, 3\), of rank 3"),
        (np.zeros(()), ValueError, r"shape \(\), of rank 0"),
        (DOC[:, :8], ValueError, r"shape \(1, 8, 16, 3\); the model takes \(N, 16, 16, 3\)"),
        (np.zeros((1, 16, 16, 1)), ValueError, r"takes \(N, 16, 16, 3\)"),
        (np.concatenate([DOC, DOC]), ValueError, "batch of 2.*or use explain_predictions"),
        (DOC[:0], ValueError, r"doc is empty: its shape is \(0, 16, 16, 3\)"),
        (DOC * np.nan, ValueError, r"NaN or infinite numbers, the first at \(0, 0, 0, 0\)"),
        (DOC / 0, ValueError, "NaN or infinite"),
        ([DOC, DOC], TypeError, "doc is a list"),
        ({"picture": DOC}, ValueError, r"inputs \['picture'\]; the model takes \['image'\]"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_doc_that_does_not_fit(model, doc, error, message):
    with pytest.raises(error, match=message):
        explain_prediction(model, doc)


@pytest.mark.usefixtures("_no_forward_pass")
@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        ("lst", LookupError, "no layer 'lst' ran in model 'outer'; did you mean 'last'?"),
        ("middle/backbone/frist", LookupError, "did you mean 'middle/backbone/first'?"),
        ("head", ValueError, r"'head' gives the shape \(4,\).*'middle/backbone/last' has"),
        (99, LookupError, "no layer 99; model 'outer' has 5 layers"),
        (-1, ValueError, "'head' gives the shape"),
        (True, TypeError, "layer is a bool; give a name, a path"),
        (1.5, TypeError, "layer is a float"),
        ([], ValueError, "layer is an empty list"),
        (["last", "last"], ValueError, "names the same layer twice"),
        (["last", "backbone/last"], ValueError, "names the same layer twice"),
        ("last#3", LookupError, "applied 1 times; there is no application 3"),
        ("last#x", LookupError, "behind '#' comes the application"),
        (("last", 0, 1), TypeError, r"a tuple is \(layer, application\)"),
        (("last", "x"), LookupError, "behind '#'"),
        (layers.Dense(3, name="stranger"), LookupError, "'stranger' is not among the layers"),
    ],
)
def test_a_layer_that_is_none(nested, layer, error, message):
    with pytest.raises(error, match=message):
        explain_prediction(nested, DOC, layer=layer)


def test_a_name_that_several_layers_have():
    inner = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Conv2D(3, 3, name="conv")], name="inner"
    )
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            inner,
            keras.Sequential([layers.Conv2D(3, 3, name="conv")], name="other"),
            layers.GlobalAveragePooling2D(),
        ]
    )
    with pytest.raises(LookupError, match="called 'conv': inner/conv, other/conv; give a path"):
        explain_prediction(model, DOC, layer="conv")
    assert find_layer(model, "inner/conv") is inner.layers[-1]


@pytest.mark.usefixtures("_no_forward_pass")
@pytest.mark.parametrize(
    ("targets", "error", "message"),
    [
        (4, ValueError, "target 4 is out of range; output 'head' has 4 units, 0 to 3"),
        (-1, ValueError, "target -1 is out of range"),
        (True, TypeError, "target True is a bool"),
        (np.bool_(True), TypeError, "is a bool"),
        (1.0, TypeError, "target 1.0 is a float; give a unit"),
        ([1, 1], ValueError, r"target 1 is given twice in \[1, 1\]"),
        ([0, 1, 9], ValueError, "target 9 is out of range"),
        ([], ValueError, "targets is empty"),
        ("cat", LookupError, "'cat' is a name, but no names were given; give target_names="),
        (("head", 7), ValueError, "target 7 is out of range"),
        (("haed", 1), LookupError, "no output 'haed'.*did you mean 'head'?"),
        ((1, 2), ValueError, "no output 1, the model has 1.*several targets are a list"),
        ((1, 2, 3), ValueError, r"a tuple is \(output, unit\); give several targets as a list"),
        ([1, len], TypeError, "mixes callables with units"),
        (np.array([[0.5]]), TypeError, "array of float64; give integers"),
        (np.array([[1], [2]]), ValueError, "2 rows, but there are 1 docs"),
        (np.zeros((1, 0), int), ValueError, "targets is empty"),
        (np.array([[1, 1]]), ValueError, "given twice"),
    ],
)
def test_a_target_that_is_none(model, targets, error, message):
    with pytest.raises(error, match=message):
        explain_prediction(model, DOC, targets=targets)


NAMES = ["ant", "bee", "cat", "cat"]


@pytest.mark.usefixtures("_no_forward_pass")
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"targets": "be", "target_names": NAMES}, LookupError, "named 'be'; did you mean 'bee'?"),
        ({"targets": "cat", "target_names": NAMES}, LookupError, r"named 'cat': \[2, 3\]"),
        ({"target_names": NAMES[:3]}, ValueError, "3 names, but output 'head' has 4 units"),
        ({"target_names": "ant"}, TypeError, "target_names is a str; give a list"),
        ({"target_names": 5}, TypeError, "target_names is a int"),
        ({"top_targets": 0}, ValueError, "top_targets is 0; output 'head' has 4 units"),
        ({"top_targets": 5}, ValueError, "top_targets is 5"),
        ({"top_targets": 1.5}, TypeError, "top_targets is 1.5; give a number"),
        ({"method": "gradcamm"}, ValueError, "did you mean 'gradcam'?"),
        ({"logit": False}, TypeError, "'logit' is no argument.*did you mean 'logits'?"),
        ({"zebra": 1}, TypeError, "no option of 'gradcam', which takes: fusion, counterfactual$"),
        ({"logits": 1}, TypeError, "'logits' must be.*bool"),
        ({"image": "nowhere.png"}, FileNotFoundError, "nowhere.png"),
    ],
)
def test_other_arguments_that_are_wrong(model, options, error, message):
    with pytest.raises(error, match=message):
        explain_prediction(model, DOC, **options)


@pytest.mark.usefixtures("_no_forward_pass")
@pytest.mark.parametrize(
    ("doc", "error", "message"),
    [
        (DOC, ValueError, r"2 inputs \('image', 'hint'\); give doc as a list or a dict"),
        ([DOC], ValueError, "1 arrays"),
        ([DOC, DOC, DOC], ValueError, "doc has 3 arrays; the model has 2 inputs"),
        ([np.ones((1, 3)), DOC], ValueError, r"of rank 2; the model takes \(N, 16, 16, 3\)"),
        ([DOC, np.ones((2, 3))], ValueError, r"differ in their number of docs: \[1, 2\]"),
        ({"image": DOC}, ValueError, r"inputs \['image'\]; the model takes \['hint', 'image'\]"),
    ],
)
def test_docs_of_several_inputs_that_do_not_fit(doc, error, message):
    with pytest.raises(error, match=message):
        explain_prediction(models.two_inputs_two_outputs(), doc)


@pytest.mark.usefixtures("_no_forward_pass")
def test_a_unit_of_no_output_where_there_are_several():
    doc = [DOC, np.ones((1, 3), np.float32)]
    with pytest.raises(ValueError, match=r"give \(output, unit\), such as \('box', 2\)"):
        explain_prediction(models.two_inputs_two_outputs(), doc, targets=2)


@pytest.mark.usefixtures("_no_forward_pass")
def test_a_model_without_a_spatial_layer():
    flat = keras.Sequential([keras.Input((16, 16, 3)), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(ValueError, match="has no layer whose output has spatial axes"):
        explain_prediction(flat, DOC)
    with pytest.raises(ValueError, match="has no spatial axes greater than 1$"):
        explain_prediction(flat, DOC, layer=-1)


@pytest.mark.usefixtures("_no_forward_pass")
def test_an_output_that_is_no_row_of_units():
    dense = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(3, 3, name="pixels")])
    for targets in (None, 1):
        with pytest.raises(ValueError, match=r"shape \(14, 14, 3\) for each doc.*a callable"):
            explain_prediction(dense, DOC, targets=targets)


@pytest.mark.parametrize("targets", [("kind", 0), [("kind", 0), ("kind", 1)]])
@pytest.mark.usefixtures("_no_forward_pass")
def test_a_head_that_does_not_depend_on_the_layer(targets):
    inputs = keras.Input((16, 16, 3))
    used = layers.Conv2D(3, 3, name="used")(inputs)
    aside = layers.Conv2D(3, 3, name="aside")(inputs)
    pool = layers.GlobalAveragePooling2D
    model = keras.Model(
        inputs,
        {"kind": layers.Dense(2)(pool()(used)), "other": layers.Dense(2)(pool()(aside))},
    )
    message = "does not depend on the output of layer 'aside'.*it depends on that of 'used'"
    with pytest.raises(ValueError, match=message):
        explain_prediction(model, DOC, layer="aside", targets=targets)


def test_callables_that_give_no_scores(model):
    def mean_score(outputs):
        return keras.ops.mean(outputs)

    with pytest.raises(ValueError, match=r"target mean_score gives scores of shape \(\)"):
        explain_prediction(model, DOC, targets=mean_score)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda outputs: outputs[0], ValueError, "gives 4 scores for 1 docs.*outputs\\[:, 3\\]"),
        (lambda outputs: [outputs], TypeError, "gives a list; give a tensor of real numbers"),
        (lambda outputs: keras.ops.argmax(outputs, 1), TypeError, "give a tensor of real numbers"),
        (
            lambda outputs: keras.ops.stop_gradient(outputs[:, 0]),
            ValueError,
            "can be differentiated",
        ),
    ],
)
def test_callables_that_give_something_else(model, function, error, message):
    with pytest.raises(error, match=message):
        explain_prediction(model, DOC, targets=function)


def test_a_tensor_without_numbers(model):
    with pytest.raises(TypeError, match="tensor without numbers.*explain outside of it"):
        backend.explain_without_numbers(model, DOC)


def test_numbers_that_are_not_finite_are_errors_and_no_blank_picture():
    model = models.functional()
    head = model.get_layer("head")
    head.set_weights([np.full_like(w, np.nan) for w in head.get_weights()])
    with pytest.raises(ValueError, match="a score that is NaN or infinite"):
        explain_prediction(model, DOC)

    def root(outputs):
        return keras.ops.sqrt(outputs[:, 0] * 0)

    with pytest.raises(ValueError, match="a gradient that is NaN or infinite"):
        explain_prediction(models.functional(), DOC, targets=root)


def test_a_backend_without_an_engine_is_named(model, monkeypatch):
    monkeypatch.setattr(keras_explainer, "ENGINES", {"abacus": ""})
    message = f"runs on {backend.NAME}.*it has one for abacus"
    with pytest.raises(NotImplementedError, match=message):
        explain_prediction(model, DOC)


def test_layers_that_are_not_one_layer(model):
    with pytest.raises(TypeError, match="layer is a list; give one layer"):
        find_layer(model, ["last"])


def test_scores_that_no_layer_made():
    class Bare(keras.Model):
        def call(self, x):
            return keras.ops.mean(x, axis=(1, 2)) * 2

    with pytest.raises(LookupError, match="is not the output of a layer"):
        get_logits_layer(Bare(), doc=DOC)
