import numpy as np
import pytest
from PIL import Image

from explainkit.localization import (
    BlankMapError,
    find_mask,
    find_masks,
    guided_filter,
    heat_of,
    iou,
)


def half_white(size=(24, 24), column=12, mode="L"):
    """A picture that is black left of a column, and white from there on."""
    levels = np.zeros((size[1], size[0]), np.uint8)
    levels[:, column:] = 255
    return Image.fromarray(levels).convert(mode)


BLOB = np.zeros((6, 6))
BLOB[1:5, 3:5] = 1


def test_a_mask_has_the_pixels_that_are_hot_enough():
    heat = [[20.0, 3.0], [2.999, -5.0]]
    np.testing.assert_array_equal(find_mask(heat), [[True, True], [False, False]])
    np.testing.assert_array_equal(find_mask(heat, 0.14), [[True, True], [True, False]])
    assert find_mask(heat).dtype == bool


def test_masks_are_one_for_each_threshold_in_that_order(explain):
    expl = explain(np.zeros((2, 2)), np.random.default_rng(0).random((3, 4)))
    masks = find_masks(expl, (0.6, 0.2), target=1)
    assert masks.shape == (2, 6, 8)
    for mask, threshold in zip(masks, (0.6, 0.2), strict=True):
        np.testing.assert_array_equal(mask, find_mask(expl, threshold, target=1))
    assert find_masks([[0.2, 0.4, 1.0]]).sum(axis=(1, 2)).tolist() == [3, 2, 1]
    assert find_masks([[0.2, 1.0]], iter([0.5]), size=(8, 4)).shape == (1, 4, 8)
    with pytest.raises(BlankMapError):
        find_mask(expl)


def test_smoothing_brings_the_edge_of_the_heat_to_that_of_the_picture(explain):
    expl = explain(BLOB, image=half_white(column=14))
    rough, smooth = (find_mask(expl, 0.5, smoothing=radius) for radius in (0, 6))
    row = 12
    assert np.flatnonzero(rough[row])[0] == 12  # the edge of the heat, not of the picture
    assert np.flatnonzero(smooth[row])[0] == 14
    np.testing.assert_array_equal(find_masks(expl, [0.5], smoothing=6)[0], smooth)
    assert iou(rough, smooth) > 0.3


def test_smoothing_is_the_guided_filter_and_its_own_maximum_counts():
    rng = np.random.default_rng(2)
    levels = rng.integers(0, 256, (18, 24), dtype=np.uint8)
    levels[0, :2] = 0, 255
    heat = heat_of(rng.random((5, 6)), (24, 18))
    smooth = guided_filter(heat, levels / 255, 3)
    assert smooth.max() < 0.99
    found = find_mask(heat, 0.4, smoothing=3, guide=Image.fromarray(levels))
    np.testing.assert_array_equal(found, smooth >= 0.4 * smooth.max())


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "CMYK", "P", "I", "F"])
def test_the_guide_may_be_of_any_mode(mode):
    guide = half_white(mode=mode)
    wanted = find_mask(BLOB, 0.5, size=(24, 24), smoothing=6, guide=half_white())
    found = find_mask(BLOB, 0.5, size=(24, 24), smoothing=6, guide=guide)
    np.testing.assert_array_equal(found, wanted)


def test_the_guide_is_seen_from_black_to_white_however_dark_it_is():
    deep = Image.fromarray(np.asarray(half_white(), np.float32) / 255000)
    wide = Image.fromarray(np.asarray(half_white(), np.uint16) * 200)
    asked = {"threshold": 0.5, "size": (24, 24), "smoothing": 6}
    wanted = find_mask(BLOB, guide=half_white(), **asked)
    np.testing.assert_array_equal(find_mask(BLOB, guide=deep, **asked), wanted)
    np.testing.assert_array_equal(find_mask(BLOB, guide=wide, **asked), wanted)
    assert find_mask(BLOB, guide=Image.new("L", (24, 24), 9), **asked).any()  # flat: no edges


def test_the_guide_takes_the_size_of_the_heat():
    large = half_white(size=(48, 48), column=28)
    found = find_mask(BLOB, 0.5, size=(24, 24), smoothing=6, guide=large)
    assert found.shape == (24, 24)
    assert np.flatnonzero(found[12])[0] in (13, 14)  # made smaller, an edge is a pixel wide


def test_a_guide_comes_before_the_picture_that_was_explained(explain):
    expl = explain(BLOB, size=(24, 24))
    found = find_mask(expl, 0.5, smoothing=6, guide=half_white(column=14))
    assert np.flatnonzero(found[12])[0] == 14


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"smoothing": 2}, ValueError, "there is none; give it as guide="),
        ({"smoothing": 2, "guide": "cat.jpg"}, TypeError, "guide is of type str; give a PIL"),
        ({"smoothing": -1}, ValueError, "smoothing is -1; give a radius in pixels, 0 or more"),
        ({"smoothing": 0.5}, TypeError, "smoothing is 0.5, of type float"),
        ({"thresholds": 0.3}, TypeError, "thresholds is 0.3; give several numbers"),
        ({"thresholds": []}, ValueError, "thresholds is empty"),
        ({"thresholds": [0.3, 3]}, ValueError, "threshold is 3;"),
    ],
)
def test_what_makes_no_sense_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        find_masks(BLOB, **options)


def test_smoothing_needs_a_picture_of_explanations_too(explain):
    with pytest.raises(ValueError, match="there is none; give it as guide="):
        find_mask(explain(BLOB, image=None), size=(24, 24), smoothing=2)
    with pytest.raises(ValueError, match="threshold is 15;"):
        find_mask(BLOB, 15)
