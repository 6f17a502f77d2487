"""What is there is kept, and only what is missing is made; what is of another run is refused."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from explainkit import asking, datasets
from explainkit.datasets.stores import Folder
from explainkit.function_words import name_function

from .conftest import (
    Squares,
    as_doc,
    assert_same_rows,
    draw_doc,
    draw_picture,
    explain,
    files_in,
    left_over,
    load_squares,
    rows_of,
)

DOCS = 17


def pairs(keys=range(DOCS)):
    return [(f"doc {key}", draw_doc(key)) for key in keys]


#: A record whose fields are of other types than they should be.
ODD = json.dumps(
    {"format": "explainkit.dataset", "schema": 1, "inputs": 3, "model": 4}
    | {"options": 5, "shard_size": "six", "map_shape": 7}
).encode()


def explain_docs(output, given=None, **options):
    return explain(pairs() if given is None else given, output, **{"preprocess": None, **options})


@pytest.fixture
def output(tmp_path):
    return tmp_path / "output"


@pytest.fixture
def done(output):
    """A run that came to its end: four shards."""
    explain_docs(output)
    return output


def times_of(output):
    return {path.name: path.stat().st_mtime_ns for path in output.glob("shards/*.parquet")}


def test_a_complete_run_that_is_asked_for_others_stays_complete(tmp_path):
    output = tmp_path / "output"
    explain(iter([(str(key), draw_picture(key)) for key in range(6)]), output, shard_size=2)
    with pytest.raises(ValueError, match="source gives other keys"):
        explain(iter([(f"x{key}", draw_picture(key)) for key in range(6)]), output, shard_size=2)
    assert datasets.load(output).complete


def test_a_complete_run_that_goes_on_to_more_is_not_complete_before_its_end(tmp_path):
    def following(count):
        yield from ((str(key), draw_picture(key)) for key in range(count))
        if count == 17:
            raise ConnectionError("the camera is off")

    output = tmp_path / "output"
    explain(following(4), output, shard_size=2)
    with pytest.raises(ConnectionError):
        explain(following(17), output, shard_size=2, batch_size=1)
    stopped = datasets.load(output)
    assert not stopped.complete
    assert 4 < len(stopped) < 17
    explain(following(18), output, shard_size=2)
    assert (datasets.load(output).complete, len(datasets.load(output))) == (True, 18)


def refusal(output, given=None, **options):
    """Explain, to be refused; give the message, seeing that nothing was changed."""
    before = {name: Path(output, name).read_bytes() for name in files_in(output)}
    with pytest.raises(ValueError, match=str(output)) as raised:
        explain_docs(output, given, **options)
    after = {name: Path(output, name).read_bytes() for name in files_in(output)}
    assert after == before
    return str(raised.value)


def test_a_run_that_came_to_its_end_has_nothing_more_to_do(done):
    before = times_of(done)
    summary = explain_docs(done)
    assert (summary.docs, summary.explained_now) == (DOCS, 0)
    assert times_of(done) == before


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_only_a_shard_that_is_missing_is_made(done, tmp_path, lost):
    explain_docs(tmp_path / "other")
    before = times_of(done)
    (done / "shards" / f"{lost:08d}.parquet").unlink()
    summary = explain_docs(done)
    assert summary.explained_now == (5, 5, 5, 2)[lost]
    assert [name for name, time in times_of(done).items() if time == before.get(name)] == [
        name for name in times_of(done) if name != f"{lost:08d}.parquet"
    ]
    assert_same_rows(done, tmp_path / "other")


@pytest.mark.parametrize("damage", ["cut off", "empty", "foreign", "a folder's"])
def test_a_shard_that_is_damaged_or_somebody_elses_is_made_again(done, tmp_path, damage):
    explain_docs(tmp_path / "other")
    shard = done / "shards" / "00000002.parquet"
    if damage == "foreign":
        pq.write_table(pq.read_table(shard).replace_schema_metadata(), shard)
    elif damage == "a folder's":
        explain_docs(tmp_path / "third", top_targets=2)
        shard.write_bytes((tmp_path / "third" / "shards" / shard.name).read_bytes())
    else:
        shard.write_bytes(shard.read_bytes()[: 100 * (damage == "cut off")])
    assert explain_docs(done).explained_now == 5
    assert_same_rows(done, tmp_path / "other")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"top_targets": 2}, "top_targets is not said there and 2 here"),
        (
            {"method": "layercam"},
            "method is GradCAM(fusion='mean', counterfactual=False) there and",
        ),
        ({"layer": "conv"}, "layer is not said there and 'conv' here"),
        ({"targets": [0, 2]}, "targets is None there and [0, 2] here"),
        (
            {"targets": {f"doc {key}": 1 for key in range(DOCS)}},
            "targets is None there and doc 0=1, doc 1=1",
        ),
        ({"preprocess": as_doc}, "preprocess is None there and tests.datasets.conftest.as_doc ("),
        ({"overlays": True}, "overlays is False there and True here"),
        ({"shard_size": 6}, "shard_size is 5 there and 6 here"),
        ({"target_names": ["r", "g", "b"]}, "target_names is not said there and ['r', 'g', 'b']"),
        ({"logits": False}, "logits is not said there and False here"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_another_question_is_refused_and_what_differs_is_said(done, options, told):
    message = refusal(done, **options)
    assert told in message
    assert message.count(" there and ") == 1
    assert str(done) in message
    assert "another output" in message


def test_several_differences_are_said_together(done):
    message = refusal(done, pairs(range(3)), top_targets=2, shard_size=6)
    assert message.count(" there and ") == 3
    assert "inputs: count is 17 there and 3 here" in message


def test_batches_and_threads_make_no_other_run(done):
    assert explain_docs(done, batch_size=3, threads=1, max_errors=0).explained_now == 0


def test_another_model_is_refused(done):
    with pytest.raises(ValueError, match="model: digest is gain 1.0 there and gain 1.5 here"):
        datasets.explain_dataset(
            lambda: Squares(gain=1.5), pairs(), done, shard_size=5, progress=False
        )


def test_weights_that_differ_by_one_bit_are_another_model(output):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    model = torch.nn.Sequential(*layers, torch.nn.Linear(4, 2)).eval()
    docs = [(key, np.moveaxis(doc, -1, 1)) for key, doc in pairs()]
    explain = lambda: datasets.explain_dataset(model, docs, output, progress=False)  # noqa: E731
    explain()
    with torch.no_grad():
        weight = layers[0].weight.view(-1)
        weight.view(torch.int32)[5] ^= 1
    with pytest.raises(ValueError, match="model: digest is [0-9a-f]+ there and [0-9a-f]+ here"):
        explain()
    with torch.no_grad():
        weight.view(torch.int32)[5] ^= 1
    assert explain().explained_now == 0


def test_other_pictures_in_a_folder_are_refused(output, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        draw_picture(seed).save(folder / f"{seed}.png")
    explain(folder, output)
    moved = folder.rename(tmp_path / "moved")
    assert explain(moved, output).explained_now == 0  # where they lie does not matter
    draw_picture(9, size=(32, 32)).save(moved / "1.png")
    with pytest.raises(ValueError, match="inputs: digest is .* there and .* here"):
        explain(moved, output)
    draw_picture(4).save(moved / "4.png")
    with pytest.raises(ValueError, match="inputs: count is 3 there and 4 here"):
        explain(moved, output)


@pytest.mark.parametrize("name", ["notes.txt", "shards.bak", ".hidden", "00000000.parquet"])
def test_a_folder_with_other_files_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("mine")
    assert f"holds other files, such as '{name}'" in refusal(tmp_path)
    assert files_in(tmp_path) == {name}


def test_an_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "output").write_text("mine")
    with pytest.raises(NotADirectoryError, match="output"):
        explain_docs(tmp_path / "output")
    assert (tmp_path / "output").read_text() == "mine"


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (b"", "run.json is damaged"),
        (b'{"format": "explainkit.dataset", "schema": 1', "run.json is damaged"),
        (b"\xff\xfe", "run.json is damaged"),
        (b"[1, 2]", "no record of a run of explain_dataset"),
        (b'{"format": "else"}', "no record of a run of explain_dataset"),
        (b'{"format": "explainkit.dataset", "schema": 1, "wrong": 2}', "run.json is damaged"),
        (ODD, "run.json is damaged"),
    ],
)
def test_a_damaged_record_is_told_and_left(done, record, told):
    (done / "run.json").write_bytes(record)
    message = refusal(done)
    assert told in message
    assert str(done / "run.json") in message


def test_what_a_newer_version_wrote_is_left(done):
    record = json.loads((done / "run.json").read_text())
    (done / "run.json").write_text(json.dumps({**record, "schema": 99, "new": "field"}))
    assert "schema 99, and this version of explainkit reads those up to 1" in refusal(done)


def test_a_second_run_into_the_same_place_is_refused_while_the_first_goes_on(output):
    program = f"""
        import sys
        from filelock import FileLock
        with FileLock({str(output / "run.lock")!r}):
            print("held", flush=True)
            sys.stdin.read()
    """
    output.mkdir()
    program = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError, match="another run is writing to .*output"):
            explain_docs(output)
        other.stdin.close()
    assert explain_docs(output).explained_now == DOCS
    assert left_over(output) == set()


def test_a_run_holds_its_place_as_long_as_it_writes(output):
    refused = []

    def given():
        for position, pair in enumerate(pairs()):
            if position in (0, 9, 16):
                with pytest.raises(BlockingIOError, match="another run is writing to"):
                    explain_docs(output)
                refused.append(position)
            yield pair

    assert explain_docs(output, given()).explained_now == DOCS
    assert refused == [0, 9, 16]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ([*range(3), 99, *range(4, DOCS)], "other keys than before, or in another order"),
        ([1, 0, *range(2, DOCS)], "other keys than before, or in another order"),
        (range(10), "fewer documents than before: the 2 shards from 00000002 on"),
        (range(8), "other keys than before"),
        (range(0), "fewer documents than before: the 4 shards from 00000000 on"),
        (range(DOCS + 5), "other keys than before"),
    ],
    ids=["another", "turned", "shards fewer", "fewer", "none", "more"],
)
def test_a_stream_that_gives_other_documents_is_refused(output, keys, told):
    explain_docs(output, iter(pairs()))
    before = times_of(output)
    with pytest.raises(ValueError, match=told):
        explain_docs(output, iter(pairs(keys)))
    assert times_of(output) == before


def test_a_stream_may_go_on_where_its_shards_were_full(output):
    explain_docs(output, iter(pairs(range(15))))
    assert explain_docs(output, iter(pairs(range(DOCS)))).explained_now == 2


def spoilt(*positions):
    """Give documents, of which some fail."""
    return [
        (key, np.full_like(doc, -1) if at in positions else doc)
        for at, (key, doc) in enumerate(pairs())
    ]


def test_shards_with_errors_are_made_again_where_that_is_asked(output, tmp_path):
    explain_docs(output, spoilt(6, 16))
    before = times_of(output)
    assert explain_docs(output, spoilt(6, 16)).explained_now == 0
    summary = explain_docs(output, retry_errors=True)
    assert (summary.explained_now, summary.failed) == (7, 0)
    kept = {name for name, time in times_of(output).items() if time == before[name]}
    assert kept == {"00000000.parquet", "00000002.parquet"}
    explain_docs(tmp_path / "other")
    assert_same_rows(output, tmp_path / "other")


@pytest.mark.parametrize(
    ("failing", "allowed", "kept"),
    [
        ([7], 0, 5),
        ([5, 6, 7], 2, 5),  # in one shard
        ([0, 7, 12], 2, 10),  # over shards
        ([16], 0, 15),  # the last
    ],
)
def test_more_errors_than_are_allowed_stop_the_run_which_can_go_on(
    output, tmp_path, failing, allowed, kept
):
    with pytest.raises(datasets.TooManyErrorsError) as raised:
        explain_docs(output, spoilt(*failing), max_errors=allowed)
    assert f"{allowed + 1} documents failed, and max_errors is {allowed}" in str(raised.value)
    [note] = raised.value.__notes__
    there = sum(pq.read_metadata(path).num_rows for path in output.glob("shards/*.parquet"))
    assert f"{there} of 17 documents are explained and kept in {output}" in note
    assert there >= kept
    assert left_over(output) == set()
    summary = explain_docs(output, spoilt(*failing), max_errors=len(failing))
    assert (summary.docs, summary.failed) == (DOCS, len(failing))
    explain_docs(tmp_path / "other", spoilt(*failing))
    assert_same_rows(output, tmp_path / "other")


def test_errors_of_earlier_runs_count(output):
    explain_docs(output, spoilt(0, 1))
    with pytest.raises(datasets.TooManyErrorsError, match="2 documents failed"):
        explain_docs(output, spoilt(0, 1), max_errors=1)


@pytest.mark.parametrize("seed", range(3))
def test_ctrl_c_leaves_what_can_go_on_and_says_how(output, tmp_path, seed):
    at = random.Random(seed).randrange(6, DOCS)

    def given():
        for position, pair in enumerate(pairs()):
            if position == at:
                signal.raise_signal(signal.SIGINT)
            yield pair

    with pytest.raises(KeyboardInterrupt) as raised:
        explain_docs(output, given(), batch_size=1, threads=1)
    [note] = raised.value.__notes__
    there = sum(pq.read_metadata(path).num_rows for path in output.glob("shards/*.parquet"))
    assert note.startswith(f"{there} documents are explained and kept in {output}")
    assert "asked for again, with the same source and options, the run goes on" in note
    assert left_over(output) == set()
    assert not [one for one in threading.enumerate() if one.name.startswith("ThreadPool")]
    assert explain_docs(output, iter(pairs())).explained_now == DOCS - there
    explain_docs(tmp_path / "other", iter(pairs()))
    assert_same_rows(output, tmp_path / "other")


def test_a_source_that_raises_stops_the_run_which_can_go_on(output):
    def given():
        yield from pairs(range(15))
        raise ConnectionError("the bucket is gone")

    with pytest.raises(ConnectionError, match="the bucket is gone") as raised:
        explain_docs(output, given(), batch_size=2)
    # What was read ahead has not been explained.
    assert "10 documents are explained and kept" in raised.value.__notes__[0]
    assert explain_docs(output, iter(pairs())).explained_now == 7


@pytest.mark.parametrize("retry", [True, False])
def test_documents_of_which_none_was_explained_may_all_be_explained_later(output, retry):
    explain_docs(output, spoilt(*range(DOCS)))
    assert rows_of(output).schema.field("heatmap").type.list_size == 0
    # The shape of heatmaps was not known: those rows cannot stand beside others.
    summary = explain_docs(output, retry_errors=retry)
    assert (summary.explained_now, summary.failed) == (DOCS, 0)
    assert rows_of(output).schema.field("heatmap").type.list_size == 16


def test_the_record_is_the_same_in_every_process(output):
    """What names the run must not depend on the order of sets or on where things lie in memory."""
    program = f"""
        from tests.datasets.test_resuming import *
        summary = explain(pairs_of_pictures(), {str(output)!r}, targets={{"a": 0, "b": 2}})
        print(summary.explained_now)
    """
    root = Path(__file__).parents[2]
    told = [
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told == ["2\n", "0\n"]


def pairs_of_pictures():
    return [("a", draw_picture(1)), ("b", Image.new("L", (20, 30), 200))]


def test_the_function_that_loads_the_model_is_called_once(output):
    called = []

    def load():
        called.append(1)
        return load_squares()

    datasets.explain_dataset(load, pairs(), output, shard_size=2, progress=False)
    assert called == [1]


class Preprocess:
    """Makes documents, and may learn something from the first."""

    def __init__(self, gain):
        self.gain = gain
        self.first = None

    def __call__(self, picture):
        if self.first is None:
            self.first = picture.size
        return as_doc(picture) * self.gain


def closed_over(gain):
    return lambda picture: as_doc(picture) * gain


@pytest.mark.parametrize("make", [Preprocess, closed_over], ids=["object", "closure"])
def test_another_state_of_the_function_that_makes_documents_is_refused(output, make):
    explain_docs(output, pairs_of_pictures(), preprocess=make(1.0))
    told = refusal(output, pairs_of_pictures(), preprocess=make(0.5))
    assert "holds another run, which is not overwritten: preprocess is tests.datasets.test_" in told
    assert told.count(" there and ") == 1
    assert explain_docs(output, pairs_of_pictures(), preprocess=make(1.0)).explained_now == 0


def test_what_a_function_learns_while_it_is_used_does_not_count(output):
    """Workers elsewhere have a copy of it, which this process never sees again."""
    explain_docs(output, pairs_of_pictures(), preprocess=Preprocess(1.0))
    record = json.loads((output / "run.json").read_text())
    assert record["options"]["preprocess"] == name_function(Preprocess(1.0))


def test_an_object_with_a_name_is_told_by_more_than_that(output):
    def named(gain):
        made = Preprocess(gain)
        made.name = "usual"
        return made

    explain_docs(output, pairs_of_pictures(), preprocess=named(1.0))
    assert "preprocess is" in refusal(output, pairs_of_pictures(), preprocess=named(0.5))


def test_a_model_that_got_another_name_is_the_same_where_it_has_a_digest(output):
    """Keras calls the models of a process 'sequential', 'sequential_1', and so on."""
    models = Squares(), Squares()
    models[1].name = "squares_1"
    for model, count in zip(models, (DOCS, 0), strict=True):
        summary = datasets.explain_dataset(model, pairs(), output, shard_size=5, progress=False)
        assert summary.explained_now == count


class Unlearnt(Squares):
    """A model of which nobody can tell what it has learnt."""


@asking.digest.register
def digest_unlearnt(model: Unlearnt, docs=None):
    return ""


def test_a_model_without_a_digest_is_told_by_its_name(output):
    model = Unlearnt()
    datasets.explain_dataset(model, pairs(), output, shard_size=5, progress=False)
    model.name = "other"
    with pytest.raises(ValueError, match="model: name is squares there and other here"):
        datasets.explain_dataset(model, pairs(), output, shard_size=5, progress=False)


def test_a_run_that_stopped_while_errors_were_made_again_is_not_complete(output):
    explain_docs(output, spoilt(6, 16))
    assert datasets.load(output).complete
    with pytest.raises(datasets.TooManyErrorsError):
        explain_docs(output, spoilt(6, 16), retry_errors=True, max_errors=0)
    found = datasets.load(output)
    assert not found.complete
    assert set(times_of(output)) >= {"00000000.parquet", "00000002.parquet"}
    assert len(found) == sum(
        pq.read_metadata(path).num_rows for path in output.glob("shards/*.parquet")
    )
    assert explain_docs(output, spoilt(6, 16)).docs == DOCS
    assert datasets.load(output).complete


def test_shards_with_errors_are_gone_before_they_are_made_again(output):
    explain_docs(output, iter(spoilt(6, 16)))
    there = []

    def given():
        for position, pair in enumerate(pairs()):
            if position == 6:
                there.append((sorted(times_of(output)), (output / "manifest.json").exists()))
            yield pair

    explain_docs(output, given(), retry_errors=True)
    assert there == [(["00000000.parquet", "00000002.parquet"], False)]


def note_of(error, output, given, **options):
    with pytest.raises(error) as raised:
        explain_docs(output, given, shard_size=2, **options)
    [note] = raised.value.__notes__
    return note


def stopping(error):
    yield from pairs(range(12))
    raise error


def test_it_is_said_how_a_run_goes_on_where_it_can(output, tmp_path):
    place = f"of 17 documents are explained and kept in {output}"
    note = note_of(datasets.TooManyErrorsError, output, spoilt(12), max_errors=0)
    assert note.endswith(f"{place}; allowed more errors, the run goes on from there")
    note = note_of(OSError, tmp_path / "other", stopping(OSError("no connection")))
    assert note.endswith(
        "; asked for again, with the same source and options, the run goes on from there"
    )


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyError])
def test_it_is_not_said_where_a_run_would_end_as_it_did(output, error):
    note = note_of(error, output, stopping(error("a pair that is none")))
    assert note.endswith(f" documents are explained and kept in {output}")


def test_shards_that_went_where_this_process_cannot_see_them_are_told(
    output, tmp_path, monkeypatch
):
    """Workers of other machines have other disks."""
    plainly = Folder.write

    def write(self, name, data):
        elsewhere = Folder(tmp_path / "other machine")
        plainly(elsewhere if name.startswith("shards/") else self, name, data)

    monkeypatch.setattr(Folder, "write", write)
    with pytest.raises(FileNotFoundError) as raised:
        explain_docs(output)
    assert "4 shards, such as 00000000, were written where this process cannot see them" in str(
        raised.value
    )
    assert "need an output that all of them share, such as a bucket" in str(raised.value)
    assert raised.value.filename == str(output)
    assert files_in(output) == {"run.json"}
