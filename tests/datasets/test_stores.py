"""Where runs are kept: disks that are full or may not be written to, and stores of objects."""

import json
import resource
import shutil
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

import fsspec
import pytest

from explainkit import datasets
from explainkit.datasets.sources import find_source
from explainkit.datasets.stores import find_store

from .conftest import assert_same_rows, draw_doc, explain, left_over

ROOT = Path(__file__).parents[2]
DOCS = 40


def explain_docs(output, **options):
    pairs = [(f"doc {key}", draw_doc(key)) for key in range(DOCS)]
    return explain(pairs, output, preprocess=None, **options)


#: What stops a run, as a program can tell it.
TELLING = """
    import errno, json, os, subprocess, sys
    from tests.datasets.test_stores import explain_docs, left_over

    def attempt(output):
        try:
            return {"explained": explain_docs(output).explained_now}
        except OSError as error:
            told = {"errno": errno.errorcode[error.errno], "told": str(error)}
            told["notes"] = getattr(error, "__notes__", [])
            return told | {"left over": sorted(left_over(output))}

    def remount(place, how):
        subprocess.run(["mount", "-o", "remount," + how, place], check=True)
"""


def told_in_a_namespace_of_its_own(program, place):
    """Run a program that may mount what it likes, which nobody else sees."""
    if not shutil.which("unshare"):
        pytest.skip("there is no unshare, to mount a disk that nobody else sees")
    mount = ["unshare", "--mount", "--map-root-user", "sh", "-c", f"mount -t tmpfs tmpfs {place}"]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nobody but root may mount a disk here")
    whole = textwrap.dedent(TELLING) + textwrap.dedent(program)
    python = ["unshare", "--mount", "--map-root-user", sys.executable, "-c", whole, str(place)]
    found = subprocess.run(python, capture_output=True, text=True, check=False, cwd=ROOT)
    assert not found.returncode, found.stderr
    return [json.loads(line) for line in found.stdout.splitlines()]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    output = tmp_path_factory.mktemp("uninterrupted")
    explain_docs(output)
    return output


def test_a_full_disk_and_one_that_is_read_only_are_told_and_the_run_goes_on(
    tmp_path, uninterrupted
):
    place, kept = tmp_path / "disk", tmp_path / "kept"
    place.mkdir()
    program = f"""
        place = sys.argv[1]
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", place], check=True)
        output = place + "/output"
        print(json.dumps(attempt(output)))
        remount(place, "size=10m,ro")
        print(json.dumps(attempt(output)))
        remount(place, "size=10m,rw")
        print(json.dumps(attempt(output)))
        remount(place, "size=10m,ro")
        print(json.dumps(attempt(place + "/new")))
        subprocess.run(["cp", "-r", output, {str(kept)!r}], check=True)
    """
    full, read_only, after, new = told_in_a_namespace_of_its_own(program, place)

    assert full["errno"] == "ENOSPC"
    assert f"{place}/output/" in full["told"]
    [note] = full["notes"]
    done = int(note.partition(" ")[0])
    assert 0 < done < DOCS
    assert f"{done} of 40 documents are explained and kept in {place}/output" in note
    assert "asked for again, with the same source and options, the run goes on" in note
    assert full["left over"] == []

    assert read_only["errno"] == "EROFS"
    assert f"{place}/output" in read_only["told"]

    assert after == {"explained": DOCS - done}
    assert left_over(kept) == set()
    assert_same_rows(kept, uninterrupted)

    assert new["errno"] == "EROFS"
    assert f"{place}/new" in new["told"]


@contextmanager
def no_file_longer_than(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_cannot_be_written_to_its_end_is_named_and_not_left(tmp_path, uninterrupted):
    output = tmp_path / "output"
    with no_file_longer_than(4000), pytest.raises(OSError, match="File too large") as raised:
        explain_docs(output)
    assert raised.value.filename == str(output / "shards" / "00000000.parquet")
    assert "0 of 40 documents are explained and kept in" in raised.value.__notes__[0]
    assert left_over(output) == set()
    assert explain_docs(output).explained_now == DOCS
    assert_same_rows(output, uninterrupted)


def test_what_was_half_written_is_cleared_away(tmp_path):
    output = tmp_path / "output"
    for name in (".1.part", "shards/.2.part", "overlays/00000000/.3.part"):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_bytes(b"half")
    explain_docs(output)
    assert left_over(output) == set()
    assert not list(output.rglob(".*"))


@pytest.fixture
def memory():
    """A store of objects, in memory."""
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/kept", recursive=True) if store.exists("/kept") else None


def copied(memory, tmp_path):
    """Copy an output to a disk."""
    for name in memory.find("/kept"):
        path = tmp_path / "copied" / name.removeprefix("/kept/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(memory.cat_file(name))
    return tmp_path / "copied"


def test_a_store_of_objects_has_what_a_folder_has(memory, tmp_path, uninterrupted):
    assert explain_docs("memory://kept").explained_now == DOCS
    assert left_over(copied(memory, tmp_path)) == set()
    assert_same_rows(copied(memory, tmp_path), uninterrupted)
    assert [expl.targets[0].label for expl in datasets.load("memory://kept")] == [
        expl.targets[0].label for expl in datasets.load(uninterrupted)
    ]


def test_a_run_in_a_store_of_objects_goes_on(memory, tmp_path, uninterrupted):
    explain_docs("memory://kept/")
    memory.rm("/kept/shards/00000003.parquet")
    memory.pipe_file("/kept/shards/00000005.parquet", b"PAR1")
    assert explain_docs("memory://kept").explained_now == 10
    assert explain_docs("memory://kept").explained_now == 0
    assert_same_rows(copied(memory, tmp_path), uninterrupted)
    with pytest.raises(ValueError, match="memory://kept holds another run.*shard_size is 5 there"):
        explain_docs("memory://kept", shard_size=6)


def test_other_objects_are_left_alone(memory):
    memory.pipe_file("/kept/notes.txt", b"mine")
    with pytest.raises(ValueError, match="memory://kept holds other files, such as 'notes.txt'"):
        explain_docs("memory://kept")
    assert memory.find("/kept") == ["/kept/notes.txt"]


def test_a_folder_may_be_given_as_a_url(tmp_path):
    assert explain_docs(f"file://{tmp_path}/output").output == str(tmp_path / "output")
    assert left_over(tmp_path / "output") == set()


def test_a_store_that_nobody_knows_is_told():
    with pytest.raises(ValueError, match="Protocol not known: nowhere"):
        explain_docs("nowhere://kept")


@pytest.mark.parametrize("given", [None, 3, ["a"]])
def test_an_output_that_is_no_place_is_refused(given):
    with pytest.raises(TypeError, match=r"output is a \w+; give a path or a URL"):
        find_store(given)


def test_an_output_may_be_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_store("~/explained").place == str(tmp_path / "explained")


def test_chains_of_stores_are_refused(tmp_path):
    chain = f"zip://*.png::{tmp_path}/photos.zip"
    for make in (find_store, find_source, lambda place: find_source([place])):
        with pytest.raises(ValueError, match="is a chain of stores"):
            make(chain)
