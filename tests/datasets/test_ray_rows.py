"""Rows that come in whatever order, as those of a Ray Dataset do: here without Ray."""

from types import SimpleNamespace

import numpy as np
import pytest

from explainkit import datasets
from explainkit.datasets.ray_rows import RayRows

from .conftest import draw_doc, explain, rows_of

DOCS = 12


class Rows:
    """As much of a Ray Dataset as a source asks for."""

    def __init__(self, keys, spoilt=()):
        self.rows = [
            {"key": str(key), "image": np.full((1, 16, 16, 3), -1.0) if key in spoilt else doc}
            for key, doc in ((key, draw_doc(int(key))) for key in keys)
        ]
        self.context = SimpleNamespace(enable_progress_bars=True, print_on_execution_start=True)

    def columns(self):
        return ["key", "image"]

    def input_files(self):
        return []

    def iter_rows(self):
        yield from self.rows

    def iter_batches(self, batch_size, batch_format):
        assert batch_format == "numpy"
        for start in range(0, len(self.rows), batch_size):
            some = self.rows[start : start + batch_size]
            yield {name: [row[name] for row in some] for name in self.columns()}


def explain_rows(keys, output, spoilt=(), **options):
    source = RayRows.of(Rows(keys, spoilt), None, None)
    return explain(source, output, **{"preprocess": None, **options})


def keys_in(output):
    return sorted(map(int, rows_of(output)["key"].to_pylist()))


def test_rows_are_known_by_their_keys_in_any_order(tmp_path):
    assert explain_rows(range(DOCS), tmp_path).docs == DOCS
    (next(iter(sorted(tmp_path.glob("shards/*"))))).unlink()
    again = explain_rows(reversed(range(DOCS)), tmp_path)
    assert (again.docs, again.explained_now) == (DOCS, 5)
    assert keys_in(tmp_path) == list(range(DOCS))


def test_keys_that_come_twice_are_told(tmp_path):
    with pytest.raises(ValueError, match="has 1 keys more than once, such as '3'") as raised:
        explain_rows([*range(DOCS), 3], tmp_path)
    assert "name another column with key_column" in str(raised.value)
    assert "the run goes on" not in "".join(raised.value.__notes__)
    assert not datasets.load(tmp_path).complete


@pytest.mark.parametrize("spoilt", [(1, 7), range(DOCS)], ids=["some", "all"])
def test_what_failed_is_made_again_in_another_order_and_is_there_once(tmp_path, spoilt):
    """Shards have other names then: those of before must go."""
    assert explain_rows(range(DOCS), tmp_path, spoilt).failed == len(spoilt)
    # Where none was explained, nobody knew the shape of heatmaps, and all are made again anyway.
    again = {"retry_errors": len(spoilt) < DOCS}
    summary = explain_rows(reversed(range(DOCS)), tmp_path, **again)
    assert (summary.docs, summary.failed) == (DOCS, 0)
    assert keys_in(tmp_path) == list(range(DOCS))
    assert len(datasets.load(tmp_path)) == DOCS
