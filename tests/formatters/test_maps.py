import numpy as np

from explainkit import TargetExplanation
from explainkit.formatters.boxes import LINE
from explainkit.formatters.drawing import as_drawing
from explainkit.formatters.pages.maps import draw_alone

HEAT = np.zeros((4, 8), np.float32)
HEAT[1, 2] = 1


def alone(heat=HEAT, largest=80, **options):
    target = TargetExplanation(3, "cat", 1.0, 0.5, heat, heat)
    return np.asarray(draw_alone(target, as_drawing(**options), largest))


def test_each_cell_is_of_whole_pixels():
    drawn = alone(colormap="gray", largest=85)
    assert drawn.shape == (40, 80, 3)
    assert (drawn == np.kron(HEAT, np.ones((10, 10)))[..., np.newaxis] * 255).all()


def test_maps_larger_than_there_is_room_are_reduced():
    assert alone(np.ones((400, 300), np.float32)).shape == (80, 60, 3)


def test_boxes_that_are_given_are_in_cells():
    drawn = alone(colormap="gray", boxes=[(1, 1, 3, 4)])
    light = np.array([int(LINE[i : i + 2], 16) for i in (1, 3, 5)])
    rows, columns = np.nonzero((drawn == light).all(axis=-1))
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (10, 10, 30, 40)
