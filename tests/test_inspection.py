"""What layers add, and what passes at them: against numpy, cut models and hooks."""

import keras
import numpy as np
import pytest
from keras import layers

from explainkit import (
    explain_prediction,
    explain_predictions,
    fullgrad,
    gradcam,
    gradients,
    smooth,
)
from explainkit.inspection import Exposed, expose, get_logits_layer, layers_with_biases

from .estimators import models

SIZE = models.SIZE
DOCS = np.concatenate([models.doc(seed) for seed in range(3)])
RNG = np.random.default_rng(0)

pytestmark = pytest.mark.filterwarnings("ignore:nothing at", "ignore:__array__ implementation")


def with_known_weights(model):
    """Give every variable numbers of its own, so that no bias is zero."""
    for variable in model.weights:
        numbers = RNG.normal(0, 0.3, variable.shape)
        variable.assign(np.abs(numbers) + 0.2 if "variance" in variable.path else numbers)
    return model


def network(*body, size=SIZE):
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, name="head")]
    return with_known_weights(keras.Sequential([keras.Input((size, size, 3)), *body, *head]))


def values(variable):
    return keras.ops.convert_to_numpy(variable)


def by_path(model, **options):
    """What is found, by its path; the layers are those of the paths."""
    found, biases = layers_with_biases(model, **options)
    assert len(found) == len(biases)
    for layer, bias in zip(found, biases, strict=True):
        assert type(layer).__name__ == bias.kind
        assert bias.layer.partition("#")[0].endswith(getattr(layer, "name", ""))
        assert isinstance(bias.values, np.ndarray)
    return {bias.layer: bias.values for bias in biases}


def flat(array):
    return np.asarray(array).reshape(-1)


# Keras: what counts, and what it adds


@pytest.mark.parametrize(
    "layer",
    [
        lambda **o: layers.Conv2D(4, 3, **o),
        lambda **o: layers.Conv2DTranspose(4, 3, **o),
        lambda **o: layers.DepthwiseConv2D(3, **o),
        lambda **o: layers.SeparableConv2D(4, 3, **o),
        lambda **o: layers.Dense(4, **o),
        lambda **o: layers.EinsumDense("nhwc,cd->nhwd", (None, None, 4), **o),
    ],
    ids=["Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D", "Dense", "Einsum"],
)
@pytest.mark.parametrize("activation", [None, "relu", "softplus"])
def test_layers_that_weigh_add_their_bias(layer, activation):
    einsum = "Einsum" in type(layer(name="tried")).__name__
    tried = layer(name="tried", activation=activation, **{"bias_axes": "d"} if einsum else {})
    found = by_path(network(tried))
    assert list(found) == ["tried", "head"]
    np.testing.assert_allclose(flat(found["tried"]), values(tried.bias), rtol=1e-6)
    without = layer(name="tried", activation=activation, **{} if einsum else {"use_bias": False})
    assert list(by_path(network(without))) == ["head"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": False},
        {"center": False},
        {"scale": False, "center": False},
        {"epsilon": 0.2},
    ],
    ids=str,
)
def test_a_batch_norm_adds_what_its_numbers_come_to(options):
    norm = layers.BatchNormalization(name="norm", **options)
    found = by_path(network(layers.Conv2D(5, 3, use_bias=False), norm))
    gamma = values(norm.gamma) if norm.gamma is not None else np.ones(5)
    beta = values(norm.beta) if norm.beta is not None else np.zeros(5)
    mean, variance = values(norm.moving_mean), values(norm.moving_variance)
    expected = beta - gamma * mean / np.sqrt(variance + options.get("epsilon", 1e-3))
    np.testing.assert_allclose(flat(found["norm"]), expected, rtol=1e-5)
    # It is what the layer says of a picture of zeros.
    zeros = norm(np.zeros((1, 4, 4, 5), np.float32), training=False)
    np.testing.assert_allclose(values(zeros)[0, 0, 0], flat(found["norm"]), rtol=1e-4, atol=1e-6)


def test_a_batch_norm_along_another_axis():
    norm = layers.BatchNormalization(name="norm", axis=1)
    model = with_known_weights(
        keras.Sequential(
            [keras.Input((6, 4, 3)), norm, layers.Flatten(), layers.Dense(2, name="head")]
        )
    )
    found = by_path(model)["norm"]
    np.broadcast_to(found, (2, 6, 4, 3))
    assert found.shape[1] == 6
    zeros = norm(np.zeros((1, 6, 4, 3), np.float32), training=False)
    np.testing.assert_allclose(np.broadcast_to(found, (1, 6, 4, 3)), values(zeros), rtol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [layers.LayerNormalization, lambda **o: layers.GroupNormalization(groups=2, **o)],
    ids=["layer", "group"],
)
def test_norms_of_each_docs_own_numbers_add_their_centre(layer):
    norm = layer(name="norm")
    found = by_path(network(layers.Conv2D(4, 3, use_bias=False), norm))
    np.testing.assert_allclose(flat(found["norm"]), values(norm.beta), rtol=1e-6)
    off = network(layers.Conv2D(4, 3, use_bias=False), layer(name="norm", center=False))
    assert list(by_path(off)) == ["head"]


def test_rescaling_adds_its_offset():
    found = by_path(network(layers.Rescaling(1 / 127.5, offset=-1, name="rescaled")))
    np.testing.assert_allclose(flat(found["rescaled"]), [-1])
    assert list(by_path(network(layers.Rescaling(2.0)))) == ["head"]


def test_normalization_of_the_docs_adds_what_its_numbers_come_to():
    norm = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 1.0, 0.25], name="norm")
    found = by_path(network(norm))
    np.testing.assert_allclose(flat(found["norm"]), [-0.5, -2, -6], rtol=1e-5)


def test_values_can_be_broadcast_to_what_the_layer_gives():
    model = network(
        layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="norm"), layers.ReLU()
    )
    found = by_path(model)
    for name, shape in (("conv", (2, 14, 14, 4)), ("norm", (2, 14, 14, 4)), ("head", (2, 3))):
        assert found[name].shape[0] == 1 or found[name].ndim == 1
        assert np.broadcast_to(found[name], shape).shape == shape


def test_nested_layers_have_paths_and_come_in_the_order_of_the_run():
    model = with_known_weights(models.nested_three_deep())
    expected = ["middle/backbone/first", "middle/backbone/last", "head"]
    found, biases = layers_with_biases(model)
    assert [bias.layer for bias in biases] == expected
    backbone = model.get_layer("middle").get_layer("backbone")
    assert found == [backbone.get_layer("first"), backbone.get_layer("last"), model.layers[-1]]


def test_subclassed_models():
    model = models.subclassed()
    model(models.doc())
    with_known_weights(model)
    found = by_path(model, doc=models.doc())
    assert [path.rpartition("/")[2] for path in found] == ["first", "last", "head"]
    np.testing.assert_allclose(flat(found["head"]), values(model.head.bias), rtol=1e-6)


def shared():
    inputs = keras.Input((SIZE, SIZE, 3))
    twice = layers.Conv2D(3, 3, padding="same", activation="tanh", name="twice")
    x = layers.Conv2D(3, 3, name="once")(twice(twice(inputs)))
    outputs = layers.Dense(4, name="head")(layers.GlobalAveragePooling2D()(x))
    return with_known_weights(keras.Model(inputs, outputs))


def test_a_shared_layer_adds_its_bias_each_time():
    model = shared()
    found, biases = layers_with_biases(model)
    assert [bias.layer for bias in biases] == ["twice#0", "twice#1", "once", "head"]
    assert found[0] is found[1] is model.get_layer("twice")
    np.testing.assert_array_equal(biases[0].values, biases[1].values)


@pytest.mark.parametrize("how", ["name", "layer"])
def test_a_shared_layer_is_left_out_wherever_it_runs(how):
    model = shared()
    given = "twice" if how == "name" else model.get_layer("twice")
    assert list(by_path(model, exclude=[given])) == ["once", "head"]


def test_one_application_of_a_shared_layer_is_left_out():
    assert list(by_path(shared(), exclude=["twice#0"])) == ["twice#1", "once", "head"]


def test_layers_that_lead_to_no_score_count_for_none():
    inputs = keras.Input((SIZE, SIZE, 3))
    kept = layers.Conv2D(3, 3, name="kept")(inputs)
    layers.Conv2D(3, 3, name="dropped")(inputs)
    model = keras.Model(inputs, layers.Dense(2, name="head")(layers.Flatten()(kept)))
    assert list(by_path(model)) == ["kept", "head"]


def test_a_final_activation_does_not_hide_the_head():
    for build in (models.functional, models.separate_softmax):
        assert list(by_path(build()))[-1] == "head"


@pytest.mark.parametrize("how", ["name", "path", "layer", "index", "bias"])
def test_layers_are_left_out(how):
    model = with_known_weights(models.nested_three_deep())
    backbone = model.get_layer("middle").get_layer("backbone")
    given = {
        "name": "first",
        "path": "middle/backbone/first",
        "layer": backbone.get_layer("first"),
        "index": -1,
        "bias": layers_with_biases(model)[1][0],
    }[how]
    left = ["middle/backbone/last", "head"]
    expected = ["middle/backbone/first", "middle/backbone/last"] if how == "index" else left
    assert list(by_path(model, exclude=[given])) == expected


def test_an_unknown_layer_cannot_be_left_out():
    model = models.functional()
    with pytest.raises(LookupError, match="no layer 'frist' ran.*did you mean 'first'?"):
        layers_with_biases(model, exclude=["frist"])
    with pytest.raises(LookupError, match="not among the layers that ran"):
        layers_with_biases(model, exclude=[layers.Dense(3)])


def test_names_to_be_left_out_come_in_a_list():
    """A name alone is no sequence of letters."""
    with pytest.raises((TypeError, ValueError), match="exclude"):
        layers_with_biases(models.functional(), exclude="head")


def test_a_model_without_biases():
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Conv2D(3, 3, use_bias=False),
            layers.GlobalAveragePooling2D(),
        ]
    )
    assert layers_with_biases(model) == ([], [])
    with pytest.raises(ValueError, match="has no biases that lead to the score"):
        fullgrad(model, DOCS)


def test_the_biases_that_are_found_are_those_of_full_gradients():
    """With all of them the contributions add up to the score."""
    model = network(
        layers.Rescaling(0.5, offset=0.3),
        layers.DepthwiseConv2D(3, activation="relu"),
        layers.SeparableConv2D(4, 3, name="separable"),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2D(4, 3, activation="relu"),
    )
    _, biases = layers_with_biases(model)
    y = np.array([[0, 1, 2]] * 3)
    scores, maps = fullgrad(model, DOCS, y, biases=biases, psi="none", postprocess=None)
    np.testing.assert_allclose(maps.sum(axis=(-2, -1)), scores, rtol=1e-3, atol=1e-4)
    _, whole = fullgrad(model, DOCS, y, psi="none", postprocess=None)
    np.testing.assert_allclose(maps, whole, rtol=1e-4, atol=1e-6)
    _, part = fullgrad(model, DOCS, y, biases=biases[1:], psi="none", postprocess=None)
    assert not np.allclose(part.sum(axis=(-2, -1)), scores, rtol=1e-3)


def test_biases_of_a_shared_layer_count_each_time():
    model, y = shared(), np.array([[0, 1]] * 3)
    _, maps = fullgrad(model, DOCS, y, psi="none", postprocess=None)
    _, biases = layers_with_biases(model)
    _, again = fullgrad(model, DOCS, y, biases=biases, psi="none", postprocess=None)
    np.testing.assert_allclose(maps, again, rtol=1e-4, atol=1e-6)
    named = ["twice", "once", "head"]
    _, by_name = fullgrad(model, DOCS, y, biases=named, psi="none", postprocess=None)
    np.testing.assert_allclose(maps, by_name, rtol=1e-4, atol=1e-6)


# Keras: what passes


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return models.functional()


def state(model):
    return [
        (
            id(layer),
            sorted(vars(layer)),
            getattr(layer, "activation", None),
            len(layer._outbound_nodes),
            [values(variable).tobytes() for variable in layer.variables],
        )
        for layer in model._flatten_layers()
    ]


def cut(model, *names):
    """The model once more, to some of its layers: as people do it."""
    outputs = [model.get_layer(name).output for name in names]
    found = keras.Model(model.input, outputs)(DOCS, training=False)
    return [values(one) for one in found]


@pytest.mark.parametrize("batch_size", [32, 2, 1])
def test_scores_and_activations_are_those_of_a_cut_model(model, batch_size):
    scores, first, last = expose(model, ["first", "last"])(DOCS, batch_size=batch_size)
    expected_first, expected_last = cut(model, "first", "last")
    np.testing.assert_allclose(first, expected_first, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(last, expected_last, rtol=1e-4, atol=1e-5)
    kernel, bias = model.get_layer("head").get_weights()
    logits = expected_last.mean(axis=(1, 2)) @ kernel + bias
    np.testing.assert_allclose(scores, logits, rtol=1e-4, atol=1e-5)
    softmax = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax, models.said(model, DOCS), rtol=1e-4)


@pytest.mark.parametrize(
    "build", [models.functional, models.separate_softmax, models.nested_functional]
)
def test_scores_are_those_of_an_explanation(build):
    model = build()
    scores = expose(model)(DOCS)[0]
    for row, expl in zip(scores, explain_predictions(model, DOCS, targets=[0, 3]), strict=True):
        assert [one.score for one in expl.targets] == pytest.approx([row[0], row[3]], rel=1e-4)


def test_layers_of_nested_models():
    model = with_known_weights(models.nested_three_deep())
    _, last = expose(model, "middle/backbone/last")(DOCS)
    middle = model.get_layer("middle")
    backbone = middle.get_layer("backbone")
    expected = values(backbone(DOCS * 2.0 * 0.5, training=False))
    np.testing.assert_allclose(last, expected, rtol=1e-4, atol=1e-5)


def test_the_layer_that_is_chosen_where_nothing_is_said(model):
    exposed = expose(model)
    assert isinstance(exposed, Exposed)
    assert exposed.layers == [model.get_layer("last")]
    assert expose(model, "first").layers == ["first"]
    assert expose(model, ("first", "last")).layers == ["first", "last"]


def test_exposing_leaves_the_model_as_it_was(model):
    before, said = state(model), models.said(model, DOCS)
    exposed = expose(model, model.layers[1:], get_logits_layer(model))
    exposed(DOCS)
    explain_prediction(exposed, DOCS[:1], layer="last")
    assert exposed.estimator is model
    assert state(model) == before
    np.testing.assert_array_equal(models.said(model, DOCS), said)


def test_the_logits_are_those_that_are_there(model):
    head = get_logits_layer(model)
    assert expose(model, "last", head)(DOCS)[0].shape == (3, models.CLASSES)
    for wrong in (model.get_layer("first"), layers.Dense(3)):
        with pytest.raises(ValueError, match=f"logits is layer '{wrong.name}', but the scores"):
            expose(model, "last", wrong)
    separate = models.separate_softmax()
    with pytest.raises(ValueError, match="logits is layer 'softmax'"):
        expose(separate, "last", separate.get_layer("softmax"))
    assert expose(separate, "last", separate.get_layer("head"))


def test_what_finds_the_logits_of_several_outputs_gives_what_is_taken():
    """The error says to give just that."""
    model = models.two_inputs_two_outputs()
    assert expose(model, "last", get_logits_layer(model)).layers == ["last"]


def test_a_layer_that_is_not_there_is_told_at_once(model):
    with pytest.raises(LookupError, match="no layer 'lst'.*did you mean 'last'?"):
        expose(model, "lst")
    with pytest.raises(LookupError, match="no layer 'lst'"):
        expose(model, ["first", "lst"])


def test_an_exposed_model_is_explained_at_its_layers(model):
    exposed, y = expose(model, ["first"]), np.array([[0, 1]] * 3)
    expl = explain_prediction(exposed, DOCS[:1])
    assert expl.layer == "first"
    assert expl.estimator == model.name
    plain = explain_prediction(model, DOCS[:1], layer="first")
    np.testing.assert_allclose(expl.targets[0].map, plain.targets[0].map, rtol=1e-5)
    assert [one.layer for one in explain_predictions(exposed, DOCS)] == ["first"] * 3
    for found, expected in zip(
        gradcam(exposed, DOCS, y), gradcam(model, DOCS, y, layer="first"), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    both = explain_prediction(expose(model, ["first", "last"]), DOCS[:1], method="layercam")
    assert both.layer == "first + last"
    smoothed = explain_prediction(exposed, DOCS[:1], method=smooth("gradcam", samples=2))
    assert smoothed.layer == "first"


def test_a_layer_that_is_said_goes_before(model):
    exposed = expose(model, ["first"])
    assert explain_prediction(exposed, DOCS[:1], layer="last").layer == "last"


@pytest.mark.parametrize(
    ("method", "options"),
    [("gradients", {}), ("fullgrad", {}), ("rise", {"masks": 4}), (smooth("gradients"), {})],
    ids=str,
)
def test_methods_that_take_no_layer_explain_an_exposed_model(model, method, options):
    exposed = expose(model, ["first", "last"])
    found = explain_prediction(exposed, DOCS[:1], method=method, targets=0, **options)
    expected = explain_prediction(model, DOCS[:1], method=method, targets=0, **options)
    assert found.layer is None
    np.testing.assert_allclose(found.targets[0].map, expected.targets[0].map, rtol=1e-4)


def test_errors_of_an_exposed_model_are_those_of_the_model(model):
    exposed = expose(model)
    with pytest.raises(ValueError, match="no method 'gradcm'"):
        explain_prediction(exposed, DOCS[:1], method="gradcm")
    with pytest.raises(TypeError, match="method is a int"):
        explain_prediction(exposed, DOCS[:1], method=3)
    with pytest.raises(TypeError, match="'steps' is no argument"):
        explain_prediction(exposed, DOCS[:1], steps=3)
    with pytest.raises(ValueError, match="the model takes"):
        exposed(DOCS[:, :8])
    with pytest.raises(TypeError, match="cannot explain a builtins.int"):
        expose(3)


def test_gradients_of_an_exposed_model_as_arrays(model):
    exposed, y = expose(model), np.array([[0, 1]] * 3)
    for found, expected in zip(gradients(exposed, DOCS, y), gradients(model, DOCS, y), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


# PyTorch


@pytest.fixture
def module():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.bare = nn.Conv2d(4, 4, 3, bias=False)
            self.norm = nn.BatchNorm2d(4, eps=0.2)
            self.plain = nn.BatchNorm2d(4, affine=False)
            self.depthwise = nn.Conv2d(4, 4, 3, groups=4)
            self.group = nn.GroupNorm(2, 4)
            self.shared = nn.Conv2d(4, 4, 1)
            self.body = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(4, 4, 3))
            self.layer_norm = nn.LayerNorm(4)
            self.head = nn.Linear(4, 5)
            self.softmax = nn.Softmax(-1)
            self.unused = nn.Linear(4, 5)

        def forward(self, x):
            x = torch.relu(self.plain(self.norm(self.bare(self.conv(x)))))
            x = self.shared(torch.tanh(self.shared(self.group(self.depthwise(x)))))
            return self.softmax(self.head(self.layer_norm(self.body(x).mean((2, 3)))))

    module = Net()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.4)
        for norm in (module.norm, module.plain):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    return module.eval()


TORCH_DOCS = np.moveaxis(DOCS, -1, 1)
PATHS = [
    *("conv", "norm", "plain", "depthwise", "group", "shared#0", "shared#1", "body.1"),
    *("layer_norm", "head"),
]


def numbers(tensor):
    return tensor.detach().numpy()


def test_modules_that_add_something(module):
    found, biases = layers_with_biases(module, doc=TORCH_DOCS[:1])
    assert [bias.layer for bias in biases] == PATHS
    assert found == [module.get_submodule(path.partition("#")[0]) for path in PATHS]
    added = {bias.layer: bias.values for bias in biases}
    for path in ("conv", "depthwise", "group", "shared#0", "body.1", "layer_norm", "head"):
        part = module.get_submodule(path.partition("#")[0])
        np.testing.assert_allclose(flat(added[path]), numbers(part.bias), rtol=1e-6)
    norm, plain = module.norm, module.plain
    scale = numbers(norm.weight) / np.sqrt(numbers(norm.running_var) + 0.2)
    expected = numbers(norm.bias) - scale * numbers(norm.running_mean)
    np.testing.assert_allclose(flat(added["norm"]), expected, rtol=1e-5, atol=1e-6)
    expected = -numbers(plain.running_mean) / np.sqrt(numbers(plain.running_var) + plain.eps)
    np.testing.assert_allclose(flat(added["plain"]), expected, rtol=1e-5)
    assert added["conv"].shape == (1, 4, 1, 1)


def test_modules_are_left_out(module):
    doc = TORCH_DOCS[:1]
    for given, path in (
        ("norm", "norm"),
        (module.norm, "norm"),
        ("body.1", "body.1"),
        (module.body[1], "body.1"),
        ("shared#1", "shared#1"),
    ):
        _, biases = layers_with_biases(module, exclude=[given], doc=doc)
        assert [bias.layer for bias in biases] == [one for one in PATHS if one != path]
    with pytest.raises(LookupError, match="no layer 'hed'.*did you mean 'head'?"):
        layers_with_biases(module, exclude=["hed"], doc=doc)
    with pytest.raises(ValueError, match="give doc= an example"):
        layers_with_biases(module)


def test_biases_of_modules_add_up_to_the_score(module):
    """Layer and group norms scale by the doc's own numbers: their gradients complete the sum."""
    y = np.array([[0, 2]] * 3)
    _, biases = layers_with_biases(module, doc=TORCH_DOCS[:1])
    found = fullgrad(module, TORCH_DOCS, y, biases=biases, psi="none", postprocess=None)
    expected = fullgrad(module, TORCH_DOCS, y, psi="none", postprocess=None)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-6)


def test_scores_and_activations_of_a_module_are_those_of_hooks(module):
    torch = pytest.importorskip("torch")
    names = ["conv", "norm", "body.1", "head"]
    seen = {}
    handles = [
        module.get_submodule(name).register_forward_hook(
            lambda _part, _args, output, name=name: seen.__setitem__(name, output)
        )
        for name in names
    ]
    with torch.no_grad():
        said = module(torch.from_numpy(TORCH_DOCS.copy()))
    for handle in handles:
        handle.remove()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    for batch_size in (32, 2):
        scores, *found = expose(module, names)(TORCH_DOCS, batch_size=batch_size)
        np.testing.assert_allclose(scores, numbers(seen["head"]), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            np.exp(scores) / np.exp(scores).sum(1, keepdims=True), numbers(said), rtol=1e-4
        )
        for name, one in zip(names, found, strict=True):
            np.testing.assert_allclose(one, numbers(seen[name]), rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert not any(part._forward_hooks for part in module.modules())


def test_what_a_module_writes_into_afterwards_is_shown_as_it_was():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 3)
    module = nn.Sequential(
        conv, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    _, found = expose(module, "0")(TORCH_DOCS)
    expected = numbers(conv(torch.from_numpy(TORCH_DOCS.copy())))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert found.min() < 0


def test_an_exposed_module(module):
    doc = TORCH_DOCS[:1]
    head = get_logits_layer(module, doc=doc)
    assert head is module.head
    exposed = expose(module, ["norm"], head, doc=doc)
    assert explain_prediction(exposed, doc).layer == "norm"
    assert explain_prediction(exposed, doc, method="gradients").layer is None
    with pytest.raises(ValueError, match="the scores are worked out by"):
        expose(module, ["norm"], module.conv, doc=doc)
    with pytest.raises(ValueError, match="give doc= an example"):
        expose(module)
    [layer] = expose(module, doc=doc).layers
    assert explain_prediction(exposed.estimator, doc).layer.startswith("body")
    assert layer in list(module.body)


def test_a_transposed_convolution_works_something_out():
    """It moves no axes, though its name speaks of it."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    up = nn.ConvTranspose2d(4, 4, 2, stride=2)
    stem = (nn.Conv2d(3, 4, 3), nn.ReLU())
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    assert expose(nn.Sequential(*stem, up, *head), doc=TORCH_DOCS[:1]).layers == [up]
    # Behind it a relu, so that its contribution differs from cell to cell.
    module, y = nn.Sequential(*stem, up, nn.ReLU(), *head), np.array([[0, 1]] * 3)
    _, without = fullgrad(module, TORCH_DOCS, y, biases=["0"], postprocess=None)
    _, maps = fullgrad(module, TORCH_DOCS, y, biases=["0", "2"], postprocess=None)
    assert not np.allclose(maps, without, rtol=1e-3)


@pytest.mark.parametrize("offset", [-1.0, 2.0])
def test_the_offset_of_a_rescaling_has_a_place_in_the_picture(offset):
    """Its contribution differs from cell to cell, as the gradients do."""
    model = network(
        layers.Rescaling(0.5, offset=offset, name="rescaled"),
        layers.Conv2D(4, 3, activation="relu", name="conv"),
    )
    y = np.array([[0, 1]] * 3)
    _, without = fullgrad(model, DOCS, y, biases=["conv"], postprocess=None)
    _, maps = fullgrad(model, DOCS, y, biases=["rescaled", "conv"], postprocess=None)
    assert not np.allclose(maps, without, rtol=1e-3)
