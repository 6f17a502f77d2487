"""Documents that a program makes: drawn as they are needed, whatever calls them."""

import threading

import numpy as np
import pytest

from explainkit import datasets
from explainkit.datasets.streams import Stream

from .conftest import as_doc, assert_same_rows, draw_doc, draw_picture, explain, rows_of


class Counted:
    """Pairs of which it is known how many were drawn, and how many of them are still there."""

    def __init__(self, count):
        self.count, self.drawn, self.alive, self.most_alive = count, 0, 0, 0
        self.lock = threading.Lock()

    def __iter__(self):
        for seed in range(self.count):
            self.drawn += 1
            yield seed, self.doc(seed)

    def doc(self, seed):
        counted = self

        class Counting(np.ndarray):
            def __del__(self):
                if self.base is not None and self.base is base:
                    with counted.lock:
                        counted.alive -= 1

        base = draw_doc(seed)
        with self.lock:
            self.alive += 1
            self.most_alive = max(self.alive, self.most_alive)
        return base.view(Counting)


def test_a_stream_is_drawn_as_it_is_explained(tmp_path):
    pairs = Counted(300)
    seen = []

    def preprocess(picture):
        seen.append(pairs.drawn)
        return as_doc(picture)

    explain(
        ((key, draw_picture(key)) for key, _ in pairs),
        tmp_path,
        batch_size=4,
        threads=1,
        shard_size=50,
        preprocess=preprocess,
    )
    # After the one that is looked at, reading is ahead by two batches, and one is asked.
    ahead = [drawn - position for position, drawn in enumerate(seen[1:], start=1)]
    assert max(ahead) <= 2 * 4 + 2
    assert seen[-1] == 300


def test_documents_are_let_go_of(tmp_path):
    pairs = Counted(400)
    explain(iter(pairs), tmp_path, preprocess=None, batch_size=4, shard_size=100)
    assert pairs.drawn == 400
    assert pairs.most_alive <= 20 * 4  # some batches, and no shard


def test_a_generator_may_have_no_end_until_somebody_stops_it(tmp_path):
    def endless():
        seed = 0
        while True:
            yield seed, np.full((1, 16, 16, 3), -1.0) if seed > 30 else draw_doc(seed)
            seed += 1

    with pytest.raises(datasets.TooManyErrorsError):
        explain(endless(), tmp_path, preprocess=None, max_errors=3)
    assert rows_of(tmp_path).num_rows == 30


@pytest.mark.parametrize(
    ("make", "count"),
    [(list, 12), (dict, 12), (iter, None), (lambda pairs: (pair for pair in pairs), None)],
    ids=["list", "dict", "iterator", "generator"],
)
def test_how_many_there_are_is_known_where_the_iterable_says(make, count):
    assert Stream(make([(key, draw_doc(key)) for key in range(12)])).count == count


def test_lists_and_generators_of_the_same_are_explained_alike(tmp_path):
    pairs = [(key, draw_doc(key)) for key in range(12)]
    explain(pairs, tmp_path / "list", preprocess=None)
    explain(iter(pairs), tmp_path / "iterator", preprocess=None)
    explain(dict(pairs), tmp_path / "dict", preprocess=None)
    explain([list(pair) for pair in pairs], tmp_path / "lists", preprocess=None)
    for name in ("iterator", "dict", "lists"):
        assert_same_rows(tmp_path / name, tmp_path / "list")


def test_documents_need_no_axis_of_documents(tmp_path):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.LazyLinear(2)
    )
    model(torch.zeros(1, 3, 16, 16))
    docs = [np.moveaxis(draw_doc(key)[0], -1, 0) for key in range(5)]
    for name, given in (("bare", docs), ("batches", [doc[None] for doc in docs])):
        summary = datasets.explain_dataset(
            model, enumerate(given), tmp_path / name, progress=False, layer="0"
        )
        assert summary.failed == 0
    assert_same_rows(tmp_path / "bare", tmp_path / "batches")


def test_arrays_are_pictures_where_a_function_makes_documents_of_them(tmp_path):
    arrays = [(seed, np.asarray(draw_picture(seed))) for seed in range(6)]
    explain(arrays, tmp_path / "arrays")
    explain([(seed, draw_picture(seed)) for seed in range(6)], tmp_path / "pictures")
    assert_same_rows(tmp_path / "arrays", tmp_path / "pictures")


def test_an_empty_generator_has_no_rows(tmp_path):
    summary = explain(iter(()), tmp_path, preprocess=None)
    assert (summary.docs, summary.rows) == (0, 0)
    assert list(datasets.load(tmp_path)) == []


def test_a_stream_of_a_shard_exactly_has_one(tmp_path):
    assert (
        explain(((key, draw_doc(key)) for key in range(10)), tmp_path, preprocess=None).docs == 10
    )
    assert len(list((tmp_path / "shards").iterdir())) == 2
