import copy
import pickle
import threading
import warnings

import attrs
import numpy as np
import pytest
from PIL import Image

from explainkit import Explanation, TargetExplanation
from explainkit.explanation import ExplanationWarning, warn, without_warnings
from explainkit.pictures import DocPicture


def target(value=0.5):
    heatmap = np.full((2, 3), value, np.float32)
    return TargetExplanation(3, "cat", 1.5, 0.25, heatmap, -heatmap)


def explanation(**changes):
    fields = {"estimator": "net", "method": "gradcam", "targets": [target()]}
    return Explanation(**{**fields, **changes})


def test_records_are_frozen():
    for record, name in ((explanation(), "layer"), (target(), "score")):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(record, name, None)
        with pytest.raises(AttributeError):
            record.no_such_field = 1


def test_records_are_equal_when_all_they_say_is():
    assert explanation() == explanation()
    assert explanation() != explanation(layer="conv")
    assert explanation() != explanation(targets=[target(0.4)])
    white = Image.new("RGB", (2, 2), "white")
    assert explanation(image=white) == explanation(image=lambda: white.copy())
    assert explanation(image=white) != explanation(image=Image.new("RGB", (2, 2)))
    assert hash(target()) == hash(target())


def test_pictures_with_other_colours_are_not_the_same():
    grey, red = (Image.new("P", (2, 2)) for _ in range(2))
    grey.putpalette([9, 9, 9])
    red.putpalette([9, 0, 0])
    assert grey.tobytes() == red.tobytes()
    assert explanation(image=grey) != explanation(image=red)
    assert explanation(image=red) == explanation(image=red.copy())
    clear = red.copy()
    clear.info["transparency"] = 0
    assert explanation(image=red) != explanation(image=clear)


def test_the_picture_is_made_once_and_only_when_somebody_looks():
    made = []

    def make():
        made.append(1)
        return Image.new("L", (2, 2))

    expl = explanation(image=make)
    assert not made
    assert expl.image is expl.image
    assert len(made) == 1


def test_comparing_makes_a_picture_once():
    made = []

    def make():
        made.append(1)
        return Image.new("L", (2, 2))

    expl, other = explanation(image=make), explanation(image=Image.new("L", (2, 2)))
    assert expl == other
    assert other == expl
    assert attrs.evolve(expl, layer="conv").image is expl.image
    assert len(made) == 1


def test_a_record_without_a_picture_says_so():
    assert explanation().image is None
    assert explanation(image=lambda: None).image is None


def test_printing_shows_every_field_by_its_name():
    text = repr(explanation(image=Image.new("L", (5, 4))))
    for field in attrs.fields(Explanation):
        assert f"{field.alias}=" in text
    assert "mode=L size=5x4" in text


def test_printing_says_why_a_picture_cannot_be_made():
    def make():
        raise OSError("the disk is gone")

    text = repr(explanation(image=make))
    assert "image=<cannot be made: OSError: the disk is gone>" in text
    assert text.endswith("error=None)")
    with pytest.raises(OSError, match="the disk is gone"):
        _ = explanation(image=make).image


def _gone():
    raise OSError("the disk is gone")


@pytest.mark.parametrize(
    "changes",
    [
        {"targets": [target(1.5)], "image": Image.new("RGB", (4, 4))},
        {"error": "no file", "image": Image.new("RGB", (4, 4))},
        {"image": Image.new("La", (4, 4))},
        {"image": Image.new("RGB", (0, 4))},
        {"image": _gone},
    ],
)
def test_what_cannot_be_drawn_shows_itself_in_words(changes):
    expl = explanation(**changes)
    assert expl._repr_mimebundle_() == {"text/plain": repr(expl)}


def test_what_can_be_drawn_shows_itself_in_every_way():
    expl = explanation(image=Image.new("RGB", (4, 4)))
    assert set(expl._repr_mimebundle_()) == {"text/plain", "text/html", "image/png"}
    assert set(explanation()._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_records_can_be_pickled_copied_and_changed():
    expl = explanation(image=DocPicture(np.zeros((4, 5, 3), np.float32)))
    for again in (pickle.loads(pickle.dumps(expl)), copy.deepcopy(expl)):
        assert again == expl
        assert again.image.size == (5, 4)
    assert attrs.evolve(expl, layer="conv").image.size == (5, 4)


def test_warnings_name_the_line_that_asked(recwarn):
    from explainkit.pictures import as_picture

    as_picture(np.array([[-1e6, 3.7e9], [0.0, 5.0]]))
    [warning] = recwarn.list
    assert warning.filename == __file__


def test_warnings_are_kept_back_in_one_thread_alone(recwarn):
    warnings.simplefilter("always")
    quiet, over = threading.Event(), threading.Event()
    filters = list(warnings.filters)

    def keep_back():
        with without_warnings():
            quiet.set()
            assert over.wait(10)
            warn("in the quiet thread")
        warn("after it")

    thread = threading.Thread(target=keep_back)
    thread.start()
    assert quiet.wait(10)
    assert warnings.filters == filters
    warn("in another thread")
    with without_warnings(), without_warnings():
        warn("twice as quiet")
    over.set()
    thread.join(10)
    assert [str(one.message) for one in recwarn] == ["in another thread", "after it"]
    assert {one.category for one in recwarn} == {ExplanationWarning}
    with pytest.raises(KeyError), without_warnings():
        raise KeyError
    with pytest.warns(ExplanationWarning, match="loud again"):
        warn("loud again")
