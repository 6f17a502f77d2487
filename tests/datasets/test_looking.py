"""Before a run begins one document is explained; where none can be, that is said in time."""

import numpy as np
import pytest

from explainkit import explain_dataset
from explainkit.datasets.items import Item
from explainkit.datasets.models import ModelSource
from explainkit.datasets.questions import Question
from explainkit.datasets.workers import Worker
from explainkit.methods import find_method

from .conftest import Squares, as_doc, draw_doc, draw_picture, rows_of

#: So many that are read but fail are enough, and so many that cannot be read.
ENOUGH, ENOUGH_UNREAD = 32, 1000


def prepare(picture):
    """Make a document of a picture; the model fails at those of wide ones."""
    return as_doc(picture) if picture.size == (16, 16) else np.full((1, 16, 16, 3), -1.0)


def worker(preprocess=prepare):
    question = Question(find_method("gradcam", {}), {}, None, preprocess, None, False, 4)
    return Worker(ModelSource(Squares()), question, 1)


def good():
    return Item("good", draw_picture(0))


def failing(count):
    """Make items that are read, and that the model fails at."""
    return [Item(f"failing {at}", draw_picture(0, (20, 16))) for at in range(count)]


def unread(count):
    return [Item(f"unread {at}", b"no picture") for at in range(count)]


@pytest.mark.parametrize(
    "before",
    [
        failing(ENOUGH - 1),
        unread(ENOUGH_UNREAD - 1),
        [*failing(ENOUGH - 1), *unread(ENOUGH_UNREAD - 1)],
    ],
    ids=["failing", "unread", "both"],
)
def test_a_document_that_comes_late_is_waited_for(before):
    assert worker().look([*before, good()]).map_shape == (4, 4)


@pytest.mark.parametrize(
    ("before", "kind", "told"),
    [
        (
            failing(ENOUGH),
            ValueError,
            "none of the first 32 .* 'failing 0': RuntimeError: .*it holds -1",
        ),
        (
            unread(ENOUGH_UNREAD),
            OSError,
            "none of the first 1000 .* 'unread 0': ValueError: .*no picture",
        ),
        (
            [*unread(5), *failing(ENOUGH)],
            ValueError,
            "none of the first 37 documents can be explained; the first, 'unread 0': ValueError",
        ),
    ],
    ids=["failing", "unread", "both"],
)
def test_where_there_is_no_hope_the_first_document_and_its_error_are_told(before, kind, told):
    with pytest.raises(kind, match=told):
        worker().look([*before, good()])


def test_a_function_that_always_fails_is_told_before_anything_is_explained(tmp_path):
    def preprocess(picture):
        return picture.pixels

    source = ((f"picture {at}", draw_picture(at)) for at in range(10**9))
    told = "first 32 documents .* first, 'picture 0': AttributeError: .*has no attribute 'pixels'"
    with pytest.raises(ValueError, match=told):
        explain_dataset(Squares(), source, tmp_path / "o", preprocess=preprocess, progress=False)
    assert not list((tmp_path / "o").iterdir())


def test_what_is_looked_at_in_parts_is_counted_together():
    """Workers elsewhere are sent some documents at a time."""
    found = worker()
    assert found.look(failing(ENOUGH - 1)).map_shape == ()
    with pytest.raises(ValueError, match="none of the first 32 documents"):
        found.look([*failing(1), good()])


def test_documents_that_nobody_asked_about_take_no_hope(tmp_path):
    keys = [f"{at:03d}" for at in range(50)]
    docs = [(key, draw_doc(at)) for at, key in enumerate(keys)]
    summary = explain_dataset(Squares(), docs, tmp_path, targets={keys[-1]: 1}, progress=False)
    assert (summary.docs, summary.errors) == (50, {"LookupError": 49})
    assert rows_of(tmp_path)["target"].to_pylist()[-1] == 1


def test_pictures_that_come_after_some_that_fail_are_looked_at():
    def preprocess(picture):
        if picture.size == (20, 16):
            raise OverflowError("too wide")
        return as_doc(picture)

    wide = [Item(f"wide {at}", draw_picture(at, (20, 16))) for at in range(ENOUGH - 1)]
    plain = Item("plain", draw_picture(0))
    assert worker(preprocess).look([*wide, plain]).map_shape == (4, 4)
    with pytest.raises(ValueError, match="'wide 0': OverflowError: too wide"):
        worker(preprocess).look([*wide, wide[0], plain])


def test_a_function_that_gives_no_model_is_told_by_its_place():
    held = list(range(1000))  # not all that it holds is said
    told = r"model is the function tests\.[\w.<>]+<lambda>, which gave a list; a function that"
    with pytest.raises(TypeError, match=told):
        ModelSource(lambda: held).load()
