"""The doors: what is supported, what is refused, and how plug-ins come in."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import explainkit
from explainkit import Explanation, explain_prediction, explain_predictions
from explainkit.methods.cam import GradCAM

ROOT = Path(__file__).parents[1]
TESTS = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def test_importing_explainkit_loads_no_framework():
    ran = run("""
        import sys, explainkit
        explainkit.explain_prediction, explainkit.show_prediction, explainkit.format_as_image
        explainkit.formatters, explainkit.inspection, explainkit.scenes
        import explainkit.testing
        heavy = {"tensorflow", "keras", "jax", "torch", "matplotlib", "pandas", "IPython", "typer"}
        print(sorted(heavy & set(sys.modules)))
    """)
    assert ran.stdout.strip() == "[]", ran.stderr


def test_all_names_can_be_imported_without_the_extras():
    ran = run("""
        import sys
        sys.modules["pyarrow"] = None  # as where it is not installed
        from explainkit import *
        import explainkit
        try:
            explainkit.explain_dataset
        except ImportError as error:
            print(error)
    """)
    assert ran.stdout.strip().endswith("pip install 'explainkit[datasets]'"), ran.stderr


def test_every_public_name_is_there():
    for name in explainkit.__all__:
        assert getattr(explainkit, name) is not None
    assert dir(explainkit) == sorted(
        [*explainkit.__all__, *explainkit._ARRAY_DOORS, *explainkit._OF_EXTRAS]
    )
    with pytest.raises(AttributeError, match="no attribute 'explane'"):
        explainkit.explane  # noqa: B018


@pytest.mark.parametrize("door", [explain_prediction, explain_predictions])
@pytest.mark.parametrize(
    ("estimator", "hint"),
    [
        (3, "cannot explain a builtins.int"),
        ("model.keras", "load the model first"),
        (int, "give an instance, not the class"),
        (None, "cannot explain a builtins.NoneType"),
    ],
)
def test_what_is_no_estimator_is_refused_with_what_is(door, estimator, hint):
    with pytest.raises(TypeError) as raised:
        door(estimator, np.zeros((1, 8, 8, 3)))
    message = str(raised.value)
    assert hint in message
    assert "keras.Model (Keras 3) (pip install 'explainkit[tensorflow]')" in message
    assert "'explainkit.estimators'" in message


def test_an_estimator_comes_in_by_registration():
    class Mine:
        pass

    @explain_prediction.register
    def explain_mine(estimator: Mine, doc, *, louder=False):
        return Explanation(estimator="mine", method="louder" if louder else "plain")

    assert explain_prediction(Mine(), None, louder=True).method == "louder"
    # One that explains single docs explains many, one by one.
    many = explain_predictions(Mine(), [1, 2, 3], louder=True)
    assert [expl.method for expl in many] == ["louder"] * 3


def test_failures_among_many_are_raised_or_recorded_for_any_estimator():
    class Fragile:
        pass

    @explain_prediction.register
    def explain_fragile(estimator: Fragile, doc):
        if doc == 2:
            raise ValueError("two is too many")
        return Explanation(estimator="fragile", method="plain")

    found = list(explain_predictions(Fragile(), [1, 2, 3], on_error="record"))
    assert [expl.error for expl in found] == [None, "ValueError: two is too many", None]
    with pytest.raises(ValueError, match="doc 1: two is too many"):
        list(explain_predictions(Fragile(), [1, 2, 3]))


def test_each_of_many_has_its_own_targets_and_picture_for_any_estimator():
    class Attentive:
        pass

    @explain_prediction.register
    def explain_attentive(estimator: Attentive, doc, *, targets, image, method):
        if doc == 3:
            raise ValueError("three")
        return Explanation(estimator=f"{doc}, {targets.tolist()}, {image}", method="plain")

    found = list(
        explain_predictions(
            Attentive(),
            [1, 2, 3],
            targets=np.array([[4, 5], [6, 7], [8, 9]]),
            images=["a", "b", "c"],
            method=GradCAM(),
            on_error="record",
        )
    )
    assert [expl.estimator for expl in found] == ["1, [4, 5], a", "2, [6, 7], b", "Attentive"]
    assert found[2].method == "gradcam"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"targets": np.array([[4], [5]])}, "targets has 2 rows, but there are more docs"),
        ({"images": ["a", "b"]}, "images has only 2 pictures for more docs"),
    ],
)
def test_fewer_targets_or_pictures_than_docs_are_told_for_any_estimator(options, told):
    class Patient:
        pass

    @explain_prediction.register
    def explain_patient(estimator: Patient, doc, **options):
        return Explanation(estimator="patient", method="plain")

    with pytest.raises(ValueError, match=told):
        list(explain_predictions(Patient(), [1, 2, 3], **options))


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """The example distribution, installed in a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(ROOT / "examples/plugin", source)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder), str(source)], check=True)
    return folder


def test_a_plug_in_is_found_by_its_entry_point(plugin):
    ran = run(
        """
        import sys
        import numpy as np, explainkit
        from explainkit_linear.model import LinearModel
        weights = np.random.default_rng(0).normal(size=(3, 8, 8))
        doc = np.random.default_rng(1).uniform(size=(1, 8, 8))
        expl = explainkit.explain_prediction(LinearModel(weights), doc, targets=[2])
        assert np.isclose(expl.targets[0].map.sum(), expl.targets[0].score)
        assert explainkit.show_prediction(LinearModel(weights), doc).size == (8, 8)
        assert "keras" not in sys.modules
        try:
            explainkit.explain_prediction(object(), doc)
        except TypeError as error:
            print(error)
        """,
        PYTHONPATH=str(plugin),
    )
    assert "explainkit_linear.model.LinearModel" in ran.stdout, ran.stderr


def test_the_example_plug_in_keeps_the_contract_as_its_tests_and_contributing_say(plugin, tmp_path):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text[text.index("## Testing a plug-in") :]
    shown = tmp_path / "test_shown.py"
    shown.write_text(re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0])
    ran = subprocess.run(
        [*TESTS, ROOT / "examples/plugin/tests", shown],
        env={**os.environ, "PYTHONPATH": str(plugin)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("error", ["ModuleNotFoundError", "RuntimeError: needs a card"])
def test_a_broken_plug_in_is_named_and_stops_nobody(tmp_path, error):
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    if error.startswith("Runtime"):
        (tmp_path / "broken_plug_in.py").write_text("raise RuntimeError('needs a card')\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[explainkit.estimators]\nbroken = broken_plug_in\n")
    ran = run(
        """
        import warnings
        import explainkit
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                explainkit.explain_prediction(object(), None)
            except TypeError:
                print([str(one.message) for one in caught])
        """,
        PYTHONPATH=str(tmp_path),
    )
    message = f"the plug-in 'broken' (broken_plug_in) cannot be loaded: {error}"
    assert message in ran.stdout, ran.stderr
