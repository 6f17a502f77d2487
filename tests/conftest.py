"""What tests share: quiet frameworks, and the folder of real weights and pictures."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_SHARED = Path(os.environ.get("EXPLAINKIT_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real ImageNet weights and pictures, which is not in the repository."""
    if not (_SHARED / "models").is_dir():
        pytest.skip(f"no real weights at {_SHARED}; set EXPLAINKIT_SHARED to their folder")
    return _SHARED
