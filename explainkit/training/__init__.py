"""Explanations while training: what a model looks at, from epoch to epoch.

`ExplanationCallback` goes into Keras's `fit`, `Watch` into a loop of your own. Both explain the
same documents again and again, with the weights of the moment, and hand the pictures and scores
on: to a folder, or to TensorBoard.
"""

import importlib
from typing import TYPE_CHECKING, Any

from explainkit.training.destination import Destination, Entry
from explainkit.training.folder import Folder
from explainkit.training.tensorboard import TensorBoardLog
from explainkit.training.watch import Watch

if TYPE_CHECKING:
    from explainkit.training.keras import ExplanationCallback
    from explainkit.training.tf_keras import TfKerasExplanationCallback

__all__ = [
    "Destination",
    "Entry",
    "ExplanationCallback",
    "Folder",
    "TensorBoardLog",
    "TfKerasExplanationCallback",
    "Watch",
]

#: What is a callback of a framework, which must be there to have it.
_HOMES = {
    "ExplanationCallback": "explainkit.training.keras",
    "TfKerasExplanationCallback": "explainkit.training.tf_keras",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'explainkit.training' has no attribute {name!r}")
