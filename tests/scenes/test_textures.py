import pytest

from explainkit.scenes.plane import pixels
from explainkit.scenes.textures import TEXTURES


@pytest.mark.parametrize("texture", TEXTURES)
def test_textures_give_shares(texture):
    share = texture(100 * pixels(64))
    assert share.shape == (64, 64)
    assert 0 <= share.min() <= share.max() <= 1
