import numpy as np
import pytest

from explainkit.scenes import KINDS
from explainkit.scenes.arranging import MIN_VISIBLE, arrange


@pytest.fixture(params=range(20))
def placed(request):
    return arrange(KINDS[:3], 96, np.random.default_rng(request.param))


def test_no_pixel_is_given_away_twice(placed):
    assert sum(thing.seen for thing in placed).max() <= 1 + 1e-9


def test_the_last_object_hides_and_is_not_hidden(placed):
    hindmost, *_, top = placed
    assert np.array_equal(top.seen, top.cover)
    assert not hindmost.seen[top.cover == 1].any()


def test_what_nothing_covers_is_seen_whole(placed):
    for thing, *others in (placed, placed[::-1], [placed[1], placed[0], placed[2]]):
        alone = sum(other.cover for other in others) == 0
        assert np.array_equal(thing.seen[alone], thing.cover[alone])


def test_every_object_shows_most_of_itself(placed):
    assert all(MIN_VISIBLE <= thing.visible <= 1 for thing in placed)


def test_objects_are_inside_the_picture(placed):
    for thing in placed:
        assert not thing.cover[[0, -1]].any()
        assert not thing.cover[:, [0, -1]].any()
