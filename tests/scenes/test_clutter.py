import numpy as np
import pytest

from explainkit.scenes.clutter import LAYERS
from explainkit.scenes.plane import pixels


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("seed", range(5))
def test_layers_of_clutter_give_shares_and_change_with_the_seed(layer, seed):
    share, other = (layer(pixels(64), np.random.default_rng(seed + more)) for more in (0, 1000))
    assert share.shape == (64, 64)
    assert 0 <= share.min() <= share.max() <= 1
    assert share.max() == 0 or not np.array_equal(share, other)
