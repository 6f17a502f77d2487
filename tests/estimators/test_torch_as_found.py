"""What a module writes on itself when it is called is put back after an explanation."""

import copy
import random
import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

from explainkit import explain_prediction  # noqa: E402

SIZE = 12
CLASSES = 4


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(7)


def a_doc(seed=0, count=1):
    shape = (count, 3, SIZE, SIZE)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def contents(module):
    return {name: one.numpy().tobytes() for name, one in module.state_dict().items()}


class Net(nn.Module):
    """Does something beside what it is asked for, in the middle."""

    def __init__(self, beside=None):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 6, 3)
        self.head = nn.Linear(6, CLASSES)
        self.beside, self.stumbles = beside, False

    def forward(self, x):
        x = functional.relu(self.c1(x))
        if self.beside is not None:
            self.beside(self, x)
        if self.stumbles:
            raise ArithmeticError("stumbled")
        return self.head(functional.relu(self.c2(x)).mean((2, 3)))


class Within(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


def in_parts(inner):
    return Within(nn.Sequential(inner))


WRAPPED = pytest.mark.parametrize("wrap", [lambda inner: inner, in_parts], ids=["itself", "a part"])
LAYERS = pytest.mark.parametrize("layer", [None, "c1"])


# Attributes


def write_loss(module, x):
    module.aux = x.abs().mean()


@pytest.mark.filterwarnings("ignore:nothing at layer")
@WRAPPED
@pytest.mark.parametrize("options", [{}, {"targets": [0, 2]}, {"logits": False}])
def test_a_loss_kept_on_the_module_is_still_that_of_its_own_call(wrap, options):
    def trained(explains):
        torch.manual_seed(11)
        inner = Net(write_loss)
        module = wrap(inner)
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        for step in range(3):
            optimizer.zero_grad()
            out = module(torch.tensor(a_doc(step, 4)))
            aux = inner.aux
            if explains:
                explain_prediction(module, a_doc(10 + step), **options)
                assert inner.aux is aux
            (out.square().mean() + 10 * inner.aux).backward()
            optimizer.step()
        return contents(module)

    assert trained(explains=True) == trained(explains=False)


@WRAPPED
def test_a_new_attribute_is_gone(wrap):
    def write(module, x):
        module.last = x

    inner = Net(write)
    before = sorted(vars(inner))
    for _ in range(2):
        explain_prediction(wrap(inner), a_doc())
        assert sorted(vars(inner)) == before


@pytest.mark.parametrize("stumbles", [False, True])
def test_what_is_appended_to_a_list_is_gone(stumbles):
    module = Net(lambda module, x: module.history.append(1))
    module.history = history = [0]
    module.stumbles = stumbles
    for _ in range(3):
        if stumbles:
            with pytest.raises(ArithmeticError, match="stumbled"):
                explain_prediction(module, a_doc())
        else:
            explain_prediction(module, a_doc())
        assert module.history is history
        assert history == [0]


def test_threads_leave_what_was_there():
    module = Net(write_loss)
    module(torch.tensor(a_doc(1)))
    aux, start, problems = module.aux, threading.Barrier(8), []

    def ask(number):
        start.wait()
        try:
            for _ in range(10):
                explain_prediction(module, a_doc(number))
        except Exception as error:  # noqa: BLE001 - a thread's error is not the test's
            problems.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert module.aux is aux


# Buffers


def count(module, x):
    module.seen += 1


def count_by_name(module, x):
    module.seen.add_(1)


def count_anew(module, x):
    module.seen = module.seen + 1


def write_into(module, x):
    module.seen[0] = x.mean().detach()


@WRAPPED
@pytest.mark.parametrize("beside", [count, count_by_name, count_anew, write_into])
@pytest.mark.parametrize("stumbles", ["never", "at once", "later"])
def test_a_buffer_that_is_written_into_is_as_before(wrap, beside, stumbles):
    inner = Net(beside)
    inner.register_buffer("seen", torch.zeros(2))
    module = wrap(inner)
    module(torch.tensor(a_doc(1)))
    seen, numbers = inner.seen, inner.seen.clone()
    for turn in range(3):
        inner.stumbles = stumbles == "at once" or (stumbles == "later" and turn > 0)
        if inner.stumbles:
            with pytest.raises(ArithmeticError, match="stumbled"):
                explain_prediction(module, a_doc(turn))
        else:
            explain_prediction(module, a_doc(turn))
        assert inner.seen is seen
        assert torch.equal(seen, numbers)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("norm", [nn.utils.weight_norm, nn.utils.spectral_norm])
@LAYERS
def test_a_weight_made_by_a_hook_is_the_one_that_was_made(norm, layer):
    module = Net()
    norm(module.c2)
    loss = module(torch.tensor(a_doc(1, 4))).square().mean()
    weight, before = module.c2.weight, contents(module)
    for turn in range(2):
        explain_prediction(module, a_doc(turn), layer=layer)
        assert module.c2.weight is weight
        assert weight.requires_grad
    assert contents(module) == before
    loss.backward()
    assert all(one.grad is not None for one in module.parameters())


# Random numbers of others


@pytest.mark.parametrize(
    ("draw", "state"),
    [
        (lambda *_: random.random(), random.getstate),
        (lambda *_: np.random.normal(size=5), np.random.get_state),  # noqa: NPY002 - the global one
    ],
    ids=["random", "numpy"],
)
def test_random_numbers_are_given_back(draw, state):
    module = Net(draw)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    draw()
    before = state()
    for _ in range(2):
        explain_prediction(module, a_doc())
        assert all(map(np.array_equal, state()[1:], before[1:]))


# Checkpoints


class Noise(nn.Module):
    """Noise, where it trains."""

    def forward(self, x):
        if self.training:
            x = x + torch.randn_like(x)
        return x


class Block(nn.Sequential):
    """Counts its calls."""

    def __init__(self, middle):
        super().__init__(nn.Conv2d(5, 6, 3), middle, nn.ReLU())
        self.calls = []

    def forward(self, x):
        self.calls.append(threading.get_ident())
        return super().forward(x)


class Checkpointed(nn.Module):
    """Works a block out again on the way back, where it is said how."""

    def __init__(self, middle, reentrant):
        super().__init__()
        self.c1, self.block, self.c2 = nn.Conv2d(3, 5, 3), Block(middle), nn.Conv2d(6, 6, 3)
        self.head, self.reentrant = nn.Linear(6, CLASSES), reentrant

    def forward(self, x):
        x = functional.relu(self.c1(x))
        if self.reentrant is None:
            x = self.block(x)
        else:
            x = checkpoint(self.block, x, use_reentrant=self.reentrant)
        return self.head(functional.relu(self.c2(x)).mean((2, 3)))


def plain(module):
    """The same, without checkpoints, as it infers."""
    copied = copy.deepcopy(module).eval()
    copied.reentrant = None
    return copied


MIDDLES = pytest.mark.parametrize(
    "middle",
    [lambda: nn.Dropout(0.5), lambda: nn.BatchNorm2d(6), Noise],
    ids=["drop", "norm", "noise"],
)
REENTRANT = pytest.mark.parametrize("reentrant", [True, False], ids=["reentrant", "not reentrant"])


@MIDDLES
@REENTRANT
@pytest.mark.parametrize("layer", [None, "c1", "block.0"])
@pytest.mark.parametrize("targets", [1, [0, 2]])
def test_a_checkpointed_module_that_trains_is_explained_as_it_infers(
    middle, reentrant, layer, targets
):
    module = Checkpointed(middle(), reentrant)
    module(torch.tensor(a_doc(1, 8)))  # statistics of its own
    expected = explain_prediction(plain(module), a_doc(), targets=targets, layer=layer)
    before = contents(module)
    found = explain_prediction(module, a_doc(), targets=targets, layer=layer)
    assert found.layer == expected.layer
    for one, other in zip(found.targets, expected.targets, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-6)
        np.testing.assert_allclose(one.map, other.map, atol=1e-6)
    assert contents(module) == before
    assert all(part.training for part in module.modules())


def calls_of_a_step(module):
    """Train one step; tell how often the block was called, and whether all have gradients."""
    module.block.calls.clear()
    module.zero_grad()
    module(torch.ones(2, 3, SIZE, SIZE)).square().mean().backward()
    return len(module.block.calls), all(one.grad is not None for one in module.parameters())


@MIDDLES
@REENTRANT
def test_checkpoints_work_after_an_explanation(middle, reentrant):
    module = Checkpointed(middle(), reentrant)
    explain_prediction(module, a_doc(), layer="c1")
    assert calls_of_a_step(module) == (2, True)


@REENTRANT
def test_checkpoints_work_for_another_thread_meanwhile(reentrant):
    module, other = (Checkpointed(nn.BatchNorm2d(6), reentrant) for _ in range(2))
    start, over, steps = threading.Barrier(2), threading.Event(), []

    def train():
        start.wait()
        while not over.is_set() or not steps:
            steps.append(calls_of_a_step(other))

    trainer = threading.Thread(target=train)
    trainer.start()
    start.wait()
    try:
        expected = explain_prediction(plain(module), a_doc(), targets=1, layer="c1").targets[0].map
        for _ in range(20):
            found = explain_prediction(module, a_doc(), targets=1, layer="c1").targets[0]
            np.testing.assert_allclose(found.map, expected, atol=1e-6)
    finally:
        over.set()
        trainer.join()
    assert set(steps) == {(2, True)}
