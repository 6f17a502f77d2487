import json

import numpy as np
import pytest

from explainkit.methods import smooth
from explainkit.metrics import Deletion, MaxSensitivity, RandomLogit, evaluate

from . import counting, given
from .counting import Counting, Endless, Odd
from .given import DOCS, SIZES, TOPS

COUNT = len(DOCS)
METHODS = ["input_x_gradient", "gradients"]
METRICS = [
    Counting(),
    Deletion(steps=3),
    Odd(),
    RandomLogit(similarity="pearson"),
    MaxSensitivity(samples=1),
]
MASKS = np.random.default_rng(0).random((COUNT, *SIZES)) < 0.5


@pytest.fixture(autouse=True)
def nobody_falls():
    counting.SEEN.clear()
    counting.FALLS_AT.clear()
    yield
    counting.SEEN.clear()
    counting.FALLS_AT.clear()


@pytest.fixture(scope="module")
def model():
    return given.given("keras").model


@pytest.fixture(scope="module")
def docs():
    return given.given("keras").docs


@pytest.fixture
def ask(model, docs):
    def asking(path=None, **more):
        asked = {"model": model, "docs": docs, "methods": METHODS, "metrics": METRICS, **more}
        return evaluate(**{"masks": MASKS, "batch_size": 2, "save": path, **asked})

    return asking


@pytest.fixture
def path(tmp_path):
    return tmp_path / "evaluation.jsonl"


def assert_same(one, other):
    assert one.methods == other.methods
    assert one.metrics == other.metrics
    for a, b in zip(one.measurements, other.measurements, strict=True):
        assert (a.doc, a.target, a.method, a.metric) == (b.doc, b.target, b.method, b.metric)
        assert a.reason == b.reason
        np.testing.assert_allclose(a.value, b.value, rtol=0, atol=1e-6)


def test_what_is_written_says_the_same_and_nothing_is_measured_again(ask, path):
    plain, saved = ask(), ask(path)
    assert_same(saved, plain)
    before = path.read_bytes()
    counting.SEEN.clear()
    again = ask(path)
    assert_same(again, plain)
    assert counting.SEEN == []
    assert path.read_bytes() == before
    # Numbers are kept to the last digit.
    for one, other in zip(again.measurements, saved.measurements, strict=True):
        assert one.value == other.value or np.isnan([one.value, other.value]).all()


def test_a_path_may_be_text(ask, path):
    assert_same(ask(str(path)), ask())
    assert path.exists()


@pytest.mark.parametrize("falls_at", range(COUNT))
@pytest.mark.parametrize("targets", [None, [0, 1, 2, 3, 0]])
def test_what_was_killed_goes_on_where_it_was(ask, path, falls_at, targets):
    whole = ask(targets=targets)
    counting.SEEN.clear()
    counting.FALLS_AT.add(falls_at)
    with pytest.raises(KeyboardInterrupt):
        ask(path, targets=targets)
    known = list(counting.SEEN)
    assert known == [doc for doc in range(falls_at // 2 * 2) for _ in METHODS] or known == [
        doc
        for start in range(0, falls_at // 2 * 2, 2)
        for _ in METHODS
        for doc in (start, start + 1)
    ]
    counting.FALLS_AT.clear()
    counting.SEEN.clear()
    assert_same(ask(path, targets=targets), whole)
    missing = [doc for doc in range(COUNT) if doc not in known]
    assert sorted(counting.SEEN) == sorted(missing * len(METHODS))


def test_what_was_killed_between_two_methods_keeps_the_class_of_the_first(ask, path):
    whole = ask()
    ask(path)
    lines = path.read_bytes().splitlines(keepends=True)
    # A batch of two docs is written method by method.
    assert [json.loads(line)["method"] for line in lines[1:5]] == [METHODS[0]] * 2 + [
        METHODS[1]
    ] * 2
    path.write_bytes(b"".join(lines[:3]))
    counting.SEEN.clear()
    assert_same(ask(path), whole)
    assert counting.SEEN == [0, 1, 2, 3, 2, 3, 4, 4]


@pytest.mark.parametrize("left", [1, 20, -1])
def test_a_line_that_was_cut_is_measured_again(ask, path, left):
    whole = ask()
    ask(path)
    written = path.read_bytes()
    lines = written.splitlines(keepends=True)
    last = json.loads(lines[-1])
    path.write_bytes(b"".join([*lines[:-1], lines[-1][:left]]))
    counting.SEEN.clear()
    assert_same(ask(path), whole)
    measured_again = last["doc"]
    assert [measured_again] == counting.SEEN
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == [
        json.loads(line) for line in written.splitlines()
    ]


def test_how_many_pass_at_once_may_be_another_number(ask, path):
    whole = ask()
    counting.FALLS_AT.add(3)
    with pytest.raises(KeyboardInterrupt):
        ask(path)
    counting.FALLS_AT.clear()
    found = ask(path, batch_size=4)
    for method in METHODS:
        for metric in whole.metrics:
            np.testing.assert_allclose(
                found.values(method, metric), whole.values(method, metric), rtol=0, atol=1e-6
            )


def test_metrics_in_another_order_are_the_same_question(ask, path):
    ask(path)
    asked = {"metrics": METRICS[::-1]}
    whole = ask(**asked)
    counting.SEEN.clear()
    assert_same(ask(path, **asked), whole)
    assert counting.SEEN == []


def test_more_docs_may_be_added(ask, path, docs):
    ask(path, docs=docs[:3], masks=MASKS[:3])
    counting.SEEN.clear()
    assert_same(ask(path), ask())
    assert sorted(counting.SEEN[: 2 * len(METHODS)]) == [3, 3, 4, 4]


def test_docs_may_come_one_by_one(ask, path, docs):
    ask(path)
    counting.SEEN.clear()
    assert_same(ask(path, docs=(doc[None] for doc in docs), masks=iter(MASKS)), ask(path))
    assert counting.SEEN == []


def test_what_has_no_number_has_none_again(ask, path, docs):
    bad = docs.copy()
    bad[1, 0, 0, 0] = np.nan
    asked = {"docs": bad, "metrics": [Counting(), Odd(), Endless()]}
    whole = ask(path, **asked)
    counting.SEEN.clear()
    assert_same(ask(path, **asked), whole)
    assert counting.SEEN == []
    assert whole.measurements[0].reason is None


def test_targets_of_several_outputs_are_read_as_they_were(docs, path):
    keras = pytest.importorskip("keras")
    layers = keras.layers
    picture = keras.Input((*SIZES, 3))
    flat = layers.Flatten()(picture)
    network = keras.Model(picture, {name: layers.Dense(2, name=name)(flat) for name in "ab"})
    asked = ((np.float32(docs), METHODS, "deletion"), {"targets": ("b", 1), "save": path})
    first, again = (evaluate(network, *asked[0], **asked[1]) for _ in range(2))
    assert_same(first, again)
    assert {one.target for one in again.measurements} == {("b", 1)}


# Another question


def changed(model):
    model.set_weights([2 * one for one in model.get_weights()])
    return model


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"methods": METHODS[:1]}, "its methods is .*'gradients'.*, and here it is .*input_x"),
        ({"methods": {"gradients": "gradients", "input_x_gradient": "gradients"}}, "its methods"),
        ({"metrics": [Counting()]}, "its metrics is .*deletion.*, and here it is .*counting"),
        ({"metrics": [Counting(), Deletion(steps=4), *METRICS[2:]]}, r"steps=3.*steps=4"),
        ({"activation": "softmax"}, "its activation is None, and here it is 'softmax'"),
        ({"logits": False}, "its methods is .*, and here it is .*logits.*False"),
    ],
)
def test_another_question_is_refused_and_what_differs_is_named(ask, path, more, message):
    ask(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="holds another evaluation: .*; give another path") as told:
        ask(path, **more)
    told.match(message)
    assert path.read_bytes() == before


def test_another_model_is_refused(ask, path):
    ask(path)
    before = path.read_bytes()
    other = changed(given.fresh("keras").model)
    with pytest.raises(ValueError, match="holds another evaluation: its model is '.*', and here"):
        ask(path, model=other)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("what", "doc"), [("docs", 2), ("masks", 4), ("order", 0), ("targets", 3)])
def test_other_docs_targets_masks_or_another_order_are_refused(ask, path, docs, what, doc):
    ask(path, targets=TOPS.tolist())
    before = path.read_bytes()
    other = docs.copy()
    masks, targets = MASKS.copy(), TOPS.tolist()
    if what == "docs":
        other[doc] += 1e-3
    elif what == "masks":
        masks[doc, 0, 0] ^= True
    elif what == "order":
        other, masks, targets = other[::-1], masks[::-1], targets[::-1]
    else:
        targets[doc] = (targets[doc] + 1) % 4
    with pytest.raises(ValueError, match=rf"measurements of another doc {doc}, target or mask; "):
        ask(path, docs=other, masks=masks, targets=targets)
    assert path.read_bytes() == before


def test_another_picture_in_place_of_what_is_hidden_is_another_question(ask, path):
    # Pictures so large that numpy leaves out most of them when it prints them.
    one = np.zeros((*SIZES, 3))
    many = np.zeros((40, 40, 3))
    other = many.copy()
    other[20, 20] = 1
    assert Deletion(baseline=many) != Deletion(baseline=other)
    keras = pytest.importorskip("keras")
    layers = keras.layers
    network = keras.Sequential([keras.Input((40, 40, 3)), layers.Flatten(), layers.Dense(2)])
    docs = np.random.default_rng(0).normal(size=(2, 40, 40, 3)).astype(np.float32)
    asked = (network, docs, "gradients")
    evaluate(*asked, Deletion(baseline=many, steps=2), save=path)
    with pytest.raises(ValueError, match="holds another evaluation: its metrics"):
        evaluate(*asked, Deletion(baseline=other, steps=2), save=path)
    assert one.shape == DOCS.shape[1:]


@pytest.mark.parametrize(
    "content",
    [
        b"some notes\n",
        b'{"explainkit": "something else"}\n',
        b"[1, 2]\n",
        b"3\n",
        b"\x89PNG\r\n\x1a\n\x00\x01",
        b"\n",
    ],
)
def test_a_file_that_is_no_evaluation_is_left_as_it_is(ask, path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no evaluation that could go on; give another path"):
        ask(path)
    assert path.read_bytes() == content


def test_an_empty_file_is_begun(ask, path):
    path.touch()
    assert_same(ask(path), ask())
    assert path.stat().st_size


def first(outputs):
    return outputs[:, 0]


@pytest.fixture
def convolutional(docs):
    return with_a_convolution(pytest.importorskip("keras"))


def with_a_convolution(keras, activation="relu", head="head", built=True):
    layers = keras.layers
    return keras.Sequential(
        [
            *([keras.Input((*SIZES, 3))] if built else []),
            layers.Conv2D(2, 3, activation=activation, name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, name=head),
        ]
    )


@pytest.mark.parametrize("what", ["layer", "layers", "reshape", "targets"])
def test_what_has_no_name_of_its_own_is_refused(convolutional, path, what):
    layer = convolutional.get_layer("conv")
    more, kind = {
        "layer": ({"layer": layer}, "Conv2D"),
        "layers": ({"layer": ["conv", layer]}, "Conv2D"),
        "reshape": ({"reshape": first}, "function"),
        "targets": ({"targets": first}, "function"),
    }[what]
    message = f"^save tells questions apart by what is asked, and a {kind} has no name that would"
    with pytest.raises(ValueError, match=message + " do: .*; name layers by their paths and"):
        evaluate(convolutional, np.float32(DOCS), "gradcam", "sparseness", save=path, **more)


def test_arrays_numbers_and_methods_by_hand_say_what_they_are(convolutional, path):
    metric = Deletion(steps=np.int64(2), baseline=np.ones((*SIZES, 3)))

    def asking(noise=0.5, baseline=0.25, **more):
        methods = {
            "smooth": smooth("gradcam", samples=2, noise=noise),
            "early": {"method": "gradcam", "layer": ["conv"], "batch_size": np.int64(3)},
            "paths": {"method": "integrated_gradients", "steps": 2, "baseline": baseline},
        }
        asked = {"targets": np.array([0, 1, 2, 0, 1]), "save": path, **more}
        return evaluate(convolutional, np.float32(DOCS), methods, [metric], **asked)

    whole = asking()
    before = path.read_bytes()
    assert_same(asking(), whole)
    assert path.read_bytes() == before
    for more in ({"noise": 0.25}, {"baseline": 0.5}, {"baseline": np.full((*SIZES, 3), 0.25)}):
        with pytest.raises(ValueError, match="holds another evaluation: its methods"):
            asking(**more)


# Which model it is


def measured_by(model, path, docs=None):
    docs = np.float32(DOCS) if docs is None else docs
    return evaluate(model, docs, "gradients", Counting(), targets=1, save=path)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_the_same_model_built_twice_may_go_on(path, library):
    keras = pytest.importorskip(library)
    one, other = with_a_convolution(keras), with_a_convolution(keras, head="otherwise")
    other.set_weights(one.get_weights())
    assert one.name != other.name
    whole = measured_by(one, path)
    counting.SEEN.clear()
    assert_same(measured_by(other, path), whole)
    assert counting.SEEN == []


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_another_activation_is_another_model(path, library):
    keras = pytest.importorskip(library)
    one, other = with_a_convolution(keras), with_a_convolution(keras, activation="tanh")
    other.set_weights(one.get_weights())
    measured_by(one, path)
    with pytest.raises(ValueError, match="holds another evaluation: its model"):
        measured_by(other, path)


def test_a_model_that_is_built_when_it_is_called_may_go_on(path):
    keras = pytest.importorskip("keras")
    model = with_a_convolution(keras, built=False)
    assert not model.built
    whole = measured_by(model, path)
    assert model.built
    counting.SEEN.clear()
    assert_same(measured_by(model, path), whole)
    assert counting.SEEN == []


def torch_network(activation, seed=0):
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 2, 3), activation(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)
    ).eval()


def test_modules_are_told_apart_by_their_kinds_and_weights(path):
    torch = pytest.importorskip("torch")
    docs = np.float32(DOCS.transpose(0, 3, 1, 2))
    whole = measured_by(torch_network(torch.nn.ReLU), path, docs)
    counting.SEEN.clear()
    assert_same(measured_by(torch_network(torch.nn.ReLU), path, docs), whole)
    assert counting.SEEN == []
    for other in (torch_network(torch.nn.GELU), torch_network(torch.nn.ReLU, seed=1)):
        with pytest.raises(ValueError, match="holds another evaluation: its model"):
            measured_by(other, path, docs)


# Damaged files


@pytest.mark.parametrize("damage", [b"{", b"", b"no json", b'{"doc": 1, "dig', b"\xff\xfe{}"])
@pytest.mark.parametrize("line", [2, 4])
def test_a_line_that_is_damaged_within_the_file_is_named(ask, path, line, damage):
    ask(path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line - 1] = damage + b"\n"
    path.write_bytes(b"".join(lines))
    counting.SEEN.clear()
    with pytest.raises(ValueError, match=rf"evaluation\.jsonl is damaged in line {line}: ") as told:
        ask(path)
    assert str(path) in str(told.value)
    assert path.read_bytes() == b"".join(lines)
    assert counting.SEEN == []


@pytest.mark.parametrize("left", [1, 30, -2, -1])
def test_a_first_line_that_was_cut_off_is_begun_anew(ask, path, left):
    whole = ask(path)
    written = path.read_bytes()
    path.write_bytes(written.splitlines(keepends=True)[0][:left])
    counting.SEEN.clear()
    assert_same(ask(path), whole)
    assert len(counting.SEEN) == COUNT * len(METHODS)
    assert path.read_bytes() == written


def test_a_first_line_of_another_question_that_was_cut_off_is_left_as_it_was(ask, path):
    ask(path, metrics=[Odd()])
    path.write_bytes(path.read_bytes().splitlines()[0][:-5])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is no evaluation that could go on; give another path"):
        ask(path)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_not_made(ask, tmp_path):
    with pytest.raises(FileNotFoundError):
        ask(tmp_path / "nowhere" / "evaluation.jsonl")
    assert counting.SEEN == []
