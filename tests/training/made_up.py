"""A model that needs no framework, and says what it is told to."""

import numpy as np

from explainkit import Explanation, TargetExplanation, explain_prediction
from explainkit.pictures import as_picture
from explainkit.training import Destination

LABELS = {0: "cat", 1: "dog", 2: "dog", 3: None}
DOCS = np.linspace(0, 1, 2 * 6 * 8 * 3).reshape(2, 6, 8, 3)


class MadeUpModel:
    """Training changes its bias; `failing` has it fail for docs that begin with such a number."""

    def __init__(self):
        self.bias = 0.0
        self.failing = ()
        self.broken = None
        self.asked = 0
        self.heat = np.eye(3, 4, dtype=np.float32)


@explain_prediction.register
def explain_made_up(model: MadeUpModel, doc, *, targets=None, top_targets=1, image=None):
    model.asked += 1
    if model.broken:
        raise model.broken
    if doc.flat[0] in model.failing:
        raise ValueError("no gradient")
    heat = model.heat
    units = range(top_targets) if targets is None else targets
    return Explanation(
        estimator="made up",
        method="gradcam",
        layer="conv",
        targets=[
            TargetExplanation(one, LABELS.get(one), one_score(model, one), 0.25, heat, heat)
            for one in units
        ],
        image=as_picture(np.uint8(doc[0] * 255)),
    )


def one_score(model, target):
    return model.bias + (target if isinstance(target, int | np.integer) else 10)


class Kept(Destination):
    """Keeps what it is given."""

    def __init__(self):
        self.names, self.steps, self.entries = None, [], []

    def begin(self, names):
        self.names = list(names)

    def write(self, unit, step, entries):
        self.steps.append((unit, step))
        self.entries.append(list(entries))


class Failing(Kept):
    """Begins, and cannot write."""

    def write(self, unit, step, entries):
        raise OSError("no space left on device")
