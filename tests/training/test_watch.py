"""What is handed on when, and what becomes of failures, whatever is trained."""

import warnings

import numpy as np
import pytest

from explainkit import ExplanationWarning, format_as_image
from explainkit.training import Folder, Watch
from tests.training.made_up import DOCS, Failing, Kept, MadeUpModel


class Written:
    """What can be written by, as PyTorch's SummaryWriter can."""

    def add_image(self, *arguments, **more):
        pass

    add_scalar = flush = add_image


def watched(*to, model=None, docs=DOCS, **arguments):
    return Watch(model or MadeUpModel(), docs, list(to), **arguments)


def test_each_step_has_the_weights_of_the_moment():
    model, kept = MadeUpModel(), Kept()
    watch = watched(kept, model=model, targets=[1])
    assert kept.steps == []
    for step in (0, 5, 7):
        model.bias = step / 10
        found = watch.record(step)
        assert [expl.targets[0].score for expl in found] == [1 + step / 10] * 2
    assert kept.steps == [("step", 0), ("step", 5), ("step", 7)]
    assert [entries[1].expl.targets[0].score for entries in kept.entries] == [1, 1.5, 1.7]


def test_pictures_are_those_of_format_as_image():
    kept = Kept()
    found = watched(kept, targets=[1], colormap="magma", alpha_limit=0.3).record(0)
    for entry, expl in zip(kept.entries[0], found, strict=True):
        wanted = format_as_image(expl, colormap="magma", alpha_limit=0.3)
        assert entry.picture.tobytes() == wanted.tobytes()


def test_several_targets_are_side_by_side_unless_one_is_chosen():
    both, second = Kept(), Kept()
    [expl, _] = watched(both, targets=[0, 1]).record(0)
    watched(second, targets=[0, 1], target=1).record(0)
    wanted = format_as_image(expl, target=None)
    assert both.entries[0][0].picture.tobytes() == wanted.tobytes()
    assert second.entries[0][0].picture.size == DOCS.shape[2:0:-1]


@pytest.mark.parametrize(
    ("asked", "series"),
    [
        ({"targets": [0, 1]}, ("cat", "dog")),
        ({"targets": [2, 1, 3]}, ("dog (2)", "dog (1)", "3")),
        ({"targets": [("head", 4), "function"]}, ("head/4", "function")),
        ({"top_targets": 2}, ("top 1", "top 2")),
    ],
)
def test_curves_are_of_the_same_thing_at_each_step(asked, series):
    kept = Kept()
    watched(kept, **asked).record(0)
    assert kept.entries[0][0].series == series


def test_docs_and_pictures_may_be_read_once_only():
    kept = Kept()
    watch = watched(kept, docs=(doc for doc in DOCS[:, None]), targets=[0], names=iter("ab"))
    assert len(watch.record(0)) == len(watch.record(1)) == 2
    assert kept.names == ["a", "b"]
    boxes = iter([(0, 0, 3, 3)])
    watch = watched(kept, targets=[0], boxes=boxes)
    first, second = watch.record(0), watch.record(1)
    assert len(first) == len(second) == 2
    assert kept.entries[-1][0].picture.tobytes() == kept.entries[-2][0].picture.tobytes()
    assert kept.entries[-1][0].picture.tobytes() != kept.entries[0][0].picture.tobytes()


@pytest.mark.parametrize("shape", [(7,), (3, 4, 5)])
def test_maps_that_are_no_pictures_have_their_scores_written(shape):
    model, kept = MadeUpModel(), Kept()
    model.heat = np.ones(shape, np.float32)
    watched(kept, model=model, targets=[1]).record(0)
    for entry in kept.entries[0]:
        assert entry.picture is None
        assert [one.score for one in entry.expl.targets] == [1]


def test_a_doc_that_fails_leaves_the_others_and_is_told_once():
    model, kept = MadeUpModel(), Kept()
    watch = watched(kept, model=model, names=["bad", "good"], targets=[0])
    model.failing = (DOCS[0].flat[0],)
    with pytest.warns(ExplanationWarning, match=r"explaining failed .*doc 'bad': .*no gradient"):
        watch.record(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bad, good = watch.record(2)
    assert "no gradient" in bad.error
    assert good.error is None
    assert [entry.picture is None for entry in kept.entries[1]] == [True, False]


def test_a_model_that_fails_does_not_end_the_training():
    model, kept = MadeUpModel(), Kept()
    watch = watched(kept, model=model, targets=[0])
    model.broken = MemoryError("out of memory")
    with pytest.warns(ExplanationWarning, match=r"MemoryError: out of memory"):
        found = watch.record(1)
    assert [expl.error for expl in found] == ["MemoryError: out of memory"] * 2
    model.broken = None
    assert [expl.error for expl in watch.record(2)] == [None, None]
    assert len(kept.entries) == 2


def test_a_destination_that_fails_leaves_the_others():
    kept = Kept()
    watch = watched(Failing(), kept, targets=[0])
    with pytest.warns(ExplanationWarning, match=r"writing .* failed .*no space left") as told:
        _ = [watch.record(step) for step in range(2)]
    assert len(told) == 1
    assert told[0].filename == __file__
    assert len(kept.entries) == 2


@pytest.mark.parametrize(
    ("breaking", "error"),
    [({"failing": (0.0,)}, ValueError), ({"broken": MemoryError()}, MemoryError)],
)
def test_failures_end_the_training_where_that_is_wanted(breaking, error):
    model = MadeUpModel()
    watch = watched(Kept(), model=model, targets=[0], on_error="raise")
    vars(model).update(breaking)
    with pytest.raises(error):
        watch.record(1)
    with pytest.raises(OSError, match="no space"):
        watched(Failing(), targets=[0], on_error="raise").record(0)


def test_what_fails_at_the_start_is_raised_and_leaves_no_folder(tmp_path):
    model = MadeUpModel()
    model.failing = (DOCS[1].flat[0],)
    with pytest.raises(ValueError, match="doc 1: no gradient"):
        watched(Folder(tmp_path / "why"), model=model, targets=[0])
    assert not (tmp_path / "why").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"on_error": "ignore"}, ValueError, "on_error is 'ignore'; give 'warn' or 'raise'"),
        ({"names": ["a"]}, ValueError, "names has 1 names for 2 docs"),
        ({"names": ["a", "a"]}, ValueError, "names has 'a' twice"),
        ({"names": ["a", 3]}, TypeError, "names holds 3, a int; give strings"),
        ({"image": DOCS[0]}, TypeError, "image is for one doc; give images"),
        ({"alpha_limit": 2}, ValueError, "alpha_limit is 2"),
        ({"colormap": "virids"}, ValueError, "did you mean 'viridis'"),
        ({"target": 3}, IndexError, "target=3 is out of range"),
        ({"targts": 3}, TypeError, "targts"),
    ],
)
def test_mistakes_show_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        watched(Kept(), **arguments)


@pytest.mark.parametrize(
    ("to", "error", "message"),
    [
        ([], ValueError, "to is empty"),
        (3, TypeError, "to is a int; give the path of a folder, a training.TensorBoardLog"),
        (Kept, TypeError, "to is the class Kept"),
        (Written, TypeError, "to is the class Written"),
    ],
)
def test_what_cannot_be_written_to_is_refused(to, error, message):
    model = MadeUpModel()
    with pytest.raises(error, match=message):
        Watch(model, DOCS, to)
    assert model.asked == 0


@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        (1.5, TypeError, "step is 1.5, of type float; give a whole number"),
        (True, TypeError, "step is True"),
        (-1, ValueError, "step is -1; give a number from 0"),
    ],
)
def test_steps_are_whole_numbers(step, error, message):
    with pytest.raises(error, match=message):
        watched(Kept()).record(step)
