"""PyTorch modules as they come, and as they are found again."""

import collections
import copy
import dataclasses
import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from explainkit import explain_prediction, explain_predictions  # noqa: E402

SIZE = 12
CLASSES = 4


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(7)


def a_doc(seed=0, count=1):
    shape = (count, 3, SIZE, SIZE)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# Modules


class Net(nn.Module):
    """Convolutions, a mean over the cells, a linear head, and whatever it ends with."""

    def __init__(self, ending=None, inplace=False):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 5, 3), nn.ReLU(inplace), nn.Conv2d(5, 6, 3), nn.ReLU(inplace)
        )
        self.head = nn.Linear(6, CLASSES)
        self.ending = ending

    def scores(self, x):
        return self.head(self.features(x).mean((2, 3)))

    def forward(self, x):
        scores = self.scores(x)
        return self.ending(scores) if self.ending else scores


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 6, 3)
        self.head = nn.Linear(6, CLASSES)

    def through(self, x):
        return functional.relu(self.last(functional.relu(self.first(x))))

    def after(self, features):
        return self.head(features.mean((2, 3)))

    def forward(self, x):
        return self.after(self.through(x))


class Within(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


class Reusing(nn.Module):
    """One activation, twice."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 6, 3)
        self.act, self.head = nn.ReLU(), nn.Linear(6, CLASSES)

    def forward(self, x):
        return self.head(self.act(self.last(self.act(self.first(x)))).mean((2, 3)))


class Trained(nn.Module):
    """What trains one way and infers another."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(5, 6, 3)
        )
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x):
        features = functional.dropout(torch.tanh(self.features(x)), 0.3, self.training)
        return self.head(features.mean((2, 3)))


class Unrecorded(Net):
    """Switches recording off around its features."""

    def forward(self, x):
        with torch.no_grad():
            features = self.features(x)
        return self.head(features.mean((2, 3)))


class Random(Net):
    """Drops features even when it infers."""

    def forward(self, x):
        return self.head(functional.dropout(self.features(x).mean((2, 3)), 0.5))


@dataclasses.dataclass
class Answer:
    logits: Any = None
    hidden: Any = None
    extra: Any = None


class ModelOutput(collections.OrderedDict):
    """A dict whose items are attributes, too."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclasses.dataclass
class RecordOutput(ModelOutput):
    """As the outputs of transformers are: a dataclass that is an ordered dict of what is there."""

    loss: Any = None
    logits: Any = None
    hidden: Any = None

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if (value := getattr(self, field.name)) is not None:
                self[field.name] = value

    def __setattr__(self, name, value):
        if name in self:
            super().__setitem__(name, value)
        super().__setattr__(name, value)

    def __setitem__(self, name, value):
        super().__setitem__(name, value)
        super().__setattr__(name, value)


OUTPUTS = {
    "tuple": lambda scores, hidden: (scores, hidden),
    "dict": lambda scores, hidden: {"hidden": hidden, "logits": scores},
    "dataclass": lambda scores, hidden: Answer(scores, hidden),
    "ordered dict": lambda scores, hidden: ModelOutput(hidden=hidden, logits=scores),
    "record": lambda scores, hidden: RecordOutput(logits=scores, hidden=hidden),
}
NAMES = {"tuple": "output_0"}


class Answering(Net):
    """Gives its scores, and something else, in some structure."""

    def __init__(self, structure):
        super().__init__()
        self.structure = structure
        self.other = nn.Linear(6, 2)

    def forward(self, x):
        pooled = self.features(x).mean((2, 3))
        return OUTPUTS[self.structure](self.head(pooled), self.other(pooled))


# Grad-CAM another way: eager autograd in float64, one doc


def gradcam(module, doc, target, layer, application=-1):
    """Score and map of `module(doc)[0, target]` at a layer, which is found by a function."""
    module = copy.deepcopy(module).double().eval().requires_grad_(True)
    kept = []

    def keep(_layer, _inputs, output):
        kept.append(output)
        return output.clone()  # what follows may write into it

    layer(module).register_forward_hook(keep)
    score = module(torch.tensor(doc, dtype=torch.float64))[0, target]
    return float(score.detach()), weighed(score, kept[application])


def weighed(score, features):
    [gradient] = torch.autograd.grad(score, features)
    found = torch.einsum("c,chw->hw", gradient[0].mean((1, 2)), features[0])
    return found.detach().numpy()


def assert_is(found, score, map_, tolerance=1e-4):
    assert found.score == pytest.approx(score, rel=tolerance, abs=tolerance)
    np.testing.assert_allclose(found.map, map_, rtol=tolerance, atol=tolerance)
    heatmap = np.maximum(map_, 0) / map_.max() if map_.max() > 0 else np.zeros_like(map_)
    np.testing.assert_allclose(found.heatmap, heatmap, atol=10 * tolerance)


def assert_same(one, other, tolerance=1e-5):
    for a, b in zip(one.targets, other.targets, strict=True):
        assert a.target == b.target
        assert_is(a, b.score, b.map, tolerance)


def explain(module, doc, **options):
    [found] = explain_prediction(module, doc, **options).targets
    return found


def last(module):
    return module.features[-1]


# Right


@pytest.mark.parametrize("target", range(CLASSES))
def test_scores_and_maps_are_those_of_the_definition(target):
    module, doc = Net(), a_doc()
    expl = explain_prediction(module, doc, targets=target)
    assert expl.layer == "features.3"
    assert expl.targets[0].target == target
    assert expl.targets[0].proba is None
    assert_is(expl.targets[0], *gradcam(module, doc, target, last))


@pytest.mark.parametrize(
    "layer",
    [lambda m: m.features[2], lambda m: "features.2", lambda m: ("features.2", 0)],
    ids=["module", "name", "application"],
)
def test_a_layer_is_named_in_many_ways(layer):
    module, doc = Net(), a_doc()
    expl = explain_prediction(module, doc, targets=1, layer=layer(module))
    assert expl.layer == "features.2"
    assert_is(expl.targets[0], *gradcam(module, doc, 1, lambda m: m.features[2]))


@pytest.mark.parametrize("index", [2, -4])
def test_a_layer_is_named_by_its_index(index):
    module, doc = nn.Sequential(*Net().features, nn.Flatten(), nn.Linear(384, CLASSES)), a_doc()
    expl = explain_prediction(module, doc, targets=1, layer=index)
    assert expl.layer == "2"
    assert_is(expl.targets[0], *gradcam(module, doc, 1, lambda m: m[2]))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_a_functional_activation_is_a_layer(nested, named):
    inner, doc = Functional(), a_doc()
    path = "inner.relu()" if nested else "relu()"
    module = Within(inner) if nested else inner
    expl = explain_prediction(module, doc, targets=2, layer=path if named else None)
    assert expl.layer == f"{path}#1"
    by_hand = copy.deepcopy(inner).double()
    features = by_hand.through(torch.tensor(doc).double())
    score = by_hand.after(features)[0, 2]
    assert_is(expl.targets[0], float(score.detach()), weighed(score, features))


@pytest.mark.parametrize("application", [0, 1])
def test_a_module_that_is_used_twice_has_two_maps(application):
    module, doc = Reusing(), a_doc()
    expl = explain_prediction(module, doc, targets=0, layer=f"act#{application}")
    assert expl.layer == f"act#{application}"
    assert_is(expl.targets[0], *gradcam(module, doc, 0, lambda m: m.act, application))
    if application == 1:
        assert_same(expl, explain_prediction(module, doc, targets=0))


def test_a_nested_module_is_seen_through():
    module, doc = Within(Within(Net())), a_doc()
    expl = explain_prediction(module, doc, targets=3)
    assert expl.layer == "inner.inner.features.3"
    assert_is(expl.targets[0], *gradcam(module, doc, 3, lambda m: last(m.inner.inner)))


@pytest.mark.parametrize(
    ("ending", "proba"),
    [
        (nn.Softmax(-1), lambda s: s.softmax(-1)),
        (lambda s: functional.softmax(s, dim=1), lambda s: s.softmax(-1)),
        (nn.LogSoftmax(-1), lambda s: s.softmax(-1)),
        (lambda s: functional.log_softmax(s, dim=1), lambda s: s.softmax(-1)),
        (nn.Sigmoid(), torch.sigmoid),
        (torch.sigmoid, torch.sigmoid),
    ],
    ids=["Softmax", "softmax", "LogSoftmax", "log_softmax", "Sigmoid", "sigmoid"],
)
def test_a_final_activation_is_looked_behind(ending, proba):
    module, doc = Net(ending), a_doc()
    found = explain(module, doc, targets=1)
    plain = copy.deepcopy(module)
    plain.ending = None
    assert_is(found, *gradcam(plain, doc, 1, last))
    expected = proba(plain(torch.tensor(doc)).detach())[0, 1]
    assert found.proba == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("ending", [nn.Softmax(-1), nn.Sigmoid()])
def test_without_logits_the_gradient_is_of_the_probability(ending):
    module, doc = Net(ending), a_doc()
    found = explain(module, doc, targets=1, logits=False)
    assert_is(found, *gradcam(module, doc, 1, last))
    assert found.score == found.proba


def test_targets_do_not_change_each_others_maps():
    module, doc = Net(nn.Softmax(-1)), a_doc()
    together = explain_prediction(module, doc, targets=[2, 0, 3])
    assert [found.target for found in together.targets] == [2, 0, 3]
    for found in together.targets:
        alone = explain(module, doc, targets=found.target)
        assert_is(found, alone.score, alone.map)
        assert found.proba == pytest.approx(alone.proba)


def test_the_top_classes_come_highest_first():
    module, doc = Net(), a_doc()
    expl = explain_prediction(module, doc, top_targets=3)
    scores = module(torch.tensor(doc))[0]
    assert [t.target for t in expl.targets] == scores.argsort(descending=True)[:3].tolist()


@pytest.mark.parametrize("targets", [1, [0, 2, 3], None])
def test_a_batch_is_explained_as_each_doc_is(targets):
    module, docs = Net(), a_doc(count=5)
    found = list(explain_predictions(module, docs, targets=targets, batch_size=2))
    assert len(found) == 5
    for i, expl in enumerate(found):
        assert_same(expl, explain_prediction(module, docs[i : i + 1], targets=targets))


def test_docs_are_tensors_or_arrays():
    module, doc = Net(), a_doc()
    expected = explain_prediction(module, doc)
    for given in (
        torch.tensor(doc),
        torch.tensor(doc, requires_grad=True),
        torch.tensor(doc).double(),
        doc.astype(np.float64),
    ):
        assert_same(explain_prediction(module, given), expected)


# Outputs


@pytest.mark.parametrize("structure", OUTPUTS)
def test_outputs_come_in_structures(structure):
    module, doc = Answering(structure), a_doc()
    plain = Net()
    plain.load_state_dict(module.state_dict(), strict=False)
    score, map_ = gradcam(plain, doc, 1, last)
    name = NAMES.get(structure, "logits")
    found = explain(module, doc, targets=(name, 1))
    assert found.target == (name, 1)
    assert_is(found, score, map_)
    top = int(plain(torch.tensor(doc)).argmax())
    assert explain(module, doc).target == (name, top)


@pytest.mark.parametrize("structure", OUTPUTS)
def test_a_callable_gets_the_structure(structure):
    module, doc = Answering(structure), a_doc()
    expected = type(module(torch.tensor(doc)))
    seen = []

    def first_score(outputs):
        seen.append(type(outputs))
        if structure == "tuple":
            return outputs[0][:, 1]
        return outputs["logits"][:, 1] if structure == "dict" else outputs.logits[:, 1]

    found = explain(module, doc, targets=first_score)
    assert set(seen) == {expected}
    assert found.target == "first_score"
    unit = explain(module, doc, targets=(NAMES.get(structure, "logits"), 1))
    assert_is(found, unit.score, unit.map)


def test_the_dict_of_an_output_record_and_its_attributes_are_one():
    module, doc = Answering("record"), a_doc()

    def both(outputs):
        torch.testing.assert_close(outputs["logits"], outputs.logits)
        assert list(outputs) == ["logits", "hidden"]
        return outputs["logits"][:, 1]

    unit = explain(module, doc, targets=("logits", 1))
    found = explain(module, doc, targets=both)
    assert_is(found, unit.score, unit.map)


def test_a_callable_of_a_tensor_gets_what_comes_before_the_activation():
    module, doc = Net(nn.Softmax(-1)), a_doc()
    found = explain(module, doc, targets=lambda outputs: outputs[:, 2])
    unit = explain(module, doc, targets=2)
    assert_is(found, unit.score, unit.map)


# Whatever wraps it, and whatever state it is in


@pytest.mark.parametrize(
    "wrap",
    [
        lambda m: torch.compile(m, backend="eager"),
        nn.DataParallel,
        lambda m: nn.DataParallel(torch.compile(m, backend="eager")),
    ],
    ids=["compile", "DataParallel", "both"],
)
def test_wrappers_are_taken_off(wrap):
    module, doc = Net(), a_doc()
    expected = explain_prediction(module, doc, targets=1)
    found = explain_prediction(wrap(module), doc, targets=1)
    assert_same(found, expected)
    assert (found.layer, found.estimator) == (expected.layer, "Net")


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("run_before", [False, True])
def test_a_module_compiled_in_place_shows_its_layers(inside, run_before):
    module, doc = Net(), a_doc()
    expected = explain_prediction(module, doc, targets=1)
    (module.features if inside else module).compile(backend="eager")
    if run_before:
        module(torch.tensor(doc))
    assert_same(explain_prediction(module, doc, targets=1), expected)
    torch.testing.assert_close(
        float(module(torch.tensor(doc))[0, 1].detach()), expected.targets[0].score
    )


def test_a_module_with_a_compiled_part_shows_its_layers():
    module, doc = Net(), a_doc()
    expected = explain_prediction(module, doc, targets=1)
    module.features = torch.compile(module.features, backend="eager")
    assert_same(explain_prediction(module, doc, targets=1), expected)


def test_a_module_that_trains_is_explained_as_it_infers():
    module, doc = Trained(), a_doc()
    module(torch.tensor(a_doc(1, 8)))  # statistics of its own
    expected = explain_prediction(copy.deepcopy(module).eval(), doc, targets=1)
    assert all(part.training for part in module.modules())
    assert_same(explain_prediction(module, doc, targets=1), expected)
    assert all(part.training for part in module.modules())
    by_hand = gradcam(module, doc, 1, lambda m: m.features[-1])
    assert_is(explain(module, doc, targets=1, layer="features.4"), *by_hand)


def test_a_frozen_module_is_explained():
    module, doc = Net(), a_doc()
    module.requires_grad_(False)
    assert_is(explain(module, doc, targets=1), *gradcam(module, doc, 1, last))


@pytest.mark.parametrize("number", range(4))
def test_activations_in_place_do_not_spoil_the_map(number):
    module, doc = Net(inplace=True), a_doc()
    plain = Net()
    plain.load_state_dict(module.state_dict())
    found = explain(module, doc, targets=1, layer=f"features.{number}")
    assert_is(found, *gradcam(plain, doc, 1, lambda m: m.features[number]))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("layer", [None, "features.0"])
def test_it_does_not_matter_that_nothing_is_recorded(mode, layer):
    module, doc = Net(), a_doc()
    expected = explain_prediction(module, doc, targets=[1, 2], layer=layer)
    with mode():
        found = explain_prediction(module, doc, targets=[1, 2], layer=layer)
        assert not torch.is_grad_enabled()
        assert torch.is_inference_mode_enabled() == (mode is torch.inference_mode)
    assert_same(found, expected)


@pytest.mark.parametrize("layer", ["features.0", "features.2", None])
def test_a_module_that_does_not_record_is_explained(layer):
    module, doc = Unrecorded(), a_doc()
    plain = Net()
    plain.load_state_dict(module.state_dict())
    found = explain_prediction(module, doc, targets=[0, 1, 2], layer=layer)
    assert_same(found, explain_prediction(plain, doc, targets=[0, 1, 2], layer=layer))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("ending", [None, nn.Softmax(-1)])
def test_small_numbers_tell_nearly_the_same(dtype, ending):
    module, doc = Net(ending), a_doc()
    expected = explain(module, doc, targets=1)
    for given in (doc, torch.tensor(doc).to(dtype)):
        found = explain(copy.deepcopy(module).to(dtype), given, targets=1)
        assert found.map.dtype == np.float32
        assert found.score == pytest.approx(expected.score, abs=5e-2)
        np.testing.assert_allclose(found.map, expected.map, atol=5e-2)
        np.testing.assert_allclose(found.heatmap, expected.heatmap, atol=5e-2)


def test_a_module_of_doubles_is_explained_in_doubles():
    module, doc = Net(), a_doc()
    found = explain(copy.deepcopy(module).double(), doc.astype(np.float64), targets=1)
    assert_is(found, *gradcam(module, doc, 1, last), tolerance=1e-6)


# Left as it was found


_HOOKS = [name for name in nn.Module().__dict__ if "hooks" in name]


def state(module):
    """Everything about a module that an explanation could have changed."""
    return {
        "parts": [
            (
                name,
                sorted(part.__dict__),
                part.training,
                [dict(part.__dict__[hooks]) for hooks in _HOOKS],
            )
            for name, part in module.named_modules()
        ],
        "parameters": [
            (
                id(parameter),
                parameter.requires_grad,
                parameter.is_leaf,
                parameter._version,
                None if parameter.grad is None else id(parameter.grad),
                None if parameter.grad is None else parameter.grad.numpy().tobytes(),
            )
            for parameter in module.parameters()
        ],
        "state": {name: one.numpy().tobytes() for name, one in module.state_dict().items()},
        "random": torch.get_rng_state().numpy().tobytes(),
        "class": (nn.Module.__call__, "training" in vars(nn.Module), torch.is_grad_enabled()),
    }


def with_some_gradients(module):
    """Half of the parameters have a gradient, one has none to have, and hooks look on."""
    module(torch.tensor(a_doc(3, 4))).sum().backward()
    for parameter in list(module.parameters())[::2]:
        parameter.grad = None
    next(iter(module.parameters())).requires_grad_(False)
    module.features.eval()
    module.features[0].register_forward_hook(lambda _layer, _inputs, output: output)
    module.head.register_full_backward_hook(lambda *_: None)
    return module


@pytest.mark.filterwarnings("ignore:nothing at layer")
@pytest.mark.parametrize(
    "build",
    [Net, Trained, Unrecorded, Random, lambda: Net(inplace=True)],
    ids=["plain", "trained", "unrecorded", "random", "in place"],
)
@pytest.mark.parametrize(
    "options", [{}, {"targets": [0, 1, 2]}, {"layer": "features.0", "logits": False}]
)
def test_an_explanation_changes_nothing(build, options):
    module, doc = with_some_gradients(build()), torch.tensor(a_doc())
    before, given = state(module), doc.clone()
    explain_prediction(module, doc, **options)
    explain_prediction(module, doc, **options)
    list(explain_predictions(module, a_doc(count=3), **options))
    assert state(module) == before
    assert torch.equal(doc, given)
    assert doc.grad is None


class _Stumbling(torch.autograd.Function):
    @staticmethod
    def forward(context, x, stage):
        context.stage = stage
        if stage == "forward":
            raise ArithmeticError(stage)
        return x.clone()

    @staticmethod
    def backward(context, upstream):
        if context.stage == "backward":
            raise ArithmeticError(context.stage)
        return upstream, None


class Stumbling(Trained):
    stage = None

    def forward(self, x):
        features = functional.dropout(self.features(x), 0.5)
        return self.head(_Stumbling.apply(features, self.stage).mean((2, 3)))


@pytest.mark.parametrize("seen_before", [False, True])
@pytest.mark.parametrize("stage", ["forward", "backward"])
def test_a_module_that_raises_is_left_as_it_was(stage, seen_before):
    module = with_some_gradients(Stumbling())
    if seen_before:
        explain_prediction(module, a_doc(), layer="features.4")
    before = state(module)
    module.stage = stage
    with pytest.raises(ArithmeticError, match=stage):
        explain_prediction(module, a_doc(), layer="features.4")
    del module.stage
    assert state(module) == before
    explain_prediction(module, a_doc(), layer="features.4")


def _trained_module(interrupt):
    """Train for some steps, and do something between and amid them."""
    torch.manual_seed(11)
    module = Trained()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    for step in range(5):
        docs = torch.randn(6, 3, SIZE, SIZE)
        optimizer.zero_grad()
        loss = functional.cross_entropy(module(docs), torch.arange(6) % CLASSES)
        interrupt(module, step)
        loss.backward()
        interrupt(module, step)
        optimizer.step()
    return {name: one.numpy().tobytes() for name, one in module.state_dict().items()}


def test_training_goes_on_as_if_nobody_had_asked():
    def ask(module, step):
        explain_prediction(module, a_doc(step), targets=[0, 1])
        explain_prediction(module, a_doc(step), layer="features.0")

    assert _trained_module(ask) == _trained_module(lambda *_: None)


def test_threads_are_served_while_another_trains():
    module, docs = Trained(), [a_doc(i) for i in range(8)]
    expected = [explain_prediction(module, doc, targets=[0, 1]) for doc in docs]
    found, losses, over = {}, [], threading.Event()
    other = Trained()
    optimizer = torch.optim.SGD(other.parameters(), lr=0.01)
    start = threading.Barrier(len(docs) + 1)

    def train():
        start.wait()
        while not over.is_set() or not losses:
            optimizer.zero_grad()
            loss = other(torch.ones(4, 3, SIZE, SIZE)).square().mean()
            loss.backward()
            optimizer.step()
            losses.append((float(loss.detach()), other.training, other.features[1].training))

    def ask(number):
        start.wait()
        for _ in range(5):
            found[number] = explain_prediction(module, docs[number], targets=[0, 1])

    trainer = threading.Thread(target=train)
    askers = [threading.Thread(target=ask, args=(i,)) for i in range(len(docs))]
    for thread in (trainer, *askers):
        thread.start()
    for thread in askers:
        thread.join()
    over.set()
    trainer.join()
    for number, one in enumerate(expected):
        assert_same(found[number], one)
    assert all(np.isfinite(loss) and a and b for loss, a, b in losses)
    assert int(other.features[1].num_batches_tracked) == len(losses)
    assert int(module.features[1].num_batches_tracked) == 0
    assert "training" not in vars(nn.Module)


def test_a_module_is_garbage_once_nobody_holds_it():
    module = Net()
    record = explain_prediction(module, a_doc(), targets=[0, 1])
    explain_prediction(module, a_doc(), layer=module.features[0], targets=lambda out: out[:, 0])
    kept = [weakref.ref(part) for part in module.modules()]
    kept += [weakref.ref(parameter) for parameter in module.parameters()]
    del module
    gc.collect()
    assert [one() for one in kept if one() is not None] == []
    assert record.targets


# Errors


def test_a_picture_with_its_channels_last_is_told_from_one_with_them_first():
    with pytest.raises(ValueError, match=r"\(N, channels, height, width\)"):
        explain_prediction(Net(), a_doc().transpose(0, 2, 3, 1))


def test_a_doc_without_the_axis_of_docs_is_an_error():
    with pytest.raises(ValueError, match=r"lacks the axis of docs, \(N, channels, height, width\)"):
        explain_prediction(Net(), a_doc()[0])


@pytest.mark.parametrize("name", ["features.22", "hed"])
def test_an_unknown_layer_is_an_error_with_a_suggestion(name):
    suggestion = {"features.22": "features.2", "hed": "head"}[name]
    with pytest.raises(LookupError, match=f"no layer '{name}'.*did you mean.*{suggestion}"):
        explain_prediction(Net(), a_doc(), layer=name)


def test_a_layer_of_another_module_is_an_error():
    with pytest.raises(LookupError, match="not among the layers"):
        explain_prediction(Net(), a_doc(), layer=Net().features[0])


def test_a_layer_index_out_of_range_is_an_error():
    with pytest.raises(LookupError, match="has 2 layers"):
        explain_prediction(Net(), a_doc(), layer=7)


def test_a_layer_without_a_map_is_an_error():
    with pytest.raises(ValueError, match="no spatial axes"):
        explain_prediction(Net(), a_doc(), layer="head")


@pytest.mark.parametrize("target", [CLASSES, -CLASSES - 1, [0, 99]])
def test_a_target_out_of_range_is_an_error(target):
    with pytest.raises((LookupError, ValueError), match=f"{CLASSES}"):
        explain_prediction(Net(), a_doc(), targets=target)


@pytest.mark.parametrize("as_given", [np.asarray, torch.tensor], ids=["array", "tensor"])
def test_a_doc_with_nan_is_an_error(as_given):
    doc = a_doc()
    doc[0, 1, 2, 3] = np.nan
    with pytest.raises(ValueError, match=r"NaN.*\(0, 1, 2, 3\)"):
        explain_prediction(Net(), as_given(doc))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_module_of_torchscript_is_an_error():
    traced = torch.jit.trace(Net(), torch.tensor(a_doc()))
    with pytest.raises(TypeError, match="TorchScript"):
        explain_prediction(traced, a_doc())


def test_threads_leave_the_process_as_it_was():
    from torch._dynamo import eval_frame

    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    module.compile(backend="eager")
    before = torch.backends.mha.get_fastpath_enabled(), eval_frame._stance

    def work():
        for _ in range(40):
            explain_prediction(module, torch.ones(1, 3, 8, 8), targets=0)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (torch.backends.mha.get_fastpath_enabled(), eval_frame._stance) == before


class Squared(torch.autograd.Function):
    """Worked out by numpy, so that nothing of it can be looked into or be vectorized."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.from_numpy(x.detach().numpy() ** 2)

    @staticmethod
    def backward(ctx, slope):
        (x,) = ctx.saved_tensors
        return torch.from_numpy(2 * x.detach().numpy() * slope.numpy())


class WithItsOwnGradient(nn.Module):
    def __init__(self, square):
        super().__init__()
        torch.manual_seed(0)
        self.features, self.square, self.head = nn.Conv2d(3, 4, 3), square, nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.square(self.features(x)).mean((2, 3)))


@pytest.mark.parametrize("targets", [[1], [0, 2]])
def test_functions_with_a_gradient_of_their_own_are_explained(targets):
    doc = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype("float32"))
    found, expected = (
        explain_prediction(WithItsOwnGradient(square), doc, targets=targets, layer="features")
        for square in (Squared.apply, torch.square)
    )
    for one, other in zip(found.targets, expected.targets, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)
        np.testing.assert_allclose(one.map, other.map, atol=1e-6)
