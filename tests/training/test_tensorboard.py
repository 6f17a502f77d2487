"""TensorBoard's own reader finds the pictures and the curves, whoever wrote them."""

import builtins
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from explainkit import format_as_image
from explainkit.training import TensorBoardLog, Watch
from tests.training.made_up import DOCS, MadeUpModel

CLEAR = Image.new("RGBA", (9, 5), (200, 10, 30, 128))
SCALARS = ("score/a/dog", "proba/a/dog", "score/b/dog", "proba/b/dog")


def written(to, model=None, steps=(0, 3), **arguments):
    model = model or MadeUpModel()
    watch = Watch(model, DOCS, to, names=["a", "b"], targets=[1], **arguments)
    found = []
    for step in steps:
        model.bias = step / 8
        found.append(watch.record(step))
    return found


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def opened(png):
    picture = Image.open(io.BytesIO(png))
    picture.load()
    return picture


def check(pictures, curves, found):
    """Compare what was read with what was explained: tags to lists of (step, what)."""
    assert sorted(curves) == sorted(SCALARS)
    assert curves["score/b/dog"] == [(0, 1.0), (3, 1.375)]
    assert curves["proba/a/dog"] == [(0, 0.25), (3, 0.25)]
    assert sorted(pictures) == ["explanation/a", "explanation/b"]
    for position, tag in enumerate(sorted(pictures)):
        for (step, picture), wanted_step, expls in zip(pictures[tag], (0, 3), found, strict=True):
            assert step == wanted_step
            assert picture.tobytes() == format_as_image(expls[position]).tobytes()


def plain(events):
    """Read what PyTorch's writer writes, too."""
    tags = events.Tags()
    pictures = {
        tag: [(one.step, opened(one.encoded_image_string)) for one in events.Images(tag)]
        for tag in tags["images"]
    }
    curves = {
        tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in tags["scalars"]
    }
    return pictures, curves


def test_a_log_of_ones_own(tmp_path):
    found = written(TensorBoardLog(tmp_path / "log"))
    pictures, curves = plain(read(tmp_path / "log"))
    check(pictures, curves, found)


def test_trainings_one_after_the_other_keep_a_file_each(tmp_path):
    written(TensorBoardLog(tmp_path), steps=(0,))
    events = read(tmp_path)
    written(TensorBoardLog(tmp_path), steps=(1,))
    events.Reload()
    assert [one.step for one in events.Scalars("score/a/dog")] == [0, 1]
    assert len(list(tmp_path.iterdir())) == 2


def test_one_folder_takes_one_training_at_a_time(tmp_path):
    log = TensorBoardLog(tmp_path / "log")
    watch = Watch(MadeUpModel(), DOCS, log, names=["a", "b"], targets=[1])
    watch.record(0)
    events = read(tmp_path / "log")
    for other in (log, TensorBoardLog(tmp_path / "other" / ".." / "log")):
        with pytest.raises(FileExistsError, match="give each a folder of its own"):
            written(other)
        watch.record(1)
        # A reader goes over to a newer file, and sees no more of the earlier one.
        events.Reload()
    watch.record(2)
    events.Reload()
    assert [one.step for one in events.Scalars("score/a/dog")] == [0, 1, 1, 2]


def test_a_training_that_fails_as_it_begins_leaves_no_file(tmp_path):
    log = TensorBoardLog(tmp_path / "logs" / "why")
    (tmp_path / "records.jsonl").touch()
    with pytest.raises(FileExistsError, match="belongs to another training"):
        written([log, tmp_path])
    assert [path.name for path in tmp_path.iterdir()] == ["records.jsonl"]
    written(log, steps=(4,))
    assert [one.step for one in read(log.path).Scalars("score/a/dog")] == [4]


def test_tags_are_text_whatever_is_in_a_name(tmp_path):
    Watch(MadeUpModel(), DOCS, TensorBoardLog(tmp_path), names=["a \ud800", "b"]).record(0)
    assert read(tmp_path).Tags()["images"] == ["explanation/a ?", "explanation/b"]


def test_it_can_be_read_while_training_goes_on(tmp_path):
    model = MadeUpModel()
    watch = Watch(model, DOCS, TensorBoardLog(tmp_path), names=["a", "b"], targets=[1])
    watch.record(0)
    events = read(tmp_path)
    watch.record(1)
    events.Reload()
    assert [one.step for one in events.Scalars("score/a/dog")] == [0, 1]


def test_what_failed_is_left_out(tmp_path):
    model = MadeUpModel()
    model_and_log = Watch(model, DOCS, TensorBoardLog(tmp_path), names=["a", "b"], targets=[1])
    model.failing = (DOCS[0].flat[0],)
    with pytest.warns(match="no gradient"):
        model_and_log.record(1)
    tags = read(tmp_path).Tags()
    assert tags["images"] == ["explanation/b"]
    assert sorted(tags["scalars"]) == ["proba/b/dog", "score/b/dog"]


def test_a_summary_writer_of_pytorch(tmp_path):
    pytest.importorskip("torch")
    from torch.utils.tensorboard import SummaryWriter

    found = written(SummaryWriter(str(tmp_path)))
    check(*plain(read(tmp_path)), found)


def test_a_writer_that_fails_is_called_by_its_own_name():
    class Writer:
        def add_image(self, *_, **__):
            raise OSError("no space left")

        add_scalar = flush = add_image

        def __repr__(self):
            return "Writer('runs')"

    with pytest.warns(match=r"writing to TorchSummaries\(Writer\('runs'\)\) failed"):
        written(Writer())


def test_a_summary_writer_of_tensorflow(tmp_path):
    tf = pytest.importorskip("tensorflow")
    found = written(tf.summary.create_file_writer(str(tmp_path)))
    events, pictures, curves = read(tmp_path), {}, {}
    for tag in events.Tags()["tensors"]:
        values = [(one.step, make_ndarray(one.tensor_proto)) for one in events.Tensors(tag)]
        if tag.startswith("explanation"):
            pictures[tag] = [(step, opened(value[2])) for step, value in values]
        else:
            curves[tag] = [(step, float(value)) for step, value in values]
    check(pictures, curves, found)


@pytest.mark.parametrize("kind", ["own", "torch", "tensorflow"])
def test_transparency_is_kept(kind, tmp_path):
    from explainkit.training.destination import Entry
    from explainkit.training.tensorboard import TensorFlowSummaries, TorchSummaries

    if kind == "own":
        to = TensorBoardLog(tmp_path)
    elif kind == "torch":
        pytest.importorskip("torch")
        from torch.utils.tensorboard import SummaryWriter

        to = TorchSummaries(SummaryWriter(str(tmp_path)))
    else:
        tf = pytest.importorskip("tensorflow")
        to = TensorFlowSummaries(tf.summary.create_file_writer(str(tmp_path)))
    [[expl, _]] = written(TensorBoardLog(tmp_path / "other"), steps=(0,))
    to.begin(["a"])
    to.write("step", 0, [Entry("a", expl, CLEAR, ("dog",))])
    events = read(tmp_path)
    if kind == "tensorflow":
        [event] = events.Tensors("explanation/a")
        png = make_ndarray(event.tensor_proto)[2]
    else:
        [event] = events.Images("explanation/a")
        png = event.encoded_image_string
    assert np.array_equal(np.asarray(opened(png)), np.asarray(CLEAR))


def test_no_tensorflow_is_loaded(tmp_path):
    program = f"""
import sys
from explainkit.training import TensorBoardLog
from explainkit.training.destination import Entry
from explainkit import Explanation
from PIL import Image
log = TensorBoardLog({str(tmp_path)!r})
log.begin(["a"])
log.write("step", 0, [Entry("a", Explanation("a", "b"), Image.new("RGB", (3, 2)), ())])
print(sorted({{"tensorflow", "torch", "jax", "keras"}} & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_without_tensorboard_it_says_what_to_install(monkeypatch):
    imports = builtins.__import__

    def without(name, *arguments, **more):
        if name.startswith("tensorboard"):
            raise ModuleNotFoundError(name)
        return imports(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'explainkit\[tensorboard\]'"):
        TensorBoardLog("log")
