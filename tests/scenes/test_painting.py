import numpy as np
import pytest

from explainkit.scenes.arranging import arrange
from explainkit.scenes.painting import develop, paint_background, paint_object


@pytest.mark.parametrize("seed", range(20))
def test_an_object_is_painted_where_it_is_and_stands_out_there(seed):
    rng = np.random.default_rng(seed)
    (thing,) = arrange(["star"], 96, rng)
    before = paint_background(96, rng)
    after = paint_object(before, thing.cover, rng)
    assert np.array_equal(before[:, thing.cover == 0], after[:, thing.cover == 0])
    change = after[:, thing.cover == 1].mean(1) - before[:, thing.cover == 1].mean(1)
    assert np.linalg.norm(change) > 0.3


def test_a_picture_has_grain_and_no_level_out_of_range():
    canvas = np.full((3, 96, 96), 0.98, np.float32)
    levels = np.asarray(develop(canvas, np.random.default_rng(0)))
    assert levels.dtype == np.uint8
    assert levels.std() > 0.5
    assert levels.min() > 128  # nothing bright has wrapped around to dark
