import numpy as np
import pytest
from PIL import Image

from explainkit import Explanation, TargetExplanation, format_as_image
from explainkit.formatters.saturation import saturate


def spiked():
    """A heatmap of which one cell outshines all others."""
    heat = np.full((10, 10), 0.02, np.float32)
    heat[0, 0] = 1
    heat[5:, 5:] = 0.04
    return heat


def drawn(**options):
    heat = spiked()
    picture = Image.new("RGB", (10, 10), "black")
    target = TargetExplanation(0, None, 1.0, None, heat, heat)
    expl = Explanation("a model", "gradients", targets=[target], image=picture)
    return np.asarray(format_as_image(expl, "nearest", **options)).astype(int).sum(axis=2)


def test_the_share_of_the_strongest_cells_is_at_full_strength():
    heat = np.random.default_rng(0).random((20, 20)) ** 4
    found = saturate(heat, 0.1)
    assert (found == 1).sum() == pytest.approx(40, abs=1)
    level = np.sort(heat.ravel())[-40]
    np.testing.assert_allclose(found, np.minimum(heat / level, 1), rtol=0.05)


def test_nothing_changes_without_a_share_or_where_too_little_is_above_zero():
    heat = spiked()
    assert saturate(heat, 0) is heat
    alone = np.zeros((10, 10))
    alone[0, 0] = 1
    np.testing.assert_array_equal(saturate(alone, 0.05), alone)
    np.testing.assert_array_equal(saturate(np.zeros((3, 3)), 0.5), np.zeros((3, 3)))


def test_weak_cells_are_seen_where_they_are_asked_for():
    assert drawn()[7, 7] < 30
    assert drawn(saturated=0.02)[7, 7] > 200
    assert drawn(saturated=0.02)[0, 0] == drawn()[0, 0]


@pytest.mark.parametrize(
    ("share", "error", "message"),
    [
        (1, ValueError, "saturated is 1; give a number from 0"),
        (-0.1, ValueError, "saturated is -0.1"),
        (float("nan"), ValueError, "saturated is nan"),
        ("much", TypeError, "saturated is 'much', of type str"),
        (True, TypeError, "saturated is True"),
    ],
)
def test_what_is_no_share_is_refused(share, error, message):
    with pytest.raises(error, match=message):
        drawn(saturated=share)
