import base64
import copy
import io
import json
import re
import zlib

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from explainkit import Explanation, TargetExplanation, format_as_dict, from_dict
from tests.formatters.records import MODES, explanations, kept_dtypes

HEAT = np.array([[0, 0.1, 0.5], [1, 0.25, 0.75]], np.float32)


def explanation(**changes):
    target = TargetExplanation(3, "cat", 1.5, 0.25, HEAT, -HEAT)
    fields = {"estimator": "net", "method": "gradcam", "image": Image.new("RGB", (5, 4), "navy")}
    return Explanation(targets=[attrs.evolve(target, **changes)], **fields)


def through_json(written):
    return json.loads(json.dumps(written, allow_nan=False))


# Round trips


@settings(derandomize=True, deadline=None, max_examples=50)
@given(explanations, st.sampled_from(["base64", "numbers"]))
def test_nothing_is_lost_in_a_dict_or_in_json(expl, form):
    written = format_as_dict(expl, heatmaps=form)
    for again in (from_dict(written), from_dict(through_json(written))):
        assert again == expl
        assert kept_dtypes(expl, again)
        assert [type(one.target) for one in again.targets] == [
            type(one.target) for one in expl.targets
        ]


@pytest.mark.parametrize("mode", MODES)
def test_pictures_of_every_mode_come_back(mode):
    picture = Image.new(mode, (5, 3))
    noise = np.random.default_rng(0).integers(0, 256, len(picture.tobytes()), dtype=np.uint8)
    picture.frombytes(noise.tobytes())
    for one in (picture, Image.new(mode, (0, 3))):
        again = from_dict(through_json(format_as_dict(Explanation("net", "m", image=one)))).image
        assert (again.mode, again.size, again.tobytes()) == (mode, one.size, one.tobytes())


@pytest.mark.parametrize("transparency", [1, b"\xff\x00\x80"])
def test_palettes_and_transparency_come_back(transparency):
    picture = Image.new("P", (3, 1))
    picture.putdata([0, 1, 2])
    picture.putpalette([9, 8, 7, 6, 5, 4, 3, 2, 1])
    picture.info["transparency"] = transparency
    again = from_dict(through_json(format_as_dict(Explanation("net", "m", image=picture)))).image
    assert again.convert("RGBA").tobytes() == picture.convert("RGBA").tobytes()
    assert again.info["transparency"] == transparency


@pytest.mark.parametrize(
    ("mode", "transparency"),
    [
        *(("I;16", 2000), ("CMYK", 3), ("CMYK", b"\1\2\3"), ("LA", 0), ("RGBA", (1, 2, 3))),
        *(("1", 1), ("L", 200), ("RGB", (0, 1, 2)), ("PA", b"\xff\0")),
    ],
)
def test_what_is_transparent_comes_back_in_every_mode(mode, transparency):
    for size in ((3, 2), (0, 2)):
        picture = Image.new(mode, size)
        picture.info["transparency"] = transparency
        expl = Explanation("net", "m", image=picture)
        again = from_dict(through_json(format_as_dict(expl)))
        assert again == expl
        assert again.image.info == {"transparency": transparency}


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "P", "I;16"])
def test_the_profile_of_the_colours_comes_back_in_every_mode(mode):
    picture = Image.new(mode, (3, 2))
    picture.info |= {"icc_profile": b"a profile", "comment": b"where I live"}
    again = from_dict(through_json(format_as_dict(Explanation("net", "m", image=picture)))).image
    assert again.info == {"icc_profile": b"a profile"}


@pytest.mark.parametrize(
    ("mode", "transparency"),
    [
        *(("L", -5), ("L", 10**30), ("L", (1, 2, 3)), ("L", True), ("RGB", 5), ("P", 256)),
        *(("P", bytes(257)), ("RGB", b"\1\2\3"), ("RGB", (1, 2, 2**16)), ("RGB", (1, 2))),
    ],
)
def test_what_no_picture_can_have_for_transparent_is_not_written(mode, transparency):
    picture = Image.new(mode, (3, 2))
    picture.info["transparency"] = transparency
    with pytest.raises(ValueError, match=f"^image has transparency .* in mode {mode} can have"):
        format_as_dict(Explanation("net", "m", image=picture))


def test_of_what_a_file_says_beside_the_picture_only_its_colours_are_kept():
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    Image.new("RGB", (2, 2)).save(file, "PNG", exif=exif, icc_profile=b"a profile")
    expl = Explanation("net", "m", image=Image.open(file))
    again = from_dict(format_as_dict(expl))
    assert again == expl
    assert again.image.info.get("icc_profile") == b"a profile"
    assert not again.image.getexif()


def test_the_picture_is_made_when_it_is_written_and_can_be_left_out():
    made = []

    def make():
        made.append(1)
        return Image.new("L", (2, 2))

    expl = attrs.evolve(explanation(), image=make)
    left_out = from_dict(format_as_dict(expl, image=False))
    assert not made
    assert left_out.image is None
    assert left_out.targets == expl.targets
    assert from_dict(format_as_dict(expl)).image == expl.image
    assert made == [1]


# What is written


def test_heatmaps_are_little_endian_bytes_or_numbers():
    for array in (HEAT, HEAT.astype(">f4")):
        stored = format_as_dict(explanation(heatmap=array))["targets"][0]["heatmap"]
        assert stored == {
            "dtype": "float32",
            "shape": [2, 3],
            "base64": base64.b64encode(HEAT.astype("<f4").tobytes()).decode(),
        }
    stored = format_as_dict(explanation(), heatmaps="numbers")["targets"][0]["heatmap"]
    assert stored == {"dtype": "float32", "shape": [2, 3], "numbers": HEAT.tolist()}


def test_a_dict_says_what_it_is_of_and_holds_pythons_own_types():
    expl = explanation(target=("boxes", np.int64(3)), score=np.float32(1.5), proba=np.float16(0.5))
    written = format_as_dict(expl)
    assert (written["format"], written["schema"]) == ("explainkit.explanation", 1)
    assert set(written) == {"format", "schema", *(f.alias for f in attrs.fields(Explanation))}
    [target] = written["targets"]
    assert tuple(target["target"]) == ("boxes", 3)
    assert [type(one) for one in target["target"]] == [str, int]
    assert (type(target["score"]), type(target["proba"])) == (float, float)
    assert from_dict(written) == expl


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"score": np.nan}, ValueError, "target 3: its score is nan; only finite numbers"),
        ({"proba": -np.inf}, ValueError, "target 3: its proba is -inf; only finite"),
        ({"score": 10**400}, ValueError, "target 3: its score is inf; only finite"),
        ({"score": "1"}, TypeError, "target 3: its score is '1'; it must be a number"),
        ({"score": None}, TypeError, "target 3: its score is None; it must be a number"),
        ({"map": HEAT + np.float32("nan")}, ValueError, "target 3: its map holds NaN or infinity"),
        (
            {"heatmap": HEAT + np.float32("inf")},
            ValueError,
            "target 3: its heatmap holds NaN or infinity",
        ),
        ({"map": HEAT + 0j}, TypeError, "its map is an array of complex64; give real numbers: bo"),
        ({"map": np.array([None])}, TypeError, "its map is an array of object; give real numbers"),
        ({"label": 7}, TypeError, "target 3: its label is 7; it must be a text"),
        ({"label": "a\ud800"}, ValueError, r"its label is 'a\\ud800': half of a surrogate pair"),
        ({"target": True}, TypeError, "target True: its target is True; it must be a unit"),
        ({"target": ("a", "b")}, TypeError, "target a:b: its target is 'b'; it must be a whole"),
    ],
)
def test_what_has_no_place_in_json_is_refused_by_name(changes, error, message):
    with pytest.raises(error, match=message):
        format_as_dict(explanation(**changes))


def test_bad_calls_are_refused():
    with pytest.raises(TypeError, match="an Explanation can be written as a dict, not a list"):
        format_as_dict([explanation()])
    with pytest.raises(ValueError, match="heatmaps is 'number'; .*; did you mean 'numbers'?"):
        format_as_dict(explanation(), heatmaps="number")
    with pytest.raises(TypeError, match="from a dict, not from a str; give what format_as_dict"):
        from_dict("{}")
    with pytest.raises(TypeError, match="^layer is 5; it must be a text"):
        format_as_dict(Explanation("net", "gradcam", layer=5))


@attrs.frozen
class Noted(Explanation):
    note: str = ""


@attrs.frozen
class NotedTarget(TargetExplanation):
    note: str = ""


def test_what_has_fields_of_its_own_is_refused_for_they_would_be_lost():
    with pytest.raises(TypeError, match="a Noted cannot be stored without loss; give a plain Expl"):
        format_as_dict(Noted("net", "gradcam", note="mine"))
    target = NotedTarget(3, "cat", 1.5, None, HEAT, HEAT, note="mine")
    with pytest.raises(TypeError, match="^a NotedTarget cannot be stored .* plain TargetExplan"):
        format_as_dict(Explanation("net", "gradcam", targets=[target]))
    with pytest.raises(TypeError, match="^a str cannot be stored .* plain TargetExplanation"):
        format_as_dict(Explanation("net", "gradcam", targets=["cat"]))


# What is read


def test_arrays_of_as_many_axes_as_numpy_has_come_back():
    most = 64 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32
    for form in ("base64", "numbers"):
        expl = explanation(heatmap=np.ones((1,) * most, np.float32))
        written = through_json(format_as_dict(expl, heatmaps=form))
        assert from_dict(written) == expl
    too_many = {"dtype": "uint8", "shape": [1] * (most + 1), "base64": "AA=="}
    written["targets"][0]["heatmap"] = too_many
    with pytest.raises(ValueError, match=r"heatmap has shape \[1, 1, .*…"):
        from_dict(written)


def test_whole_numbers_will_do_for_scores():
    written = format_as_dict(explanation())
    written["targets"][0]["score"] = 2
    score = from_dict(written).targets[0].score
    assert (score, type(score)) == (2.0, float)


def test_a_picture_of_more_pixels_than_pillow_opens_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9)
    with pytest.raises(ValueError, match=r"image has size \[5, 4\]: more pixels than Pillow opens"):
        from_dict(format_as_dict(explanation()))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert from_dict(format_as_dict(explanation())).image.size == (5, 4)


def test_a_bomb_is_not_inflated(monkeypatch):
    bomb = base64.b64encode(zlib.compress(bytes(10**7))).decode()
    asked, decompressobj = [], zlib.decompressobj

    class Watched:
        def __init__(self):
            self.inflating = decompressobj()

        def decompress(self, data, most):
            asked.append(most)
            inflated = self.inflating.decompress(data, most)
            self.eof = self.inflating.eof
            return inflated

    monkeypatch.setattr("explainkit.formatters.stored_pictures.zlib.decompressobj", Watched)
    written = format_as_dict(explanation())
    written["image"] = {"mode": "CMYK", "size": [2, 2], "zlib": bomb}
    with pytest.raises(ValueError, match="other than the 16 bytes in 'zlib' that its size takes"):
        from_dict(written)
    assert asked == [17]
    written["image"] = {"mode": "CMYK", "size": [9999, 9999], "zlib": bomb[:40]}
    with pytest.raises(ValueError, match="too few bytes in 'zlib' to hold the 399920004 of"):
        from_dict(written)
    assert asked == [17]


def _set(*path_and_value):
    *path, last, value = path_and_value

    def change(written):
        for key in path:
            written = written[key]
        if value is ...:
            del written[last]
        else:
            written[last] = value

    return change


HEATMAP = ("targets", 0, "heatmap")
NUMBERS = {"dtype": "uint8", "shape": [2], "numbers": [1, 2]}
RAW = {"mode": "P", "size": [1, 1], "zlib": base64.b64encode(zlib.compress(b"\0")).decode()}
THREE = base64.b64encode(zlib.compress(b"\0\0\0")).decode()
COLOURS = {"palette": "AAAA", "palette_mode": "RGB"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("format", ...), "this is no explanation: its 'format' is None, not 'explainkit"),
        (_set("schema", 2), "its 'schema' is 2, and this version .* up to 1; install the"),
        (_set("schema", True), "its 'schema' is True; it must be a version, such as 1"),
        (_set("schema", 0), "its 'schema' is 0; it must be a version"),
        (_set("layr", "conv"), "record has the unknown key 'layr'; did you mean 'layer'?"),
        (_set("method", ...), "record.method is missing"),
        (_set("method", None), "record.method is None; it must be a text"),
        (_set("error", "\udc80"), "record.error is .*: half of a surrogate pair is no text"),
        (_set("is_regression", 1), "record.is_regression is 1; it must be true or false"),
        (_set("targets", "abc"), "record has 'abc' as its 'targets'; it must be a list"),
        (_set("targets", {}), "record has {} as its 'targets'; it must be a list"),
        (_set("targets", None), "record has None as its 'targets'; it must be a list"),
        (_set("targets", 0, 7), r"record.targets\[0\] is 7; it must be a dict"),
        (_set("targets", 0, "score", "1"), r"targets\[0\].score is '1'; it must be a number"),
        (_set("targets", 0, "score", float("nan")), r"score is nan; only finite numbers"),
        (_set("targets", 0, "proba", True), r"proba is True; it must be a number"),
        (_set("targets", 0, "target", 1.5), r"targets\[0\].target is 1.5; it must be a unit, an"),
        (_set("targets", 0, "target", ["a"]), r"target is \['a'\]; it must be a unit"),
        (_set(*HEATMAP, [1]), r"targets\[0\].heatmap is \[1\]; it must be a dict"),
        (_set(*HEATMAP, "dtype", "object"), "heatmap has dtype 'object'; it may be: bool, int8"),
        (_set(*HEATMAP, "shape", [2, 4]), r"24 bytes in base64; float32 of .*\[2, 4\] takes 32"),
        (_set(*HEATMAP, "shape", [-2, -3]), r"heatmap has shape \[-2, -3\], which no array"),
        (_set(*HEATMAP, "shape", [1] * 65), r"has shape \[1, 1, .*…, which no array can have"),
        (_set(*HEATMAP, "shape", 6), "heatmap has 6 as its 'shape'; it must be a list"),
        (_set(*HEATMAP, "shape", [6.0]), r"shape\[0\] is 6.0; it must be a whole number"),
        (_set(*HEATMAP, "base64", "?!"), "heatmap has a 'base64' that is no base64"),
        (_set(*HEATMAP, "base64", "ä"), "heatmap has a 'base64' that is no base64"),
        (_set(*HEATMAP, "base64", "AADAfw=="), "4 bytes in base64"),
        (_set(*HEATMAP, "base64", ...), "must have one of the keys 'base64' and 'numbers'"),
        (_set(*HEATMAP, "numbers", []), "must have one of the keys 'base64' and 'numbers'"),
        (
            _set(*HEATMAP, {"dtype": "float32", "shape": [], "base64": "AADAfw=="}),
            "heatmap holds NaN or infinity",
        ),
        (
            _set(*HEATMAP, {"dtype": "bool", "shape": [1], "base64": "Ag=="}),
            "neither true .1. nor false",
        ),
        (_set(*HEATMAP, {**NUMBERS, "numbers": [1]}), r"not nested as its shape \[2\] says"),
        (_set(*HEATMAP, {**NUMBERS, "numbers": 5}), r"not nested as its shape \[2\] says"),
        (_set(*HEATMAP, {**NUMBERS, "numbers": [1, 2.5]}), "has 2.5 among its numbers; they are"),
        (_set(*HEATMAP, {**NUMBERS, "numbers": [1, "2"]}), "has '2' among its numbers"),
        (
            _set(*HEATMAP, {**NUMBERS, "numbers": [1, 256]}),
            "has the number 256, which uint8 cannot hold",
        ),
        (
            _set(*HEATMAP, {"dtype": "float64", "shape": [1], "numbers": [10**400]}),
            "has a number that float64 cannot hold",
        ),
        (
            _set(*HEATMAP, {"dtype": "float16", "shape": [1], "numbers": [1e6]}),
            "heatmap holds NaN or infinity",
        ),
        (_set("image", "size", [4, 4]), r"a PNG in mode RGB, of size \[5, 4\]; .*\[4, 4\]"),
        (_set("image", "size", [5]), "record.image.size .*tuple"),
        (_set("image", "size", [-5, -4]), r"image has size \[-5, -4\], which no picture"),
        (_set("image", "mode", "L"), r"a PNG in mode RGB, .* said to be in mode L"),
        (_set("image", "mode", "XYZ"), "image has mode 'XYZ', in which no picture is stored"),
        (_set("image", "png", ...), "must have one of the keys 'png' and 'zlib'"),
        (_set("image", "png", "AAAA"), "has a PNG that cannot be read: cannot identify"),
        (_set("image", {**RAW, "zlib": "AAAA"}), "has a 'zlib' that cannot be inflated"),
        (_set("image", {**RAW, "size": [0, 0]}), "has other than the 0 bytes in 'zlib'"),
        (_set("image", {**RAW, "palette": "AAAA"}), "both of the keys 'palette' and 'palette_m"),
        (
            _set("image", {**RAW, "palette": "AAAA", "palette_mode": "BGR"}),
            "has the palette_mode 'BGR'; it may be: RGB, RGBA",
        ),
        (
            _set("image", {**RAW, "palette": "AAAA", "palette_mode": "RGBA"}),
            "a palette of 3 bytes; RGBA takes 4 for each of at most 256 colours",
        ),
        (
            _set("image", {**RAW, "palette": "AAAA" * 257, "palette_mode": "RGB"}),
            "a palette of 771 bytes; RGB takes 3",
        ),
        (
            _set("image", {**RAW, "mode": "YCbCr", "zlib": THREE, **COLOURS}),
            "has a palette, and no picture in mode YCbCr has one",
        ),
        (
            _set("image", {**RAW, "mode": "L", **COLOURS}),
            "has a palette, and no picture in mode L has one",
        ),
        (_set("image", {**RAW, "icc_profile": "?"}), "has a 'icc_profile' that is no base64"),
        (_set("image", {**RAW, "transparency": [300]}), r"transparency \(300,\), which .* mode P"),
        (_set("image", {**RAW, "transparency": -5}), "has transparency -5, which no picture in m"),
        (_set("image", {**RAW, "transparency": 999}), "has transparency 999, which no"),
        (_set("image", {**RAW, "transparency": 10**30}), "has transparency 10*, which no"),
        (_set("image", {**RAW, "transparency": 1.5}), "has transparency 1.5, which no"),
        (_set("image", {**RAW, "transparency": "AAAA" * 100}), "has transparency b'.*…, which no"),
        (_set("targets", 0, "target", 10**40), r"target is 10*; .* number of at most 64 bits"),
        (_set("targets", 0, "target", ["a", -(2**63) - 1]), "whole number of at most 64 bits"),
    ],
)
def test_what_is_damaged_is_refused_where_it_is(change, message):
    written = copy.deepcopy(format_as_dict(explanation()))
    change(written)
    with pytest.raises(ValueError, match=message):
        from_dict(written)


@pytest.mark.parametrize(
    "path",
    [
        *(("format",), ("schema",), ("is_regression",), ("layr" * 10**5,), ("targets",)),
        *(("image", key) for key in ("mode", "palette_mode", "transparency", "zlib")),
        *(("targets", 0, "proba"), (*HEATMAP, "dtype"), (*HEATMAP, "shape")),
    ],
)
@pytest.mark.parametrize("value", ["x" * 10**5, [7] * 10**5, {"x" * 10**5: 1}], ids=type)
def test_no_message_is_as_long_as_what_it_is_about(path, value):
    written = format_as_dict(Explanation("net", "m", image=Image.new("P", (1, 1))))
    written["targets"] = format_as_dict(explanation())["targets"]
    _set(*path, value)(written)
    with pytest.raises(ValueError, match=".") as caught:
        from_dict(written)
    assert len(str(caught.value)) < 1000


def test_a_png_that_was_cut_off_is_refused():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    written = format_as_dict(Explanation("net", "m", image=Image.fromarray(noise)))
    whole = base64.b64decode(written["image"]["png"])
    written["image"]["png"] = base64.b64encode(whole[:5000]).decode()
    with pytest.raises(ValueError, match="record.image has a PNG that cannot be read"):
        from_dict(written)


def test_several_troubles_are_told_at_once():
    written = format_as_dict(explanation())
    written |= {"estimator": 1, "method": 2, "layer": 3, "description": 4, "error": 5}
    with pytest.raises(ValueError, match="; and 2 more$") as caught:
        from_dict(written)
    assert re.findall(r"record\.(\w+) is \d", str(caught.value)) == ["estimator", "method", "layer"]


def test_a_dict_that_is_read_stays_as_it_was():
    written = format_as_dict(explanation())
    before = copy.deepcopy(written)
    heatmap = from_dict(written).targets[0].heatmap
    heatmap[:] = 0
    assert written == before
