"""What the viewer is told."""

import base64
import io
import json
import re
import zlib

import attrs
import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters import format_as_image
from explainkit.formatters.colormaps import colour_table
from explainkit.formatters.pages.viewer import COLORMAPS, element, payload, script, style
from explainkit.localization import find_box

HEAT = np.array([[0, 0.25, 0.5], [1, 0.1, 0.9]], np.float32)


def picture_in(address):
    kind, _, content = address.partition(";base64,")
    return kind, Image.open(io.BytesIO(base64.b64decode(content)))


def shades_of(target):
    columns, rows = target["cells"]
    return np.frombuffer(zlib.decompress(base64.b64decode(target["heat"])), np.uint8).reshape(
        rows, columns
    )


def smooth_picture(width, height, mode="RGB"):
    """A gradient with grain, as photographs have."""
    rng = np.random.default_rng(0)
    waves = np.indices((height, width)).sum(0)[..., None] * np.array([1, 2, 3]) % 256
    grain = np.clip(waves * 0.6 + rng.normal(0, 20, (height, width, 1)) + 40, 0, 255)
    return Image.fromarray(grain.astype(np.uint8)).convert(mode)


def test_it_is_json_of_numbers_and_words(explain, photo):
    expl = explain(photo, HEAT, HEAT / 2, labels=["a", None], probas=[0.81, None])
    told = json.loads(json.dumps(payload([expl]), allow_nan=False))
    assert told["size"] == [24, 18]
    assert [told["alpha"], told["colormap"], told["filter"]] == [0.65, "viridis", "lanczos"]
    [view] = told["views"]
    names = ("estimator", "method", "layer", "note")
    assert [view[name] for name in names] == ["model", "gradcam", "", ""]
    first, second = view["targets"]
    assert [first[name] for name in ("name", "unit", "score", "proba")] == [
        *("a", "100", "12.3", "0.81")
    ]
    assert [second[name] for name in ("name", "unit", "score", "proba")] == [
        *("target 101", "", "11.3", None)
    ]


def test_heat_is_in_the_shades_that_are_drawn(explain, photo):
    [target] = payload([explain(photo, HEAT)])["views"][0]["targets"]
    grey = format_as_image(
        explain(Image.new("RGB", (3, 2)), HEAT),
        "nearest",
        colormap=lambda x: np.ones((*x.shape, 3)),
        alpha_limit=1.0,
    )
    assert (shades_of(target) == np.asarray(grey)[..., 0]).all()
    assert abs(shades_of(target) / 255 - HEAT).max() <= 1 / 510 + 1e-6


def test_what_is_saturated_says_from_which_heat_on(explain, photo):
    [target] = payload([explain(photo, HEAT)], saturated=0.4)["views"][0]["targets"]
    level = np.quantile(HEAT, 0.6)
    assert target["level"] == pytest.approx(level)
    raised = np.minimum(HEAT / level, 1)
    assert (shades_of(target) == np.floor(raised * 255 + 0.5)).all()
    [plain] = payload([explain(photo, HEAT)])["views"][0]["targets"]
    assert plain["level"] == 1
    [zeros] = payload([explain(photo, 0 * HEAT)], saturated=0.4)["views"][0]["targets"]
    assert zeros["level"] == 1


def test_maps_of_truths_can_be_saturated(explain, photo):
    truths = HEAT > 0.4
    expl = explain(photo, truths)
    [target] = payload([expl], saturated=0.4)["views"][0]["targets"]
    assert (shades_of(target) == 255 * truths).all()
    assert target["level"] == 1


def test_small_pictures_lose_nothing(explain):
    original = smooth_picture(120, 90)
    kind, picture = picture_in(payload([explain(original, HEAT)])["picture"]["src"])
    assert kind == "data:image/png"
    assert (np.asarray(picture) == np.asarray(original)).all()


def test_so_do_large_drawings(explain):
    drawing = Image.linear_gradient("L").resize((1000, 800), Image.Resampling.NEAREST)
    told = payload([explain(drawing, HEAT)])["picture"]
    kind, picture = picture_in(told["src"])
    assert kind == "data:image/png"
    assert (np.asarray(picture.convert("L")) == np.asarray(drawing)).all()


def test_photographs_are_sent_as_such(explain):
    original = smooth_picture(400, 300)
    told = payload([explain(original, HEAT)])["picture"]
    kind, picture = picture_in(told["src"])
    assert kind == "data:image/jpeg"
    apart = np.asarray(picture).astype(int) - np.asarray(original)
    assert np.sqrt((apart**2).mean()) < 5


def test_transparent_photographs_stay_transparent(explain):
    original = smooth_picture(400, 300)
    original.putalpha(Image.linear_gradient("L").resize((400, 300)))
    kind, picture = picture_in(payload([explain(original, HEAT)])["picture"]["src"])
    assert kind == "data:image/webp"
    alpha = np.asarray(picture.getchannel("A")).astype(int)
    assert abs(alpha - np.asarray(original.getchannel("A"))).max() <= 8


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16", "F", "YCbCr"])
def test_pictures_of_any_mode_are_shown(explain, photo, mode):
    original = photo.convert("I").convert(mode) if mode == "I;16" else photo.convert(mode)
    _, picture = picture_in(payload([explain(original, HEAT)])["picture"]["src"])
    assert picture.mode in ("RGB", "RGBA")
    assert picture.size == photo.size


def test_large_pictures_and_maps_are_reduced(explain):
    heat = np.random.default_rng(0).random((1500, 600)).astype(np.float32)
    expl = explain(Image.new("RGB", (3000, 1500), "navy"), heat)
    told = payload([expl], largest=300)
    assert (told["picture"]["width"], told["picture"]["height"]) == (300, 150)
    assert told["size"] == [3000, 1500]
    [target] = told["views"][0]["targets"]
    assert target["cells"] == [120, 300]
    # Cells of the smaller map are means of 25 of the larger.
    means = heat.reshape(300, 5, 120, 5).mean((1, 3)) * 255
    assert abs(shades_of(target) - means).max() <= 1.5


def test_boxes_are_in_pixels_of_the_picture_as_it_was(explain, photo):
    heat = np.zeros((6, 8), np.float32)
    heat[2:4, 4:6] = 1
    told = payload([explain(photo, heat)])
    assert told["views"][0]["targets"][0]["box"] == list(find_box(explain(photo, heat)))
    large = explain(photo.resize((2400, 1800)), heat)
    [target] = payload([large], largest=240)["views"][0]["targets"]
    assert np.abs(np.array(target["box"]) - find_box(large)).max() <= 10  # a pixel that is shown
    [zeros] = payload([explain(photo, 0 * heat)])["views"][0]["targets"]
    assert zeros["box"] is None


def test_boxes_that_are_asked_for_are_told(explain, photo):
    expl = explain(photo, HEAT)
    assert [payload([expl], boxes=asked)["boxed"] for asked in (False, True)] == [False, True]
    given = payload([expl], boxes=iter([(0, 0, 4.0, 2)]))
    assert (given["boxed"], given["given"]) == (False, [[0, 0, 4, 2]])


def test_only_colours_that_the_script_has_not_are_sent(explain, photo):
    expl = explain(photo, HEAT)
    for known in (*COLORMAPS, mpl.colormaps["magma"]):
        assert payload([expl], colormap=known)["colours"] == {}
    for given, name in (
        ("turbo", "turbo"),
        (mpl.colormaps["turbo"], "turbo"),
        (lambda x: np.stack([x, x, x], -1), "<lambda>"),
        (mpl.colors.ListedColormap(["red", "blue"], name="viridis"), "viridis"),
    ):
        told = payload([expl], colormap=given)
        assert told["colormap"] == name
        sent = np.frombuffer(base64.b64decode(told["colours"][name]), np.uint8).reshape(256, 4)
        assert (sent == colour_table(given, 1.0)).all()


def test_targets_are_those_asked_for(explain, photo):
    expl = explain(photo, HEAT, HEAT / 2, HEAT / 3, labels=["a", "b", "c"])

    def names(target):
        return [[one["name"] for one in view["targets"]] for view in told(target)["views"]]

    def told(target):
        return payload([expl, expl], target=target)

    assert names(None) == [["a", "b", "c"]] * 2
    assert names(1) == [["b"]] * 2
    assert names(iter([2, 0])) == [["c", "a"]] * 2
    with pytest.raises(IndexError, match="at positions 0 to 2"):
        names(3)


def test_views_have_names_of_their_own(explain, photo):
    views = payload([explain(photo, HEAT)] * 3 + [explain(photo, HEAT, layer="b")])["views"]
    assert [(view["method"], view["layer"]) for view in views] == [
        *(("gradcam", ""), ("gradcam (2)", ""), ("gradcam (3)", ""), ("gradcam", "b"))
    ]


def test_views_of_several_models_are_told_apart(explain, photo):
    one = explain(photo, HEAT)
    views = payload([one, attrs.evolve(one, estimator="other")])["views"]
    assert [view["method"] for view in views] == ["gradcam of model", "gradcam of other"]
    assert [view["estimator"] for view in views] == ["model", "other"]


def test_units_of_several_outputs_are_named(photo):
    target = TargetExplanation(("boxes", 3), "car", 1.0, None, HEAT, HEAT)
    told = payload([Explanation("m", "gradcam", targets=[target], image=photo)])
    assert told["views"][0]["targets"][0]["unit"] == "boxes:3"


def test_targets_of_one_label_have_keys_of_their_own(photo):
    units = [134, 517, ("kinds", 3)]
    targets = [TargetExplanation(unit, "crane", 1.0, None, HEAT, HEAT) for unit in units]
    told = payload([Explanation("m", "gradcam", targets=targets, image=photo)])
    assert [one["key"] for one in told["views"][0]["targets"]] == ["134", "517", "kinds:3"]


def test_what_is_no_picture_says_why(explain):
    signal = np.linspace(0, 1, 16, dtype=np.float32)
    [target] = payload([explain(None, signal)])["views"][0]["targets"]
    assert target["heat"] is None
    assert target["note"].startswith("The heatmap has the shape (16,): that of a signal or text;")
    [view] = payload([Explanation("m", "gradcam", error="ValueError: no")])["views"]
    assert view["note"] == "This explanation failed: ValueError: no"
    assert payload([Explanation("m", "gradcam")])["views"][0]["note"].endswith("has no targets.")


def test_a_blank_heatmap_says_so(explain, photo):
    blank, other = payload([explain(photo, 0 * HEAT, HEAT)])["views"][0]["targets"]
    assert blank["note"].startswith("This heatmap is zero everywhere")
    assert other["note"] == ""


def test_pictures_that_differ_are_refused(explain, photo):
    alike = explain(photo.copy(), HEAT)
    assert len(payload([explain(photo, HEAT), alike])["views"]) == 2
    for other in (photo.rotate(180), photo.resize((9, 9)), None):
        with pytest.raises(ValueError, match="explanation 1 is of another picture than the first"):
            payload([explain(photo, HEAT), explain(other, HEAT)])


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (3, TypeError, "not a int; give what explain_prediction returned"),
        ("expl", TypeError, "not a str; give what"),
        ([3], TypeError, "not a int among them"),
        ([], ValueError, "no explanation to show; give what"),
    ],
)
def test_what_is_no_explanation_is_refused(given, kind, message):
    with pytest.raises(kind, match=message):
        payload(given)


@pytest.mark.parametrize(
    "options",
    [
        {"alpha_limit": 1.5},
        {"alpha_limit": "0.5"},
        {"colormap": "viridi"},
        {"colormap": 3},
        {"resampling_filter": "lancos"},
        {"saturated": 1},
        {"boxes": [(1, 2)]},
        {"boxes": 3},
    ],
)
def test_options_are_refused_as_format_as_image_does(explain, photo, options):
    expl = explain(photo, HEAT)
    with pytest.raises((TypeError, ValueError)) as theirs:
        format_as_image(expl, **options)
    with pytest.raises(theirs.type, match=re.escape(str(theirs.value))):
        payload([expl], **options)


def test_heat_that_is_no_number_is_refused(explain, photo):
    with pytest.raises(ValueError, match="holds NaN"):
        payload([explain(photo, np.full((2, 2), np.nan, np.float32))])


def test_the_script_can_stand_in_a_page_and_moves_nothing():
    assert not re.search(r"</|<!--", script())
    assert "//" not in re.sub(r'"http://www.w3.org/2000/svg"', "", script()).split("bytes(")[0]
    assert element() in script()
    # Who asked for less motion has none to be spared.
    assert not re.search("transition|animation|@keyframes|scroll-behavior", script() + style())
