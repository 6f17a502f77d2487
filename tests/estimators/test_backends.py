"""One model, one explanation, whichever framework Keras runs on."""

import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BACKENDS = ("tensorflow", "jax", "torch")
TOLERANCES = {"scores": 1e-3, "heatmaps": 1e-4}

pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, BACKENDS)), reason=f"not all of {BACKENDS} are installed"
)


def answers(folder, *arguments):
    """Ask each backend in a process of its own, since Keras chooses one for good."""
    found = {}
    for backend in BACKENDS:
        path = folder / f"{backend}.npz"
        subprocess.run(
            [sys.executable, "-W", "ignore", "-m", f"{__package__}.answers", path, *arguments],
            check=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "KERAS_BACKEND": backend},
        )
        found[backend] = dict(np.load(path))
        assert found[backend].pop("backend") == backend
    return found


def differences(found):
    """Tell the largest difference of each kind between each two backends, and where it is."""
    largest = {}
    for one, other in itertools.combinations(BACKENDS, 2):
        assert set(found[one]) == set(found[other])
        for key, values in found[one].items():
            name, kind = key.split(" | ")
            if kind == "targets":
                np.testing.assert_array_equal(values, found[other][key], err_msg=name)
            else:
                difference = float(np.abs(values - found[other][key]).max())
                place = f"{one} and {other}, {name}"
                largest[kind] = max(largest.get(kind, (-1.0, "")), (difference, place))
    return largest


def assert_alike(found):
    largest = differences(found)
    assert set(largest) == set(TOLERANCES)
    assert all(largest[kind][0] <= TOLERANCES[kind] for kind in TOLERANCES), largest


def test_small_models_of_every_build_are_explained_alike(tmp_path):
    found = answers(tmp_path)
    # There is something to compare: maps that are neither blank nor all the same.
    maps = [values for key, values in found["jax"].items() if key.endswith("heatmaps")]
    assert len(maps) == 13
    assert all(len(np.unique(one)) > 10 for one in maps)
    assert_alike(found)


@pytest.mark.slow
def test_mobilenet_with_real_weights_is_explained_alike_flat_and_nested(tmp_path, shared):
    found = answers(tmp_path, shared)
    assert_alike(found)
    for backend in BACKENDS:
        for targets in ("[243, 282]", "None"):
            np.testing.assert_allclose(
                found[backend][f"flat {targets} | heatmaps"],
                found[backend][f"nested {targets} | heatmaps"],
                atol=1e-4,
            )
