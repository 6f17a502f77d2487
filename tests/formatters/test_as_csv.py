import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainkit import Explanation, TargetExplanation, format_as_csv
from tests.formatters.records import HOSTILE, explanations

HEAT = np.eye(3, dtype=np.float32)


def one(target=3, label="cat", score=-1.5, proba=0.25, heat=HEAT):
    return TargetExplanation(target, label, score, proba, heat, heat)


def of(*targets, **fields):
    return Explanation("net", "gradcam", "out", targets=targets, **fields)


def read(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def is_run(cell):
    """Whether a spreadsheet would run a cell: what begins as a formula does, and is no number."""
    try:
        float(cell)
    except ValueError:
        return cell.strip().startswith(tuple("=+-@"))
    return False


def test_there_is_a_row_for_each_target_and_one_for_each_failure():
    expls = [of(one(), one(("boxes", 7), None, 2, None)), Explanation("net", "m", error="no file")]
    first, second, failed = read(format_as_csv(iter(expls)))
    assert first == {
        "doc": "0",
        "estimator": "net",
        "method": "gradcam",
        "layer": "out",
        "target": "3",
        "output": "",
        "unit": "3",
        "label": "cat",
        "score": "-1.5",
        "proba": "0.25",
        "map_size": "3x3",
        "error": "",
    }
    assert (second["target"], second["output"]) == ("boxes:7", "boxes")
    assert (second["unit"], second["label"], second["proba"]) == ("7", "", "")
    assert (failed["doc"], failed["target"], failed["score"]) == ("1", "", "")
    assert failed["error"] == "no file"


def test_a_function_has_a_name_and_no_unit():
    [row] = read(format_as_csv(of(one("margin"))))
    assert (row["target"], row["unit"], row["output"]) == ("margin", "", "")


def test_no_explanations_are_headings_alone():
    assert format_as_csv([]).count("\n") == 1
    assert format_as_csv([]).startswith("doc,estimator,method,layer,target,")


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\nx", "  =1", "\u00a0=1", "\u200b=1", '"=1'),
        *("\ufeff=1", "\u202e=1", "＝1", "＋1", "－1", "＠x", "﹦1", "\u2212" + "1", "=", "-"),
    ],
)
def test_what_a_spreadsheet_would_run_is_given_an_apostrophe(text):
    expl = Explanation(text, text, text, targets=[one((text, 1), text)], error=text)
    [row] = read(format_as_csv(expl))
    for column in ("estimator", "method", "layer", "output", "label", "error"):
        assert row[column] == f"'{text}"
    assert row["target"] == f"'{text}:1"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("a\t=1+1", "a\t'=1+1"),
        ("a\n=1\n@x", "a\n'=1\n'@x"),
        ("a,-1|+1", "a,'-1|'+1"),
        ('a; ""＝1', 'a;\' ""＝1'),
        ("\t=1", "'\t'=1"),
        ("=1;=1", "'=1;'=1"),
    ],
)
def test_nor_does_a_part_of_a_text_become_a_formula(text, written):
    [row] = read(format_as_csv(of(one(label=text))))
    assert row["label"] == written


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@settings(derandomize=True, deadline=None, max_examples=60)
@given(label=st.text("=+-@;,|\t\n\" 'a1", max_size=9))
def test_no_formula_is_read_with_another_separator(separator, label):
    text = format_as_csv([of(one(("boxes", 1), label)), Explanation(label, label, error=label)])
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
        assert not [cell for cell in row if is_run(cell)], text
    # Nor by who cares for no quotes.
    for line in text.splitlines():
        assert not [cell for cell in line.split(separator) if is_run(cell.replace('"', ""))]


def test_texts_are_quoted_numbers_and_what_is_missing_are_not():
    [_, line] = format_as_csv(of(one(label='the "cat"', proba=None))).splitlines()
    assert line == '0,"net","gradcam","out","3",,3,"the ""cat""",-1.5,,"3x3",'


@pytest.mark.parametrize("text", ["a=1", "3-1", "", "'", "1", "猫", "mail@home", "  a", "\u0301"])
def test_other_texts_stay_as_they_are(text):
    [row] = read(format_as_csv(of(one(label=text))))
    assert row["label"] == text


def test_numbers_stay_numbers_to_the_last_digit():
    scores = [-0.1, 1e-300, float(np.float32(0.1)), -np.float32(2.5)]
    rows = read(format_as_csv(of(*(one(-1, score=score) for score in scores))))
    assert [float(row["score"]) for row in rows] == scores
    assert {row["unit"] for row in rows} == {"-1"}


def test_no_control_character_comes_through():
    for label in (*HOSTILE, "\r=1+1", "half \ud800"):
        text = format_as_csv(of(one(label=label)))
        assert all(letter >= " " or letter in "\t\n" for letter in text)
        assert "\x85" not in text
        text.encode()
        assert len(read(text)) == 1


@settings(derandomize=True, deadline=None, max_examples=40)
@given(explanations)
def test_any_explanation_is_a_table_that_csv_reads(expl):
    rows = read(format_as_csv([expl, expl]))
    assert len(rows) == 2 * max(1, len(expl.targets))
    assert {row["doc"] for row in rows} == {"0", "1"}
    for row, target in zip(rows, expl.targets, strict=False):
        assert float(row["score"]) == target.score
        assert not any(is_run(row[name]) for name in ("estimator", "label", "output", "error"))


def test_what_is_no_explanation_is_refused_by_position():
    with pytest.raises(TypeError, match="at position 1 there is a str; give an Explanation, or"):
        format_as_csv([of(), "expl"])
    with pytest.raises(TypeError, match="a table of a int cannot be made"):
        format_as_csv(3)
