"""Memory does not grow with the number of documents."""

import gc
import tracemalloc
import weakref

import pytest

pytest.importorskip("pyarrow")

from explainkit import datasets

from .conftest import Squares, as_doc, draw_picture

BATCH = 8
#: Documents that may be there at a time: read ahead, in the batch, and, of two shards, waiting
#: to be written.
ALIVE = (2 + 1 + 2 * 5) * BATCH


class Watched:
    """Gives documents, and notes how many of them are there, and how much memory is held."""

    def __init__(self, count, draw):
        self.count, self.draw, self.most = count, draw, 0
        self.held = []

    def __iter__(self):
        there = []
        for number in range(self.count):
            doc = self.draw(number)
            there = [ref for ref in (*there, weakref.ref(doc)) if ref() is not None]
            self.most = max(self.most, len(there))
            self.held.append(tracemalloc.get_traced_memory()[0])
            yield str(number), doc
            del doc


def explain(watched, output, **options):
    usual = {"batch_size": BATCH, "shard_size": 100, "threads": 2, "progress": False}
    return datasets.explain_dataset(Squares(), watched, output, **{**usual, **options})


def test_documents_are_let_go_of_and_nothing_of_them_is_held(tmp_path):
    kinds = [as_doc(draw_picture(seed)) for seed in range(10)]
    # A copy, so that each is a document of its own.
    watched = Watched(1500, lambda number: kinds[number % 10].copy())
    gc.collect()
    tracemalloc.start()
    try:
        assert explain(watched, tmp_path / "out").docs == 1500
    finally:
        tracemalloc.stop()
    assert watched.most <= ALIVE
    # A document, its explanation and its row are some kilobytes; of its key a hash is kept.
    grown = (watched.held[-1] - watched.held[300]) / 1200
    assert grown < 300, f"{grown:.0f} bytes for each document"


def test_pictures_that_are_drawn_on_are_let_go_of(tmp_path):
    watched = Watched(2 * ALIVE, lambda number: draw_picture(number % 10))
    found = explain(watched, tmp_path / "out", overlays=True, preprocess=as_doc)
    assert (found.docs, found.failed) == (2 * ALIVE, 0)
    assert len(list(tmp_path.rglob("*.png"))) == 2 * ALIVE
    assert watched.most <= ALIVE
