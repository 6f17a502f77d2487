import numpy as np
import pytest
from PIL import Image

from explainkit.explanation import Explanation, TargetExplanation


@pytest.fixture
def explain():
    """Make the explanation of a picture by heatmaps, the targets being classes 100, 101, …"""

    def explanation(image, *heatmaps, labels=None, probas=None, **fields):
        labels = labels or [None] * len(heatmaps)
        probas = probas or [None] * len(heatmaps)
        targets = [
            TargetExplanation(100 + i, label, 12.345 - i, proba, heatmap, heatmap)
            for i, (heatmap, label, proba) in enumerate(zip(heatmaps, labels, probas, strict=True))
        ]
        return Explanation("model", "gradcam", targets=targets, image=image, **fields)

    return explanation


@pytest.fixture
def photo():
    """Noise in RGB, 24 x 18, that no formula can pass by luck."""
    levels = np.random.default_rng(1).integers(0, 256, (18, 24, 3), dtype=np.uint8)
    return Image.fromarray(levels)
