"""The explanation: of a linear model it is exact, each pixel's own share of the score."""

from typing import Any

import numpy as np
from PIL import Image

from explainkit import Explanation, TargetExplanation, explain_prediction
from explainkit.methods.heatmap import heatmap_of
from explainkit_linear.model import LinearModel


@explain_prediction.register
def explain_linear(
    model: LinearModel, doc: Any, *, targets: int | list[int] | None = None
) -> Explanation:
    """Explain one document of shape (1, height, width)."""
    if not isinstance(doc, np.ndarray):
        raise TypeError(f"doc is a {type(doc).__name__}; give an array")
    if not np.isfinite(doc).all():
        raise ValueError("doc holds NaN or infinite numbers")
    [scores] = model.scores(doc)
    shown = [scores.argmax()] if targets is None else np.atleast_1d(targets)
    shares = [np.float32(model.weights[target] * doc[0]) for target in shown]
    return Explanation(
        estimator=type(model).__name__,
        method="shares",
        description="Each pixel's own share of the score; the shares add up to it",
        targets=[
            TargetExplanation(
                target=int(target),
                label=None,
                score=float(scores[target]),
                proba=None,
                heatmap=heatmap_of(share),
                map=share,
            )
            for target, share in zip(shown, shares, strict=True)
        ],
        image=Image.fromarray(np.uint8(255 * np.clip(doc[0], 0, 1))),
    )
