"""Bare answers, the pictures among documents, and what tells weights apart."""

import importlib
import importlib.util

import keras
import numpy as np
import pytest

from explainkit import explain_prediction, explain_predictions
from explainkit.asking import ask, digest, pictures_in, redrawn, with_pictures
from explainkit.explanation import Explanation
from explainkit.methods import find_method

from . import backend

SIZE, CLASSES = 8, 3
SHAPE = (SIZE, SIZE, 3)
DOCS = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)
FIRST = np.moveaxis(DOCS, -1, 1)
PAIR = {"a": DOCS, "b": np.random.default_rng(2).normal(size=(3, 6, 5, 1)).astype(np.float32)}
HINTS = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)

LIBRARIES = ["keras"]
if backend.NAME == "tensorflow" and importlib.util.find_spec("tf_keras"):
    LIBRARIES.append("tf_keras")

pytestmark = pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")


@pytest.fixture(params=LIBRARIES)
def lib(request):
    """Keras 3, and Keras 2 where it runs."""
    return importlib.import_module(request.param)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def network(lib, name="network", head_name="head", activation="tanh"):
    layers = [
        lib.layers.Conv2D(4, 3, activation=activation, name="conv"),
        lib.layers.BatchNormalization(name="norm"),
        lib.layers.GlobalAveragePooling2D(),
        lib.layers.Dense(CLASSES, activation="softmax", name=head_name),
    ]
    model = lib.Sequential([lib.Input(SHAPE), *layers], name=name)
    return with_known_weights(model)


def with_known_weights(model):
    rng = np.random.default_rng(5)
    for weight in model.weights:
        weight.assign(rng.uniform(0.2, 1, tuple(weight.shape)))
    return model


def of_two_inputs(lib, named):
    picture, hint = lib.Input(SHAPE, name="picture"), lib.Input((2,), name="hint")
    pooled = lib.layers.GlobalAveragePooling2D()(lib.layers.Conv2D(4, 3)(picture))
    both = lib.layers.Concatenate()([lib.layers.Dense(2)(hint), pooled])
    inputs = {"hint": hint, "picture": picture} if named else [hint, picture]
    return lib.Model(inputs, lib.layers.Dense(CLASSES)(both))


def of_two_pictures(lib, activations=(None, None)):
    """Give a model with two outputs, pa and pb, each made of a picture of its own."""
    inputs = [lib.Input(one.shape[1:], name=name) for name, one in PAIR.items()]
    outputs = []
    for x, name, activation in zip(inputs, ("pa", "pb"), activations, strict=True):
        pooled = lib.layers.GlobalAveragePooling2D()(lib.layers.Conv2D(4, 3)(x))
        outputs.append(lib.layers.Dense(CLASSES, activation=activation, name=name)(pooled))
    return lib.Model(inputs, outputs)


def of_one_within_another(lib):
    inner = lib.Sequential([lib.Input(SHAPE), lib.layers.Conv2D(4, 3, activation="relu")])
    rest = [lib.layers.GlobalAveragePooling2D(), lib.layers.Dense(CLASSES)]
    return lib.Sequential([lib.Input(SHAPE), inner, *rest])


def unbuilt(lib):
    class Local(lib.Model):
        def __init__(self):
            super().__init__()
            self.conv = lib.layers.Conv2D(4, 3, activation="tanh")
            self.pool, self.head = lib.layers.GlobalAveragePooling2D(), lib.layers.Dense(CLASSES)

        def call(self, x):
            return self.head(self.pool(self.conv(x)))

    return Local()


def a_module(torch, seed=0):
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
            self.head = nn.Linear(4, CLASSES)

        def forward(self, x):
            return torch.softmax(self.head(torch.tanh(self.norm(self.conv(x))).mean((2, 3))), 1)

    module, rng = Net(), np.random.default_rng(seed)
    with torch.no_grad():
        for one in module.parameters():
            one.copy_(torch.as_tensor(rng.uniform(0.2, 1, one.shape)))
    return module


def a_module_of_two_inputs(torch):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(6, CLASSES)

        def forward(self, hint, picture):
            return self.head(torch.cat([self.conv(picture).mean((2, 3)), hint], 1))

    return Net()


def a_module_of_two_pictures(torch):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = torch.nn.Conv2d(3, CLASSES, 3), torch.nn.Conv2d(1, CLASSES, 3)

        def forward(self, a, b):
            return {"pa": self.a(a).mean((2, 3)), "pb": self.b(b).mean((2, 3))}

    return Net()


class OneByOne:
    """An estimator of a kind that does nothing but explain one document."""


@explain_prediction.register(OneByOne)
def _explain(estimator, doc, **options):
    return Explanation(estimator="one by one")


# Bare answers


def assert_as_explained(model, docs, method, **options):
    """Compare a bare answer with records of the same question."""
    answer = ask(model, docs, find_method(method, {}), **options)
    records = list(explain_predictions(model, docs, method=method, **options))
    found = [record.targets for record in records]
    shape = (len(docs), len(found[0]))
    assert answer.scores.shape == answer.probas.shape == answer.maps.shape[:2] == shape
    for n, k in np.ndindex(shape):
        assert answer.scores[n, k] == pytest.approx(found[n][k].score, rel=1e-5)
        proba = found[n][k].score if found[n][k].proba is None else found[n][k].proba
        assert answer.probas[n, k] == pytest.approx(proba, rel=1e-5)
        np.testing.assert_allclose(answer.maps[n, k], found[n][k].map, rtol=1e-4, atol=1e-6)
    return answer


@pytest.mark.parametrize("logits", [True, False])
def test_a_bare_answer_is_that_of_the_records(lib, logits):
    model, targets = network(lib), np.array([[0, 1], [2, 0], [1, 2]])
    answer = assert_as_explained(model, DOCS, "gradients", targets=targets, logits=logits)
    said = np.take_along_axis(np.array(keras.ops.convert_to_numpy(model(DOCS))), targets, 1)
    np.testing.assert_allclose(answer.probas, said, rtol=1e-5)
    assert np.allclose(answer.scores, said, rtol=1e-5) is not logits
    assert answer.maps.shape[2:4] == (SIZE, SIZE)


def test_so_it_is_where_nobody_says_of_what(lib):
    model = network(lib)
    answer = assert_as_explained(model, DOCS, "gradcam")
    said = np.array(keras.ops.convert_to_numpy(model(DOCS))).max(1, keepdims=True)
    np.testing.assert_allclose(answer.probas, said, rtol=1e-5)


def test_outputs_without_an_activation_are_their_own_probabilities(lib):
    model = lib.Sequential(
        [lib.Input(SHAPE), lib.layers.Conv2D(CLASSES, 3), lib.layers.GlobalAveragePooling2D()]
    )
    answer = assert_as_explained(with_known_weights(model), DOCS, "gradients", targets=0)
    np.testing.assert_array_equal(answer.scores, answer.probas)


@pytest.mark.parametrize("logits", [True, False])
def test_a_bare_answer_of_a_module_is_that_of_the_records(torch, logits):
    module, targets = a_module(torch).eval(), np.array([[0, 1], [2, 0], [1, 2]])
    answer = assert_as_explained(module, FIRST, "gradients", targets=targets, logits=logits)
    said = np.take_along_axis(module(torch.as_tensor(FIRST)).detach().numpy(), targets, 1)
    np.testing.assert_allclose(answer.probas, said, rtol=1e-5)
    assert answer.maps.shape[2:4] == (SIZE, SIZE)


def test_weights_drawn_anew_are_asked_as_models_are(lib):
    model = network(lib)
    for one in redrawn(model, DOCS):
        assert_as_explained(one, DOCS, "gradients", targets=[0])
        np.testing.assert_array_equal(pictures_in(one, DOCS), DOCS)
        np.testing.assert_array_equal(with_pictures(one, DOCS, DOCS + 1), DOCS + 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda docs: docs[..., :2], "shape"), (lambda docs: docs * np.nan, "NaN")],
)
def test_documents_that_do_not_fit_are_refused(lib, change, message):
    with pytest.raises(ValueError, match=message):
        ask(network(lib), change(DOCS), find_method("gradients", {}))


@pytest.mark.parametrize("estimator", [3, OneByOne()], ids=["int", "one by one"])
def test_what_is_no_network_is_neither_asked_nor_drawn_anew(estimator):
    with pytest.raises(TypeError, match="cannot explain a "):
        ask(estimator, DOCS, find_method("gradients", {}))
    with pytest.raises(
        TypeError, match="nobody knows the weights of a .* can be drawn anew in Keras"
    ):
        redrawn(estimator, DOCS)
    assert digest(estimator, DOCS) == ""


# Pictures


def assert_in_place(model, docs, pictures):
    """Take the pictures out, put them in again, and put others in; docs stay."""
    copies = [np.array(one) for one in arrays(docs)]
    found = pictures_in(model, docs)
    np.testing.assert_array_equal(found, pictures)
    again, other = with_pictures(model, docs, found), with_pictures(model, docs, pictures * 2)
    assert list(other) == list(again) if isinstance(again, dict) else type(other) is type(again)
    for one, expected in zip(arrays(again), copies, strict=True):
        np.testing.assert_array_equal(one, expected)
        assert one.dtype == expected.dtype
    for one, expected in zip(arrays(other), copies, strict=True):
        changed = expected * 2 if expected.ndim == 4 else expected
        np.testing.assert_array_equal(one, changed)
    for one, expected in zip(arrays(docs), copies, strict=True):
        np.testing.assert_array_equal(one, expected)
    np.testing.assert_array_equal(pictures_in(model, other), pictures * 2)
    return again


def arrays(docs):
    if isinstance(docs, dict):
        return [docs[name] for name in sorted(docs)]
    return docs if isinstance(docs, list) else [docs]


def test_pictures_alone_are_the_documents(lib):
    assert_in_place(network(lib), DOCS, DOCS)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("as_dict", [True, False])
def test_pictures_are_found_beside_other_inputs(lib, named, as_dict):
    model = of_two_inputs(lib, named)
    docs = {"picture": DOCS, "hint": HINTS} if as_dict else [HINTS, DOCS]
    again = assert_in_place(model, docs, DOCS)
    assert isinstance(again, dict) == (named or as_dict)
    explain_prediction(
        model,
        {name: one[:1] for name, one in again.items()}
        if isinstance(again, dict)
        else [one[:1] for one in again],
        targets=0,
    )


def test_channels_that_come_first_are_put_last_and_back(torch):
    assert_in_place(a_module(torch), FIRST, DOCS)
    found = pictures_in(a_module(torch), torch.as_tensor(FIRST))
    np.testing.assert_array_equal(found, DOCS)
    again = with_pictures(a_module(torch), torch.as_tensor(FIRST), found)
    np.testing.assert_array_equal(again, FIRST)


@pytest.mark.parametrize("as_dict", [True, False])
def test_so_they_are_beside_other_inputs(torch, as_dict):
    docs = {"picture": FIRST, "hint": HINTS} if as_dict else [HINTS, FIRST]
    again = assert_in_place(a_module_of_two_inputs(torch), docs, DOCS)
    assert isinstance(again, dict) == as_dict


@pytest.mark.skipif(backend.NAME == "tensorflow", reason="whose CPU knows channels last only")
def test_keras_models_may_have_their_channels_first_too():
    layers = [keras.layers.Conv2D(CLASSES, 3, data_format="channels_first")]
    layers += [keras.layers.GlobalAveragePooling2D(data_format="channels_first")]
    model = keras.Sequential([keras.Input((3, SIZE, SIZE)), *layers])
    assert_in_place(model, FIRST, DOCS)


def test_a_model_of_no_picture_is_refused(lib):
    model = lib.Sequential([lib.Input((2,)), lib.layers.Dense(CLASSES)])
    for ask_for in (pictures_in, lambda *args: with_pictures(*args, DOCS)):
        with pytest.raises(ValueError, match="depends on none: its inputs have the shapes"):
            ask_for(model, HINTS)


def test_a_kind_that_says_nothing_takes_pictures():
    assert pictures_in(OneByOne(), DOCS) is DOCS
    np.testing.assert_array_equal(pictures_in(OneByOne(), DOCS.tolist()), DOCS)
    np.testing.assert_array_equal(with_pictures(OneByOne(), DOCS, DOCS + 1), DOCS + 1)


@pytest.mark.parametrize("docs", [DOCS[..., 0], DOCS[:, 0, :, 0]], ids=["picture", "signal"])
def test_there_what_has_no_channels_is_given_one(docs):
    for given in (docs, docs.tolist()):
        for targets in (None, [0] * len(docs)):
            found = pictures_in(OneByOne(), given, targets)
            np.testing.assert_array_equal(found, docs[..., None])
            again = with_pictures(OneByOne(), given, found * 2, targets)
            np.testing.assert_array_equal(again, docs * 2)


def assert_picture(model, docs, targets, wanted):
    """Check which of several inputs is found, and that it alone is put elsewhere."""
    found = pictures_in(model, docs, targets)
    np.testing.assert_array_equal(found, PAIR[wanted])
    other = with_pictures(model, docs, found + 1, targets)
    for name, one, given in zip(PAIR, arrays(other), arrays(docs), strict=True):
        np.testing.assert_array_equal(one, given + (name == wanted))
    np.testing.assert_array_equal(pictures_in(model, other, targets), found + 1)


OF_SEVERAL = [
    ([("pa", 0)] * 3, "a"),
    ([("pb", 1)] * 3, "b"),
    ([("pb", 1), ("pb", 0), ("pb", 1)], "b"),
    ([(1, 2)] * 3, "b"),
    (None, "a"),
]


@pytest.mark.parametrize(("targets", "wanted"), OF_SEVERAL)
@pytest.mark.parametrize("as_dict", [True, False])
def test_of_several_pictures_it_is_that_which_the_targets_depend_on(lib, as_dict, targets, wanted):
    docs = dict(PAIR) if as_dict else list(PAIR.values())
    assert_picture(of_two_pictures(lib), docs, targets, wanted)


def test_without_targets_it_is_that_of_the_output_that_is_explained(lib):
    model = of_two_pictures(lib, (None, "softmax"))
    [found] = explain_prediction(model, [one[:1] for one in PAIR.values()]).targets
    assert found.target[0] == "pb"
    assert_picture(model, list(PAIR.values()), None, "b")
    assert_picture(model, list(PAIR.values()), [("pa", 0)] * 3, "a")


@pytest.mark.parametrize(("targets", "wanted"), OF_SEVERAL)
def test_so_it_is_in_modules(torch, targets, wanted):
    docs = {name: np.moveaxis(one, -1, 1) for name, one in PAIR.items()}
    assert_picture(a_module_of_two_pictures(torch), docs, targets, wanted)


# Digests


def test_equal_weights_have_one_digest(lib):
    model, other = network(lib), network(lib)
    assert digest(model, DOCS) == digest(other, DOCS) == digest(model, DOCS)
    assert len(digest(model, DOCS)) == 16
    before = digest(model, DOCS)
    explain_prediction(model, DOCS[:1])
    list(redrawn(model, DOCS, stages=1))
    assert digest(model, DOCS) == before


@pytest.mark.parametrize("position", [0, 3, 5])
def test_one_other_number_makes_another_digest(lib, position):
    model = network(lib)
    before, weight = digest(model, DOCS), model.trainable_weights[position]
    numbers = weight.numpy().copy()
    numbers.flat[-1] = np.nextafter(numbers.flat[-1], np.float32(9))
    weight.assign(numbers)
    assert digest(model, DOCS) != before


def test_so_does_a_number_of_a_layer_that_is_frozen(lib):
    model = network(lib)
    model.trainable = False
    before, bias = digest(model, DOCS), model.get_layer("conv").bias
    bias.assign(bias.numpy() + 1)
    assert digest(model, DOCS) != before


def test_a_model_that_is_built_once_more_has_the_digest_of_the_first(lib):
    one, other = (with_known_weights(of_one_within_another(lib)) for _ in range(2))
    assert [each.name for each in one.layers] != [each.name for each in other.layers]
    assert digest(one, DOCS) == digest(other, DOCS)
    one, other = (with_known_weights(of_two_inputs(lib, named=True)) for _ in range(2))
    docs = {"picture": DOCS, "hint": HINTS}
    assert digest(one, docs) == digest(other, docs)


def test_its_names_do_not_matter(lib):
    found = digest(network(lib), DOCS)
    assert digest(network(lib, name="other", head_name="another"), DOCS) == found


def test_a_model_that_is_not_built_has_the_digest_that_it_has_later(lib):
    model = unbuilt(lib)
    before = digest(model, DOCS)
    assert len(before) == 16
    explain_prediction(model, DOCS[:1])
    list(redrawn(model, DOCS, stages=1))
    assert digest(model, DOCS) == before
    model.head.bias.assign(model.head.bias.numpy() + 1)
    assert digest(model, DOCS) != before


def test_another_activation_makes_another_digest(lib):
    relu, tanh = (network(lib, activation=name) for name in ("relu", "tanh"))
    for one, other in zip(relu.weights, tanh.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert digest(relu, DOCS) != digest(tanh, DOCS)


def test_so_does_another_kind_of_layer(lib):
    kinds = lib.layers
    layers = [kinds.MaxPooling2D(2), kinds.AveragePooling2D(2)]
    layers += [kinds.Activation("relu"), kinds.Activation("tanh")]
    rest = kinds.GlobalAveragePooling2D, lambda: kinds.Dense(CLASSES)
    found = set()
    for layer in layers:
        model = lib.Sequential([lib.Input(SHAPE), layer, *(make() for make in rest)])
        found.add(digest(with_known_weights(model), DOCS))
    assert len(found) == len(layers)


def test_so_does_another_order_of_the_same_numbers(lib):
    model = network(lib)
    before, kernel = digest(model, DOCS), model.get_layer("head").kernel
    kernel.assign(kernel.numpy()[::-1])
    assert digest(model, DOCS) != before


def test_modules_are_told_apart_by_their_weights(torch):
    module, other = a_module(torch), a_module(torch)
    assert digest(module, FIRST) == digest(other, FIRST) != digest(a_module(torch, seed=1), FIRST)
    assert len(digest(module, FIRST)) == 16
    for weight in other.parameters():
        with torch.no_grad():
            number = weight.view(-1)[-1:]
            kept = number.clone()
            number.copy_(torch.nextafter(number, torch.full_like(number, 9.0)))
            assert digest(other, FIRST) != digest(module, FIRST)
            number.copy_(kept)
        assert digest(other, FIRST) == digest(module, FIRST)


def test_modules_are_told_apart_by_their_layers(torch):
    def build(activation):
        layers = [torch.nn.Conv2d(3, 4, 3), activation, torch.nn.AdaptiveAvgPool2d(1)]
        module = torch.nn.Sequential(*layers)
        with torch.no_grad():
            for weight in module.parameters():
                weight.fill_(0.5)
        return digest(module, FIRST)

    relu, again, tanh = map(build, (torch.nn.ReLU(), torch.nn.ReLU(), torch.nn.Tanh()))
    assert relu == again != tanh


def test_stages_of_a_module_have_digests_of_their_own(torch):
    module = a_module(torch)
    found = [digest(module, FIRST), *(digest(one, FIRST) for one in redrawn(module, FIRST))]
    assert len(set(found)) == 4


def test_stages_have_digests_of_their_own(lib):
    model = network(lib)
    found = [digest(model, DOCS), *(digest(one, DOCS) for one in redrawn(model, DOCS))]
    assert len(set(found)) == 4


def test_other_statistics_make_another_digest(lib):
    model = network(lib)
    before, mean = digest(model, DOCS), model.get_layer("norm").moving_mean
    mean.assign(mean.numpy() + 1)
    assert digest(model, DOCS) != before


def test_other_statistics_of_a_module_make_another_digest(torch):
    module = a_module(torch)
    before = digest(module, FIRST)
    module.norm.running_mean += 1
    assert digest(module, FIRST) != before


def test_the_last_digit_in_double_precision_makes_another_digest(torch):
    module = a_module(torch).double()
    before = digest(module, FIRST)
    with torch.no_grad():
        module.head.bias += 1e-12
    assert digest(module, FIRST) != before


@pytest.mark.parametrize(
    ("stages", "error", "message"),
    [
        (0, ValueError, "stages is 0; give 1 or more"),
        (1.5, TypeError, "stages is 1.5; give a whole number"),
        (True, TypeError, "stages is True; give a whole number"),
    ],
)
def test_stages_are_counted(lib, stages, error, message):
    with pytest.raises(error, match=message):
        redrawn(network(lib), DOCS, stages=stages)


def test_stages_of_a_module_are_counted(torch):
    with pytest.raises(ValueError, match="stages is -1; give 1 or more"):
        redrawn(a_module(torch), FIRST, stages=-1)
