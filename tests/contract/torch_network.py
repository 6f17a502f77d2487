"""The network as PyTorch modules: one that is explained, and one whose plug-in leaks."""

import torch

import explainkit.estimators.torch  # noqa: F401 - registers the door that the leaky one goes through
from explainkit import explain_prediction
from tests.estimators import backend

from . import network, probe, subjects


class Module(torch.nn.Module):
    """In training, as modules are when they are made."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, network.CHANNELS, network.SIDE)
        self.features = torch.nn.ReLU()
        self.drop = torch.nn.Dropout(0.5)
        self.head = torch.nn.Linear(network.CHANNELS, network.CLASSES)
        self.seen, self.last = [], None
        self.register_buffer("runs", torch.zeros(()))
        with torch.no_grad():
            for parameter, array in (
                (self.conv.weight, network.KERNEL.transpose(3, 2, 0, 1)),
                (self.conv.bias, network.BIAS),
                (self.head.weight, network.HEAD.T),
                (self.head.bias, network.HEAD_BIAS),
            ):
                parameter.copy_(torch.tensor(array))

    def forward(self, x):
        probe.count_run(self)
        self.seen.append(len(self.seen))
        self.last = x
        self.runs += 1
        probed = backend.stumbling(self.features(self.conv(x)), probe.stumble, "torch")
        return self.head(self.drop(probed).mean((2, 3))).softmax(-1)


class ModuleOfSeveralOutputs(Module):
    """Gives what kind of thing it sees, and how bright it is."""

    def forward(self, x):
        return {"bright": x.mean((1, 2, 3))[:, None], "kind": super().forward(x)}


class LeakyModule(Module):
    """Its door is the true one, behind which something is left."""


def hand_on(*arguments):
    """Do nothing, as a hook."""


#: What is left behind, by name.
LEAKS = {
    "forward hook": lambda model: model.features.register_forward_hook(hand_on),
    "backward hook": lambda model: model.features.register_full_backward_hook(hand_on),
    "tensor's hook": lambda model: model.conv.weight.register_hook(hand_on),
    "mode": lambda model: model.eval(),
    "mode of a part": lambda model: model.drop.eval(),
    "frozen": lambda model: model.conv.requires_grad_(False),
    "gradients": lambda model: setattr(model.head.bias, "grad", torch.ones(network.CLASSES)),
    "weights": lambda model: model.head.bias.data.add_(1e-6),
    "cast": lambda model: model.double(),
    "grad mode": lambda model: torch.set_grad_enabled(False),
    "random numbers": lambda model: torch.rand(1),
    "hook on all": lambda model: torch.nn.modules.module.register_module_forward_hook(hand_on),
    "patched class": lambda model: setattr(torch.nn.Module, "__call__", patched()),
}
leak = None


def patched(call=torch.nn.Module.__call__):
    return lambda self, *given, **named: call(self, *given, **named)


@explain_prediction.register
def explain_leaky(model: LeakyModule, doc, **options):
    expl = explain_prediction.dispatch(torch.nn.Module)(model, doc, **options)
    if leak is not None:
        LEAKS[leak](model)
    return expl


class LeakyContract(subjects.TorchNetwork):
    def make_model(self):
        return LeakyModule()
