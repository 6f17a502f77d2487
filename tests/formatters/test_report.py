import base64
import hashlib
import io
import json
import re
import tracemalloc
import weakref
import zlib
from html.parser import HTMLParser
from pathlib import Path

import attrs
import numpy as np
import pytest
from PIL import Image

import explainkit
from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters.colormaps import colour_table
from explainkit.formatters.reports.agreement import Truth
from explainkit.formatters.reports.report import report

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "\"><b>'&amp;",
    "كلب 12",
    "🐱\u202ebackwards",
    "{{ 7 * 7 }}",
    "]]><!--",
)


class Page(HTMLParser):
    """What a parser that shares nothing with the browser finds in a page."""

    def __init__(self, path):
        super().__init__()
        self.items, self.tags, self.scripts, self.styles, self.data = [], [], [], [], {}
        self.texts, self._open, self._id = [], [], None
        self.feed(Path(path).read_text("utf-8"))
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        self._open.append((tag, attrs))
        if tag == "li":
            self.items.append({**attrs, "texts": {}})
        if self.items and tag == "img":
            self.items[-1]["img"] = attrs

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, text):
        tag, attrs = self._open[-1] if self._open else (None, {})
        if tag == "script" and attrs.get("type") == "application/json":
            self.data[attrs["id"]] = json.loads(text)
        elif tag == "script":
            self.scripts.append(text)
        elif tag == "style":
            self.styles.append(text)
        elif text.strip():
            self.texts.append(text.strip())
            within = [one.get("class", "").split(" ")[0] for _, one in self._open]
            if "item" in within:
                kind = next((one for one in reversed(within) if one), "")
                self.items[-1]["texts"].setdefault(kind, []).append(text.strip())


def made(seed=0, label="cat", score=1.5, proba=0.8, size=(30, 20), cells=(7, 7), **more):
    rng = np.random.default_rng(seed)
    heat = rng.random(cells).astype(np.float32)
    found = TargetExplanation(3, label, score, proba, heat, heat)
    levels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    image = more.pop("image", Image.fromarray(levels))
    return Explanation("net", "gradcam", targets=[found], image=image, **more)


@pytest.fixture
def write(tmp_path):
    def written(explanations, **options):
        return Page(report(explanations, tmp_path / "report.html", **options))

    return written


def test_documents_are_there_in_order_with_what_is_known_of_them(write):
    expls = [
        made(0, "cat", 1.25, 0.75),
        Explanation("net", "gradcam", error="ValueError: the doc holds NaN"),
        made(2, None, -3.0, None),
        Explanation("net", "gradcam"),
    ]
    page = write(expls, names=["a.png", Path("b") / "c.png", "d", "e"])
    assert [one["id"] for one in page.items] == [f"item-{i}" for i in range(4)]
    assert [one["texts"]["name"] for one in page.items] == [["a.png"], ["b/c.png"], ["d"], ["e"]]
    assert [one["texts"].get("label") for one in page.items] == [["cat"], None, ["target 3"], None]
    assert page.items[0]["texts"]["numbers"] == ["0.75", "· score 1.25"]
    assert page.items[1]["texts"]["error"] == ["ValueError: the doc holds NaN"]
    assert page.items[2]["texts"]["numbers"] == ["score -3"]
    assert page.items[3]["texts"]["numbers"] == ["no target"]
    assert [one.get("data-score") for one in page.items] == ["1.25", None, "-3.0", None]
    assert [one.get("data-proba") for one in page.items] == ["0.75", None, None, None]
    assert [one["data-outcomes"] for one in page.items] == [
        "explained",
        "failed",
        *["explained"] * 2,
    ]


def test_documents_without_names_are_counted(write):
    assert [one["texts"]["name"] for one in write([made(), made(1)]).items] == [
        ["doc 0"],
        ["doc 1"],
    ]


def test_a_mapping_says_what_documents_are_called(write):
    page = write({"cats/1.png": made(), "dog": made(1)})
    assert [one["texts"]["name"] for one in page.items] == [["cats/1.png"], ["dog"]]
    page = write({"cats/1.png": made(), "dog": made(1)}, names=["a", "b"])
    assert [one["texts"]["name"] for one in page.items] == [["a"], ["b"]]


def test_a_series_is_no_mapping(write):
    pandas = pytest.importorskip("pandas")
    page = write(pandas.Series([made(), made(1)]))
    assert [one["texts"]["name"] for one in page.items] == [["doc 0"], ["doc 1"]]


def test_thumbnails_are_the_overlays_made_small(write):
    photo = Image.new("RGB", (640, 480), "navy")
    photo.paste("orange", (100, 100, 500, 300))
    page = write([made(image=photo, size=(1, 1))], colormap="magma", alpha_limit=0.5)
    img = page.items[0]["img"]
    kind, data = img["src"].split(",")
    small = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (kind, small.format) == ("data:image/webp;base64", "WEBP")
    assert small.size == (160, 120) == (int(img["width"]), int(img["height"]))
    whole = explainkit.format_as_image(made(image=photo, size=(1, 1)), "lanczos", "magma", 0.5)
    known = np.asarray(whole.resize(small.size, Image.Resampling.BOX), float)
    assert np.abs(np.asarray(small.convert("RGB"), float) - known).mean() < 5
    other = np.asarray(photo.resize(small.size, Image.Resampling.BOX), float)
    assert np.abs(np.asarray(small.convert("RGB"), float) - other).mean() > 15


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_pictures_of_every_mode_have_thumbnails(write, mode):
    page = write([made(image=Image.new(mode, (400, 100)))])
    assert (page.items[0]["img"]["width"], page.items[0]["img"]["height"]) == ("160", "40")


def test_pictures_as_thin_as_a_line_have_thumbnails(write):
    page = write([made(size=(3000, 1)), made(size=(1, 3000), cells=(2, 3))])
    assert [one["img"]["width"] for one in page.items] == ["160", "1"]


def test_what_has_no_picture_shows_its_heatmap_or_says_so(write):
    page = write([made(image=None), made(image=None, cells=(9,)), made(cells=(2, 3, 4))])
    heat, signal, volume = page.items
    assert (heat["img"]["width"], heat["img"]["height"]) == ("154", "154")
    assert "img" not in signal
    assert signal["texts"]["none"] == volume["texts"]["none"] == ["no picture"]
    assert "a signal or text" in json.dumps(page.data["details-1"])


def picture_in(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))


def test_heatmaps_alone_are_drawn_as_is_asked(write):
    heat = np.full((8, 8), 0.1, np.float32)
    heat[0, 0] = 1
    expl = attrs.evolve(
        made(image=None), targets=[TargetExplanation(3, "cat", 1.5, 0.8, heat, heat)]
    )

    def drawn(**options):
        page = write([expl], colormap="magma", **options)
        return np.asarray(picture_in(page.items[0]["img"]["src"]).convert("RGB"), int)

    light, faint = colour_table("magma", 1.0)[[255, 26], :3].astype(int)
    assert np.abs(drawn()[130, 130] - faint).max() < 12
    assert np.abs(drawn(saturated=0.5)[130, 130] - light).max() < 12
    assert np.abs(drawn(boxes=True) - drawn()).max() > 100


def test_what_cannot_be_drawn_is_shown_as_failed_and_ends_nothing(write):
    heat = np.full((2, 2), 7, np.float32)
    broken = attrs.evolve(made(), targets=[TargetExplanation(3, "cat", 1.5, 0.8, heat, heat)])
    page = write([made(), broken, made(1)], truth=["cat", Truth("cat", (0, 0, 9, 9)), "dog"])
    assert [one["data-outcomes"] for one in page.items] == [
        *("explained right", "failed", "explained wrong")
    ]
    [said] = page.items[1]["texts"]["error"]
    assert said.startswith("ValueError: the heatmap holds numbers from 7 to 7")
    assert set(page.data) == {"details-0", "details-2"}


def test_the_picture_that_is_looked_at_closer_is_the_one_that_was_explained(write):
    photo = Image.new("RGB", (640, 480), "navy")
    photo.paste("orange", (0, 0, 320, 240))
    shown = picture_in(write([made(image=photo)]).data["details-0"]["picture"]["src"])
    assert shown.size == (320, 240)
    known = np.asarray(photo.resize((320, 240)), int)
    assert np.abs(np.asarray(shown.convert("RGB"), int) - known).mean() < 3


def test_maps_as_fine_as_the_picture_are_averaged_where_one_looks_closer(write):
    expl = made(size=(224, 200), cells=(200, 224))
    [target] = write([expl]).data["details-0"]["views"][0]["targets"]
    assert target["cells"] == [112, 100]
    shown = np.frombuffer(zlib.decompress(base64.b64decode(target["heat"])), np.uint8)
    blocks = expl.targets[0].heatmap.reshape(100, 2, 112, 2).mean((1, 3)) * 255
    assert np.abs(shown.reshape(100, 112) - blocks).max() < 1.6  # rounded twice


def test_names_that_a_page_cannot_hold_can_be_filtered_by(write):
    page = write([made(label="a\0b"), made(1, "c")])
    options = [attrs["value"] for tag, attrs in page.tags if tag == "option"]
    assert "a\ufffdb" in options
    assert page.items[0]["texts"]["label"] == ["a\ufffdb"]


def test_what_is_looked_at_closer_is_data_that_nothing_runs(write):
    page = write([made(0, "cat"), Explanation("net", "gradcam", error="no"), made(2, "dog")])
    assert set(page.data) == {"details-0", "details-2"}
    [view] = page.data["details-2"]["views"]
    assert [one["name"] for one in view["targets"]] == ["dog"]
    assert view["targets"][0]["cells"] == [7, 7]


def test_true_boxes_are_drawn_where_one_looks_closer(write):
    page = write([made(size=(640, 480)), made(1)], truth=[[(64, 48, 320, 240)], None])
    assert page.data["details-0"]["size"] == [320, 240]
    assert page.data["details-0"]["given"] == [[32, 24, 160, 120]]
    assert page.data["details-1"]["given"] == []


def test_small_true_boxes_in_large_pictures_do_not_vanish(write):
    page = write([made(size=(3200, 2400))], truth=[(102, 53, 106, 58)])
    assert page.data["details-0"]["given"] == [[10, 5, 11, 6]]


@pytest.mark.parametrize("text", HOSTILE)
def test_labels_that_look_like_markup_come_out_as_text(write, text):
    expl = made(label=text, description=text)
    expl = Explanation(text, text, layer=text, targets=expl.targets, image=expl.image)
    failed = Explanation(text, text, error=text)
    harmless = write([made(), Explanation("net", "gradcam", error="no"), made(1, "dog")],
                     names=["a", "b", "c"], truth=["cat", None, "cat"], title="t")  # fmt: skip
    page = write([expl, failed, made(1, "dog")], names=[text, text, "c"],
                 truth=[text, None, text], title=text)  # fmt: skip
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in harmless.tags]
    assert {key for _, attrs in page.tags for key in attrs} == {
        key for _, attrs in harmless.tags for key in attrs
    }
    assert page.scripts == harmless.scripts
    assert page.items[0]["texts"]["name"] == page.items[0]["texts"]["label"] == [text.strip()]
    assert page.items[1]["texts"]["error"] == [text]
    assert text in page.texts  # the title
    assert text in page.items[0]["img"]["alt"]
    assert page.data["details-0"]["views"][0]["targets"][0]["name"] == text


def test_texts_that_are_no_unicode_do_not_stop_the_page(write):
    page = write([made(label="a\udc80b")], names=["c\udcffd.png"])
    assert page.items[0]["texts"]["name"] == ["c?d.png"]


def test_the_page_may_do_only_what_it_brought(write):
    page = write([made()])
    [policy] = [
        attrs["content"] for _, attrs in page.tags
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]  # fmt: skip
    rules = dict(one.strip().split(" ", 1) for one in policy.split(";"))
    assert list(rules) == [
        *("default-src", "img-src", "script-src", "style-src", "base-uri", "form-action")
    ]
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    for rule, texts in (("script-src", page.scripts), ("style-src", page.styles)):
        hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in texts]
        assert rules[rule] == " ".join(f"'sha256-{one}'" for one in hashes)
    named = {key for _, attrs in page.tags for key in attrs}
    assert not {key for key in named if key == "style" or key.startswith("on")}
    fetched = [attrs[key] for _, attrs in page.tags for key in ("src", "href") if key in attrs]
    assert all(one.startswith("data:image/") for one in fetched)
    assert not re.search(r"url\(|@import|\bfetch\(|https?://(?!www\.w3\.org)", "".join(
        [*page.styles, *page.scripts]
    ))  # fmt: skip


def test_the_summary_counts(write):
    expls = [
        *(made(i, label) for i, label in enumerate(["cat", "dog", "cat", "cat"])),
        Explanation("net", "gradcam", error="no"),
    ]
    truths = ["cat", "cat", Truth("cat", boxes=(0, 0, 30, 20)), None, "cat"]
    page = write(expls, truth=truths, title="All of them")
    assert page.texts[:3] == ["All of them", "All of them", "gradcam on net"]
    assert page.texts[3:14] == [
        "documents", "5",
        "failed", "1",
        "labels right", "66.7%", "2 of 3",
        "hottest spots hit", "100.0%", "1 of 1",
        "mean overlap",
    ]  # fmt: skip
    outcomes = [one for one in page.texts if re.fullmatch(r"[a-z]+ \(\d\)", one)]
    assert outcomes == [
        *("cat (3)", "dog (1)", "all (5)"),
        *("explained (4)", "failed (1)", "right (2)", "wrong (1)", "hit (1)"),
    ]
    assert [one["data-outcomes"] for one in page.items] == [
        *("explained right", "explained wrong", "explained right hit", "explained", "failed")
    ]


def test_the_truth_is_named_as_the_targets_are(write):
    page = write([made(), made(1), made(2)], truth=[3, 4, "cat"])
    assert [one["texts"]["known"] for one in page.items] == [
        *(["truth:", "cat"], ["truth:", "4"], ["truth:", "cat"])
    ]


def test_what_all_have_in_common_is_no_filter(write):
    page = write([made(), made(1)])
    controls = [attrs["name"] for tag, attrs in page.tags if tag in ("select", "input")]
    assert controls == ["search", "least", "most", "sort", "order"]


@pytest.mark.parametrize("what", ["explanations", "pictures"])
def test_explanations_are_held_one_at_a_time(tmp_path, what):
    alive, most = weakref.WeakValueDictionary(), []

    def new(seed):
        expl = made(seed)
        alive[seed] = expl if what == "explanations" else expl.image
        return expl

    def explained():
        for seed in range(6):
            yield new(seed)
            most.append(len(alive))  # asked for the next, the last is forgotten

    truths = (Truth("cat", boxes=(0, 0, 3, 3)) for _ in range(6))
    report(explained(), tmp_path / "r.html", names=(str(i) for i in range(6)), truth=truths)
    assert most == [0] * 6


def test_memory_does_not_grow_with_the_page(tmp_path):
    def peak(count):
        tracemalloc.start()
        try:
            path = report((made(i, cells=(60, 60)) for i in range(count)), tmp_path / "r.html")
            return tracemalloc.get_traced_memory()[1], path.stat().st_size
        finally:
            tracemalloc.stop()

    peak(2)  # templates and scripts are loaded
    few, small = peak(10)
    many, large = peak(150)
    assert large - small > 1_000_000
    assert many - few < 200_000


def test_a_thousand_thumbnails_are_less_than_ten_megabytes(write):
    page = write([made(seed, size=(400, 300)) for seed in range(3)])  # noise: no photo is worse
    assert max(len(one["img"]["src"]) for one in page.items) < 14_000
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8))
    smooth = photo.resize((400, 300), Image.Resampling.BICUBIC)
    page = write([made(image=smooth)])
    assert len(page.items[0]["img"]["src"]) < 10_000


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("before")

    def failing():
        yield made()
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        report(failing(), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    assert report([made()], str(path)) == path
    assert path.read_text("utf-8").endswith("</html>\n")
    assert list(tmp_path.iterdir()) == [path]


BAD = {
    "a path of another kind": (
        lambda path: report([made()], path.with_suffix(".pdf")),
        ValueError, "a report is a page, but '",
    ),
    "no folder": (
        lambda path: report([made()], path / "none" / "r.html"),
        FileNotFoundError, "there is no folder",
    ),
    "one explanation": (
        lambda path: report(made(), path),
        TypeError, "explanations is of type Explanation; give one for each document",
    ),
    "none": (lambda path: report([], path), ValueError, "there are no explanations; a report is"),
    "something else": (
        lambda path: report([made(), "dog"], path),
        TypeError, "explanations[1] is of type str; give what explain_prediction returned",
    ),
    "too few names": (
        lambda path: report([made(), made()], path, names=["a"]),
        ValueError, "there are 2 explanations and 1 names; give one for each document",
    ),
    "names that end": (
        lambda path: report(iter([made(), made()]), path, names=["a"]),
        ValueError, "there are more explanations than names, which end after 1",
    ),
    "names that go on": (
        lambda path: report([made()], path, names=iter("ab")),
        ValueError, "there are more names than explanations, which end after 1",
    ),
    "too many truths": (
        lambda path: report([made()], path, truth=[1, 2]),
        ValueError, "there are 1 explanations and 2 truths; give one for each document",
    ),
    "a text of names": (
        lambda path: report([made()], path, names="a"),
        TypeError, "names is 'a', of type str; give one for each document",
    ),
    "names by document": (
        lambda path: report([made()], path, names={"a.jpg": "cat"}),
        TypeError, "names is a dict, and which entry is of which document nobody knows; give",
    ),
    "truths in no order": (
        lambda path: report([made()], path, truth={"cat"}),
        TypeError, "truth is a set, and which entry is of which document nobody knows; give a list",
    ),
    "no title": (
        lambda path: report([made()], path, title=None),
        TypeError, "title is None, of type NoneType; give a str",
    ),
    "a number as a name": (
        lambda path: report([made()], path, names=[1]),
        TypeError, "names[0]: 1 is of type int; give a str or a path",
    ),
    "no truth": (
        lambda path: report(iter([made()]), path, truth=[2.5]),
        TypeError, "truth[0]: the truth is 2.5, of type float",
    ),
    "a truth of another kind": (
        lambda path: report([made(), made(label=None)], path, truth=["cat", "cat"]),
        ValueError, "truth[1]: the truth is the label 'cat', but the target 3 has no label",
    ),
    "a box elsewhere": (
        lambda path: report([made()], path, truth=[(30, 0, 40, 9)]),
        ValueError, "truth[0]: the box (30, 0, 40, 9) lies outside the picture of 30 x 20 pixels",
    ),
    "a colormap": (
        lambda path: report([made()], path, colormap="virids"),
        ValueError, "did you mean 'viridis'?",
    ),
    "boxes": (
        lambda path: report([made()], path, boxes=[(0, 0, 1, 1)]),
        TypeError, "give True for those of the heatmaps, or False",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused(tmp_path, case):
    ask, error, message = BAD[case]
    with pytest.raises(error) as caught:
        ask(tmp_path / "report.html")
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [{"alpha_limit": 2}, {"truth": ["cat", 2.5]}, {"names": ["a", 1]}, {"colormap": "virids"}],
)
def test_slips_are_told_before_anything_is_explained(tmp_path, options):
    def never():
        raise AssertionError("asked for an explanation")
        yield

    with pytest.raises((TypeError, ValueError)):
        report(never(), tmp_path / "r.html", **options)


def test_it_is_a_name_of_the_package():
    assert explainkit.report is report
