"""One Ray at a time, however many processes run tests: each is a handful of processes itself."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

#: Workers import tests by their names.
ROOT = str(Path(__file__).parents[2])
ENVIRONMENT = {"env_vars": {"PYTHONPATH": ROOT}}


@contextmanager
def alone():
    """Wait until no other process of these tests uses Ray."""
    from filelock import FileLock

    with FileLock(Path(tempfile.gettempdir()) / f"explainkit-tests-ray-{os.getuid()}.lock"):
        yield


@contextmanager
def without_address():
    """Forget a cluster that the environment names: these tests start and end their own."""
    before = os.environ.pop("RAY_ADDRESS", None)
    try:
        yield
    finally:
        if before is not None:
            os.environ["RAY_ADDRESS"] = before
