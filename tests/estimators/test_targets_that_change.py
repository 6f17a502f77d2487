"""Functions as targets mean what they mean when they are asked, whatever they read."""

import types

import keras
import numpy as np
import pytest
from keras import layers, ops

from explainkit import explain_prediction, explain_predictions

from . import backend, models

DOC = models.doc()
mask = np.zeros(models.CLASSES, np.float32)
unit = 0
settings = types.ModuleType("settings")


def first(outputs):
    return outputs[:, 0]


def second(outputs):
    return outputs[:, 1]


chosen = first


def unit_mask(index):
    return np.eye(models.CLASSES, dtype=np.float32)[index]


@pytest.fixture
def model():
    keras.utils.set_random_seed(4)
    return models.sequential(activation=None)


def score(model, target, doc=DOC):
    return explain_prediction(model, doc, targets=target).targets[0].score


def said(model, index, doc=DOC):
    return pytest.approx(float(models.said(model, doc)[0, index]), abs=1e-4)


def masked(outputs):
    return ops.sum(ops.multiply(outputs, mask), axis=-1)


def masked_within(outputs):
    def inner(outputs):
        return ops.sum(ops.multiply(outputs, mask), axis=-1)

    return inner(outputs)


def masked_in_a_comprehension(outputs):
    return sum([outputs[:, i] * mask[i] for i in range(models.CLASSES)])


def masked_elsewhere(outputs):
    return masked(outputs)


readers = pytest.mark.parametrize(
    "target",
    [masked, masked_within, masked_in_a_comprehension, masked_elsewhere],
    ids=lambda target: target.__name__,
)


@readers
def test_a_global_array_that_is_bound_anew(model, target):
    global mask
    for index in (0, 1, 3, 1):
        mask = unit_mask(index)
        doc = models.doc(index)
        assert score(model, target, doc) == said(model, index, doc)


@readers
def test_a_global_array_that_is_written_to(model, target):
    global mask
    mask = unit_mask(0)
    assert score(model, target) == said(model, 0)
    mask[:] = unit_mask(2)
    assert score(model, target) == said(model, 2)


def test_a_mask_of_pixels_for_each_doc():
    global mask
    convolutions = [
        layers.Conv2D(4, 3, padding="same", activation="tanh", name="features"),
        layers.Conv2D(2, 1, name="pixels"),
    ]
    model = keras.Sequential([keras.Input((16, 16, 3)), *convolutions])

    def region(outputs):
        return ops.mean(ops.multiply(outputs[..., 1], mask), axis=(1, 2))

    for seed in range(3):
        doc = models.doc(seed)
        pixels = models.said(model, doc)
        mask = (pixels.argmax(-1) == 1).astype(np.float32)
        expected = float((pixels[..., 1] * mask).mean())
        assert score(model, region, doc) == pytest.approx(expected, abs=1e-4)


def test_many_docs_after_a_change(model):
    global mask
    docs = np.concatenate([models.doc(i) for i in range(3)])
    for index in (0, 1):
        mask = unit_mask(index)
        for doc, found in zip(docs, explain_predictions(model, docs, targets=masked), strict=True):
            assert found.targets[0].score == said(model, index, doc[None])


def unit_read(outputs):
    return outputs[:, unit]


def unit_read_in_a_lambda():
    return lambda outputs: outputs[:, unit]


def test_a_global_number(model):
    global unit
    for index in (0, 2):
        unit = index
        assert score(model, unit_read) == said(model, index)
        assert score(model, unit_read_in_a_lambda()) == said(model, index)


def chosen_called(outputs):
    return chosen(outputs)


def test_a_global_function_that_is_another(model):
    global chosen
    for index, function in enumerate((first, second)):
        chosen = function
        assert score(model, chosen_called) == said(model, index)


def test_an_array_of_the_function_around_it(model):
    weights = unit_mask(0)

    def target(outputs):
        return ops.sum(ops.multiply(outputs, weights), axis=-1)

    assert score(model, target) == said(model, 0)
    weights = unit_mask(1)
    assert score(model, target) == said(model, 1)
    weights[:] = unit_mask(2)
    assert score(model, target) == said(model, 2)


def test_a_list_or_dict_of_the_function_around_it(model):
    units, named = [0], {"unit": 0}

    def of_list(outputs):
        return outputs[:, units[-1]]

    def of_dict(outputs):
        return outputs[:, named["unit"]]

    assert score(model, of_list) == score(model, of_dict) == said(model, 0)
    units.append(1)
    named["unit"] = 1
    assert score(model, of_list) == score(model, of_dict) == said(model, 1)


class Unit:
    def __init__(self, u):
        self.u = u

    def __call__(self, outputs):
        return outputs[:, self.u]

    def negated(self, outputs):
        return -outputs[:, self.u]


def test_an_object_that_is_called(model):
    target = Unit(0)
    assert score(model, target) == said(model, 0)
    target.u = 1
    assert score(model, target) == said(model, 1)
    assert -score(model, target.negated) == said(model, 1)
    target.u = 2
    assert -score(model, target.negated) == said(model, 2)


@pytest.mark.parametrize("kind", [types.SimpleNamespace, lambda: settings, lambda: Unit(0)])
def test_an_attribute_that_a_lambda_reads(model, kind):
    options = kind()

    def target(outputs):
        return outputs[:, options.unit]

    for index in (0, 1):
        options.unit = index
        assert score(model, target) == said(model, index)
        assert score(model, lambda outputs: outputs[:, options.unit]) == said(model, index)


def test_an_attribute_of_a_global(model):
    for index in (0, 1):
        settings.unit = index
        assert score(model, lambda outputs: outputs[:, settings.unit]) == said(model, index)


def test_one_of_several_targets(model):
    weights = unit_mask(0)

    def target(outputs):
        return ops.sum(ops.multiply(outputs, weights), axis=-1)

    for index in (0, 1):
        weights[:] = unit_mask(index)
        found = explain_prediction(model, DOC, targets=[second, target]).targets
        assert [one.score for one in found] == [said(model, 1), said(model, index)]


def around():
    weights = unit_mask(1)
    return lambda outputs: ops.sum(ops.multiply(outputs, weights), axis=-1)


@backend.not_on_torch
@pytest.mark.parametrize(
    "target",
    [first, masked, masked_within, masked_elsewhere, Unit(1), Unit(1).negated, around()],
    ids=["plain", "global", "inner", "calls", "object", "method", "around"],
)
def test_the_same_again_traces_nothing(model, target, monkeypatch):
    traced = []
    pull_back = backend.ENGINE.pull_back
    monkeypatch.setattr(
        backend.ENGINE, "pull_back", lambda self, run: traced.append(1) or pull_back(self, run)
    )
    explain_prediction(model, DOC, targets=target)
    count = len(traced)
    assert count
    for seed in range(3):
        explain_prediction(model, models.doc(seed), targets=target)
    assert len(traced) == count


@pytest.mark.parametrize("several", [False, True])
def test_a_target_that_fails_is_named(model, several):
    target = lambda outputs: outputs["nope"]  # noqa: E731 - its name is wanted
    with pytest.raises((ValueError, TypeError), match="target.*<lambda>"):
        explain_prediction(model, DOC, targets=[first, target] if several else target)


@pytest.mark.parametrize(
    "target",
    [
        lambda outputs: outputs.nope,
        lambda outputs: ops.sum(ops.multiply(outputs, np.ones(7)), axis=-1),
    ],
    ids=["attribute", "shapes"],
)
def test_so_it_is_whatever_fails(model, target):
    with pytest.raises((ValueError, TypeError), match="target.*<lambda>"):
        explain_prediction(model, DOC, targets=target)


def test_so_is_one_that_makes_arrays_of_numpy(model):
    with pytest.raises((ValueError, TypeError), match="target.*<lambda>"):
        explain_prediction(model, DOC, targets=lambda outputs: np.asarray(outputs)[:, 0])


def test_one_that_failed_may_do_better_later(model):
    options = types.SimpleNamespace(unit="nope")

    def target(outputs):
        return outputs[:, options.unit]

    with pytest.raises((ValueError, TypeError), match="target"):
        explain_prediction(model, DOC, targets=target)
    options.unit = 2
    assert score(model, target) == said(model, 2)
