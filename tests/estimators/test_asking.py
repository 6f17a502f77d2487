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


def network(lib, name="network", head_name="head"):
    layers = [
        lib.layers.Conv2D(4, 3, activation="tanh", name="conv"),
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
    assert with_pictures(OneByOne(), None, DOCS) is DOCS
    assert digest(OneByOne()) == ""


# Digests


def test_equal_weights_have_one_digest(lib):
    model, other = network(lib), network(lib)
    assert digest(model) == digest(other) == digest(model)
    assert len(digest(model)) == 16
    before = digest(model)
    explain_prediction(model, DOCS[:1])
    list(redrawn(model, DOCS, stages=1))
    assert digest(model) == before


@pytest.mark.parametrize("position", [0, 3, 5])
def test_one_other_number_makes_another_digest(lib, position):
    model = network(lib)
    before, weight = digest(model), model.trainable_weights[position]
    numbers = weight.numpy().copy()
    numbers.flat[-1] = np.nextafter(numbers.flat[-1], np.float32(9))
    weight.assign(numbers)
    assert digest(model) != before


def test_so_does_a_number_of_a_layer_that_is_frozen(lib):
    model = network(lib)
    model.trainable = False
    before, bias = digest(model), model.get_layer("conv").bias
    bias.assign(bias.numpy() + 1)
    assert digest(model) != before


def test_so_does_another_name_or_another_order_of_the_same_numbers(lib):
    assert digest(network(lib)) != digest(network(lib, name="other"))
    model = network(lib)
    before, kernel = digest(model), model.get_layer("head").kernel
    kernel.assign(kernel.numpy()[::-1])
    assert digest(model) != before


def test_modules_are_told_apart_by_their_weights(torch):
    module, other = a_module(torch), a_module(torch)
    assert digest(module) == digest(other) != digest(a_module(torch, seed=1))
    assert len(digest(module)) == 16
    for weight in other.parameters():
        with torch.no_grad():
            number = weight.view(-1)[-1:]
            kept = number.clone()
            number.copy_(torch.nextafter(number, torch.full_like(number, 9.0)))
            assert digest(other) != digest(module)
            number.copy_(kept)
        assert digest(other) == digest(module)


def test_stages_of_a_module_have_digests_of_their_own(torch):
    module = a_module(torch)
    found = [digest(module), *(digest(one) for one in redrawn(module, FIRST))]
    assert len(set(found)) == 4


def test_stages_have_digests_of_their_own(lib):
    model = network(lib)
    found = [digest(model), *(digest(one) for one in redrawn(model, DOCS))]
    assert len(set(found)) == 4


def test_other_statistics_make_another_digest(lib):
    model = network(lib)
    before, mean = digest(model), model.get_layer("norm").moving_mean
    mean.assign(mean.numpy() + 1)
    assert digest(model) != before


def test_other_statistics_of_a_module_make_another_digest(torch):
    module = a_module(torch)
    before = digest(module)
    module.norm.running_mean += 1
    assert digest(module) != before


def test_the_last_digit_in_double_precision_makes_another_digest(torch):
    module = a_module(torch).double()
    before = digest(module)
    with torch.no_grad():
        module.head.bias += 1e-12
    assert digest(module) != before


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
        next(redrawn(network(lib), DOCS, stages=stages))
