import numpy as np

from explainkit.methods.heatmap import heatmap_of


def test_a_heatmap_is_the_positive_part_over_its_own_maximum():
    for shape in [(5,), (4, 5), (3, 4, 5)]:
        map_ = np.random.default_rng(0).normal(size=shape)
        found = heatmap_of(map_)
        assert found.dtype == np.float32
        positive = np.where(map_ > 0, map_, 0)
        np.testing.assert_allclose(found, positive / positive.max(), rtol=1e-6)


def test_nothing_positive_gives_zeros_without_a_warning(recwarn):
    assert not heatmap_of(np.array([[-1.0, 0.0], [-3.0, -2.0]])).any()
    assert not recwarn.list


def test_tiny_maps_are_not_lost():
    assert heatmap_of(np.array([[1e-60, 5e-61]])).tolist() == [[1.0, 0.5]]
