"""What is seen of a run: rates, lines in a log, and a bar on a terminal."""

import os
import re
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("rich")

from explainkit import datasets
from explainkit.datasets import progress, running
from explainkit.datasets.progress import Course, watched

from .conftest import Squares, draw_doc


class Clock:
    """Gives the seconds that a test says."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "Course", partial(Course, clock=clock))
    return clock


def course_of(clock, steps, total=None, done=0):
    """Go a course: pairs of seconds that pass, and documents that are explained then."""
    course = Course(total, done, clock)
    for seconds, docs in steps:
        clock.now += seconds
        course.add(docs, 0)
    return course


def test_the_rate_is_that_of_the_last_two_minutes():
    course = course_of(Clock(), [(60, 1)] + [(1, 10)] * 300)
    assert course.rate == pytest.approx(10)
    assert course.done == 3001


def test_a_slow_start_is_forgotten_but_counts_while_nothing_else_is_known():
    assert course_of(Clock(), [(30, 60)]).rate == pytest.approx(2)


def test_documents_that_take_longer_than_two_minutes_have_a_rate():
    course = course_of(Clock(), [(500, 1)] * 4, total=10)
    assert course.rate == pytest.approx(1 / 500)
    assert course.left == timedelta(seconds=3000)
    assert course.in_words() == "4 of 10, 0.002/s, 0:50:00 left"


def test_what_earlier_runs_did_is_done_but_says_nothing_of_the_rate():
    course = course_of(Clock(), [(10, 50)], total=1000, done=850)
    assert course.in_words() == "900 of 1,000, 5.0/s, 0:00:20 left"


def test_without_a_total_nothing_is_said_of_the_time_left():
    assert course_of(Clock(), [(10, 50)]).in_words() == "50, 5.0/s"


def test_many_fast_batches_take_no_more_memory():
    course = course_of(Clock(), [(0.01, 32)] * 50_000)
    assert len(course._marks) <= 123
    assert course.rate == pytest.approx(3200, rel=0.01)


def test_a_log_has_a_line_soon_and_then_one_now_and_then(clock, capsys):
    with watched(1000, 0, None) as seen:
        for _ in range(100):
            clock.now += 1
            seen(5, 0)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "explainkit: 50 of 1,000, 5.0/s, 0:03:10 left",
        "explainkit: 200 of 1,000, 5.0/s, 0:02:40 left",
        "explainkit: 350 of 1,000, 5.0/s, 0:02:10 left",
        "explainkit: 500 of 1,000, 5.0/s, 0:01:40 left",
    ]


def test_nothing_is_shown_where_nobody_wants_it(clock, capsys):
    with watched(1000, 0, progress=False) as seen:
        clock.now += 100
        seen(5, 0)
    assert capsys.readouterr() == ("", "")


def test_documents_are_seen_as_they_are_explained_before_their_shard_is_there(
    tmp_path, monkeypatch
):
    seen, committed = [], []

    @contextmanager
    def watching(total, before, progress):
        assert (total, before, progress) == (9, 0, None)

        def note(docs, failed):
            seen.append((docs, failed))
            committed.extend(tmp_path.rglob("*.parquet"))

        yield note

    monkeypatch.setattr(running, "watched", watching)
    pairs = [(str(n), draw_doc(n) if n % 3 else draw_doc(n) * 0 - 1) for n in range(9)]
    datasets.explain_dataset(Squares(), pairs, tmp_path / "out", batch_size=4)
    assert seen == [(4, 2), (4, 1), (1, 0)]
    assert committed == []


#: A run whose bar is seen by a terminal of 80 columns; it prints in the midst of it.
RUN = """
    import sys, time
    from explainkit.datasets.progress import watched

    with watched({total}, {before}, None) as seen:
        for step in range(4):
            seen({docs}, 1234)
            time.sleep(0.15)
            if step == 1:
                print("printed", file=sys.stdout, flush=True)
"""


def seen_on_a_terminal(code, stdout=None, columns=80):
    """Run a program with stderr on a terminal, and give all that is written there."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "24", "TERM": "xterm-256color"}
    run = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=theirs,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    written = b""
    try:
        while data := os.read(ours, 65536):
            written += data
    except OSError:  # how Linux says that nobody writes any more
        pass
    os.close(ours)
    rest = run.stdout.read().decode() if stdout is not None else ""
    assert run.wait() == 0, written.decode()
    return written.decode(), rest


def lines_of(written):
    """Give the lines that were drawn, without colours and movements."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    return [line for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_the_bar_fits_80_columns_and_says_all_of_a_large_run():
    code = RUN.format(total=10**9, before=123_400_000, docs=5000)
    written, _ = seen_on_a_terminal(code)
    lines = lines_of(written)
    assert max(map(len, lines)) <= 80
    last = lines[-1]
    assert "123,420,000 of 1,000,000,000" in last
    assert "4,936 failed" in last
    assert re.search(r"[\d,.]+/s, .*\d:\d\d:\d\d left", last)
    assert "━" in last


def test_what_is_printed_stands_above_the_bar():
    written, _ = seen_on_a_terminal(RUN.format(total=100, before=0, docs=10))
    lines = lines_of(written)
    [place] = [i for i, line in enumerate(lines) if "printed" in line]
    assert lines[place].strip() == "printed"
    assert "40 of 100" in lines[-1]


def test_what_is_printed_into_a_file_stays_there():
    written, rest = seen_on_a_terminal(
        RUN.format(total=None, before=0, docs=10), stdout=subprocess.PIPE
    )
    assert rest == "printed\n"
    assert "printed" not in written
    assert "40, " in lines_of(written)[-1]
