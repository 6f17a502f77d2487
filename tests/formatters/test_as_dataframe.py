import csv
import io
import sys

import numpy as np
import pytest

from explainkit import Explanation, TargetExplanation, format_as_csv, format_as_dataframe

pd = pytest.importorskip("pandas")
HEAT = np.eye(3, dtype=np.float32)
DTYPES = {
    **dict.fromkeys(("estimator", "method", "layer", "target", "output", "label"), "string"),
    **dict.fromkeys(("map_size", "error"), "string"),
    "doc": "int64",
    "unit": "Int64",
    "score": "float64",
    "proba": "float64",
}


def one(target=3, label="cat", score=1.5, proba=0.25):
    return TargetExplanation(target, label, score, proba, HEAT, -HEAT)


EXPLS = [
    Explanation("net", "gradcam", "out", targets=[one(), one(("boxes", 7), None, -2, None)]),
    Explanation("net", "gradcam", error="no file"),
    Explanation("net", "gradcam", "out", targets=[one("margin", "=1+1")]),
]


def test_there_is_a_row_for_each_target_and_one_for_each_failure():
    table = format_as_dataframe(iter(EXPLS))
    assert table.doc.tolist() == [0, 0, 1, 2]
    assert table.target.fillna("").tolist() == ["3", "boxes:7", "", "margin"]
    assert table.output.fillna("").tolist() == ["", "boxes", "", ""]
    assert table.unit.tolist() == [3, 7, pd.NA, pd.NA]
    assert table.label.fillna("").tolist() == ["cat", "", "", "=1+1"]
    np.testing.assert_array_equal(table.score, [1.5, -2, np.nan, 1.5])
    np.testing.assert_array_equal(table.proba, [0.25, np.nan, np.nan, 0.25])
    assert table.error.fillna("").tolist() == ["", "", "no file", ""]
    assert table.map_size.fillna("").tolist() == ["3x3", "3x3", "", "3x3"]


@pytest.mark.parametrize("expls", [EXPLS, EXPLS[0], EXPLS[1], EXPLS[2], []])
def test_columns_have_the_same_dtypes_whatever_is_in_them(expls):
    assert {name: str(dtype) for name, dtype in format_as_dataframe(expls).dtypes.items()} == DTYPES


def test_heatmaps_are_there_when_they_are_asked_for():
    table = format_as_dataframe(EXPLS, heatmaps=True)
    assert table.heatmap[0] is EXPLS[0].targets[0].heatmap
    assert table["map"][1] is EXPLS[0].targets[1].map
    assert table.heatmap[2] is None
    assert list(table.columns[-2:]) == ["heatmap", "map"]


def test_it_has_the_columns_of_the_csv():
    headings = next(csv.reader(io.StringIO(format_as_csv(EXPLS))))
    assert headings == list(format_as_dataframe(EXPLS).columns)


def test_without_pandas_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'explainkit\[tables\]'; format_as_csv wr"):
        format_as_dataframe(EXPLS)


def test_what_is_no_explanation_is_refused():
    with pytest.raises(TypeError, match="at position 0 there is a dict; give an Explanation"):
        format_as_dataframe([{}])
