"""The explanation: of a linear model it is exact, each pixel's own share of the score."""

from typing import Any

import numpy as np
from PIL import Image

from explainkit import Explanation, TargetExplanation, explain_prediction
from explainkit_linear.model import LinearModel


@explain_prediction.register
def explain_linear(
    model: LinearModel, doc: Any, *, targets: list[int] | None = None
) -> Explanation:
    """Explain one document of shape (1, height, width)."""
    [scores] = model.scores(doc)
    shown = [int(scores.argmax())] if targets is None else targets
    shares = [model.weights[target] * doc[0] for target in shown]
    return Explanation(
        estimator=type(model).__name__,
        method="shares",
        description="Each pixel's own share of the score; the shares add up to it",
        targets=[
            TargetExplanation(
                target=target,
                label=None,
                score=float(scores[target]),
                proba=None,
                heatmap=np.maximum(share, 0) / max(share.max(), np.finfo(float).tiny),
                map=share,
            )
            for target, share in zip(shown, shares, strict=True)
        ],
        image=Image.fromarray(np.uint8(255 * np.clip(doc[0], 0, 1))),
    )
