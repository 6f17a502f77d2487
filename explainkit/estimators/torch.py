"""PyTorch modules at the doors."""

import sys
from typing import Any

import torch

from explainkit.estimators.base import Explainer
from explainkit.estimators.doors import register
from explainkit.estimators.torch_explainer import TorchExplainer


def _explainer_of(module: Any) -> Explainer:
    # Where Keras runs on PyTorch its models are modules, too, and come in here if Keras
    # was imported after this door was opened.
    keras = sys.modules.get("keras")
    if keras is not None and isinstance(module, keras.Model):
        from explainkit.estimators.keras_explainer import KerasExplainer

        return KerasExplainer(module)
    return TorchExplainer(module)


register(torch.nn.Module, _explainer_of)
