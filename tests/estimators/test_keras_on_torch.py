"""Keras models are PyTorch modules where Keras runs on PyTorch, and stay Keras models."""

import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("torch")


def test_keras_imported_after_a_module_was_explained():
    code = """
        import os
        os.environ["KERAS_BACKEND"] = "torch"
        import torch, explainkit
        net = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
        )
        explainkit.explain_prediction(net, torch.ones(1, 3, 8, 8))
        network = explainkit.scenes.load_network()
        print(explainkit.explain_prediction(network, explainkit.scenes.draw_scene(0).doc).estimator)
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "scenes"
