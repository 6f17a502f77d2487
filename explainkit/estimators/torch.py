"""The doors for PyTorch modules."""

import torch

from explainkit.estimators.doors import register
from explainkit.estimators.torch_explainer import TorchExplainer

register(torch.nn.Module, TorchExplainer)
