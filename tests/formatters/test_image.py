import io
import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from explainkit import explain_prediction, show_prediction
from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters import (
    expand_heatmap,
    format_as_image,
    format_as_png,
    heatmap_to_image,
)

FILTERS = list(Image.Resampling)
HEAT = np.array([[0, 0.25, 0.5], [1, 0.1, 0.9]], np.float32)


def white(heat):
    return np.ones((*heat.shape, 3))


def black(heat):
    return np.zeros((*heat.shape, 3))


def lanczos(count, size):
    """Lanczos' kernel as a matrix from ``count`` to ``size`` samples, from its definition."""
    centres = (np.arange(size) + 0.5) * count / size - 0.5
    distance = centres[:, None] - np.arange(count)[None]
    kernel = np.where(abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0)
    return kernel / kernel.sum(axis=1, keepdims=True)


# The tutorial's calls


def test_tutorial_calls(explain, photo):
    expl = explain(photo, HEAT)
    heatmap = expl.targets[0].heatmap
    assert heatmap_to_image(heatmap).size == (3, 2)
    assert expand_heatmap(heatmap, expl.image, resampling_filter=Image.BOX).size == photo.size
    assert format_as_image(expl).size == photo.size
    drawn = format_as_image(expl, alpha_limit=1.0, colormap=mpl.cm.cividis)
    assert drawn == format_as_image(expl, alpha_limit=1.0, colormap="cividis")


def test_heatmap_to_image_rounds():
    picture = heatmap_to_image(np.array([[0, 1 / 255, 0.5, 0.9979], [1, 0.9981, 0.2, 1e-3]]))
    assert picture.mode == "L"
    assert np.asarray(picture).tolist() == [[0, 1, 128, 254], [255, 255, 51, 0]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, bool])
def test_heatmap_of_any_real_dtype(dtype):
    assert heatmap_to_image(np.eye(2, dtype=dtype)).tobytes() == b"\xff\x00\x00\xff"


def test_rounding_error_of_half_precision_is_forgiven():
    assert heatmap_to_image([[-1e-6, 1 + 1e-6]]).tobytes() == b"\x00\xff"


@pytest.mark.parametrize(
    ("heatmap", "error", "message"),
    [
        (
            np.zeros(3),
            ValueError,
            r"the heatmap has the shape \(3,\): that of a signal or text; on",
        ),
        (np.zeros((0, 3)), ValueError, r"has shape \(0, 3\); give numbers in \[0, 1\]"),
        (np.zeros((4, 7, 7)), ValueError, r"\(4, 7, 7\): that of a volume; only maps of two axes"),
        (np.float32(0), ValueError, r"has the shape \(\); only maps of two axes .* can be drawn$"),
        ([[0.0, np.nan]], ValueError, "holds NaN"),
        ([[0.0, np.inf]], ValueError, "numbers from 0 to inf"),
        ([[-0.5, 1.0]], ValueError, "numbers from -0.5 to 1; give numbers in"),
        (np.array([[0, 255]]), ValueError, "numbers from 0 to 255"),
        (None, TypeError, "the heatmap is a NoneType of dtype object"),
        ([["a"]], TypeError, "the heatmap is a list of dtype"),
        (np.zeros((2, 2), complex), TypeError, "complex128"),
        (Image.new("RGB", (2, 2)), TypeError, "in mode RGB; give one in mode L"),
    ],
)
@pytest.mark.parametrize(
    "function", [heatmap_to_image, lambda h: expand_heatmap(h, Image.new("L", (4, 4)))]
)
def test_heatmaps_that_cannot_be_drawn(function, heatmap, error, message):
    with pytest.raises(error, match=message):
        function(heatmap)


# Expanding


def test_lanczos_as_defined_without_overshoot(photo):
    heatmap = np.random.default_rng(0).random((7, 5)) > 0.5
    width, height = photo.size
    exact = lanczos(7, height) @ heatmap @ lanczos(5, width).T
    assert exact.min() < -0.05  # it overshoots, both ways
    assert exact.max() > 1.05
    expanded = np.asarray(expand_heatmap(heatmap, photo), np.float64)
    assert np.abs(expanded - 255 * np.clip(exact, 0, 1)).max() <= 0.51


@pytest.mark.parametrize("resampling", FILTERS)
def test_a_constant_stays_the_same_with_every_filter(resampling):
    for level in range(256):
        heatmap = np.full((3, 4), level / 255)
        expanded = expand_heatmap(heatmap, Image.new("L", (11, 7)), resampling)
        assert expanded.getextrema() == (level, level)


def test_expand_takes_a_picture_of_a_heatmap(photo):
    assert expand_heatmap(heatmap_to_image(HEAT), photo).size == photo.size
    grey = heatmap_to_image(np.eye(3))
    assert expand_heatmap(grey, photo) == expand_heatmap(np.eye(3), photo)


def test_filter_by_name_number_and_member(photo):
    by_member = [expand_heatmap(HEAT, photo, one) for one in FILTERS]
    assert [expand_heatmap(HEAT, photo, one.name.title()) for one in FILTERS] == by_member
    assert [expand_heatmap(HEAT, photo, np.int64(one)) for one in FILTERS] == by_member


@pytest.mark.parametrize(
    ("resampling", "error", "message"),
    [
        ("lanzcos", ValueError, "no resampling filter 'lanzcos': .* did you mean 'lanczos'?"),
        ("zebra", ValueError, "give one of nearest, .*lanczos.*, or a member of PIL"),
        (17, ValueError, "no resampling filter has the number 17"),
        (True, TypeError, "resampling_filter is True, of type bool"),
        (None, TypeError, "resampling_filter is None"),
    ],
)
def test_unknown_filters(photo, resampling, error, message):
    with pytest.raises(error, match=message):
        expand_heatmap(HEAT, photo, resampling)


def test_expand_wants_a_picture():
    with pytest.raises(TypeError, match="image is of type tuple; give the PIL picture"):
        expand_heatmap(HEAT, (224, 224))


# Compositing


def heat_in_levels(photo):
    """Heat as large as the picture, in whole levels, so that nothing is resampled."""
    shape = photo.size[::-1]
    return np.random.default_rng(2).integers(0, 256, shape) / 255


@pytest.mark.parametrize("limit", [0.01, 0.3, 0.65, 1.0])
def test_overlay_as_in_the_textbook(explain, photo, limit):
    heat = heat_in_levels(photo)
    drawn = format_as_image(explain(photo, heat), alpha_limit=limit)
    alpha = (limit * heat)[..., None]
    colour = mpl.colormaps["viridis"](heat)[..., :3] * 255
    exact = (1 - alpha) * np.asarray(photo, np.float64) + alpha * colour
    assert drawn.mode == "RGB"
    # One level is the opacity's, which is rounded down; the rest is rounding.
    assert np.abs(np.asarray(drawn) - exact).max() <= 1.6
    alpha = np.floor(255 * alpha + 1e-9) / 255
    exact = (1 - alpha) * np.asarray(photo, np.float64) + alpha * np.rint(colour)
    assert np.abs(np.asarray(drawn) - exact).max() <= 0.51


def test_overlay_over_transparency_as_porter_and_duff_define_over(explain, photo):
    heat = heat_in_levels(photo)
    rgba = photo.copy()
    rgba.putalpha(Image.fromarray(np.random.default_rng(3).integers(0, 256, heat.shape, np.uint8)))
    drawn = format_as_image(explain(rgba, heat), colormap="magma", alpha_limit=0.5)
    under, result = (np.asarray(one, np.float64) / 255 for one in (rgba, drawn))
    above = np.floor(0.5 * 255 * heat + 1e-9) / 255
    alpha = above + under[..., 3] * (1 - above)
    premultiplied = (
        above[..., None] * mpl.colormaps["magma"](heat)[..., :3]
        + (under[..., 3] * (1 - above))[..., None] * under[..., :3]
    )
    assert drawn.mode == "RGBA"
    assert np.abs(result[..., 3] - alpha).max() * 255 <= 1
    # Under a faint pixel a level of colour is less than a level of what is seen.
    seen = result[..., :3] * result[..., 3:]
    assert np.abs(seen - premultiplied).max() * 255 <= 1.5


HEATMAPS = hnp.arrays(
    np.float32, st.tuples(*[st.integers(1, 8)] * 2), elements=st.floats(0, 1, width=32)
)
LIMITS = st.one_of(st.floats(0, 1), st.integers(0, 100).map(lambda percent: percent / 100))


@settings(max_examples=300, deadline=None)
@given(
    heatmap=HEATMAPS,
    limit=LIMITS,
    resampling=st.sampled_from(FILTERS),
    size=st.tuples(*[st.integers(1, 40)] * 2),
)
def test_no_pixel_is_more_opaque_than_the_limit(heatmap, limit, resampling, size):
    def drawn(image, colormap):
        target = TargetExplanation(0, None, 1.0, None, heatmap, heatmap)
        expl = Explanation("model", "gradcam", targets=[target], image=image)
        return np.asarray(format_as_image(expl, resampling, colormap, limit)).astype(int)

    # White over black shows its opacity, and so does black over white.
    assert drawn(Image.new("RGB", size, "black"), white).max() / 255 <= limit
    assert 1 - drawn(Image.new("RGB", size, "white"), black).min() / 255 <= limit + 1e-12
    # And so does anything over nothing.
    clear = drawn(Image.new("RGBA", size, (0, 0, 0, 0)), "jet")
    assert clear[..., 3].max() / 255 <= limit


def test_hot_pixels_reach_the_limit(explain):
    expl = explain(Image.new("RGB", (8, 8)), np.ones((2, 2)))
    for limit, level in [(1, 255), (0.65, 165), (0.2, 51), (0.001, 0)]:
        drawn = format_as_image(expl, colormap=white, alpha_limit=limit)
        assert drawn.convert("L").getextrema() == (level, level)


def in_mode(photo, mode):
    rng = np.random.default_rng(4)
    if mode.startswith("I"):
        levels = rng.integers(0, 65536, photo.size[::-1])
        return Image.fromarray(levels.astype(np.int32 if mode == "I" else np.uint16))
    if mode == "F":
        return Image.fromarray(rng.normal(size=photo.size[::-1]).astype(np.float32))
    if mode in ("RGBA", "LA", "PA"):
        levels = rng.integers(0, 256, (*photo.size[::-1], 4), np.uint8)
        levels[:4, :, 3] = 0  # colours under wholly transparent pixels are kept too
        return Image.fromarray(levels).convert("LA" if mode != "RGBA" else mode).convert(mode)
    return photo.convert(mode)


MODES = ["1", "L", "P", "RGB", "RGBA", "LA", "PA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("resampling", FILTERS)
def test_invisible_overlays_give_the_picture_back(explain, photo, mode, resampling):
    picture = in_mode(photo, mode)
    before = picture.tobytes()
    cold = format_as_image(explain(picture, np.zeros((7, 7))), resampling, alpha_limit=1)
    limited = format_as_image(explain(picture, np.eye(7)), resampling, alpha_limit=0)
    for drawn in (cold, limited):
        assert (drawn.mode, drawn.size, drawn.tobytes()) == (mode, picture.size, before)
        assert drawn is not picture
    assert picture.tobytes() == before


@pytest.mark.parametrize("mode", MODES)
def test_pictures_in_every_mode(explain, photo, mode):
    picture = in_mode(photo, mode)
    before = picture.tobytes()
    heat = np.zeros(photo.size[::-1])
    heat[:, 12:] = 1
    drawn = format_as_image(explain(picture, heat), "nearest", colormap="autumn_r", alpha_limit=1)
    assert drawn.mode == ("RGBA" if mode in ("RGBA", "LA", "PA") else "RGB")
    assert picture.tobytes() == before
    drawn = np.asarray(drawn)
    assert (drawn[:, 12:, :3] == (255, 0, 0)).all()
    if mode not in ("I", "F", "I;16"):
        assert (
            drawn[:, :12] == np.asarray(picture.convert("RGBA"))[:, :12, : drawn.shape[-1]]
        ).all()
    else:
        assert drawn[:, :12].std() > 30  # neither black nor white all over


def test_transparency_outside_of_alpha_channels(explain, photo):
    for picture in (photo.quantize(16), photo.convert("L"), photo.copy()):
        picture.info["transparency"] = picture.getpixel((0, 0))
        drawn = format_as_image(explain(picture, np.eye(2)), "nearest")
        assert drawn.mode == "RGBA"
        assert format_as_png(explain(picture, np.eye(2)))


def test_large_pictures_keep_their_size(explain):
    expl = explain(Image.new("RGB", (1500, 1000)), HEAT)
    assert format_as_image(expl).size == (1500, 1000)


def test_heatmaps_larger_than_the_picture(explain, photo):
    heat = np.random.default_rng(0).random((300, 200))
    assert format_as_image(explain(photo, heat)).size == photo.size


# Options


def test_a_colormap_of_its_own_opacity(explain):
    def glass(heat):
        return np.stack([heat, heat, heat, np.full_like(heat, 0.5)], axis=-1)

    expl = explain(Image.new("RGB", (4, 4)), np.ones((2, 2)))
    assert format_as_image(expl, colormap=glass, alpha_limit=0.5).getpixel((0, 0)) == (63,) * 3


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        (-0.1, ValueError),
        (1.01, ValueError),
        (65, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (True, TypeError),
        (np.bool_(True), TypeError),
        ("0.5", TypeError),
        (None, TypeError),
        (1j, TypeError),
    ],
)
def test_limits_out_of_range(explain, photo, limit, error):
    with pytest.raises(error, match=r"alpha_limit is .*; give a number from 0") as caught:
        format_as_image(explain(photo, HEAT), alpha_limit=limit)
    assert repr(limit) in str(caught.value)


@pytest.mark.parametrize("limit", [0, 1, np.float32(0.5), np.float64(0.5), np.int64(1)])
def test_limits_of_any_number_type(explain, photo, limit):
    assert format_as_image(explain(photo, HEAT), alpha_limit=limit).size == photo.size


def test_target_is_a_position(explain, photo):
    one, two = np.eye(2), 1 - np.eye(2)
    expl = explain(photo, one, two)
    assert format_as_image(expl, target=1) == format_as_image(explain(photo, two))
    assert format_as_image(expl, target=np.int64(1)) == format_as_image(expl, target=-1)


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (
            2,
            IndexError,
            "target=2 is out of range: this explanation has 2 targets, at positions 0 to 1$",
        ),
        (-3, IndexError, "target=-3 is out of range"),
        (101, IndexError, r"\(target=101 is a class; it is at position 1\)$"),
        ([0, 100], IndexError, r"\(target=100 is a class; it is at position 0\)$"),
        (
            "cat",
            TypeError,
            r"target='cat' is not a position: .*\(target='cat' is a label; it is at position 1\)$",
        ),
        (True, TypeError, "target=True is not a position"),
        (0.0, TypeError, "target=0.0 is not a position"),
        ([], ValueError, "target is empty"),
    ],
)
def test_targets_that_are_not_there(explain, photo, target, error, message):
    expl = explain(photo, HEAT, HEAT, labels=["dog", "cat"])
    with pytest.raises(error, match=message):
        format_as_image(expl, target=target)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image": None}, r"no picture to draw over; pass image= .* to explain_prediction"),
        ({"image": lambda: None}, "no picture to draw over"),
        ({"targets": ()}, "has no targets"),
        ({"targets": (), "error": "the file is cut off"}, "failed: the file is cut off"),
    ],
)
def test_explanations_that_cannot_be_drawn(explain, photo, fields, message):
    import attrs

    expl = attrs.evolve(explain(photo, HEAT), **fields)
    for draw in (format_as_image, format_as_png):
        with pytest.raises(ValueError, match=message):
            draw(expl)


def test_only_rank_2_is_drawn(explain, photo):
    expl = explain(photo, HEAT, np.ones(7))
    assert format_as_image(expl).size == photo.size
    for target in (1, None):
        with pytest.raises(ValueError, match=r"the shape \(7,\).* in expl.targets\[1\].heatmap$"):
            format_as_image(expl, target=target)


@pytest.mark.parametrize(
    ("shape", "kind"), [((12,), "signal or text"), ((4, 5, 6), "volume")], ids=["signal", "volume"]
)
@pytest.mark.parametrize("with_picture", [True, False])
def test_heatmaps_of_no_picture_say_where_their_numbers_are(
    explain, photo, shape, kind, with_picture
):
    expl = explain(photo if with_picture else None, np.ones(shape, np.float32))
    message = (
        f"the heatmap has the shape {shape}: that of a {kind}; only maps of two axes "
        "(height, width), those of pictures, can be drawn. Its numbers are in "
        "expl.targets[0].heatmap"
    )
    for draw in (format_as_image, format_as_png):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            draw(expl)


@pytest.mark.parametrize("shape", [(12,), (4, 5, 6)])
def test_show_prediction_gives_that_same_error(explain, photo, shape):
    class Hearing:
        pass

    expl = explain(photo, np.ones(shape, np.float32))
    explain_prediction.register(Hearing, lambda estimator, doc: expl)
    with pytest.raises(ValueError, match=r"two axes .* in expl.targets\[0\].heatmap$"):
        show_prediction(Hearing(), None)


@pytest.mark.parametrize("shape", [(12,), (4, 5, 6)])
def test_records_of_no_picture_show_themselves_without_one(explain, photo, shape):
    expl = explain(photo, np.ones(shape, np.float32))
    assert set(expl._repr_mimebundle_()) == {"text/plain", "text/html"}
    # One of several that cannot be drawn is enough.
    both = explain(photo, HEAT, np.ones(shape, np.float32))
    assert set(both._repr_mimebundle_()) == {"text/plain", "text/html"}
    assert set(explain(photo, HEAT)._repr_mimebundle_()) == {"text/plain", "image/png", "text/html"}


def test_only_explanations_are_drawn(explain, photo):
    with pytest.raises(TypeError, match="an Explanation can be drawn, not a list"):
        format_as_image([explain(photo, HEAT)])


def test_the_picture_is_made_only_if_it_can_be_drawn_over(explain):
    def forbidden():
        raise AssertionError("looked at")

    with pytest.raises(IndexError):
        format_as_image(explain(forbidden, HEAT), target=1)


def test_png_holds_all_targets(explain, photo):
    expl = explain(photo, HEAT, HEAT.T, labels=["dog", "cat"])
    png = Image.open(io.BytesIO(format_as_png(expl, colormap="jet")))
    assert png.format == "PNG"
    assert png.copy() == format_as_image(expl, colormap="jet", target=None)
    alone = Image.open(io.BytesIO(format_as_png(expl, target=0)))
    assert alone.size == photo.size


@pytest.mark.parametrize("mode", MODES)
def test_png_of_a_bare_picture_in_every_mode(explain, photo, mode):
    expl = explain(in_mode(photo, mode), HEAT)
    assert Image.open(io.BytesIO(format_as_png(expl, target=0, alpha_limit=0))).size == photo.size


def test_importing_formatters_loads_no_matplotlib():
    code = (
        "import explainkit.formatters, sys; "
        "explainkit.formatters.image.heatmap_to_image([[1]]); "
        "assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
