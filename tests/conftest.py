"""What tests share: quiet frameworks, short collections of garbage, and real weights."""

import gc
import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_SHARED = Path(os.environ.get("EXPLAINKIT_SHARED", Path(__file__).parents[2] / "shared"))


def pytest_collection_finish() -> None:
    """Take what was imported out of the garbage collector, which looks for what tests leave.

    With several frameworks loaded, each `gc.collect()` would go through all of them for a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real ImageNet weights and pictures, which is not in the repository."""
    if not (_SHARED / "models").is_dir():
        pytest.skip(f"no real weights at {_SHARED}; set EXPLAINKIT_SHARED to their folder")
    return _SHARED
