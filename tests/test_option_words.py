"""Options in words, equal where the options are, in every process and with every numpy."""

import os
import subprocess
import sys

import attrs
import numpy as np
import pytest

from explainkit.option_words import digest_of, in_words


@attrs.frozen
class Blur:
    """An option that is a record."""

    radius: float
    over: tuple[int, ...] = (0, 1)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        (True, "True"),
        ("conv", "'conv'"),
        ([1, (2.5, "a")], "[1, [2.5, 'a']]"),
        ({"b": 1, "a": [2]}, "a=[2], b=1"),
        (Blur(2.0), "Blur(radius=2.0, over=[0, 1])"),
        ({1, 2}, "other set"),
    ],
)
def test_options_are_said_as_they_are(value, words):
    assert in_words(value, lambda other: f"other {type(other).__name__}") == words


@pytest.mark.parametrize(
    ("scalar", "plain"),
    [(np.int64(3), 3), (np.float32(0.5), 0.5), (np.bool_(True), True), (np.str_("conv"), "conv")],
)
def test_scalars_of_numpy_are_said_as_pythons(scalar, plain):
    assert in_words([scalar], repr) == in_words([plain], repr)


@pytest.mark.parametrize(
    "other",
    [np.arange(6.0)[::-1], np.arange(6.0).reshape(2, 3), np.arange(6, dtype=np.float32), None],
    ids=["turned", "of another shape", "of another type", "none"],
)
def test_arrays_that_differ_in_anything_are_told_apart(other):
    assert digest_of(np.arange(6.0)) == digest_of(np.arange(12.0)[::2].copy() / 2)
    assert digest_of(np.arange(6.0)) != digest_of(other)
    assert digest_of(np.arange(6.0), other) != digest_of(other, np.arange(6.0))


def test_arrays_of_objects_are_told_by_what_the_objects_are():
    """Their bytes are where the objects lie, which is elsewhere in every process."""
    program = (
        "import numpy as np; from explainkit.option_words import digest_of;"
        "print(digest_of(np.array(['-'.join('cat'), 'dog', None], object)))"
    )
    command = [sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == digest_of(np.array(["c-a-t", "dog", None], object))
    assert told.stdout.strip() != digest_of(np.array(["c-a-t", "cow", None], object))
