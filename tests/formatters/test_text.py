import io
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image
from rich.cells import cell_len
from rich.console import Console

from explainkit import Explanation, TargetExplanation, explanation, format_as_text
from explainkit.formatters.colormaps import colour_table
from tests.formatters.records import HOSTILE, explanations

SPOT = np.zeros((4, 4), np.float32)
SPOT[0, 3] = 1
SIZES = [(4, 4), (640, 480), (30, 300), (3000, 10), (1, 1)]


def one(target=3, label="cat", score=1.5, proba=0.25, heat=SPOT):
    return TargetExplanation(target, label, score, proba, heat, heat)


def of(*targets, **fields):
    return Explanation("net", "gradcam", targets=targets, **fields)


def blocks(expl, **asked):
    return [block.splitlines() for block in format_as_text(expl, **asked).split("\n\n")]


def test_it_says_what_was_asked_and_what_was_found():
    expl = Explanation(
        "net", "gradcam", "out", "How it was done.", targets=[one(), one(("boxes", 7), None, 12.0)]
    )
    assert blocks(expl, height=0) == [
        ["gradcam of net, layer out", "How it was done."],
        [
            " target  score   proba  label",
            "      3  1.500  0.2500  cat",
            "boxes:7  12.00  0.2500  ",
        ],
    ]


def test_columns_that_have_nothing_to_say_are_left_out():
    [_, table] = blocks(of(one(label=None, proba=None)), height=0)
    assert table == ["target  score", "     3  1.500"]


def test_failed_and_empty_explanations_are_words_alone():
    assert format_as_text(Explanation("net", "m", error="no file")) == "m of net\nerror: no file"
    assert format_as_text(of()) == "gradcam of net"


def test_a_heatmap_is_hot_where_it_is_hot():
    [*_, drawn] = blocks(of(one()), height=4)
    assert drawn == ["3 cat", "┌────────┐", "│      ██│", *["│        │"] * 3, "└────────┘"]
    ramp = np.array([[0, 0.3, 0.5, 0.7, 1]], np.float32)
    [*_, drawn] = blocks(of(one(heat=ramp)), height=1)
    assert drawn[2] == "│  ░░▒▒▓▓██│"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("width", [20, 79])
def test_a_heatmap_has_the_proportions_of_the_picture_and_fits(size, width):
    [*_, drawn] = blocks(of(one(), image=Image.new("L", size)), width=width, height=9)
    columns, lines = len(drawn[1]) - 2, len(drawn) - 3
    assert columns <= width - 2
    assert lines <= 9
    # A character is twice as high as wide; neither side can be off by more than rounding.
    across, down = size
    ideal = min(9, (width - 2) * down / (2 * across))
    assert abs(lines - max(1, ideal)) <= 0.5
    assert abs(columns - max(1, min(width - 2, 2 * lines * across / down))) <= 0.5


def test_large_heatmaps_are_averaged():
    checks = np.indices((64, 64)).sum(axis=0).astype(np.float32) % 2
    [*_, drawn] = blocks(of(one(heat=checks)), height=4)
    assert set("".join(drawn[2:-1])) == {"│", "▒"}


def test_signals_are_bars_and_volumes_are_summed_over_depth():
    [*_, drawn] = blocks(of(one(heat=np.array([0, 0.5, 1], np.float32))))
    assert drawn == ["3 cat", "▁▅█"]
    [*_, drawn] = blocks(of(one(heat=np.linspace(0, 1, 1000))), width=20)
    assert len(drawn[1]) == 20
    assert list(drawn[1]) == sorted(drawn[1])
    volume = np.stack([SPOT, SPOT, SPOT.T])
    [*_, drawn] = blocks(of(one(heat=volume)), height=4)
    assert drawn[0] == "3 cat, depth of 3 summed"
    assert [line[1:-1] for line in drawn[2:-1]] == ["      ██", " " * 8, " " * 8, "▒▒      "]


@pytest.mark.parametrize("heat", [np.float32(1), np.zeros((0, 3)), np.zeros((1, 2, 3, 4))])
def test_what_cannot_be_drawn_is_left_out(heat):
    assert len(blocks(of(one(heat=heat)))) == 2


@pytest.mark.parametrize("label", [*HOSTILE, "a" * 500, "猫" * 500])
def test_no_label_can_disturb_a_terminal_or_the_columns(label):
    expl = Explanation(label, label, label, label, targets=[one((label, 3), label), one(5, "cat")])
    text = format_as_text(expl, width=60)
    assert all(letter == "\n" or letter.isprintable() for letter in text)
    [_, table, *_] = blocks(expl, width=60)
    assert len(table) == 3
    # The numbers end where their headings end.
    proba_ends = cell_len(table[0].partition("proba")[0] + "proba")
    for line, proba in zip(table[1:], ("0.2500", "0.2500"), strict=True):
        before = line.partition("  1.500")[0] + "  1.500  " + proba
        assert line.startswith(before)
        assert cell_len(before) == proba_ends
    assert max(map(cell_len, text.splitlines())) <= 60


def test_descriptions_are_broken_between_words_and_nothing_of_them_is_lost():
    said = "猫 and 犬 " * 30 + "long" * 30 + " 猫犬" * 9 + "é\u0301" * 70
    [[asked, *lines]] = blocks(of(description=said), width=40)
    assert asked == "gradcam of net"
    assert max(map(cell_len, lines)) in (39, 40)
    assert "".join(lines).replace(" ", "") == said.replace(" ", "")
    assert lines[0].endswith(" 犬")


@settings(derandomize=True, deadline=None, max_examples=40)
@given(explanations)
def test_any_explanation_is_printable(expl):
    text = format_as_text(expl, width=40)
    assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c != "\n"]
    for system in (None, "truecolor"):
        printed = io.StringIO()
        Console(file=printed, width=40, color_system=system, force_terminal=True).print(expl)
        styles = {"\x1b"} if system else set()
        shown = {c for c in printed.getvalue() if unicodedata.category(c) in ("Cc", "Cf", "Cs")}
        assert shown <= {"\n"} | styles


def test_the_width_is_the_terminals_unless_it_is_given(monkeypatch):
    expl = of(description="word " * 60)
    monkeypatch.setenv("COLUMNS", "33")
    assert max(map(len, format_as_text(expl).splitlines())) in range(28, 34)
    monkeypatch.setenv("COLUMNS", "5")
    assert format_as_text(expl) == format_as_text(expl, width=20)


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"width": 19}, ValueError, "width is 19; give 20 or more"),
        ({"width": 80.0}, TypeError, "width is 80.0; give a whole number, 20 or more"),
        ({"height": -1}, ValueError, "height is -1; give 0 or more"),
        ({"height": True}, TypeError, "height is True; give a whole number, 0 or more"),
    ],
)
def test_bad_sizes_are_refused(asked, error, message):
    with pytest.raises(error, match=message):
        format_as_text(of(one()), **asked)


def test_only_explanations_are_written():
    with pytest.raises(TypeError, match="an Explanation can be written as text, not a str"):
        format_as_text("expl")


# Rich


def printed(expl, **asked):
    file = io.StringIO()
    Console(file=file, width=60, force_terminal=True, legacy_windows=False, **asked).print(expl)
    return file.getvalue()


def test_rich_prints_the_table_and_the_heatmap_in_viridis():
    text = printed(of(one(label="[red]cat")), color_system="truecolor")
    assert "[red]cat" in text
    assert "0.2500" in text
    cold, hot = colour_table("viridis", 1.0)[[0, -1], :3].tolist()
    # Each cell of the spot, the hottest, takes six columns and three lines in a square of 24.
    assert text.count("▀") == 24 * 12
    assert text.count("\x1b[38;2;{};{};{};48;2;{};{};{}m".format(*hot, *hot)) in (3, 18)
    assert "\x1b[38;2;{};{};{};48;2;{};{};{}m".format(*cold, *cold) in text


def test_without_colours_rich_prints_shades():
    for asked in ({"color_system": None}, {"color_system": "truecolor", "no_color": True}):
        text = printed(of(one()), **asked)
        assert "▀" not in text
        assert "│" + " " * 18 + "██████│" in text


def test_rich_shows_signals_and_failures():
    assert "▁▅█" in printed(of(one(heat=np.array([0, 0.5, 1]))), color_system="truecolor")
    assert "error: no file" in printed(Explanation("net", "m", error="no file"))


def test_without_a_view_rich_prints_the_fields(monkeypatch):
    monkeypatch.setattr(explanation, "rich_views", [])
    assert "estimator='net'" in printed(of(), color_system=None)
