"""The engines under test: every one whose framework is installed, or those asked for."""

import importlib
import os

import pytest

ENGINES = {
    "tensorflow": "explainkit.engines.tensorflow:TensorFlowEngine",
    "jax": "explainkit.engines.jax:JaxEngine",
    "torch": "explainkit.engines.torch:TorchEngine",
}


def _chosen():
    asked = os.environ.get("EXPLAINKIT_TEST_ENGINES")
    return asked.split(",") if asked else list(ENGINES)


@pytest.fixture(params=_chosen(), scope="session")
def engine(request):
    pytest.importorskip(request.param)
    module, _, name = ENGINES[request.param].partition(":")
    return getattr(importlib.import_module(module), name)()
