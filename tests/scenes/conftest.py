import pytest

from explainkit.scenes import draw_scenes


@pytest.fixture(scope="session")
def scenes():
    return list(draw_scenes(400))


@pytest.fixture(scope="session")
def things(scenes):
    return [thing for scene in scenes for thing in scene.objects]
