"""Ablation-CAM on PyTorch: only what is behind the layer runs again, and nothing else changes."""

import keras
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from explainkit import explain_prediction, explain_predictions  # noqa: E402
from explainkit.estimators import reuse  # noqa: E402

CHANNELS, CLASSES = 6, 4
DOC = np.random.default_rng(0).normal(size=(1, 3, 6, 6)).astype(np.float32)
DOCS = np.random.default_rng(1).normal(size=(3, 3, 6, 6)).astype(np.float32)


@pytest.fixture(autouse=True)
def _one_thread():
    """Small networks are slow where many threads share them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def convolution(inputs=CHANNELS, outputs=CHANNELS):
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Net(nn.Module):
    """A stem, a layer to be tapped, and a head; its parts are put together below."""

    def __init__(self, **parts):
        super().__init__()
        self.stem = convolution(3)
        self.tap = convolution()
        self.head = nn.Linear(CHANNELS, CLASSES)
        for name, part in parts.items():
            setattr(self, name, part)

    def scores(self, x):
        return self.head(x.mean((2, 3)))


class Skipping(Net):
    """Skip connections before the tap and around it."""

    def __init__(self):
        super().__init__(early=convolution(), late=convolution())

    def forward(self, x):
        stem = torch.tanh(self.stem(x))
        early = stem + torch.tanh(self.early(stem))
        around = early + torch.tanh(self.tap(early))
        return self.scores(around + torch.tanh(self.late(around)) * stem)


class Shared(Net):
    """One module before the tap and behind it."""

    def __init__(self):
        super().__init__(shared=convolution())

    def forward(self, x):
        x = torch.tanh(self.shared(torch.tanh(self.stem(x))))
        x = torch.tanh(self.tap(x))
        return self.scores(torch.tanh(self.shared(x)))


class TappedTwice(Net):
    """The tap is one of several applications of a module."""

    def forward(self, x):
        x = torch.tanh(self.tap(torch.tanh(self.stem(x))))
        x = torch.tanh(self.tap(x))
        return self.scores(torch.tanh(self.tap(x)))


class Writing(Net):
    """Functions write into what modules gave, before the tap and behind it."""

    def forward(self, x):
        stem = functional.relu_(self.stem(x))
        stem += 0.5
        tapped = self.tap(stem)
        stem.mul_(2)
        return self.scores(functional.relu_(tapped) + stem)


class WritingBehind(Net):
    """What was kept is written into only once the tap is passed."""

    def forward(self, x):
        stem = torch.tanh(self.stem(x))
        kept = self.early(stem)
        tapped = self.tap(kept)
        kept[:, 0] = 0.0
        kept.add_(tapped)
        return self.scores(torch.tanh(kept))

    def __init__(self):
        super().__init__(early=convolution())


class WritingModules(Net):
    """Modules that write into what they are given."""

    def __init__(self):
        super().__init__(relu=nn.ReLU(inplace=True), other=nn.ReLU(inplace=True))

    def forward(self, x):
        stem = self.stem(x)
        activated = self.relu(stem)
        return self.scores(self.other(self.tap(activated)) + stem)


class Both(nn.Module):
    """Gives a tuple, with a dict in it."""

    def __init__(self):
        super().__init__()
        self.one, self.other = convolution(), convolution()

    def forward(self, x):
        return torch.tanh(self.one(x)), {"other": torch.sigmoid(self.other(x)), "name": "both"}


class Pair(Net):
    def __init__(self):
        super().__init__(both=Both())

    def forward(self, x):
        one, more = self.both(torch.tanh(self.stem(x)))
        return self.scores(torch.tanh(self.tap(one)) * more["other"])


class Recurrent(Net):
    """An LSTM before the tap: the first axis of its state counts layers, of which there is one."""

    def __init__(self):
        super().__init__(lstm=nn.LSTM(CHANNELS, CHANNELS, batch_first=True))

    def forward(self, x):
        stem = torch.tanh(self.stem(x))
        tokens, (state, _) = self.lstm(stem.flatten(2).transpose(1, 2))
        x = tokens.transpose(1, 2).reshape(stem.shape)
        tapped = torch.tanh(self.tap(x))
        return self.head(tapped.mean((2, 3)) * state[-1])


class RecurrentTransposed(Recurrent):
    """Its state is laid out in another way, which fails where the axes have been changed."""

    def forward(self, x):
        stem = torch.tanh(self.stem(x))
        _, (state, _) = self.lstm(stem.flatten(2).transpose(1, 2))
        tapped = torch.tanh(self.tap(stem))
        return self.head(tapped.mean((2, 3)) * state.transpose(0, 1).flatten(1))


class Temperature(nn.Module):
    """Gives a number that was learnt, not one for each doc."""

    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.linspace(0.5, 1.5, 1))

    def forward(self):
        return self.value


class Tempered(Net):
    def __init__(self):
        super().__init__(temperature=Temperature())

    def forward(self, x):
        stem = torch.tanh(self.stem(x))
        scale = self.temperature()
        return self.scores(torch.tanh(self.tap(stem)) * scale)


class Table(nn.Module):
    """Gives weights of one row, which were learnt."""

    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.linspace(-1, 1, CHANNELS)[None])

    def forward(self):
        return self.value


class Weighed(Net):
    """The first axis of what an early module gives is 1, and counts no docs."""

    def __init__(self):
        super().__init__(table=Table())

    def forward(self, x):
        row = self.table()
        tapped = torch.tanh(self.tap(torch.tanh(self.stem(x)))).mean((2, 3))
        return self.head(tapped) + (tapped @ row.T).sum(-1, keepdim=True)


class Function(Net):
    """What is tapped is a function."""

    def forward(self, x):
        return self.scores(functional.relu(self.tap(torch.tanh(self.stem(x)))))


class Nested(Net):
    """What is tapped lies deep in other modules."""

    def __init__(self):
        super().__init__(
            body=nn.Sequential(nn.Sequential(convolution(), nn.Tanh()), nn.Sequential())
        )
        self.body[1].append(convolution())
        self.body[1].append(nn.Tanh())

    def forward(self, x):
        return self.scores(self.tap(self.body(torch.tanh(self.stem(x)))))


def sequential():
    return nn.Sequential(
        convolution(3),
        nn.BatchNorm2d(CHANNELS),
        nn.ReLU(inplace=True),
        convolution(),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(CHANNELS, CLASSES),
    )


#: For each network the layer that is tapped.
NETWORKS = {
    "sequential": (sequential, "3"),
    "skipping": (Skipping, "tap"),
    "skipping_early": (Skipping, "early"),
    "shared": (Shared, "tap"),
    "shared_first": (Shared, "shared#0"),
    "shared_last": (Shared, "shared#1"),
    "tapped_first": (TappedTwice, "tap#0"),
    "tapped_second": (TappedTwice, "tap#1"),
    "tapped_last": (TappedTwice, "tap"),
    "writing": (Writing, "tap"),
    "writing_behind": (WritingBehind, "tap"),
    "writing_modules": (WritingModules, "tap"),
    "pair": (Pair, "tap"),
    "recurrent": (Recurrent, "tap"),
    "recurrent_transposed": (RecurrentTransposed, "tap"),
    "tempered": (Tempered, "tap"),
    "weighed": (Weighed, "tap"),
    "function": (Function, "relu()"),
    "nested": (Nested, "body.1.0"),
}
pytestmark = pytest.mark.filterwarnings("ignore:nothing at layer")
every_network = pytest.mark.parametrize("name", NETWORKS)


def made(name):
    torch.manual_seed(3)
    build, layer = NETWORKS[name]
    module = build()
    with torch.no_grad():
        # Channels are weighed by shares of the score, which must not be near 0.
        (module[-1] if isinstance(module, nn.Sequential) else module.head).bias += 2
    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.running_mean.normal_()
            one.running_var.uniform_(0.5, 2)
    return module, layer


def explained(module, docs, layer, **options):
    """The scores and maps of two targets, for each doc."""
    found = explain_predictions(
        module, docs, method="ablationcam", layer=layer, targets=[0, 2], **options
    )
    return [[(one.score, one.map) for one in expl.targets] for expl in found]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        for (score, map_), (other_score, other_map) in zip(one, other, strict=True):
            assert score == pytest.approx(other_score, rel=1e-5)
            np.testing.assert_allclose(map_, other_map, rtol=1e-3, atol=1e-5)


@pytest.fixture
def run_anew(monkeypatch):
    """Switch off, for the rest of the test, that anything is used again."""
    return lambda: monkeypatch.setattr(
        reuse.Memory, "output_of", lambda memory, place, applications: None
    )


def counted(module):
    """Count the calls of a module from outside, as its owner would."""
    calls = []
    module.register_forward_pre_hook(lambda module, args: calls.append(len(args[0])))
    return calls


def by_hand(module, part, doc, targets=(0, 2)):
    """Ablation-CAM of the last call of a part, written as one would with hooks."""
    channels, found = [], []

    def without(channel):
        def hook(_module, _args, output):
            if channel is None:
                channels.append(output.detach().clone())
                return output
            left = torch.ones(output.shape[1])
            left[channel] = 0
            return output * left[None, :, None, None]

        return hook

    for channel in (None, *range(CHANNELS)):
        handle = part.register_forward_hook(without(channel))
        with torch.no_grad():
            found.append(module.eval()(torch.from_numpy(doc.copy()))[0])
        handle.remove()
    whole, tried = found[0], torch.stack(found[1:])
    weights = (whole[None] - tried) / whole.abs()[None]
    maps = torch.einsum("ck,chw->khw", weights, channels[0][0])
    return [(float(whole[unit]), maps[unit].numpy()) for unit in targets]


@every_network
@pytest.mark.parametrize("batch_size", [32, 4, 1])
def test_maps_are_those_of_whole_runs(name, batch_size, run_anew):
    """Batches of 4 leave a smaller one: of 6 channels, 2 are in the last."""
    module, layer = made(name)
    found = explained(module, DOCS, layer, batch_size=batch_size)
    run_anew()
    assert_same(found, explained(module, DOCS, layer, batch_size=batch_size))


@pytest.mark.parametrize(
    "name",
    # A hook sees every application of a module, and no function.
    [name for name in NETWORKS if not name.startswith(("tapped", "shared_", "function"))],
)
def test_maps_are_those_that_hooks_give(name):
    module, layer = made(name)
    part = module.get_submodule(layer)
    expected = [by_hand(module, part, doc[None]) for doc in DOCS]
    assert_same(explained(module, DOCS, layer), expected)


def calls_of(name, early, channels, **options):
    module, layer = made(name)
    calls = counted(module.get_submodule(early))
    explain_prediction(module, DOC, layer=layer, targets=[0, 2], **options)  # looks at it first
    calls.clear()
    explain_prediction(
        module,
        DOC,
        method="ablationcam",
        layer=layer,
        targets=[0, 2],
        max_channels=channels,
        batch_size=2,
        **options,
    )
    return calls


#: Parts that end before the tap begins.
EARLY = [
    ("sequential", "0"),
    ("skipping", "stem"),
    ("skipping", "early"),
    ("skipping_early", "stem"),
    ("shared", "stem"),
    ("shared_last", "stem"),
    ("tapped_last", "stem"),
    ("pair", "both.one"),
    ("pair", "stem"),
    ("function", "tap"),
    ("function", "stem"),
    ("nested", "stem"),
    ("nested", "body.0.0"),
]


@pytest.mark.parametrize(("name", "early"), EARLY)
def test_what_comes_before_the_layer_does_not_run_for_each_channel(name, early):
    few, all_of_them = (calls_of(name, early, channels) for channels in (2, CHANNELS))
    assert len(few) == len(all_of_them), f"{early} ran again for more channels"
    # Two copies tell what has a row for each doc from what has not.
    assert set(all_of_them) <= {1, 2}, f"{early} ran on copies of the doc"


def test_the_calls_grow_where_nothing_is_used_again(run_anew):
    """That those who count do see it."""
    run_anew()
    few, all_of_them = (calls_of("sequential", "0", channels) for channels in (2, CHANNELS))
    assert len(few) < len(all_of_them)


@pytest.mark.parametrize(
    ("name", "late"), [("sequential", "7"), ("skipping", "late"), ("nested", "tap")]
)
def test_what_comes_behind_the_layer_runs_for_each_channel(name, late):
    few, all_of_them = (calls_of(name, late, channels) for channels in (2, CHANNELS))
    assert sum(all_of_them) - sum(few) == CHANNELS - 2


def test_a_shared_part_runs_only_behind_the_layer():
    few, all_of_them = (calls_of("shared", "shared", channels) for channels in (2, CHANNELS))
    # Once a batch of two channels, not twice.
    assert len(all_of_them) - len(few) == (CHANNELS - 2) // 2


@pytest.mark.parametrize("name", ["writing", "writing_behind"])
def test_networks_that_write_into_what_was_kept_run_whole(name):
    """They still give what they should, as the tests above say; here is why."""
    module, layer = made(name)
    calls = counted(module.stem)
    explained(module, DOC, layer)
    assert max(calls) > 1


@every_network
def test_several_docs_do_not_see_each_others_parts(name):
    module, layer = made(name)
    together = explained(module, DOCS, layer)
    alone = [explained(module, DOCS[i : i + 1], layer)[0] for i in range(len(DOCS))]
    assert_same(together, alone)


def test_nothing_is_kept_beyond_a_question():
    """Neither by the next question, whose doc or weights are others, nor in this thread."""
    module, layer = made("skipping")
    first = explained(module, DOC, layer)
    with torch.no_grad():
        module.stem.weight.mul_(2)
    changed = explained(module, DOC, layer)
    assert not np.allclose(first[0][0][1], changed[0][0][1], rtol=1e-3)
    fresh, _ = made("skipping")
    with torch.no_grad():
        fresh.stem.weight.mul_(2)
    assert_same(changed, explained(fresh, DOC, layer))
    assert reuse.current_memory() is None


def test_a_failure_forgets_what_was_kept():
    module, layer = made("skipping")

    def stumble(_module, args):
        if len(args[0]) > 1:
            raise RuntimeError("stumbled on copies")

    handle = module.late.register_forward_pre_hook(stumble)
    with pytest.raises((RuntimeError, ValueError), match="stumbled on copies"):
        explained(module, DOC, layer)
    handle.remove()
    assert reuse.current_memory() is None
    fresh, _ = made("skipping")
    assert_same(explained(module, DOC, layer), explained(fresh, DOC, layer))


@every_network
def test_the_network_is_left_as_it_was(name):
    module, layer = made(name)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    attributes = [sorted(vars(part)) for part in module.modules()]
    explained(module, DOCS, layer)
    for key, value in module.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert [sorted(vars(part)) for part in module.modules()] == attributes
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_several_layers_each_reuse_what_comes_before_them():
    module, _ = made("skipping")
    calls = counted(module.stem)
    layers = ["early", "tap"]
    explained(module, DOC, layers)
    assert set(calls) <= {1, 2}


@pytest.mark.parametrize("batch_size", [32, 4, 1])
def test_several_layers(batch_size, run_anew):
    module, _ = made("skipping")
    found = explained(module, DOCS, ["early", "tap"], batch_size=batch_size)
    run_anew()
    assert_same(found, explained(module, DOCS, ["early", "tap"], batch_size=batch_size))


# Keras on PyTorch

on_torch = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="the other backends compile what runs"
)


#: How many docs were in each call. What a layer holds itself is put back, and counts nothing.
CALLS = []


class Counting(keras.layers.Layer):
    """Hands on what it is given, and counts its calls."""

    def call(self, x):
        CALLS.append(x.shape[0])
        return x


def keras_residual():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((6, 6, 3))
    stem = layers.Conv2D(CHANNELS, 3, padding="same", activation="tanh", name="stem")(inputs)
    stem = Counting(name="counting")(stem)
    shared = layers.Conv2D(CHANNELS, 3, padding="same", activation="tanh", name="shared")
    early = layers.Add()([stem, shared(stem)])
    tapped = layers.Conv2D(CHANNELS, 3, padding="same", activation="tanh", name="tap")(early)
    around = layers.Add()([early, shared(tapped)])
    pooled = layers.GlobalAveragePooling2D()(around)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(pooled))


@on_torch
@pytest.mark.parametrize("batch_size", [32, 4, 1])
def test_keras_on_pytorch_gives_the_maps_of_whole_runs(batch_size, run_anew):
    model, docs = keras_residual(), np.moveaxis(DOCS, 1, -1)
    found = explained(model, docs, "tap", batch_size=batch_size)
    run_anew()
    assert_same(found, explained(model, docs, "tap", batch_size=batch_size))


@on_torch
def test_keras_on_pytorch_runs_only_what_is_behind_the_layer():
    model, doc = keras_residual(), np.moveaxis(DOC, 1, -1)
    counts = []
    explained(model, doc, "tap")  # looks at it first
    for channels in (2, CHANNELS):
        CALLS.clear()
        explained(model, doc, "tap", max_channels=channels, batch_size=2)
        assert set(CALLS) <= {1, 2}
        counts.append(len(CALLS))
    assert counts[0] == counts[1]


class Residual(torch.nn.Module):
    """As many write it: with relus in place, and a sum written into what a layer gave."""

    def __init__(self):
        super().__init__()
        self.one, self.two = (torch.nn.Conv2d(4, 4, 3, padding=1) for _ in range(2))
        self.norm = torch.nn.BatchNorm2d(4)
        self.relu = torch.nn.ReLU(inplace=True)

    def forward(self, x):
        found = self.norm(self.two(self.relu(self.one(x))))
        found += x
        return self.relu(found)


class Merging(torch.nn.Module):
    """Writes into what a layer gave, where copies that take no room become real ones."""

    def __init__(self):
        super().__init__()
        self.one, self.tap = torch.nn.Conv2d(4, 4, 3), torch.nn.ReLU()

    def forward(self, x):
        x = self.one(x)
        merged = x.reshape(-1, *x.shape[2:])
        merged += 1.0
        apart = merged.reshape(x.shape)
        return self.tap(apart) + torch.relu(apart)


def written_into(*parts):
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 4, 3), *parts, torch.nn.AdaptiveAvgPool2d(1)]
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(4, 3)).eval()


@pytest.mark.parametrize(
    ("parts", "layer"),
    [
        ((Residual, Residual), None),
        ((Residual, Residual), "2.norm"),
        ((Residual, Residual), "1.two"),
        ((Merging,), "1.tap"),
    ],
)
def test_what_is_written_into_is_used_again_as_it_was(parts, layer, run_anew):
    module = written_into(*(part() for part in parts))
    calls = counted(module[0])
    found = explained(module, DOC, layer, batch_size=3)
    # Once to be chosen from, once for what is kept, and once where a function was looked for.
    assert len(calls) <= 3
    run_anew()
    assert_same(found, explained(module, DOC, layer, batch_size=3))
    assert len(calls) > 3
