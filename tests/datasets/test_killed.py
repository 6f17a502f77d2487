"""Runs that are killed by SIGKILL, again and again, and go on: real processes, real signals."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import attrs
import pyarrow.parquet as pq
import pytest

from .conftest import assert_same_rows, draw_picture, explain, files_in, left_over

#: How many documents there are, of which five make a shard.
DOCS = 250
#: What does not happen within so many seconds never happens.
PATIENCE = 60

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "forkserver" not in multiprocessing.get_all_start_methods(), reason="no SIGKILL here"
    ),
]


@attrs.frozen
class Moment:
    """When a run is killed.

    As a file gets its name, the `which`-th of a kind, before or after; or, where there is no
    kind, from outside: so many seconds after so many shards.
    """

    kind: str | None
    which: int
    before: bool = False
    seconds: float = 0.0


#: In the only life that writes the record, and in the only ones that come to the manifest.
FIRST = [Moment("run.json", 1, before=True), Moment("run.json", 1)]
LAST = [Moment("manifest.json", 1, before=True), Moment("manifest.json", 1)]


def draw_moments(seed):
    """Draw twenty moments, over the whole of a run's life."""
    generator = random.Random(seed)
    amid = [Moment(None, generator.randint(0, 2), seconds=generator.random() / 20) for _ in "8" * 8]
    amid += [
        Moment(kind, generator.randint(1, most), before=before)
        for kind, most in (("shards", 3), ("overlays", 9))
        for before in (True, True, False, False)
    ]
    generator.shuffle(amid)
    return [*FIRST, *amid, *LAST]


def live(output, moment):
    """Explain all, unless the moment comes; where nothing kills it in time, stand still."""
    rename = Path.replace
    named = dict.fromkeys(("run.json", "manifest.json", "shards", "overlays"), 0)

    def replace(part, whole):
        kind = Path(whole).relative_to(output).parts[0]
        named[kind] += 1
        comes = moment is not None and (moment.kind, moment.which) == (kind, named[kind])
        if comes and moment.before:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(part, whole)
        if comes:
            os.kill(os.getpid(), signal.SIGKILL)
        if moment is not None and moment.kind is None and named["shards"] > moment.which:
            time.sleep(PATIENCE)

    Path.replace = replace
    pairs = ((f"scene/{seed}", draw_picture(seed)) for seed in range(DOCS))
    explain(pairs, output, overlays=True, threads=2)


@pytest.fixture(scope="module")
def process():
    """Give what starts a life in a process of its own, forked from one that has imported all."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])

    def start(output, moment=None):
        started = context.Process(target=live, args=(output, moment))
        started.start()
        return started

    return start


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    output = tmp_path_factory.mktemp("uninterrupted")
    pairs = [(f"scene/{seed}", draw_picture(seed)) for seed in range(DOCS)]
    explain(pairs, output, overlays=True)
    return output


def shards_in(output):
    return set(output.glob("shards/*.parquet"))


def kill_from_outside(life, output, moment):
    goal = len(shards_in(output)) + moment.which
    end = time.monotonic() + PATIENCE
    while len(shards_in(output)) < goal and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(moment.seconds)
    life.kill()


def test_what_is_killed_at_twenty_moments_is_at_last_as_if_it_never_had_been(
    process, uninterrupted, tmp_path
):
    output = tmp_path / "output"
    half_written, written = 0, {}
    for moment in draw_moments(seed=7):
        life = process(output, moment)
        if moment.kind is None:
            kill_from_outside(life, output, moment)
        life.join(PATIENCE)
        assert life.exitcode == -signal.SIGKILL, moment
        half_written += any(path.endswith(".part") for path in files_in(output))
        for path in shards_in(output):
            # Each is whole, and none is made twice.
            assert pq.ParquetFile(path).metadata.num_rows == 5
            assert written.setdefault(path, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
    assert len(written) == DOCS // 5
    assert half_written >= 6, "there was hardly anything to clear away"

    life = process(output)
    life.join(PATIENCE)
    assert life.exitcode == 0
    assert left_over(output) == set()
    assert all(path.stat().st_mtime_ns == written[path] for path in shards_in(output))
    assert_same_rows(output, uninterrupted)
    overlays = files_in(output / "overlays")
    assert overlays == files_in(uninterrupted / "overlays")
    for name in overlays:
        expected = (uninterrupted / "overlays" / name).read_bytes()
        assert (output / "overlays" / name).read_bytes() == expected
