"""The code that the README, the quick start and the questions show is code that runs."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
#: What examples may use and explainkit does not bring.
OTHERS = ("duckdb", "polars", "torch")


def python_blocks(path, heading):
    text = (ROOT / path).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text[text.index(heading) :], re.DOTALL)


@pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")
@pytest.mark.parametrize(
    ("path", "heading", "count"),
    [
        ("README.md", "## Five minutes", 13),
        ("docs/quickstart.md", "# Quick start", 4),
        ("docs/methods.md", "# Methods", 2),
        ("docs/arrays.md", "# Arrays", 3),
        ("CONTRIBUTING.md", "## Adding a method", 1),
        ("docs/questions.md", "# Questions of every kind", 14),
        ("docs/localization.md", "# Boxes and masks", 5),
        ("docs/comparing.md", "# Comparing", 3),
        ("docs/metrics.md", "# Metrics", 4),
        ("docs/failure-analysis.md", "# Failures and bias", 1),
        ("docs/coming-from.md", "# Coming from another library", 5),
        ("docs/reports.md", "# Reports", 1),
        ("docs/sharing.md", "# Pages and files", 7),
        ("docs/datasets.md", "# Many pictures", 9),
    ],
)
def test_it_runs(path, heading, count, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (320, 240), "grey").save("photo.jpg")
    from explainkit import scenes

    # The quick start speaks of a model and a doc of the reader's own.
    names = {"model": scenes.load_network(), "doc": scenes.draw_scene(seed=8).doc}
    blocks = python_blocks(path, heading)
    assert len(blocks) == count
    for block in blocks:
        used = [one for one in OTHERS if f"{one}." in block or f"import {one}" in block]
        if not all(map(find_spec, used)):
            continue
        exec(compile(block, path, "exec"), names)


@pytest.mark.parametrize("command", ["demo", "tests"])
def test_the_readme_has_each_command_on_one_line(command):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(rf"<!-- command: {command} -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert len(block.strip().splitlines()) == 1


def test_the_table_of_metrics_is_up_to_date():
    from explainkit.metrics import METRICS

    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| `\w+`&nbsp;[↑↓]", line)]
    assert len(rows) == len(METRICS)
    for row, metric in zip(rows, METRICS.values(), strict=True):
        arrow = {"higher": "↑", "lower": "↓"}[metric.better]
        formula = metric.formula.replace("|", "∣")  # which would end the cell
        wanted = (
            f"`{metric.name}`&nbsp;{arrow}",
            metric.title,
            formula,
            metric.cost,
            metric.source,
        )
        assert all(one in row for one in wanted)
        _, _, needs = row.partition("needs ")
        assert ("masks" in needs) == metric.needs_masks
        assert ("probabilities" in needs) == metric.needs_probabilities


def test_the_table_of_methods_is_up_to_date():
    from explainkit.methods import METHODS

    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ![")]
    assert len(rows) == len(METHODS)
    for row, method in zip(rows, METHODS.values(), strict=True):
        wanted = (method.name, method.title, method.formula, method.source, method.cost.forward)
        assert all(one in row for one in wanted)
        [picture] = re.findall(r"\((images/[^)]*)\)", row)
        assert (ROOT / "docs" / picture).exists()
