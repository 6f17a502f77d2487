import numpy as np
import pytest

from explainkit.scenes import SceneObject, as_docs, draw_scene, draw_scenes


def test_the_box_is_as_pillow_counts():
    mask = np.zeros((8, 8), bool)
    mask[2:5, 1:7] = True
    assert SceneObject("disc", 0, mask, visible=1.0).box == (1, 2, 7, 5)


def test_boxes_are_tight(things):
    for thing in things:
        left, top, right, bottom = thing.box
        inside = thing.mask[top:bottom, left:right]
        assert inside.sum() == thing.mask.sum()
        assert inside[[0, -1]].any(1).all()
        assert inside[:, [0, -1]].any(0).all()


def test_a_doc_is_a_batch_of_one_in_zero_to_one():
    scene = draw_scene(3)
    assert scene.doc.shape == (1, 96, 96, 3)
    assert scene.doc.dtype == np.float32
    assert 0 <= scene.doc.min() < scene.doc.max() <= 1
    assert np.array_equal(np.rint(scene.doc[0] * 255), np.asarray(scene.image))


def test_docs_are_stacked_in_order():
    docs = as_docs(draw_scenes(3))
    assert docs.shape == (3, 96, 96, 3)
    assert docs.dtype == np.float32
    assert np.array_equal(docs[1:2], draw_scene(1).doc)


def test_printing_a_scene_does_not_print_pixels():
    assert len(repr(draw_scene(3))) < 400


@pytest.mark.parametrize("scenes", [[], iter(())])
def test_no_scenes_are_an_error(scenes):
    with pytest.raises(ValueError, match="at least one"):
        as_docs(scenes)
