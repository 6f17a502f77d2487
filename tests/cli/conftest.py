"""What the tests of the command line share: small models and pictures in files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from explainkit.cli.app import app
from tests.small_models import make_small_model


@pytest.fixture
def run():
    """Run the command line in this process; the result has exit_code, stdout and stderr."""
    runner = CliRunner(env={"COLUMNS": "80"})

    def invoke(*arguments):
        result = runner.invoke(app, [str(one) for one in arguments], prog_name="explainkit")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    return invoke


@pytest.fixture
def fails(run):
    """Run what must fail, and give the one line that it says."""

    def invoke(exit_code, *arguments):
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (exit_code, ""), result.output
        *remarks, line = result.stderr.splitlines()
        assert all(one.startswith("explainkit: ") for one in remarks), result.stderr
        assert line.startswith("explainkit: error: ")
        return line.removeprefix("explainkit: error: ")

    return invoke


@pytest.fixture(scope="session")
def small_model():
    """Make networks of one convolution."""
    return make_small_model


@pytest.fixture(scope="session")
def model_file(tmp_path_factory) -> Path:
    """A model of three classes that takes 24 x 32 pixels."""
    path = tmp_path_factory.mktemp("models") / "small.keras"
    make_small_model().save(path)
    return path


@pytest.fixture
def make_photo():
    """Make files of noise."""
    return _make_photo


def _make_photo(path: Path, size=(50, 40), seed=0, mode="RGB") -> Path:
    levels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(levels).convert(mode).save(path)
    return path


@pytest.fixture
def photo(tmp_path) -> Path:
    return _make_photo(tmp_path / "photo.png")


@pytest.fixture
def labels_file(tmp_path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("cat\ndog\n[red]bird[/red]\n", "utf-8")
    return path
