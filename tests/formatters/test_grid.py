"""Grids: what is in each panel, and where the panels are."""

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from explainkit.explanation import Explanation, ExplanationWarning, TargetExplanation
from explainkit.formatters import format_as_image, visualize
from explainkit.formatters.captions import in_rows
from explainkit.formatters.grid import columns_for, panel_size

COLOURS = ["red", "lime", "blue", "yellow", "cyan", "magenta"]
MARGIN = 6  # of the smallest letters
BAND = np.array([[0, 0.5, 1]])  # three shades


def plain(colour, size=(200, 200)):
    return Image.new("RGB", size, colour)


def pixels(picture):
    return np.asarray(picture.convert("RGB"))


def box(picture, colour):
    """The corners of all that has a colour: left, top, right, bottom."""
    rows, columns = np.nonzero((pixels(picture) == pixels(plain(colour, (1, 1)))).all(axis=-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def panel(grid, row, column, size=(200, 200)):
    """A panel of a grid that has no titles."""
    left, top = (
        MARGIN + at * (side + MARGIN) for at, side in zip((column, row), size, strict=True)
    )
    return grid.crop((left, top, left + size[0], top + size[1]))


def colour_of(name, heat):
    return np.rint(np.array(mpl.colormaps[name](heat)[:3]) * 255)


def shown_alone(image, **options):
    return pixels(panel(visualize([image], **options), 0, 0))


def test_pictures_stand_in_rows_from_left_to_right():
    grid = visualize([plain(colour) for colour in COLOURS], columns=4)
    assert grid.mode == "RGB"
    assert grid.size == (4 * 206 + 6, 2 * 206 + 6)
    for index, colour in enumerate(COLOURS):
        row, column = divmod(index, 4)
        left, top = 6 + 206 * column, 6 + 206 * row
        assert box(grid, colour) == (left, top, left + 200, top + 200)
    assert (pixels(panel(grid, 1, 2)) == 255).all()


def test_a_picture_is_drawn_pixel_by_pixel():
    levels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    for given in (Image.fromarray(levels), levels, levels / 255, levels / np.float32(127.5) - 1):
        assert (shown_alone(given) == levels).all()
    assert (shown_alone(levels[..., :1]) == levels[..., :1]).all()
    assert (shown_alone(levels[..., 0]) == levels[..., :1]).all()


def test_values_in_no_known_range_are_stretched_with_a_warning():
    levels = np.zeros((200, 200, 3))
    levels[:100] = 5000
    with pytest.warns(ExplanationWarning, match="in no range that a picture is known to have"):
        shown = shown_alone(levels - 1000)
    assert (shown[:100] == 255).all()
    assert (shown[100:] == 0).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_pil_pictures_of_any_mode(mode):
    picture = Image.new("L", (200, 200))
    picture.paste(255, (0, 0, 100, 200))
    picture = picture.convert("I").convert(mode) if mode == "I;16" else picture.convert(mode)
    shown = shown_alone(picture)
    assert (shown[:, :100] >= 250).all()
    assert (shown[:, 100:] <= 5).all()


def test_what_is_transparent_is_white():
    half = plain("red").convert("RGBA")
    half.paste((0, 0, 0, 0), (0, 0, 100, 200))
    shown = shown_alone(half)
    assert (shown[:, :90] == 255).all()
    assert (shown[:, 110:] == (255, 0, 0)).all()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(640, 480)], (640, 480)),
        ([(640, 480), (480, 640)], (640, 640)),
        ([(96, 96), (12, 12)], (192, 192)),
        ([(184, 4)], (184, 4)),
        ([(1, 1)], (184, 184)),
        ([(50, 100)], (100, 200)),
    ],
)
def test_the_size_of_panels(sizes, expected):
    assert panel_size(sizes) == expected


def test_pictures_of_other_sizes_keep_their_proportions_in_the_middle():
    grid = visualize([plain("red", (400, 200)), plain("blue", (50, 50)), plain("lime", (10, 5))])
    margin = box(grid, "red")[0]
    assert box(grid, "red") == (margin, margin, margin + 400, margin + 200)
    left = 2 * margin + 400 + 100
    assert box(grid, "blue") == (left, margin, left + 200, margin + 200)
    left = 3 * margin + 800
    assert box(grid, "lime") == (left, margin, left + 400, margin + 200)


def test_wide_pictures_lie_in_the_middle_of_high_panels():
    grid = visualize([plain("red", (400, 200)), plain("blue", (400, 400))])
    left, top, right, bottom = box(grid, "red")
    assert (left, top, right, bottom) == (left, left + 100, left + 400, left + 300)


def test_small_pictures_are_enlarged_and_narrow_ones_have_room_for_words():
    assert visualize([plain("red", (96, 96))]).size == (192 + 12, 192 + 12)
    grid = visualize([plain("red", (10, 300))])
    assert grid.size == (184 + 12, 300 + 12)
    assert box(grid, "red") == (6 + 87, 6, 6 + 97, 306)


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_a_map_has_the_colours_of_the_colormap_up_to_its_maximum(shape, dtype):
    band = (BAND.reshape(shape) * 8).astype(dtype)
    grid = visualize([band], colormap="magma", resampling_filter="nearest")
    shown = pixels(panel(grid, 0, 0, (186, 62)))  # cells of 62 x 62 pixels
    for cell, heat in zip(np.split(shown, 3, axis=1), (0.0, 128 / 255, 1.0), strict=True):
        assert (cell == colour_of("magma", heat)).all()


def test_the_colours_of_a_map_cell_by_cell():
    heat = np.array([[0.0, 51.0], [102.0, 255.0]])
    shown = shown_alone(np.kron(heat, np.ones((100, 100))))
    for (i, j), value in np.ndenumerate(heat):
        cell = shown[100 * i : 100 * i + 100, 100 * j : 100 * j + 100]
        assert (cell == colour_of("viridis", value / 255)).all()


def test_a_signed_map_has_0_in_the_middle_of_two_colours():
    signed = np.kron([[-1.0, 0.0], [1.0, 2.0]], np.ones((100, 100)))
    shown = shown_alone(signed, colormap="magma")
    assert (shown[0, 0] == colour_of("coolwarm", 64 / 255)).all()
    assert (shown[0, 199] == colour_of("coolwarm", 128 / 255)).all()
    assert (shown[199, 0] == colour_of("coolwarm", 191 / 255)).all()
    assert (shown[199, 199] == colour_of("coolwarm", 1.0)).all()
    assert shown[0, 0, 2] > shown[0, 0, 0]  # blue below 0
    assert shown[199, 199, 0] > shown[199, 199, 2]  # red above


def test_a_map_of_zeros_and_a_mask():
    assert (shown_alone(np.zeros((200, 200))) == colour_of("viridis", 0.0)).all()
    mask = np.zeros((200, 200), bool)
    mask[:100] = True
    assert (shown_alone(mask)[:100] == colour_of("viridis", 1.0)).all()


def test_an_opaque_map_though_overlays_are_transparent():
    assert (shown_alone(np.ones((200, 200)), alpha_limit=0) == colour_of("viridis", 1.0)).all()


def test_overlays_are_drawn_as_format_as_image_does(explain, photo):
    photo = photo.resize((200, 200))
    raw = np.random.default_rng(3).normal(size=(7, 7)) * 40
    heat = np.maximum(raw, 0) / raw.max()
    expl = explain(plain("red"), heat, np.eye(3))
    options = {"colormap": "magma", "alpha_limit": 0.5, "resampling_filter": "bicubic"}
    expected = pixels(format_as_image(explain(photo, heat.astype(np.float32)), **options))
    for overlay in (raw, raw[..., np.newaxis], raw.tolist(), expl, expl.targets[0]):
        assert (shown_alone(photo, overlays=[overlay], **options) == expected).all()
    assert (expected != pixels(photo)).any()


def test_which_picture_an_overlay_lies_over():
    ones = np.ones((2, 2))
    grid = visualize([plain("red")] * 4, overlays=[None, ones, None], alpha_limit=1.0, columns=2)
    assert (pixels(panel(grid, 0, 1)) == colour_of("viridis", 1.0)).all()
    for place in ((0, 0), (1, 0), (1, 1)):
        assert (pixels(panel(grid, *place)) == (255, 0, 0)).all()


def test_a_map_over_a_map():
    below = np.kron([[1.0, 0.0]], np.ones((200, 100)))
    above = np.kron([[0.0, 1.0]], np.ones((200, 100)))
    shown = shown_alone(below, overlays=[above], alpha_limit=1.0, resampling_filter="nearest")
    assert (shown == colour_of("viridis", 1.0)).all()


def test_a_negative_overlay_is_invisible():
    assert (shown_alone(plain("red"), overlays=[-np.ones((3, 3))]) == (255, 0, 0)).all()


def test_arrays_of_many():
    images = np.zeros((3, 200, 200, 3), np.uint8)
    images[1] = 255
    maps = np.ones((3, 7, 7, 1))
    assert visualize(images) == visualize(list(images)) == visualize(map(Image.fromarray, images))
    assert visualize(maps) == visualize(maps[..., 0]) == visualize(list(maps))
    assert visualize(images, overlays=maps) == visualize(images, overlays=list(maps[..., 0]))


@pytest.mark.parametrize(
    "one",
    [plain("red"), np.full((200, 200, 3), 0.5), np.zeros((9, 200)), np.zeros((9, 9, 1))],
    ids=["PIL", "picture", "map", "map of one channel"],
)
def test_one_picture_by_itself(one):
    assert visualize(one) == visualize([one])


def test_tensors_of_frameworks():
    torch = pytest.importorskip("torch")
    images = torch.rand(2, 60, 60, 3)
    assert visualize(images) == visualize(images.numpy())


def test_the_call_that_users_of_keras_explainable_know():
    images = [np.full((200, 200, 3), level, np.float32) for level in (51, 102)]
    maps = np.stack([np.ones((5, 5, 1)), np.full((5, 5, 1), 7)])
    grid = visualize(
        images=[*images, *maps, *images],
        overlays=[None] * 4 + [*maps],
        columns=2,
        alpha_limit=1.0,
    )
    for column, level in enumerate((51, 102)):
        assert (pixels(panel(grid, 0, column)) == level).all()
        for row in (1, 2):
            assert (pixels(panel(grid, row, column)) == colour_of("viridis", 1.0)).all()


def test_an_empty_panel():
    grid = visualize([plain("red"), None, plain("blue")])
    assert (pixels(panel(grid, 0, 1)) == 255).all()
    assert (pixels(panel(grid, 0, 2)) == (0, 0, 255)).all()


@pytest.mark.parametrize(
    ("count", "columns", "expected"),
    [
        *[(1, None, 1), (4, None, 4), (5, None, 3), (9, None, 3), (10, None, 4), (20, None, 5)],
        *[(9, 2, 2), (3, 8, 3), (3, np.int64(1), 1)],
    ],
)
def test_how_many_stand_in_a_row(count, columns, expected):
    assert columns_for(count, columns) == expected
    grid = visualize([plain("red")] * count, columns=columns)
    assert grid.size == (206 * expected + 6, 206 * -(-count // expected) + 6)


def test_titles_make_room_in_their_rows_only():
    red, blue = plain("red"), plain("blue")
    bare = visualize([red, red, blue, blue], columns=2)
    first = visualize([red, red, blue, blue], ["a title", None], columns=2)
    both = visualize([red, red, blue, blue], [None, "one", "two", ""], columns=2)
    line = box(first, "red")[1] - box(bare, "red")[1]
    assert 12 <= line <= 24
    assert first.height == bare.height + line
    assert both.height > bare.height + 2 * line  # rows stand apart, where titles are between
    assert bare.width == first.width == both.width
    for grid, row, half in ((first, 0, 0), (both, 0, 1), (both, 1, 0)):
        _, top, _, bottom = box(grid, ("red", "blue")[row])
        above = 0 if row == 0 else box(grid, "red")[3]
        ink = pixels(grid)[above:top].min(axis=-1) < 100
        middle = grid.width // 2
        halves = ink[:, :middle].any(), ink[:, middle:].any()
        assert halves == (half == 0, half == 1)
        assert bottom - top == 200


def test_titles_are_nearer_to_their_pictures_than_to_those_above():
    red, blue = plain("red"), plain("blue")
    grid = visualize([red, blue], ["title", "title"], columns=1)
    between = pixels(grid)[box(grid, "red")[3] : box(grid, "blue")[1]]
    inked = np.flatnonzero((between.min(axis=-1) < 100).any(axis=1))
    assert inked[0] > len(between) - 1 - inked[-1]


def test_rows_need_a_picture_for_each_caption():
    with pytest.raises(ValueError, match="argument 2 is longer"):
        in_rows([plain("red")], [(), ()], (200, 200), 2)


def test_a_title_that_is_too_long_ends_in_its_panel():
    short = visualize([plain("red")] * 2, ["", "word " * 6])
    grid = visualize([plain("red")] * 2, ["", "word " * 600])
    assert grid.size == short.size
    top = box(grid, "red")[1]
    assert (pixels(grid)[:top, :206] == 255).all()


def explanation(*heatmaps, **fields):
    targets = [TargetExplanation(1, None, 1.0, None, heat, heat) for heat in heatmaps]
    return Explanation("model", "gradcam", targets=targets, **fields)


ONE = [Image.new("RGB", (10, 10))]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"images": []}, ValueError, "images is empty; give at least one picture"),
        ({"images": [None]}, ValueError, "nothing to draw, for all images are None"),
        ({"images": 7}, TypeError, r"images is of type int; give a list .* \(N, H, W, C\)"),
        ({"images": "a.png"}, TypeError, "images is of type str; give a list"),
        (
            {"images": ["a.png"]},
            TypeError,
            r"images\[0\] is a str; .* \(explainkit.pictures.read_image reads a file\)",
        ),
        ({"images": [object()]}, TypeError, r"images\[0\] is of type object, which holds object"),
        (
            {"images": [*ONE, np.zeros((3, 8, 9))]},
            ValueError,
            r"images\[1\] has the shape \(3, 8, 9\); .* channels last",
        ),
        ({"images": [np.zeros(8)]}, ValueError, r"images\[0\] has the shape \(8,\); give"),
        (
            {"images": [np.full((2, 2), np.nan)]},
            ValueError,
            r"images\[0\], of shape \(2, 2\), holds NaN or infinity; give finite numbers",
        ),
        ({"images": [np.zeros((0, 2))]}, ValueError, r"images\[0\], of shape \(0, 2\), is empty"),
        ({"titles": "abc"}, TypeError, "titles is 'abc'; give a list, with a title for each"),
        ({"titles": [3]}, TypeError, r"titles\[0\] is of type int; give a str or None"),
        (
            {"titles": ["a", "b"]},
            ValueError,
            "there are 2 titles for 1 image; give one for each image, None where there is none",
        ),
        ({"overlays": [None] * 3}, ValueError, "there are 3 overlays for 1 image; give one"),
        (
            {"images": [*ONE, None], "overlays": [None, np.ones((2, 2))]},
            ValueError,
            r"overlays\[1\] has nothing to lie over, for images\[1\] is None",
        ),
        (
            {"overlays": [np.ones((2, 2, 3))]},
            ValueError,
            r"overlays\[0\] has the shape \(2, 2, 3\); give one map of shape \(h, w\) or",
        ),
        ({"overlays": [np.full((2, 2), np.inf)]}, ValueError, r"overlays\[0\], .* infinity"),
        ({"overlays": ["viridis"]}, TypeError, r"overlays\[0\] is of type str, which holds <U7"),
        (
            {"overlays": [explanation(error="no gradient")]},
            ValueError,
            r"overlays\[0\] is an Explanation that cannot be drawn, for it failed: no gradient",
        ),
        ({"overlays": [explanation()]}, ValueError, r"overlays\[0\] .* for it has no targets"),
        (
            {"overlays": [explanation(np.ones(3))]},
            ValueError,
            r"shape \(3,\): that of a signal.* numbers are in overlays\[0\].targets\[0\].heatmap",
        ),
        (
            {"overlays": [explanation(np.ones((2, 2, 2))).targets[0]]},
            ValueError,
            r"volume.* numbers are in overlays\[0\].heatmap",
        ),
        ({"columns": 0}, ValueError, "columns is 0; give 1 or more"),
        ({"columns": 2.0}, TypeError, "columns is 2.0, of type float; give a whole number"),
        ({"columns": True}, TypeError, "columns is True, of type bool; give a whole number"),
        ({"colormap": "virdis"}, ValueError, "no colormap 'virdis'.*did you mean 'viridis'"),
        ({"alpha_limit": 2}, ValueError, "alpha_limit is 2; give a number from 0"),
        ({"resampling_filter": "lanzos"}, ValueError, "did you mean 'lanczos'"),
    ],
)
def test_what_cannot_be_drawn(arguments, error, message):
    with pytest.raises(error, match=message):
        visualize(**{"images": ONE} | arguments)
