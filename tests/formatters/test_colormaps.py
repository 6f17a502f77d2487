import matplotlib as mpl
import numpy as np
import pytest

from explainkit.formatters.colormaps import colour_table


@pytest.mark.parametrize("name", ["viridis", "jet", "hot", "tab10", "plasma"])
def test_matplotlib_by_name_and_by_callable(name):
    table = colour_table(name, 1.0)
    levels = mpl.colormaps[name](np.arange(256) / 255, bytes=True)
    assert np.abs(table[:, :3].astype(int) - levels[:, :3]).max() <= 1
    assert (table == colour_table(mpl.colormaps[name], 1.0)).all()


def test_opacity_grows_with_heat_and_is_rounded_down():
    for limit in np.linspace(0, 1, 101):
        alpha = colour_table("gray", limit)[:, 3]
        exact = limit * np.arange(256)
        assert (alpha <= exact).all()
        assert (exact - alpha < 1 + 1e-9).all()


@pytest.mark.parametrize(
    "colormap",
    [
        lambda heat: np.stack([heat, 1 - heat, 0 * heat], axis=-1),
        lambda heat: np.stack([heat, 1 - heat, 0 * heat, 0 * heat + 1], axis=-1),
        lambda heat: np.dstack([heat, 1 - heat, 0 * heat]),
        lambda heat: np.stack([heat, 1 - heat, 0 * heat], axis=-1).astype(np.float32),
        lambda heat: np.rint(np.stack([heat, 1 - heat, 0 * heat], -1) * 255).astype(np.uint8),
        lambda heat: [[[value, 1 - value, 0.0] for value in row] for row in heat],
    ],
)
def test_any_function_of_an_array(colormap):
    table = colour_table(colormap, 1.0)
    steps = np.arange(256)
    assert (table == np.stack([steps, 255 - steps, 0 * steps, steps], axis=-1)).all()


@pytest.mark.parametrize("alpha", [0.25, np.uint8(64)])
def test_own_opacity_of_a_colormap_only_lowers(alpha):
    def glass(heat):
        return np.full((*heat.shape, 4), alpha)

    assert colour_table(glass, 0.5)[255, 3] in (31, 32)


@pytest.mark.parametrize(
    ("colormap", "error", "message"),
    [
        ("virdis", ValueError, "matplotlib has no colormap 'virdis'.*; did you mean 'viridis'?"),
        ("VIRIDIS", ValueError, "did you mean 'viridis'?"),
        ("zzzzzz", ValueError, "its list is matplotlib.colormaps$"),
        (None, TypeError, "colormap is None, of type NoneType; give the name"),
        (
            lambda heat: heat,
            ValueError,
            r"returned an array of shape \(1, 256\) .* must return RGB",
        ),
        (lambda heat: np.ones((*heat.shape, 2)), ValueError, r"shape \(1, 256, 2\)"),
        (lambda heat: np.ones(3), ValueError, r"shape \(3,\)"),
        (lambda heat: np.ones((4, 3)), ValueError, r"shape \(4, 3\)"),
        (
            lambda heat: np.full((*heat.shape, 3), 255.0),
            ValueError,
            "numbers from 255 to 255; give floats",
        ),
        (lambda heat: np.full((*heat.shape, 3), np.nan), ValueError, "numbers from nan to nan"),
        (lambda heat: np.ones((*heat.shape, 3), np.int64), TypeError, "'<lambda>' returned int64"),
    ],
)
def test_colormaps_that_are_none(colormap, error, message):
    with pytest.raises(error, match=message):
        colour_table(colormap, 0.65)
