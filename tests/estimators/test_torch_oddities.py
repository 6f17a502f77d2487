"""PyTorch modules that are written, compiled or called in some unusual way."""

import copy
import types

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


def swish(x):
    return x * torch.sigmoid(x)


class Net(nn.Module):
    """Convolutions, a function after the last, something in the middle, and an end."""

    def __init__(self, act=functional.relu, middle=None, end=None):
        super().__init__()
        self.c1, self.middle, self.c2 = nn.Conv2d(3, 5, 3), middle, nn.Conv2d(5, 6, 3)
        self.head, self.act, self.end = nn.Linear(6, CLASSES), act, end

    def scores(self, x):
        x = self.c1(x)
        if self.middle is not None:
            x = self.middle(x)
        return self.head(self.act(self.c2(x)).mean((2, 3)))

    def forward(self, x):
        scores = self.scores(x)
        return scores if self.end is None else self.end(scores)


def like(module, build):
    """Another module with the same weights."""
    other = build()
    other.load_state_dict(module.state_dict())
    return other


def assert_same(one, other, tolerance=1e-5):
    for a, b in zip(one.targets, other.targets, strict=True):
        assert a.target == b.target
        assert a.score == pytest.approx(b.score, rel=tolerance, abs=tolerance)
        np.testing.assert_allclose(a.map, b.map, rtol=tolerance, atol=tolerance)


LAYERS = pytest.mark.parametrize("layer", [None, "c1"])
TARGETS = pytest.mark.parametrize("targets", [1, [0, 2]])
SCRIPTS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


# TorchScript


@SCRIPTS
@pytest.mark.parametrize("layer", [None, "c1", "c2"])
@TARGETS
def test_a_scripted_function_is_as_one_that_is_not(layer, targets):
    plain = Net(swish)
    scripted = like(plain, lambda: Net(torch.jit.script(swish)))
    # What is scripted cannot be a layer: nothing tells when it is called from within.
    expected = explain_prediction(plain, a_doc(), targets=targets, layer=layer or "c2")
    for _ in range(3):  # TorchScript rewrites what it has seen run
        found = explain_prediction(scripted, a_doc(), targets=targets, layer=layer)
        assert_same(found, expected)


def a_middle():
    middle = nn.Sequential(nn.Conv2d(5, 5, 3), nn.BatchNorm2d(5), nn.ReLU())
    middle(torch.randn(8, 5, SIZE, SIZE))  # statistics of its own
    return middle


@SCRIPTS
@LAYERS
@TARGETS
def test_a_scripted_part_that_infers_is_as_one_that_is_not(layer, targets):
    plain = Net(middle=a_middle()).eval()
    scripted = copy.deepcopy(plain)
    scripted.middle = torch.jit.script(scripted.middle)
    expected = explain_prediction(plain, a_doc(), targets=targets, layer=layer)
    for _ in range(3):
        found = explain_prediction(scripted, a_doc(), targets=targets, layer=layer)
        assert found.layer == expected.layer
        assert_same(found, expected)


@SCRIPTS
@LAYERS
def test_a_scripted_part_that_trains_is_an_error(layer):
    module = Net(middle=torch.jit.script(a_middle()))
    before = {name: one.clone() for name, one in module.named_buffers()}
    with pytest.raises(TypeError, match=r"TorchScript.*eval\(\)"):
        explain_prediction(module, a_doc(), layer=layer)
    assert all(torch.equal(before[name], one) for name, one in module.named_buffers())
    assert module.middle.training


# Compiled


class Compiled(Net):
    """Its own author compiles it."""

    @torch.compile(backend="eager")
    def forward(self, x):
        return self.scores(x)


@pytest.mark.parametrize(
    "build",
    [Compiled, lambda: Net(torch.compile(functional.relu, backend="eager"))],
    ids=["forward", "a function"],
)
@pytest.mark.parametrize("run_before", [False, True])
@LAYERS
@TARGETS
def test_what_is_compiled_inside_is_as_what_is_not(build, run_before, layer, targets):
    module = build()
    plain = like(module, Net)
    if run_before:
        module(torch.tensor(a_doc(1)))
    found = explain_prediction(module, a_doc(), targets=targets, layer=layer)
    expected = explain_prediction(plain, a_doc(), targets=targets, layer=layer)
    assert found.layer == expected.layer
    assert_same(found, expected)
    torch.testing.assert_close(module(torch.tensor(a_doc())), plain(torch.tensor(a_doc())))


# Names that say too much


class ResidualAttentionNet(nn.Module):
    """Attention by its name only."""

    def __init__(self, activation):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, padding=1)
        self.c3, self.activation = nn.Conv2d(6, 6, 3), activation
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x):
        x = functional.relu(self.c1(x))
        x = x + functional.relu(self.c2(x))
        return self.head(self.activation(self.c3(x)).mean((2, 3)))


class Normalised(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net((x - 0.5) / 0.2)


@pytest.mark.parametrize(
    ("activation", "layer"), [(nn.ReLU(), "net.activation"), (nn.Identity(), "net.c3")]
)
def test_a_whole_net_that_is_called_attention_has_maps(activation, layer):
    net, doc = ResidualAttentionNet(activation), a_doc()
    expl = explain_prediction(Normalised(net), doc, targets=1)
    assert expl.layer == layer
    assert_same(expl, explain_prediction(net, (doc - 0.5) / 0.2, targets=1))


# What comes out


class Changing(Net):
    """What it answers changes with flags."""

    more = soft = False

    def forward(self, x):
        o = self.scores(x)
        extra = {"extra": 7 * o[:, :1]} if self.more else {}
        return {**extra, "logits": o.softmax(-1) if self.soft else o}


@pytest.mark.parametrize("targets", [None, ("logits", 1)])
@pytest.mark.parametrize("flag", ["more", "soft"])
def test_the_score_is_the_logit_whatever_else_comes_out(flag, targets):
    module, doc = Changing(), a_doc()
    logits = module.scores(torch.tensor(doc))[0].detach()
    score = float(logits.max() if targets is None else logits[1])
    first = None
    for value in (False, True, False):
        setattr(module, flag, value)
        [found] = explain_prediction(module, doc, targets=targets).targets
        first = found if first is None else first
        assert found.score == pytest.approx(score, rel=1e-5)
        assert (found.proba is not None) == module.soft
        np.testing.assert_allclose(found.map, first.map, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("end", "name"),
    [
        (lambda scores: types.SimpleNamespace(logits=scores), "SimpleNamespace"),
        (lambda scores: None, "None"),
    ],
    ids=["namespace", "None"],
)
def test_an_output_of_an_unknown_kind_is_an_error(end, name):
    with pytest.raises(TypeError, match=name):
        explain_prediction(Net(end=end), a_doc())


# What goes in


def test_a_doc_of_bytes_is_an_error():
    doc = np.random.default_rng(0).integers(0, 256, (1, 3, SIZE, SIZE)).astype(np.uint8)
    with pytest.raises(ValueError, match=r"uint8.*float"):
        explain_prediction(Net(), doc)


class OfTwo(Net):
    def forward(self, image, mask):
        return self.scores(image * mask)


@pytest.mark.parametrize(
    ("build", "docs", "names"),
    [
        (Net, lambda: {"picture": a_doc()}, ["x"]),
        (Net, lambda: {"x": a_doc(), "mask": a_doc()}, ["x"]),
        (OfTwo, lambda: {"image": a_doc(), "masks": a_doc()}, ["image", "mask"]),
        (OfTwo, lambda: {"image": a_doc()}, ["image", "mask"]),
        (OfTwo, lambda: [a_doc()], ["image", "mask"]),
        (OfTwo, a_doc, ["image", "mask"]),
    ],
    ids=["wrong", "one too many", "one wrong", "one missing", "a short list", "an array"],
)
def test_inputs_that_are_not_what_it_takes_are_an_error(build, docs, names):
    with pytest.raises(ValueError, match=r"takes.*" + r".*\b".join(names) + r"\b"):
        explain_prediction(build(), docs())


def test_inputs_by_their_names_are_taken():
    module, mask = OfTwo(), np.ones((1, 3, SIZE, SIZE), np.float32)
    expected = explain_prediction(like(module, Net), a_doc(), targets=1, layer="c1")
    found = explain_prediction(module, {"mask": mask, "image": a_doc()}, targets=1, layer="c1")
    assert_same(found, expected)


class Demanding(Net):
    def forward(self, x):
        assert x.shape[-1] == 32, "pictures are 32 pixels wide"
        return self.scores(x)


def test_what_a_module_asserts_is_told():
    with pytest.raises(ValueError, match="pictures are 32 pixels wide"):
        explain_prediction(Demanding(), a_doc())


def mean_of_the_last(features):
    return features.mean((-2, -1))


def mean_of_the_third(features):
    return features.mean((2, 3))


def pooled(features):
    return functional.adaptive_avg_pool2d(features, 1).flatten(1)


class Grey(nn.Module):
    def __init__(self, pool):
        super().__init__()
        self.c1, self.head, self.pool = nn.Conv2d(1, 6, 3), nn.Linear(6, CLASSES), pool

    def forward(self, x):
        return self.head(self.pool(functional.relu(self.c1(x))))


@pytest.mark.parametrize("pool", [mean_of_the_last, mean_of_the_third, pooled])
@pytest.mark.parametrize("layer", [None, "c1"])
def test_a_grey_picture_without_the_axis_of_docs_is_an_error(pool, layer):
    doc = np.random.default_rng(0).normal(size=(1, 16, 16)).astype(np.float32)
    with pytest.raises(ValueError, match="axis of docs"):
        explain_prediction(Grey(pool), doc, layer=layer)
    explain_prediction(Grey(pool), doc[np.newaxis], layer=layer)


def test_batches_in_a_list_of_docs_are_an_error():
    with pytest.raises(ValueError, match="batch of 2") as raised:
        list(explain_predictions(Net(), [a_doc(count=2), a_doc(1, count=2)]))
    assert "explain_predictions" not in str(raised.value)


@LAYERS
def test_a_module_made_in_inference_mode_is_an_error(layer):
    with torch.inference_mode():
        module = Net()
    with pytest.raises(ValueError, match="inference_mode"):
        explain_prediction(module, a_doc(), layer=layer)


class BackboneWithAttention(nn.Module):
    """Gives a map, so that its name alone does not tell it from attention over one."""

    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(3, 6, 3)

    def forward(self, x):
        return functional.relu(self.c1(x))


def test_what_is_inside_attention_is_a_map_where_there_is_no_other():
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES))
    module = nn.Sequential(BackboneWithAttention(), head)
    expl = explain_prediction(module, a_doc())
    assert expl.layer == "0"
    assert expl.targets[0].map.shape == (SIZE - 2, SIZE - 2)
