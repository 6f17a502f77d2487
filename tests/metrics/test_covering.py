import numpy as np
import pytest

from explainkit.metrics import LocalizationError, MaskIoU, UnmeasurableError, box_iou, mask_iou

from .given import batch_of, measured


def overlap(map_, mask, threshold):
    top = max(map_.max(), 0)
    both = either = 0
    for cell in np.ndindex(map_.shape):
        hot = max(map_[cell], 0) >= threshold * top
        both += hot and mask[cell]
        either += hot or mask[cell]
    return both / either


def rectangle(shape, top, left, bottom, right):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize("threshold", [0.05, 0.15, 0.5, 0.99])
def test_the_hot_part_is_compared_with_the_object(threshold):
    rng = np.random.default_rng(0)
    for _ in range(5):
        map_ = rng.normal(size=(7, 8))
        mask = rng.random((7, 8)) < 0.4
        expected = overlap(map_, mask, threshold)
        assert mask_iou(map_, mask, threshold) == pytest.approx(expected, abs=1e-12)


def test_a_pixel_as_hot_as_the_threshold_is_hot():
    map_ = np.array([[4.0, 2.0, 1.0, -8.0]])
    mask = np.array([[True, True, False, False]])
    assert mask_iou(map_, mask, 0.5) == 1
    assert mask_iou(map_, mask, 0.51) == 0.5


def test_the_box_of_the_largest_hot_part_is_compared_with_the_objects():
    map_ = np.zeros((10, 10))
    map_[2:6, 3:7] = 1
    map_[9, 9] = 2  # hotter, but smaller
    assert box_iou(map_, rectangle((10, 10), 2, 3, 6, 7)) == 1
    # Moved by two columns: 8 pixels in both, 24 in either.
    assert box_iou(map_, rectangle((10, 10), 2, 5, 6, 9)) == pytest.approx(8 / 24)
    # Of the object, too, the box counts.
    corners = np.zeros((10, 10), bool)
    corners[2, 3] = corners[5, 6] = True
    assert box_iou(map_, corners) == 1


def test_a_small_map_is_laid_over_the_picture():
    assert mask_iou([[0, 0], [1, 0]], rectangle((8, 8), 4, 0, 8, 4), 0.5) > 0.7
    assert box_iou([[0, 0], [1, 0]], rectangle((8, 8), 4, 0, 8, 4), 0.5) > 0.7
    assert mask_iou([[0, 1], [0, 0]], rectangle((8, 8), 4, 0, 8, 4), 0.5) < 0.1


def test_the_metrics_know_their_thresholds():
    map_ = np.zeros((10, 10))
    map_[:4, :5] = 0.4
    map_[:2, :5] = 1.0
    whole, half = rectangle((10, 10), 0, 0, 4, 5), rectangle((10, 10), 0, 0, 2, 5)
    maps, masks = [map_, map_, map_], np.stack([whole, half, rectangle((10, 10), 5, 5, 9, 9)])
    assert measured(MaskIoU(), maps, masks=masks).tolist() == [1, 0.5, 0]
    assert measured(MaskIoU(threshold=0.5), maps, masks=masks).tolist() == [0.5, 1, 0]
    # One half is no error.
    assert measured(LocalizationError(), maps, masks=masks).tolist() == [0, 0, 1]
    assert measured(LocalizationError(overlap=0.51), maps, masks=masks).tolist() == [0, 1, 1]
    found = measured(LocalizationError(overlap=0.51, threshold=0.5), maps, masks=masks)
    assert found.tolist() == [1, 0, 1]


@pytest.mark.parametrize("shape", [(6,), (2, 3, 2)])
@pytest.mark.parametrize("measure", [mask_iou, box_iou])
def test_boxes_lie_in_pictures(measure, shape):
    message = rf"^boxes lie in pictures; this has {len(shape)} axes$"
    with pytest.raises(UnmeasurableError, match=message):
        measure(np.ones(shape), np.ones(shape, bool))
    docs = np.zeros((2, *shape, 1) if len(shape) == 3 else (2, *shape))
    for metric in (MaskIoU(), LocalizationError()):
        batch = batch_of(np.ones((2, *shape)), docs=docs, masks=np.ones((2, *shape), bool))
        assert [type(one) for one in metric.measure(batch)] == [UnmeasurableError] * 2


@pytest.mark.parametrize("measure", [mask_iou, box_iou])
def test_there_must_be_heat_and_an_object(measure):
    with pytest.raises(UnmeasurableError, match="the map has no positive part"):
        measure([[0.0, -1.0]], np.array([[True, False]]))
    with pytest.raises(UnmeasurableError, match="the mask is empty"):
        measure([[0.0, 1.0]], np.array([[False, False]]))
    with pytest.raises(ValueError, match="threshold"):
        measure([[0.0, 1.0]], np.array([[False, True]]), threshold=1.5)
