"""What a method is asked for in vain: refused before the model runs, and what would do is said."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from explainkit import (
    counterfactual,
    explain_arrays,
    explain_prediction,
    explain_predictions,
    smooth,
    tta,
)
from explainkit.methods import METHODS, option_names
from explainkit.methods.cam import GradCAM

from . import backend, models

DOC = models.doc()
SIZE = models.SIZE

pytestmark = pytest.mark.filterwarnings("ignore:nothing at", "ignore:__array__ implementation")

#: Each asks at once: nobody needs to take an explanation from the iterator to hear of an error.
DOORS = {
    "one": explain_prediction,
    "many": lambda model, doc, **o: explain_predictions(model, np.concatenate([doc] * 3), **o),
    "stream": lambda model, doc, **o: explain_predictions(model, iter([doc] * 3), **o),
    "arrays": lambda model, doc, **o: explain_arrays(model, np.concatenate([doc] * 3), **o),
}
every_door = pytest.mark.parametrize("door", DOORS)


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


def state(model):
    """What an explanation could have changed."""
    return [
        (
            id(layer),
            sorted(vars(layer)),
            getattr(layer, "activation", None),
            layer.trainable,
            [keras.ops.convert_to_numpy(variable).tobytes() for variable in layer.variables],
        )
        for layer in model._flatten_layers()
    ]


def refused(model, door, doc, error, message, **asked):
    """Ask, and see that nothing but an error comes of it."""
    before = state(model)
    with pytest.raises(error, match=message):
        DOORS[door](model, doc, **asked)
    assert state(model) == before


@pytest.fixture(scope="module")
def model():
    return models.functional()


#: What is wrong with the question, whatever the model.
OPTIONS = [
    ({"method": "gradcm"}, ValueError, "no method 'gradcm'; .*; did you mean 'gradcam'?"),
    ({"method": "fullgrd"}, ValueError, "did you mean 'fullgrad'?"),
    ({"method": "zzz"}, ValueError, "no method 'zzz'; there are: .*gradcam.*rise"),
    ({"method": 3}, TypeError, "method is a int; give a name: .*gradcam"),
    ({"method": None}, TypeError, "method is a NoneType; give a name"),
    ({"method": GradCAM}, TypeError, "method is a .*; give a name"),
    (
        {"method": "gradcam", "steps": 9},
        TypeError,
        "'steps' is no argument .*no option of 'gradcam'.*it is an option of integrated_gradients",
    ),
    (
        {"method": "eigencam", "counterfactual": True},
        TypeError,
        "it is an option of .*gradcam.*fullgrad",
    ),
    ({"method": "rise", "mask": 9}, TypeError, "which takes: masks.*did you mean 'masks'?"),
    ({"method": "gradcam", "target": 1}, TypeError, "did you mean 'targets'?"),
    ({"method": GradCAM(), "fusion": "max"}, TypeError, "has its options already; fusion came"),
    ({"method": "gradients", "layer": "last"}, TypeError, "layer='last' was given.*takes none"),
    (
        {"method": "rise", "layer": "last"},
        TypeError,
        "method 'rise' explains the picture itself.*built at layers are: cam, gradcam",
    ),
    ({"method": smooth("gradients"), "layer": 1}, TypeError, r"'smooth\(gradients\)' .*takes none"),
    ({"method": "gradients", "reshape": (2, 2)}, TypeError, r"reshape=\(2, 2\) was given.*none"),
    ({"method": "gradcam", "reshape": (5, 5)}, ValueError, "give layer= as well"),
    ({"method": "integrated_gradients", "steps": 0}, ValueError, "steps is 0; give 1 or more"),
    ({"method": "integrated_gradients", "steps": 2.5}, TypeError, "steps is 2.5; give a whole"),
    (
        {"method": "integrated_gradients", "baseline": np.zeros((5, 5, 3))},
        ValueError,
        r"baseline has the shape \(5, 5, 3\); the picture has the shape \(16, 16, 3\)",
    ),
    (
        {"method": "integrated_gradients", "baseline": np.zeros((1, SIZE, SIZE, 3))},
        ValueError,
        "without the axis of docs",
    ),
    ({"method": "occlusion", "baseline": np.zeros((2, 3))}, ValueError, r"the shape \(2, 3\)"),
    ({"method": "scorecam", "baseline": np.zeros((5, 3))}, ValueError, r"the shape \(5, 3\)"),
    (
        {"method": "rise", "baseline": "noise"},
        ValueError,
        "baseline is 'noise'.*\"blur\" or an arr",
    ),
    ({"method": "rise", "baseline": np.nan}, ValueError, "baseline holds what is no finite"),
    ({"method": "rise", "baseline": [0, 0, 0]}, TypeError, "baseline is a list; give a number"),
    ({"method": "smoothgrad", "noise": -1}, ValueError, "noise is -1; give a finite number"),
    ({"method": "smoothgrad", "noise": np.inf}, ValueError, "noise is inf"),
    ({"method": "vargrad", "samples": 0}, ValueError, "samples is 0; give 1 or more"),
    ({"method": "smoothgrad", "seed": -1}, ValueError, "seed is -1; give 0 or more"),
    ({"method": "occlusion", "patch": 17}, ValueError, "patch is 17 pixels; the picture has only"),
    ({"method": "occlusion", "patch": 0}, ValueError, "patch is 0; give 1 or more"),
    (
        {"method": "occlusion", "patch": 4, "stride": 5},
        ValueError,
        "stride is 5, more than the 4 pixels",
    ),
    ({"method": "rise", "masks": 1}, ValueError, "masks is 1; give 2 or more"),
    ({"method": "rise", "visible": 1}, ValueError, "visible is 1; give a number between 0 and 1"),
    ({"method": "rise", "visible": "half"}, TypeError, "visible is 'half'; give a number"),
    ({"method": "scorecam", "max_channels": 0}, ValueError, "max_channels is 0; give 1 or more"),
    ({"method": "gradcam", "fusion": "sum"}, ValueError, "fusion is 'sum'.*'mean', 'max'"),
    ({"method": "gradcam", "counterfactual": 1}, TypeError, "counterfactual is 1; give True or"),
    ({"method": "gradients", "channels": "all"}, ValueError, "channels is 'all'; give one of"),
    ({"method": "fullgrad", "psi": "relu"}, ValueError, "psi is 'relu'; give one of 'absolute'"),
    ({"method": "fullgrad", "biases": ["nope"]}, LookupError, "no layer 'nope' ran in model"),
    ({"method": "fullgrad", "biases": ["frist"]}, LookupError, "did you mean 'first'?"),
    ({"method": "fullgrad", "biases": "first"}, TypeError, "biases is a str; give a list of"),
    ({"method": "fullgrad", "biases": [None]}, TypeError, "layer is a NoneType; give a name"),
    (
        {"method": "fullgrad", "biases": ["first", 2]},
        ValueError,
        "layer 'max_pooling.*' adds no bias that leads to the score; these do: first, last, head",
    ),
    (
        {"method": tta("gradcam", scales=(0.5, 1))},
        ValueError,
        r"takes pictures of 16x16 only.*give scales=\(1.0,\)",
    ),
    ({"method": "gradcam", "batch_size": 0}, ValueError, "batch_size is 0; give 1 or more"),
    ({"method": "gradcam", "logits": "no"}, TypeError, "logits"),
]


@pytest.mark.usefixtures("_no_forward_pass")
@every_door
@pytest.mark.parametrize(
    ("asked", "error", "message"),
    OPTIONS,
    ids=["-".join(map(str, asked.values()))[:40].replace("\n", "") for asked, _, _ in OPTIONS],
)
def test_a_question_that_means_nothing(model, door, asked, error, message):
    refused(model, door, DOC, error, message, **asked)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: tta("gradcam", flips=("diagonal",)), ValueError, "flips has 'diagonal'; there"),
        (lambda: tta("gradcam", flips="horizontal"), TypeError, "give a list of 'horizontal'"),
        (lambda: tta("gradcam", flips=("vertical",) * 2), ValueError, "names one twice"),
        (lambda: tta("gradcam", scales=()), ValueError, "scales is empty"),
        (lambda: tta("gradcam", scales=(0,)), ValueError, "scales has 0; give positive numbers"),
        (lambda: tta("gradcam", weights=(1,)), ValueError, "weights has 1 numbers; there are 2"),
        (lambda: tta("gradcam", weights=(1, 1)), ValueError, "weights add up to 2; they must"),
        (lambda: tta("gradcm"), ValueError, "did you mean 'gradcam'?"),
        (lambda: tta("gradcam", scale=1), TypeError, "no option of 'tta'.*did you mean 'scales'?"),
        (lambda: smooth("gradcam", samples=0), ValueError, "samples is 0"),
        (lambda: smooth("gradcam", noise="much"), TypeError, "noise is 'much'; give a number"),
        (lambda: smooth("gradcam", steps=3), TypeError, "'steps' is no option of 'smooth'"),
        (lambda: counterfactual("eigencam"), TypeError, "no gradients that could be negated"),
        (lambda: counterfactual(smooth("rise")), TypeError, "these do: .*gradcam"),
    ],
)
def test_methods_that_cannot_be_made(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("option", sorted({o for name in METHODS for o in option_names(name)}))
def test_an_option_of_other_methods_names_all_of_them(model, option):
    owners = [name for name in METHODS if option in option_names(name)]
    for name in set(METHODS) - set(owners):
        with pytest.raises(TypeError, match=re.escape(f"it is an option of {', '.join(owners)}")):
            explain_prediction(model, DOC, method=name, **{option: 1})


# What is wrong with the model


def without_biases():
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Conv2D(4, 3, use_bias=False, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, use_bias=False),
        ],
        name="unbiased",
    )


def of_a_vector():
    return keras.Sequential(
        [keras.Input((7,)), layers.Dense(5, activation="relu"), layers.Dense(3)], name="dense"
    )


def of_whole_numbers(dtype):
    inputs = keras.Input((SIZE, SIZE, 3), dtype=dtype, name="bytes")
    x = layers.Rescaling(1 / 255.0)(inputs)
    for layer in models.body():
        x = layer(x)
    return keras.Model(inputs, x, name="whole")


VECTOR = np.zeros((1, 7), np.float32)


@pytest.mark.usefixtures("_no_forward_pass")
@every_door
@pytest.mark.parametrize("method", ["fullgrad", smooth("fullgrad"), tta("fullgrad")], ids=repr)
def test_full_gradients_of_a_model_without_biases(door, method):
    message = "model 'unbiased' has no biases that lead to the score.*'input_x_gradient' needs none"
    refused(without_biases(), door, DOC, ValueError, message, method=method)


def without_relus():
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Conv2D(4, 3, activation="tanh"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ],
        name="smoothly",
    )


@pytest.mark.usefixtures("_no_forward_pass")
@every_door
@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet", "guided_gradcam"])
def test_rewritten_relus_of_a_model_that_has_none(door, method):
    message = f"method '{method}' rewrites the gradients of relus, and model 'smoothly' has none"
    refused(without_relus(), door, DOC, ValueError, message, method=method)


@pytest.mark.usefixtures("_no_forward_pass")
@every_door
@pytest.mark.parametrize(
    "method", ["gradients", "integrated_gradients", "rise", "occlusion", "fullgrad", "smoothgrad"]
)
def test_pictures_of_a_model_that_takes_a_vector(door, method):
    message = rf"'{method}' explains pictures, and the score of model 'dense' .*the shapes \(7,\)"
    refused(of_a_vector(), door, VECTOR, ValueError, message, method=method)


@pytest.mark.usefixtures("_no_forward_pass")
@every_door
def test_maps_of_a_model_that_takes_a_vector(door):
    message = "has no layer whose output has spatial axes greater than 1"
    refused(of_a_vector(), door, VECTOR, ValueError, message, method="gradcam")


@pytest.mark.usefixtures("_no_forward_pass")
@every_door
@pytest.mark.parametrize("dtype", ["uint8", "int32"])
@pytest.mark.parametrize("method", ["gradients", "rise", "scorecam", smooth("gradcam")], ids=repr)
def test_fractions_of_a_picture_of_whole_numbers(door, dtype, method):
    doc = np.zeros((1, SIZE, SIZE, 3), dtype)
    name = method if isinstance(method, str) else method.spelled
    refused(
        of_whole_numbers(dtype),
        door,
        doc,
        ValueError,
        f"method '{name}'.* changes the picture by fractions.*model 'whole' takes it as {dtype}"
        if isinstance(method, str)
        else f"changes the picture by fractions.*model 'whole' takes it as {dtype}",
        method=method,
    )


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_layers_of_a_model_of_whole_numbers(dtype):
    """As the error says that would do."""
    doc = np.random.default_rng(0).integers(0, 255, (1, SIZE, SIZE, 3)).astype(dtype)
    for method in ("gradcam", "ablationcam"):
        expl = explain_prediction(of_whole_numbers(dtype), doc, method=method)
        assert np.isfinite(expl.targets[0].map).all()


@pytest.mark.usefixtures("_no_forward_pass")
@every_door
def test_flips_of_what_is_no_picture(door):
    signal = keras.Sequential(
        [
            keras.Input((16, 2)),
            layers.Conv1D(3, 3),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3),
        ]
    )
    doc = np.zeros((1, 16, 2), np.float32)
    refused(signal, door, doc, ValueError, "tta flips pictures", method=tta("gradcam"))


# What is not refused


def test_scales_of_a_model_that_takes_any_size():
    model = keras.Sequential([keras.Input((None, None, 3)), *models.body()])
    plain = explain_prediction(model, DOC, targets=1)
    scaled = explain_prediction(
        model, DOC, targets=1, method=tta("gradcam", scales=(0.5, 1.0, 1.5))
    )
    assert scaled.targets[0].map.shape == plain.targets[0].map.shape
    assert np.isfinite(scaled.targets[0].map).all()
    assert scaled.targets[0].score == pytest.approx(plain.targets[0].score, rel=1e-5)
    assert not np.allclose(scaled.targets[0].map, plain.targets[0].map)
    same = explain_prediction(model, DOC, targets=1, method=tta("gradcam", flips=(), scales=(1,)))
    np.testing.assert_allclose(same.targets[0].map, plain.targets[0].map, rtol=1e-4, atol=1e-6)


def test_a_patch_as_large_as_the_picture(model):
    expl = explain_prediction(model, DOC, targets=0, method="occlusion", patch=SIZE)
    np.testing.assert_allclose(expl.targets[0].map, expl.targets[0].map[0, 0], rtol=1e-5)


def test_a_baseline_that_can_be_broadcast(model):
    for baseline in (np.zeros(3), np.zeros((SIZE, SIZE, 1)), np.float32(0), 0):
        options = {"method": "integrated_gradients", "steps": 2, "baseline": baseline}
        expl = explain_prediction(model, DOC, targets=0, **options)
        reference = explain_prediction(
            model, DOC, targets=0, method="integrated_gradients", steps=2
        )
        np.testing.assert_allclose(expl.targets[0].map, reference.targets[0].map, rtol=1e-4)


# Modules of PyTorch, which are looked at by running them once


def torch_body(nonlinearity, *, bias=True):
    torch = pytest.importorskip("torch")
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, bias=bias),
        nonlinearity(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3, bias=bias),
    )


def test_modules_of_pytorch():
    torch = pytest.importorskip("torch")
    doc = np.zeros((1, 3, SIZE, SIZE), np.float32)
    tanh, relu = torch_body(torch.nn.Tanh), torch_body(torch.nn.ReLU, bias=False)
    vector = torch.nn.Sequential(torch.nn.Linear(7, 3))
    for module, given, asked, message in [
        (tanh, doc, {"method": "guided_backprop"}, "model 'Sequential' has none"),
        (relu, doc, {"method": "fullgrad"}, "has no biases that lead to the score"),
        (vector, VECTOR, {"method": "gradients"}, "explains pictures, and the score"),
        (tanh, doc, {"method": "fullgrad", "biases": ["1"]}, "layer '1' adds no bias"),
        (tanh, doc, {"method": "occlusion", "patch": 17}, "patch is 17 pixels"),
        (
            tanh,
            doc,
            {"method": "rise", "baseline": np.zeros((3, SIZE, SIZE))},
            "its channels last",
        ),
    ]:
        for door in ("one", "many"):
            with pytest.raises(ValueError, match=message):
                list(DOORS[door](module, given, **asked))
    for asked, error in [
        ({"method": "gradients", "layer": "0"}, TypeError),
        ({"method": "gradients", "reshape": (2, 2)}, TypeError),
        ({"method": "gradcm"}, ValueError),
        ({"method": "fullgrad", "biases": ["nope"]}, LookupError),
    ]:
        for door in ("one", "many"):
            with pytest.raises(error):
                DOORS[door](tanh, doc, **asked)


@every_door
def test_options_are_checked_before_a_module_of_pytorch_runs(door):
    torch = pytest.importorskip("torch")
    module = torch_body(torch.nn.ReLU)
    calls = []
    module.register_forward_pre_hook(lambda *_: calls.append(1))
    doc = np.zeros((1, 3, SIZE, SIZE), np.float32)
    for asked in (
        {"method": "gradcm"},
        {"method": "gradcam", "steps": 9},
        {"method": "integrated_gradients", "steps": 0},
        {"method": "smoothgrad", "noise": -1},
        {"method": "gradients", "batch_size": 0},
    ):
        with pytest.raises((TypeError, ValueError)):
            DOORS[door](module, doc, **asked)
    assert not calls


def test_a_module_of_pytorch_is_left_as_it_was():
    torch = pytest.importorskip("torch")
    module = torch_body(torch.nn.Tanh).train()
    doc = np.zeros((1, 3, SIZE, SIZE), np.float32)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    attributes = [sorted(vars(part)) for part in module.modules()]
    for asked in ({"method": "guided_backprop"}, {"method": "fullgrad", "biases": ["nope"]}):
        with pytest.raises((LookupError, ValueError)):
            explain_prediction(module, doc, **asked)
    assert all(part.training for part in module.modules())
    assert [sorted(vars(part)) for part in module.modules()] == attributes
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
