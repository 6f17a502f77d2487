"""HTML as text: what is in it without a browser."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import explainkit
from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters import format_as_html, format_as_image
from explainkit.formatters.pages.viewer import payload

HEAT = np.array([[0, 0.25, 0.5], [1, 0.1, 0.9]], np.float32)
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "\"quoted\" & 'quoted'",
    "قط مخطط",
    "🐈‍⬛",
    "<!-- <script>",
    "{{ 7 * 7 }}{% raw %}",
)


class Parsed(HTMLParser):
    """Elements with their attributes, and the text of each kind of element."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self._open = [], {}, []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "link"):
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, text):
        for tag in dict.fromkeys(self._open):
            self.texts[tag][-1] += text

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def overlay_of(html):
    [picture] = Parsed(html).all("img")
    content = base64.b64decode(picture["src"].removeprefix("data:image/jpeg;base64,"))
    return Image.open(io.BytesIO(content))


def grainy(size):
    rng = np.random.default_rng(0)
    waves = np.indices((size, size)).sum(0)[..., None] * np.array([1, 2, 3]) % 256
    grain = np.clip(waves * 0.6 + rng.normal(0, 25, (size, size, 3)) + 40, 0, 255)
    return Image.fromarray(grain.astype(np.uint8))


def test_a_page_is_whole_and_loads_nothing(explain, photo):
    html = format_as_html(explain(photo, HEAT, labels=["cat"]), page=True)
    page = Parsed(html)
    assert html.startswith("<!doctype html>")
    assert page.all("html") == [{"lang": "en"}]
    assert page.texts["title"] == ["What made model say cat"]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
        "meta"
    )
    for tag, attributes in page.elements:
        assert not {name for name in attributes if name.startswith("on") or name == "style"}, tag
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", html)


def test_the_policy_names_what_is_there_and_nothing_else(explain, photo):
    page = Parsed(format_as_html(explain(photo, HEAT), page=True))
    [policy] = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    [code] = [
        text
        for text, attributes in zip(page.texts["script"], page.all("script"), strict=True)
        if not attributes
    ]
    [style] = page.texts["style"]

    def digest(text):
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "script-src": f"'sha256-{digest(code)}'",
        "style-src": f"'sha256-{digest(style)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_data_are_those_of_the_viewer(explain, photo):
    expl = explain(photo, HEAT, HEAT / 2)
    options = {"colormap": "turbo", "alpha_limit": 0.4, "target": [1], "boxes": True}
    options |= {"resampling_filter": "bicubic", "saturated": 0.1}
    for page in (False, True):
        parsed = Parsed(format_as_html(expl, page=page, **options))
        data = json.loads(parsed.texts["script"][0])
        assert data == payload([expl], **options)


def test_hostile_names_are_text_wherever_they_stand(photo):
    bad = "".join(HOSTILE)
    expl = Explanation(
        f"estimator{bad}",
        f"method{bad}",
        f"layer{bad}",
        f"description{bad}",
        targets=[
            TargetExplanation(i, label, 1.0, 0.5, HEAT, HEAT) for i, label in enumerate(HOSTILE)
        ],
        image=photo,
    )
    for page in (False, True):
        parsed = Parsed(format_as_html(expl, page=page))
        tags = [tag for tag, _ in parsed.elements]
        assert tags.count("script") == 2  # the data, and the viewer
        assert tags.count("img") == 1
        [picture] = parsed.all("img")
        assert picture.keys() == {"src", "alt", "width", "height"}
        assert HOSTILE[0] in picture["alt"]
        assert [
            text.partition(" " + str(i))[0] for i, text in enumerate(parsed.texts["th"][3:])
        ] == [*HOSTILE]
        assert all(name in parsed.texts["p"][0] for name in (f"estimator{bad}", f"layer{bad}"))
        data = json.loads(parsed.texts["script"][0])
        assert [target["name"] for target in data["views"][0]["targets"]] == [*HOSTILE]
    assert parsed.texts["title"] == [f"What made estimator{bad} say {HOSTILE[0]}, and 6 more"]


def test_half_a_character_can_be_written_to_a_file(explain, photo):
    html = format_as_html(explain(photo, HEAT, labels=["\ud83d half"]), page=True)
    assert "? half" in html.encode("utf-8").decode("utf-8")


def test_without_scripts_there_is_the_drawing_of_format_as_image(explain):
    picture = Image.new("RGB", (240, 180), "gray")
    one = explain(picture, HEAT)
    drawn = overlay_of(format_as_html(one, colormap="magma", alpha_limit=0.9, boxes=True))
    wanted = format_as_image(one, colormap="magma", alpha_limit=0.9, boxes=True)
    assert drawn.size == wanted.size
    assert np.abs(np.asarray(drawn).astype(int) - np.asarray(wanted)).mean() < 4
    two = explain(picture, HEAT, 1 - HEAT)
    beside = overlay_of(format_as_html(two))
    assert beside.size == format_as_image(two, target=None).size


def test_without_scripts_too_what_is_saturated_is(explain):
    one = explain(Image.new("RGB", (240, 180), "gray"), HEAT)
    drawn = overlay_of(format_as_html(one, saturated=0.4))
    wanted = format_as_image(one, saturated=0.4)
    assert np.abs(np.asarray(drawn).astype(int) - np.asarray(wanted)).mean() < 4
    assert np.abs(np.asarray(drawn).astype(int) - np.asarray(format_as_image(one))).mean() > 8


def test_boxes_that_are_given_shrink_with_the_picture(explain):
    expl = explain(Image.new("RGB", (2000, 1000)), 0 * HEAT)
    drawn = np.asarray(overlay_of(format_as_html(expl, boxes=[(500, 250, 1500, 750)])).convert("L"))
    rows, columns = np.nonzero(drawn > 128)
    assert drawn.shape == (200, 400)
    assert (
        abs(
            np.array([columns.min(), rows.min(), columns.max(), rows.max()])
            - [*(100, 50, 300, 150)]
        ).max()
        <= 3
    )


def test_without_a_picture_the_heatmaps_are_drawn(explain):
    drawn = overlay_of(format_as_html(explain(None, HEAT), colormap="gray")).convert("L")
    cells = drawn.resize((3, 2), Image.Resampling.BOX)
    assert abs(np.asarray(cells).astype(int) - HEAT * 255).max() <= 3
    assert overlay_of(format_as_html(explain(None, HEAT, HEAT.T))).width > drawn.width


def test_transparent_pictures_are_drawn_on_white(explain):
    drawn = overlay_of(format_as_html(explain(Image.new("RGBA", (50, 50)), 0 * HEAT)))
    assert np.asarray(drawn).min() >= 250


def test_what_cannot_be_drawn_is_told(explain, photo):
    signal = np.linspace(0, 1, 16, dtype=np.float32)
    for expl, said in (
        (explain(None, signal), "that of a signal or text"),
        (explain(photo, signal), "that of a signal or text"),
        (explain(None, np.zeros((2, 2, 2), np.float32)), "that of a volume"),
        (Explanation("m", "gradcam", error="ValueError: <no>"), "failed: ValueError: <no>"),
    ):
        parsed = Parsed(format_as_html(expl, page=True))
        assert parsed.all("img") == []
        assert any(said in text for text in parsed.texts["p"])
    assert parsed.texts["h1"] == ["m: no explanation"]
    with_picture = format_as_html(Explanation("m", "gradcam", image=photo, error="no"))
    assert overlay_of(with_picture).size == photo.size


def test_several_views_are_all_in_the_text(explain, photo):
    html = format_as_html([explain(photo, HEAT), explain(photo, HEAT, layer="late")])
    assert [text.strip() for text in Parsed(html).texts["p"]] == [
        "model explained by gradcam",
        "model explained by gradcam at late",
    ]


def test_three_targets_of_a_photograph_fit_into_a_message(explain):
    heats = np.random.default_rng(0).random((3, 7, 7)).astype(np.float32)
    html = format_as_html(explain(grainy(224), *heats), page=True)
    assert len(html.encode()) <= 250_000


def test_so_do_they_of_a_real_photograph_by_maps_of_pixels(shared, explain):
    picture = Image.open(shared / "images" / "cat_dog.jpg").resize((224, 224))
    edges = np.abs(np.diff(np.asarray(picture.convert("L"), np.float32), append=0))
    heats = [np.maximum(np.roll(edges, n, 0) / edges.max(), 0) for n in range(3)]
    html = format_as_html(explain(picture, *heats), page=True)
    assert len(html.encode()) <= 250_000


def test_records_show_themselves_with_it(explain, photo):
    expl = explain(photo, HEAT)
    assert expl._repr_mimebundle_(include={"text/html"}) == {"text/html": format_as_html(expl)}
    assert explainkit.format_as_html is format_as_html


def test_a_page_is_asked_for_by_yes_or_no(explain, photo):
    with pytest.raises(TypeError, match="page is 'no', of type str; give True for a whole"):
        format_as_html(explain(photo, HEAT), page="no")
    assert format_as_html(explain(photo, HEAT), page=np.True_).startswith("<!doctype")


def test_who_gives_something_else_is_told_what_would_do(photo):
    with pytest.raises(TypeError, match="an Explanation can be shown, not a Image; give what"):
        format_as_html(photo)
