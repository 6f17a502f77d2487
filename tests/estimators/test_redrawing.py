"""Weights drawn anew: as if they had been set by hand on a copy; the model keeps its own."""

import gc
import importlib.util
import itertools
import sys
import threading
import weakref

import keras
import numpy as np
import pytest

from explainkit import explain_prediction
from explainkit.asking import redrawn
from explainkit.estimators import base

from . import backend

SIZE, CLASSES = 8, 3
SHAPE = (SIZE, SIZE, 3)
DOC = np.random.default_rng(0).normal(size=(1, *SHAPE)).astype(np.float32)

LIBRARIES = ["keras"]
if backend.NAME == "tensorflow" and importlib.util.find_spec("tf_keras"):
    LIBRARIES.append("tf_keras")

pytestmark = pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")


@pytest.fixture(autouse=True)
def _one_thread():
    """Small networks are slow where many threads of PyTorch share them."""
    torch = sys.modules.get("torch")
    before = torch and torch.get_num_threads()
    if torch:
        torch.set_num_threads(1)
    yield
    if torch:
        torch.set_num_threads(before)


@pytest.fixture(params=LIBRARIES)
def lib(request):
    """Keras 3, and Keras 2 where it runs."""
    return importlib.import_module(request.param)


def explained(model, doc=DOC):
    """The score, the probability and the map of a unit."""
    found = explain_prediction(model, doc, targets=1).targets[0]
    return found.score, found.score if found.proba is None else found.proba, found.map


def said(model, doc=DOC):
    """What a model of Keras says of that unit."""
    answer = model(doc)
    return float(keras.ops.convert_to_numpy(answer)[0, 1])


def assert_same(one, other, rtol=2e-5, atol=2e-6):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def differ(one, other):
    return one[0] != pytest.approx(other[0], rel=1e-3)


def by_hand(order, seed, assign, value):
    """Set the weights of a model, listed from its output to its input, a layer at a time."""
    rng = np.random.default_rng(seed)
    for layer in order:
        for weight in layer:
            assign(weight, rng.permuted(value(weight), axis=None))
        yield


# Models of Keras: each with its weights, layer by layer, from the output to the input


def known(model):
    """Give a model weights that are the same wherever it is built, none of them 0."""
    if not model.built:
        model(DOC)
    rng = np.random.default_rng(5)
    for weight in model.weights:
        values = rng.uniform(0.2, 1, tuple(weight.shape))
        signs = 1 if "moving" in weight.name else rng.choice([-1, 1], values.shape)
        weight.assign(values * signs)
    return model


def of_layers(*layers):
    return [[layer.kernel, layer.bias] for layer in layers]


def parts(lib):
    return (
        lib.layers.Conv2D(6, 3, padding="same", activation="tanh", name="first"),
        lib.layers.Conv2D(6, 3, padding="same", activation="tanh", name="last"),
        lib.layers.Dense(CLASSES, activation="softmax", name="head"),
    )


def functional(lib):
    first, last, head = parts(lib)
    inputs = lib.Input(SHAPE)
    features = last(lib.layers.Activation("linear")(first(lib.layers.Rescaling(0.5)(inputs))))
    pooled = lib.layers.Dropout(0.5)(lib.layers.GlobalAveragePooling2D()(features))
    model = known(lib.Model(inputs, head(pooled)))
    return model, of_layers(head, last, first)


def sequential(lib):
    first, last, head = parts(lib)
    pool = lib.layers.GlobalAveragePooling2D()
    model = known(lib.Sequential([lib.Input(SHAPE), first, last, pool, head]))
    return model, of_layers(head, last, first)


def nested_and_frozen(lib):
    first, last, head = parts(lib)
    inner = lib.Sequential([lib.Input(SHAPE), first], name="inner")
    inputs = lib.Input(SHAPE)
    backbone = lib.Model(inputs, last(inner(inputs)), name="backbone")
    backbone.trainable = False
    model = known(lib.Sequential([backbone, lib.layers.GlobalAveragePooling2D(), head]))
    assert len(model.trainable_weights) == 2
    return model, of_layers(head, last, first)


def unserialisable(lib):
    class Local(lib.Model):
        """Of a class that cannot be made anew from what it says of itself."""

        def __init__(self, pool, *layers):
            super().__init__()
            self.pool, self.lock = pool, threading.Lock()
            self.first, self.last, self.head = layers

        def call(self, x):
            return self.head(self.pool(self.last(self.first(x))))

    first, last, head = parts(lib)
    model = known(Local(lambda x: keras_mean(lib, x), first, last, head))
    return model, of_layers(head, last, first)


def keras_mean(lib, x):
    if lib is keras:
        return keras.ops.mean(x, axis=(1, 2))
    import tensorflow as tf

    return tf.reduce_mean(x, (1, 2))


def shared(lib):
    first, last, head = parts(lib)
    twice = lib.layers.Conv2D(6, 3, padding="same", activation="tanh", name="twice")
    between = lib.layers.Conv2D(6, 3, padding="same", activation="tanh", name="between")
    inputs = lib.Input(SHAPE)
    outputs = last(twice(between(twice(first(inputs)))))
    outputs = head(lib.layers.GlobalAveragePooling2D()(outputs))
    return known(lib.Model(inputs, outputs)), of_layers(head, last, twice, between, first)


def frozen_before_it_is_built(lib):
    first, last, head = parts(lib)
    first.trainable = last.trainable = False
    model = known(lib.Sequential([first, last, lib.layers.GlobalAveragePooling2D(), head]))
    return model, of_layers(head, last, first)


def normalised(lib):
    first, last, head = parts(lib)
    norm = lib.layers.BatchNormalization()
    pool = lib.layers.GlobalAveragePooling2D()
    model = known(lib.Sequential([lib.Input(SHAPE), first, norm, last, pool, head]))
    head, last, first = of_layers(head, last, first)
    return model, [head, last, [norm.gamma, norm.beta], first]


BUILDS = [
    *(functional, nested_and_frozen, unserialisable, shared, frozen_before_it_is_built),
    normalised,
]


def state(model):
    """Everything about a model that could have been changed."""
    found = {
        id(layer): (
            {name: id(value) for name, value in vars(layer).items()},
            layer.trainable,
            layer.built,
            [id(weight) for weight in layer.weights],
            [weight.trainable for weight in layer.weights],
        )
        for layer in model._flatten_layers()
    }
    found["numbers"] = [weight.numpy().tobytes() for weight in model.weights]
    if backend.NAME == "torch":
        tensors = [weight.value for weight in model.weights]
        found["torch"] = [(id(one), one.requires_grad, one.grad) for one in tensors]
    return found


def numbers_in(one, model):
    """The weights that an estimator is run with, in the order of the model's own."""
    instead = (one.explainer.instead[id(weight)] for weight in model.weights)
    if isinstance(model, keras.Model):
        return [np.array(keras.ops.convert_to_numpy(values)) for values in instead]
    return [values.numpy() for values in instead]


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_each_stage_is_the_model_whose_weights_were_set_by_hand(lib, build):
    model, own = build(lib)
    copy, order = build(lib)
    original, before = said(model), state(model)
    stages = redrawn(model, DOC, seed=3)
    hand = by_hand(order, 3, lambda weight, numbers: weight.assign(numbers), lambda w: w.numpy())
    count = 0
    for one, _ in zip(stages, hand, strict=True):
        found = explained(one)
        assert_same(found, explained(copy))
        assert found[1] == pytest.approx(said(copy), rel=2e-5)
        count += 1
    assert count == len(own)
    assert found[1] != pytest.approx(original, rel=1e-3)
    assert said(model) == original
    assert state(model) == before


def test_what_layers_add_is_that_of_the_stage_too(lib):
    model, _ = sequential(lib)
    copy, order = sequential(lib)
    (one,) = redrawn(model, DOC, stages=1, seed=3)
    list(by_hand(order, 3, lambda weight, numbers: weight.assign(numbers), lambda w: w.numpy()))
    maps = [explain_prediction(each, DOC, targets=1, method="fullgrad") for each in (one, copy)]
    found, expected = (each.targets[0].map for each in maps)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_model_that_is_not_built_is_built_and_keeps_what_it_was_built_with(lib):
    def build():
        class Local(lib.Model):
            def __init__(self):
                super().__init__()
                self.conv = lib.layers.Conv2D(4, 3, name="conv")
                self.head = lib.layers.Dense(CLASSES, name="head")

            def call(self, x):
                return self.head(keras_mean(lib, self.conv(x)))

        return Local()

    model, copy = build(), build()
    one = next(iter(redrawn(model, DOC, stages=1, seed=1)))
    built = [weight.numpy() for weight in model.weights]
    assert len(built) == 4
    copy(DOC)
    copy.set_weights(built)
    assert_same(explained(model), explained(copy))
    order = of_layers(copy.head, copy.conv)
    list(by_hand(order, 1, lambda weight, numbers: weight.assign(numbers), lambda w: w.numpy()))
    assert_same(explained(one), explained(copy))
    assert explained(model)[0] == pytest.approx(said(model), rel=1e-5)


def test_each_weight_changes_places_within_itself_and_statistics_stay(lib):
    model, order = normalised(lib)
    (one,) = redrawn(model, DOC, stages=1, seed=3)
    learnt = {id(weight) for layer in order for weight in layer}
    for weight, numbers in zip(model.weights, numbers_in(one, model), strict=True):
        np.testing.assert_array_equal(np.sort(weight.numpy(), None), np.sort(numbers, None))
        assert np.array_equal(weight.numpy(), numbers) == (id(weight) not in learnt)
    assert len(model.weights) - len(learnt) == 2


@pytest.mark.parametrize(
    ("stages", "counts"), [(None, [1, 2, 3]), (1, [3]), (2, [2, 3]), (3, [1, 2, 3]), (9, [1, 2, 3])]
)
def test_stages_go_from_the_output_to_the_input(lib, stages, counts):
    model, order = sequential(lib)
    found = []
    for one in redrawn(model, DOC, stages=stages, seed=3):
        pairs = zip(model.weights, numbers_in(one, model), strict=True)
        found.append({id(w) for w, numbers in pairs if not np.array_equal(w.numpy(), numbers)})
    assert found == [{id(w) for layer in order[:count] for w in layer} for count in counts]


def test_equal_seeds_give_equal_weights_and_others_others(lib):
    model, _ = sequential(lib)
    (one,), (same,), (other,) = (redrawn(model, DOC, stages=1, seed=s) for s in (4, 4, 5))
    one, same, other = (numbers_in(each, model) for each in (one, same, other))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    # Three numbers may well come to lie as they lay.
    assert [np.array_equal(a, b) for a, b in zip(one, other, strict=True)][::2] == [False] * 3


def test_between_stages_the_model_gives_its_own_answer(lib):
    model, _ = sequential(lib)
    original, stages = explained(model), set()
    for one in redrawn(model, DOC):
        assert differ(explained(one), original)
        assert_same(explained(model), original, rtol=0, atol=0)
        stages.add(id(one))
    assert len(stages) == 1


def one_round(stages, model):
    """Go through stages: what is explained of each, and the weights that each is run with."""
    return [(explained(one), numbers_in(one, model)) for one in stages]


def assert_same_rounds(one, other):
    for (found, numbers), (expected, others) in zip(one, other, strict=True):
        assert_same(found, expected, rtol=0, atol=0)
        assert all(np.array_equal(a, b) for a, b in zip(numbers, others, strict=True))


@pytest.mark.parametrize("stages", [None, 2])
def test_stages_are_gone_through_again_from_the_weights_of_the_model(lib, stages):
    model, order = normalised(lib)
    before, again = state(model), redrawn(model, DOC, stages=stages, seed=3)
    first, second = one_round(again, model), one_round(again, model)
    assert len(first) == (stages or len(order))
    assert_same_rounds(second, first)
    assert_same_rounds(second, one_round(redrawn(model, DOC, stages=stages, seed=3), model))
    # What has not had its turn has the numbers that have been learnt, in each round.
    for _, numbers in (first[0], second[0]):
        assert np.array_equal(numbers[0], model.weights[0].numpy())
        assert not np.array_equal(numbers[-2], model.weights[-2].numpy())
    assert state(model) == before


def test_a_round_may_begin_before_the_last_has_ended(lib):
    model, _ = normalised(lib)
    before, stages = state(model), redrawn(model, DOC, seed=3)
    expected = one_round(redrawn(model, DOC, seed=3), model)
    for count in (1, 3):
        left = iter(stages)
        for _ in range(count):
            next(left)
        assert_same_rounds(one_round(stages, model), expected)
    assert state(model) == before


def test_models_without_weights_are_refused(lib):
    model = lib.Sequential(
        [lib.Input(SHAPE), lib.layers.GlobalAveragePooling2D()], name="weightless"
    )
    with pytest.raises(ValueError, match="model 'weightless' has no weights that could be drawn"):
        redrawn(model, DOC)


def test_the_model_is_as_it_was_where_the_stages_are_left_half_way(lib):
    model, _ = nested_and_frozen(lib)
    before = state(model)
    for one in redrawn(model, DOC):
        explained(one)
        break
    assert state(model) == before
    stages = iter(redrawn(model, DOC))
    next(stages)
    stages.close()
    assert state(model) == before


def test_so_it_is_where_an_explanation_of_a_stage_fails(lib):
    model, _ = nested_and_frozen(lib)
    original, before = explained(model), state(model)

    def stumbling(outputs):
        raise RuntimeError("stumbled")

    stages = iter(redrawn(model, DOC, stages=2))
    one = next(stages)
    with pytest.raises(ValueError, match="stumbled"):
        explain_prediction(one, DOC, targets=stumbling)
    with pytest.raises((LookupError, ValueError)):
        explain_prediction(one, DOC, targets=99)
    assert state(model) == before
    assert_same(explained(model), original)
    next(stages)
    assert differ(explained(one), original)
    assert state(model) == before


def test_a_thread_explains_the_model_while_another_goes_through_stages(lib):
    model, _ = normalised(lib)
    original, before = explained(model), state(model)
    expected = [explained(one) for one in redrawn(model, DOC, seed=2)]
    barrier, stop, wrong, own = threading.Barrier(2), threading.Event(), [], []

    def explain_the_model():
        barrier.wait()
        while not stop.is_set():
            try:
                assert_same(explained(model), original)
                own.append(1)
            except Exception as error:  # noqa: BLE001 - told below
                wrong.append(error)
                return

    thread = threading.Thread(target=explain_the_model)
    thread.start()
    barrier.wait()
    try:
        stages = redrawn(model, DOC, seed=2)
        for one, wanted in zip(stages, expected, strict=True):
            assert_same(explained(one), wanted)
    finally:
        stop.set()
        thread.join()
    assert not wrong
    assert own
    assert state(model) == before


def test_what_is_compiled_for_the_stages_is_freed_with_them(lib):
    model, _ = sequential(lib)
    explained(model)
    gc.collect()
    kept = set(base.cache._shelves)
    stages = redrawn(model, DOC)
    for one in itertools.chain(stages, stages):
        explained(one)
        assert len(set(base.cache._shelves) - kept) == 1
    held = [stages, one, one.explainer]
    if lib is not keras:
        held += one.explainer.instead.values()
    gone = [weakref.ref(each) for each in held]
    del one, stages, held
    gc.collect()
    assert [each() for each in gone] == [None] * len(gone)
    assert set(base.cache._shelves) == kept


def test_a_model_is_freed_with_its_stages(lib):
    model, _ = unserialisable(lib)
    one = next(iter(redrawn(model, DOC)))
    explained(one)
    gone = weakref.ref(model)
    del model, one, _
    gc.collect()
    assert gone() is None


@backend.not_on_torch
def test_stages_are_one_program_and_that_of_the_model_still_serves(lib):
    runs = []

    class Counting(lib.layers.Layer):
        def call(self, x):
            runs.append(1)
            return x + 0.0

    first, last, head = parts(lib)
    layers = [first, Counting(), last, lib.layers.GlobalAveragePooling2D(), head]
    model, counts = known(lib.Sequential([lib.Input(SHAPE), *layers])), []
    original, stages = explained(model), redrawn(model, DOC)
    for _ in range(2):
        for one in stages:
            found = explained(one)
            assert_same(explained(model), original)
            counts.append(len(runs))
        assert differ(found, original)
    assert counts == counts[:1] * 6


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16", "float64"])
def test_weights_of_other_types_change_places_too(dtype):
    layers = [
        keras.layers.Conv2D(4, 3, activation="tanh", dtype=dtype),
        keras.layers.GlobalAveragePooling2D(dtype=dtype),
        keras.layers.Dense(CLASSES, dtype=dtype),
    ]
    if backend.NAME == "jax" and dtype == "float64":
        pytest.skip("JAX has no float64 unless it is told so")
    model = keras.Sequential([keras.Input(SHAPE), *layers])
    before = [np.array(keras.ops.convert_to_numpy(weight)) for weight in model.weights]
    (one,) = redrawn(model, DOC, stages=1)
    for old, new in zip(before, numbers_in(one, model), strict=True):
        assert old.dtype == new.dtype
        np.testing.assert_array_equal(np.sort(old, None), np.sort(new, None))


def test_weights_of_the_model_itself_are_drawn_anew(lib):
    class Scaled(lib.Model):
        def __init__(self):
            super().__init__()
            self.conv = lib.layers.Conv2D(4, 3)
            self.scale = self.add_weight(shape=(4,), initializer="uniform", name="scale")

        def call(self, x):
            return keras_mean(lib, self.conv(x) * self.scale)

    model = known(Scaled())
    position = [id(weight) for weight in model.weights].index(id(model.scale))
    (one,) = redrawn(model, DOC, stages=1)
    assert not np.array_equal(numbers_in(one, model)[position], model.scale.numpy())


# Modules of PyTorch

PICTURE = np.moveaxis(DOC, -1, 1)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def initialised(torch, module):
    rng = np.random.default_rng(5)
    with torch.no_grad():
        for one in module.parameters():
            values = rng.uniform(0.2, 1, one.shape) * rng.choice([-1, 1], one.shape)
            one.copy_(torch.as_tensor(values))
    return module


def of_modules(*modules):
    return [[module.weight, module.bias] for module in modules]


def a_module(torch):
    nn = torch.nn

    class Local(nn.Module):
        """Mixed: modules with weights and without, and functions."""

        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)
            self.drop, self.head = nn.Dropout(0.5), nn.Linear(5, CLASSES)

        def forward(self, x):
            x = torch.tanh(self.last(nn.functional.avg_pool2d(torch.tanh(self.first(x)), 2)))
            return self.head(self.drop(x).mean((2, 3)))

    module = initialised(torch, Local())
    return module, of_modules(module.head, module.last, module.first)


def a_sequential(torch):
    nn = torch.nn
    inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh())
    outer = [nn.Conv2d(4, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, CLASSES)]
    module = initialised(torch, nn.Sequential(inner, *outer, nn.Softmax(1)))
    return module, of_modules(module[4], module[1], module[0][0])


def a_shared(torch):
    nn = torch.nn

    class Local(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.twice = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
            self.between, self.head = nn.Conv2d(4, 4, 1), nn.Linear(4, 4)
            self.tied = nn.Linear(4, 4)
            self.tied.weight = self.head.weight

        def forward(self, x):
            x = torch.tanh(self.twice(torch.tanh(self.first(x))))
            x = torch.tanh(self.twice(torch.tanh(self.between(x)))).mean((2, 3))
            return self.head(torch.tanh(self.tied(x)))

    module = initialised(torch, Local())
    order = of_modules(module.head, module.twice, module.between, module.first)
    return module, [order[0], [module.tied.bias], *order[1:]]


def a_frozen(torch):
    module, order = a_module(torch)
    module.first.requires_grad_(False)
    return module, order


def a_normalised(torch):
    nn = torch.nn
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Conv2d(4, 5, 3)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, CLASSES)]
    module = initialised(torch, nn.Sequential(*layers, *head))
    module[1].running_mean.copy_(torch.tensor([0.1, -0.2, 0.3, 0.4]))
    module[1].running_var.copy_(torch.tensor([0.5, 1.5, 0.7, 1.1]))
    return module, of_modules(module[6], module[3], module[1], module[0])


MODULES = [a_module, a_sequential, a_shared, a_frozen, a_normalised]


def module_state(module):
    """Everything about a module that could have been changed."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    found = {
        name: (id(one), one.detach().numpy().tobytes(), one.requires_grad, id(one.grad))
        for name, one in tensors.items()
    }
    found["grads"] = [None if p.grad is None else p.grad.tolist() for p in module.parameters()]
    found["attributes"] = [
        {name: id(value) for name, value in vars(part).items()} for part in module.modules()
    ]
    found["training"] = [part.training for part in module.modules()]
    return found


def permute(order, seed, torch):
    def assign(weight, numbers):
        with torch.no_grad():
            weight.copy_(torch.as_tensor(numbers))

    return by_hand(order, seed, assign, lambda weight: weight.detach().numpy())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("build", MODULES, ids=lambda build: build.__name__)
def test_each_stage_of_a_module_is_that_whose_weights_were_set_by_hand(torch, build, training):
    module, _ = build(torch)
    copy, order = build(torch)
    module.train(training)
    copy.eval()
    module(torch.as_tensor(np.concatenate([PICTURE, PICTURE]))).sum().backward()
    copy.load_state_dict(module.state_dict())  # the statistics of that run
    original, before = explained(module, PICTURE), module_state(module)
    stages, count = redrawn(module, PICTURE, seed=3), 0
    for one, _ in zip(stages, permute(order, 3, torch), strict=True):
        found = explained(one, PICTURE)
        assert_same(found, explained(copy, PICTURE))
        answer = copy(torch.as_tensor(PICTURE))[0, 1].item()
        assert found[1] == pytest.approx(answer, rel=2e-5)
        assert_same(explained(module, PICTURE), original)
        count += 1
    assert count == len(order)
    assert differ(found, original)
    assert module_state(module) == before


def test_a_module_is_as_it_was_whatever_becomes_of_its_stages(torch):
    module, _ = a_frozen(torch)
    original, before = explained(module, PICTURE), module_state(module)
    for one in redrawn(module, PICTURE):
        with pytest.raises(ValueError, match="NaN"):
            explain_prediction(one, PICTURE * np.nan)
        with pytest.raises((LookupError, ValueError)):
            explain_prediction(one, PICTURE, targets=99)
        break
    assert module_state(module) == before
    assert_same(explained(module, PICTURE), original)


def test_each_weight_of_a_module_changes_places_within_itself(torch):
    module, order = a_normalised(torch)
    learnt = {id(weight) for layer in order for weight in layer}
    (one,) = redrawn(module, PICTURE, stages=1)
    other = one.explainer.model.state_dict()
    for name, weight in module.state_dict(keep_vars=True).items():
        old, new = weight.detach().numpy(), other[name].numpy()
        np.testing.assert_array_equal(np.sort(old, None), np.sort(new, None))
        assert np.array_equal(old, new) == (id(weight) not in learnt)


@pytest.mark.parametrize(
    ("stages", "counts"), [(None, [1, 2, 3]), (1, [3]), (2, [2, 3]), (9, [1, 2, 3])]
)
def test_stages_of_a_module_go_from_the_output_to_the_input(torch, stages, counts):
    module, order = a_module(torch)
    names = {id(weight): name for name, weight in module.named_parameters()}
    found = []
    for one in redrawn(module, PICTURE, stages=stages):
        other = dict(one.explainer.model.named_parameters())
        own = module.named_parameters()
        found.append({name for name, weight in own if not torch.equal(weight, other[name])})
    assert found == [{names[id(w)] for layer in order[:count] for w in layer} for count in counts]


def test_equal_seeds_give_equal_modules_and_others_others(torch):
    module, _ = a_module(torch)
    (one,), (same,), (other,) = (redrawn(module, PICTURE, stages=1, seed=s) for s in (4, 4, 5))
    one, same, other = (list(each.explainer.model.parameters()) for each in (one, same, other))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert [torch.equal(a, b) for a, b in zip(one, other, strict=True)][::2] == [False] * 3


def one_round_of_a_module(stages):
    return [(explained(one, PICTURE), weights_in(one.explainer.model)) for one in stages]


def weights_in(module):
    return [one.detach().numpy().copy() for one in module.parameters()]


@pytest.mark.parametrize("build", [a_normalised, a_shared], ids=lambda build: build.__name__)
def test_stages_of_a_module_are_gone_through_again_from_its_own_weights(torch, build):
    module, order = build(torch)
    before, stages = module_state(module), redrawn(module, PICTURE, seed=3)
    first, second = one_round_of_a_module(stages), one_round_of_a_module(stages)
    assert len(first) == len(order)
    assert_same_rounds(second, first)
    expected = one_round_of_a_module(redrawn(module, PICTURE, seed=3))
    assert_same_rounds(second, expected)
    # What has not had its turn has the numbers that have been learnt.
    np.testing.assert_array_equal(second[0][1][0], weights_in(module)[0])
    assert module_state(module) == before


def test_a_round_of_a_module_may_begin_before_the_last_has_ended(torch):
    module, _ = a_normalised(torch)
    before, stages = module_state(module), redrawn(module, PICTURE, seed=3)
    expected = one_round_of_a_module(redrawn(module, PICTURE, seed=3))
    for count in (1, 3):
        left = iter(stages)
        for _ in range(count):
            next(left)
        assert_same_rounds(one_round_of_a_module(stages), expected)
    assert module_state(module) == before


def test_modules_without_weights_are_refused(torch):
    module = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    with pytest.raises(ValueError, match="model 'Sequential' has no weights that could be drawn"):
        redrawn(module, PICTURE)


@pytest.mark.parametrize("why", ["computed", "lock"])
def test_modules_that_cannot_be_copied_are_refused(torch, why):
    module, _ = a_module(torch)
    module.kept = threading.Lock() if why == "lock" else module.head.weight * 2
    before = module_state(module)
    message = "model 'Local' cannot be copied, so that its weights could be drawn anew without"
    with pytest.raises(TypeError, match=message):
        redrawn(module, PICTURE)
    assert module_state(module) == before


def test_what_makes_a_module_faster_is_taken_off(torch):
    module, _ = a_module(torch)
    wrapped = torch.nn.DataParallel(module)
    for one, other in zip(redrawn(wrapped, PICTURE), redrawn(module, PICTURE), strict=True):
        assert_same(explained(one, PICTURE), explained(other, PICTURE))


def test_a_thread_explains_the_module_while_another_goes_through_stages(torch):
    module, _ = a_normalised(torch)
    module.eval()
    original, before = explained(module, PICTURE), module_state(module)
    expected = [explained(one, PICTURE) for one in redrawn(module, PICTURE, seed=2)]
    barrier, stop, wrong, own = threading.Barrier(2), threading.Event(), [], []

    def explain_the_module():
        barrier.wait()
        while not stop.is_set():
            try:
                assert_same(explained(module, PICTURE), original)
                own.append(1)
            except Exception as error:  # noqa: BLE001 - told below
                wrong.append(error)
                return

    thread = threading.Thread(target=explain_the_module)
    thread.start()
    barrier.wait()
    try:
        for _ in range(5):
            stages = redrawn(module, PICTURE, seed=2)
            for one, wanted in zip(stages, expected, strict=True):
                assert_same(explained(one, PICTURE), wanted)
    finally:
        stop.set()
        thread.join()
    assert not wrong
    assert own
    assert module_state(module) == before


def test_the_copy_of_a_module_is_freed_with_its_stages(torch):
    module, _ = a_module(torch)
    explained(module, PICTURE)
    gc.collect()
    kept = set(base.cache._shelves)
    stages = redrawn(module, PICTURE)
    for one in itertools.chain(stages, stages):
        explained(one, PICTURE)
        assert len(set(base.cache._shelves) - kept) == 1
    gone = [weakref.ref(each) for each in (stages, one, one.explainer, one.explainer.model)]
    del one, stages
    gc.collect()
    assert [each() for each in gone] == [None] * 4
    assert set(base.cache._shelves) == kept


def test_modules_within_a_module_have_their_turns_by_themselves(torch):
    nn = torch.nn
    inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 5, 3))
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, CLASSES)]
    module = initialised(torch, nn.Sequential(inner, *head))
    names = [name for name, _ in module.named_parameters()]
    found = []
    for one in redrawn(module, PICTURE, seed=3):
        pairs = zip(names, one.explainer.model.parameters(), module.parameters(), strict=True)
        found.append({name for name, new, old in pairs if not torch.equal(new, old)})
    last, first = {"0.2.weight", "0.2.bias"}, {"0.0.weight", "0.0.bias"}
    assert [stage & (last | first) for stage in found] == [set(), last, last | first]


def test_no_digit_of_a_module_in_double_precision_is_lost(torch):
    module, _ = a_module(torch)
    module.double()
    initialised(torch, module)
    (one,) = redrawn(module, PICTURE, stages=1)
    pairs = zip(module.parameters(), one.explainer.model.parameters(), strict=True)
    for old, new in pairs:
        assert torch.equal(old.flatten().sort()[0], new.flatten().sort()[0])


def test_parameters_of_the_module_itself_are_drawn_anew(torch):
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3)
            self.scale = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0, 4.0]))

        def forward(self, x):
            return self.conv(x).mean((2, 3)) * self.scale

    module = Scaled()
    (one,) = redrawn(module, PICTURE, stages=1)
    assert not torch.equal(one.explainer.model.scale, module.scale)
