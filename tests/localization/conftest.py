import numpy as np
import pytest
from PIL import Image

from explainkit.explanation import Explanation, TargetExplanation


@pytest.fixture
def explain():
    """Make the explanation of a picture by heatmaps, of classes 100, 101, … unless named."""

    def explanation(*heatmaps, names=None, size=(8, 6), **fields):
        names = names or [100 + i for i in range(len(heatmaps))]
        targets = [
            TargetExplanation(name, None, 1.0, None, np.asarray(heat), -np.asarray(heat))
            for name, heat in zip(names, heatmaps, strict=True)
        ]
        given = {"image": Image.new("RGB", size), **fields}
        return Explanation("model", "gradcam", targets=targets, **given)

    return explanation
