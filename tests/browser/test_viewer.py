"""The viewer in a real browser: what it draws, and that all can use it."""

import base64
import io
import re

import attrs
import numpy as np
import pytest
from PIL import Image

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters import format_as_html, format_as_image
from explainkit.formatters.pages.viewer import element, payload, script
from explainkit.localization import find_box

HEAT = np.array([[0, 0.25, 0.5], [1, 0.1, 0.9]], np.float32)
OTHER = np.array([[0.8, 0.3], [0.0, 0.2], [0.1, 1.0]], np.float32)

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "\"quoted\" & 'quoted' `too`",
    "قط مخطط 12",
    "🐈‍⬛ cat",
    "<!-- <script>",
    "{{ 7 * 7 }} ${7 * 7}",
)

#: What is seen: the picture and what is drawn over it, pixel by pixel.
SEEN = """async (frame) => {
  const painted = () => new Promise(requestAnimationFrame);
  while (frame.ariaBusy === "true") await painted();
  await painted();
  await painted();
  const [picture, canvas] = [frame.querySelector("img"), frame.querySelector("canvas")];
  const whole = document.createElement("canvas");
  Object.assign(whole, { width: canvas.width, height: canvas.height });
  const sheet = whole.getContext("2d");
  if (!picture.hidden) { await picture.decode(); sheet.drawImage(picture, 0, 0); }
  sheet.drawImage(canvas, 0, 0);
  return whole.toDataURL().split(",")[1];
}"""

FOCUSED = """() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  if (!at || at === document.body) return null;
  return at.getAttribute("aria-label") || at.labels?.[0]?.innerText.trim() || at.innerText.trim();
}"""


def explain(image, *heats, labels=None, method="gradcam", layer="conv", **fields):
    labels = labels or ["one", "two", "three"]
    targets = [
        TargetExplanation(100 + i, labels[i], 12.345 - i, 0.8 / (i + 1), heat, heat)
        for i, heat in enumerate(heats)
    ]
    return Explanation("model", method, layer, "It says where.", False, targets, image, **fields)


@pytest.fixture(scope="module")
def photo():
    """Noise in RGB, 24 x 18, that no formula can pass by luck."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (18, 24, 3), np.uint8))


def seen(page, nth=0):
    png = base64.b64decode(page.locator(".frame").nth(nth).evaluate(SEEN))
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def expected(expl, **options):
    return np.asarray(format_as_image(expl, **options).convert("RGB")).astype(int)


def alike(one, other, within=4):
    return np.abs(one - other).max() <= within


def far_apart(one, other):
    return np.abs(one - other).max() > 20


def document(*fragments):
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Several</title>'
    return f"{head}<body><main><h1>Several</h1>{''.join(fragments)}</main></body></html>"


# What is drawn


def test_the_browser_draws_the_colours_of_format_as_image(open_page, photo):
    expl = explain(photo, HEAT)
    filters = ["nearest", "bilinear", "hamming", "bicubic", "lanczos"]
    page = open_page(document(*(format_as_html(expl, one) for one in filters)))
    for nth, one in enumerate(filters):
        # Heat comes in 256 levels, which between cells may end in the shade beside.
        within = 2 if one == "nearest" else 4
        assert alike(seen(page, nth), expected(expl, resampling_filter=one), within)


def test_maps_larger_than_the_picture_are_reduced_as_pillow_does(open_page, photo):
    heat = np.random.default_rng(0).random((50, 70)).astype(np.float32)
    expl = explain(photo, heat)
    page = open_page(format_as_html(expl, page=True))
    assert alike(seen(page), expected(expl))


def test_options_are_what_is_seen_at_first(open_page, photo):
    def reds(heat):
        return np.stack([np.ones_like(heat), heat, heat / 2], -1)

    expl = explain(photo, HEAT, OTHER)
    options = {"colormap": reds, "alpha_limit": 0.333, "saturated": 0.3, "target": 1}
    page = open_page(format_as_html(expl, "nearest", page=True, **options))
    assert alike(seen(page), expected(expl, resampling_filter="nearest", **options))
    assert page.get_by_label("Colormap").input_value() == "reds"
    assert page.get_by_role("radio").count() == 0  # one target is there: nothing to choose


def test_the_opacity_slider_moved_by_keys_changes_pixels(open_page, photo):
    expl = explain(photo, HEAT)
    page = open_page(format_as_html(expl, page=True))
    before = page.locator(".frame").screenshot()
    slider = page.get_by_role("slider", name="Opacity")
    slider.focus()
    page.keyboard.press("End")
    assert alike(seen(page), expected(expl, alpha_limit=1.0))
    assert page.locator(".frame").screenshot() != before
    page.keyboard.press("ArrowLeft")
    assert alike(seen(page), expected(expl, alpha_limit=0.99))
    page.keyboard.press("Home")
    assert (seen(page) == np.asarray(photo)).all()


def test_choosing_a_target_changes_the_picture(open_page, photo):
    expl = explain(photo, HEAT, OTHER)
    page = open_page(format_as_html(expl, page=True))
    first, second = expected(expl), expected(expl, target=1)
    assert far_apart(first, second)
    page.get_by_role("row", name="two").click()
    assert alike(seen(page), second)
    page.get_by_role("radio", name="two").press("ArrowUp")
    assert page.get_by_role("radio", name="one").is_checked()
    assert alike(seen(page), first)


def test_choosing_colours_changes_them(open_page, photo):
    expl = explain(photo, HEAT)
    page = open_page(format_as_html(expl, page=True))
    page.get_by_label("Colormap").select_option("magma")
    assert alike(seen(page), expected(expl, colormap="magma"))


def test_blocky_is_nearest(open_page, photo):
    expl = explain(photo, HEAT)
    page = open_page(format_as_html(expl, page=True))
    page.get_by_label("Smooth").uncheck()
    assert alike(seen(page), expected(expl, resampling_filter="nearest"))


def test_what_is_below_the_threshold_is_not_drawn(open_page, photo):
    expl = explain(photo, HEAT)
    page = open_page(format_as_html(expl, "nearest", page=True))
    page.get_by_role("slider", name="Threshold").fill("0.5")
    whole = expected(expl, resampling_filter="nearest")
    hot = np.asarray(Image.fromarray(HEAT).resize(photo.size, Image.Resampling.NEAREST)) >= 0.5
    drawn = np.where(hot[..., None], whole, np.asarray(photo))
    assert hot.any()
    assert not hot.all()
    assert alike(seen(page), drawn)


def test_the_threshold_is_of_the_heat_that_is_read_when_it_is_saturated(open_page, photo):
    expl = explain(photo, HEAT)  # cells from 0.5 on are drawn at full strength
    page = open_page(format_as_html(expl, "nearest", saturated=0.4, page=True))
    whole = expected(expl, resampling_filter="nearest", saturated=0.4)
    heat = np.asarray(Image.fromarray(HEAT).resize(photo.size, Image.Resampling.NEAREST))
    bar = "(bar) => [...bar.getContext('2d').getImageData(0, 0, 256, 1).data]"
    for threshold, hot in ((0.2, heat > 0.2), (0.3, heat > 0.3), (0.95, heat >= 0.5)):
        page.get_by_role("slider", name="Threshold").fill(str(threshold))
        drawn = np.where(hot[..., None], whole, np.asarray(photo))
        assert alike(seen(page), drawn), threshold
        opaque = page.locator(".scale canvas").evaluate(bar)[3::4]
        assert opaque.index(255) == min(np.ceil(threshold / 0.5 * 255), 255)


def test_the_box_is_that_of_find_box_and_follows_the_target(open_page, photo):
    expl = explain(photo, HEAT, OTHER)
    page = open_page(format_as_html(expl, page=True))
    box = page.locator("rect.box.over")
    assert box.count() == 0
    page.get_by_label("Box").check()
    for target in (0, 1):
        page.get_by_role("radio").nth(target).check()
        page.locator(".frame[aria-busy=false]").wait_for()
        left, top, right, bottom = find_box(expl, target=target)
        sides = [float(box.get_attribute(side)) for side in ("x", "y", "width", "height")]
        assert sides == [left, top, right - left, bottom - top]
    page.get_by_label("Box").uncheck()
    assert box.count() == 0


def test_boxes_that_are_given_are_drawn_where_they_are(open_page):
    picture = Image.new("RGB", (3000, 1500), "gray")
    expl = explain(picture, HEAT)
    page = open_page(format_as_html(expl, page=True, boxes=[(300, 150, 1500, 750)]))
    box = page.locator("rect.given.over")
    sides = [float(box.get_attribute(side)) for side in ("x", "y", "width", "height")]
    assert sides == pytest.approx([102.4, 51.2, 409.6, 204.8])  # in a picture of 1024 pixels
    page.get_by_label("Given boxes").uncheck()
    assert box.count() == 0


def test_without_a_picture_the_heatmap_is_one(open_page):
    page = open_page(format_as_html(explain(None, HEAT), "nearest", colormap="gray", page=True))
    drawn = seen(page)
    cells = drawn[:: drawn.shape[0] // 2, :: drawn.shape[1] // 3, 0]
    assert (cells == np.floor(HEAT * 255 + 0.5)).all()
    assert not page.get_by_role("slider", name="Opacity").is_visible()


def test_methods_and_layers_are_chosen_where_there_are_several(open_page, photo):
    views = [
        explain(photo, HEAT, OTHER, method="gradcam", layer="early"),
        explain(photo, OTHER, HEAT, method="gradcam", layer="late"),
        explain(photo, 1 - HEAT, 1 - OTHER, method="layercam", layer="late"),
    ]
    page = open_page(format_as_html(views, page=True))
    page.get_by_role("radio", name="two").check()
    page.get_by_role("combobox", name="Layer").select_option("late")
    assert alike(seen(page), expected(views[1], target=1))
    page.get_by_role("combobox", name="Method").select_option("layercam")
    assert page.get_by_role("combobox", name="Layer").locator("option").all_inner_texts() == [
        "late"
    ]
    assert page.get_by_role("radio", name="two").is_checked()
    assert alike(seen(page), expected(views[2], target=1))
    page.get_by_role("combobox", name="Method").select_option("gradcam")
    assert alike(seen(page), expected(views[1], target=1))


def test_the_target_that_was_chosen_stays_though_others_have_its_label(open_page, photo):
    views = [
        explain(photo, HEAT, OTHER, HEAT.T, labels=["crane"] * 3),
        explain(photo, OTHER, HEAT, HEAT.T, labels=["crane"] * 3, method="layercam"),
    ]
    page = open_page(format_as_html(views, page=True))
    page.get_by_role("radio").nth(1).check()
    page.get_by_role("combobox", name="Method").select_option("layercam")
    assert page.get_by_role("radio").nth(1).is_checked()
    assert alike(seen(page), expected(views[1], target=1))


def test_so_does_one_of_two_functions_of_one_name(open_page, photo):
    def of(method, *heats):
        functions = [TargetExplanation("<lambda>", None, 1.0, None, heat, heat) for heat in heats]
        return Explanation("model", method, targets=functions, image=photo)

    views = [of("gradcam", HEAT, OTHER), of("layercam", OTHER, HEAT)]
    page = open_page(format_as_html(views, page=True))
    page.get_by_role("radio").nth(1).check()
    page.get_by_role("combobox", name="Method").select_option("layercam")
    assert page.get_by_role("radio").nth(1).is_checked()
    assert alike(seen(page), expected(views[1], target=1))


def test_the_view_is_named_after_the_model_that_is_shown(open_page, photo):
    one = explain(photo, HEAT)
    page = open_page(format_as_html([one, attrs.evolve(one, estimator="other")], page=True))
    assert page.get_by_role("figure", name="Explanation of model", exact=True).is_visible()
    page.get_by_role("combobox", name="Method").select_option("gradcam of other")
    assert page.get_by_role("figure", name="Explanation of other", exact=True).is_visible()


def test_a_click_on_a_row_chooses_once_and_selecting_a_number_nothing(open_page, photo):
    page = open_page(format_as_html(explain(photo, HEAT, OTHER), page=True))
    page.evaluate(
        """([name]) => {
          window.chosen = window.clicked = 0;
          const { shadowRoot } = document.querySelector(name);
          for (const radio of shadowRoot.querySelectorAll("input[type=radio]")) {
            radio.addEventListener("click", () => { window.clicked += 1; });
          }
          const frame = shadowRoot.querySelector(".frame");
          new MutationObserver((all) => { window.chosen += all.length; })
            .observe(frame, { attributeFilter: ["role"] });
        }""",
        [element()],
    )
    page.get_by_text("two").last.click()
    seen(page)
    once = page.evaluate("[window.chosen, window.clicked]")
    page.get_by_role("cell", name="12.3").click()
    seen(page)
    assert page.get_by_role("radio", name="one").is_checked()
    assert once == [1, 1]
    assert page.evaluate("[window.chosen, window.clicked]") == [2, 2]
    number = page.get_by_role("cell", name="11.3").bounding_box()
    middle = number["y"] + number["height"] / 2
    page.mouse.move(number["x"] + number["width"] - 40, middle)
    page.mouse.down()
    page.mouse.move(number["x"] + number["width"] - 2, middle, steps=4)
    page.mouse.up()
    assert page.evaluate("getSelection().toString()").strip()
    assert page.get_by_role("radio", name="one").is_checked()


def test_heat_is_unpacked_when_it_is_chosen_and_what_is_damaged_says_so(open_page, photo):
    told = payload([explain(photo, HEAT, OTHER)])
    second = told["views"][0]["targets"][1]
    second["heat"] = second["heat"][:-8]
    page = open_page(document(f"<{element()}>a picture instead</{element()}>"), built=False)
    page.add_script_tag(content=script())
    page.locator(element()).evaluate("(view, told) => { view.data = told }", told)
    assert alike(seen(page), expected(explain(photo, HEAT)))
    # Not `check`, which would look at the button again, and it goes with the view.
    page.get_by_role("radio").nth(1).click()
    page.get_by_text("This view cannot be drawn here").wait_for()
    assert page.get_by_text("a picture instead").is_visible()


def test_one_method_at_one_layer_is_nothing_to_choose(open_page, photo):
    page = open_page(format_as_html(explain(photo, HEAT), page=True))
    assert page.locator("select").count() == 1  # of colours


# What is read


def test_the_value_under_the_pointer_is_that_of_the_cell(open_page, photo):
    page = open_page(format_as_html(explain(photo, HEAT), page=True))
    frame = page.locator(".frame")
    size = frame.bounding_box()
    for row, column in np.ndindex(2, 3):
        place = {"x": size["width"] * (column + 0.7) / 3, "y": size["height"] * (row + 0.3) / 2}
        frame.hover(position=place)
        said = page.locator(".readout").inner_text()
        assert (
            said == f"Heat {HEAT[row, column]:.2f} in row {row + 1}, column {column + 1} of 2 × 3"
        )
    page.mouse.move(0, 0)
    assert "Point at the picture" in page.locator(".readout").inner_text()


def test_arrow_keys_read_the_cells_aloud(open_page, photo):
    page = open_page(format_as_html(explain(photo, HEAT), page=True))
    page.locator(".frame").focus()
    status = page.get_by_role("status")
    assert status.inner_text() == "Heat 1.00 in row 2, column 1 of 2 × 3"  # the hottest
    for key, said in (
        ("ArrowUp", "Heat 0.00 in row 1, column 1"),
        ("ArrowRight", "Heat 0.25 in row 1, column 2"),
        ("End", "Heat 0.50 in row 1, column 3"),
        ("ArrowRight", "Heat 0.50 in row 1, column 3"),
        ("Shift+ArrowDown", "Heat 0.90 in row 2, column 3"),
        ("Home", "Heat 1.00 in row 2, column 1"),
    ):
        page.keyboard.press(key)
        assert status.inner_text().startswith(said)
        assert page.locator("rect.cell.over").count() == 1


def test_who_reads_by_keys_keeps_the_cell_when_the_pointer_passes(open_page, photo):
    page = open_page(format_as_html(explain(photo, HEAT), page=True))
    frame, readout = page.locator(".frame"), page.locator(".readout")
    frame.focus()
    page.keyboard.press("ArrowUp")
    frame.hover(position={"x": 300, "y": 30})
    assert readout.inner_text().startswith("Heat 0.00 in row 1, column 1")
    page.mouse.move(0, 0)
    assert readout.inner_text().startswith("Heat 0.00 in row 1, column 1")
    frame.click(position={"x": 300, "y": 30})  # which says that the pointer is meant
    assert readout.inner_text().startswith("Heat 0.25 in row 1, column 2")
    frame.hover(position={"x": 30, "y": 30})
    assert readout.inner_text().startswith("Heat 0.00 in row 1, column 1")


def test_keys_that_read_do_not_scroll_and_others_are_the_browsers(open_page, photo):
    page = open_page(format_as_html(explain(photo, HEAT), page=True))
    page.evaluate(
        """() => {
          window.taken = [];
          addEventListener("keydown", (event) => {
            if (event.defaultPrevented) window.taken.push(event.key);
          });
        }"""
    )
    page.locator(".frame").focus()
    for key in ("ArrowDown", "ArrowLeft", "Home", "End", "PageDown", "a", "Alt+ArrowLeft"):
        page.keyboard.press(key)
    assert page.evaluate("window.taken") == ["ArrowDown", "ArrowLeft", "Home", "End"]


def test_blocky_cells_have_sharp_edges(open_page):
    expl = explain(Image.new("RGB", (24, 18), "navy"), HEAT)
    page = open_page(format_as_html(expl, "nearest", page=True))
    seen(page)
    shown = Image.open(io.BytesIO(page.locator(".frame").screenshot())).convert("RGB")
    inside = shown.crop((8, 8, shown.width - 8, shown.height - 8))
    assert len(inside.getcolors(10_000)) == HEAT.size


def test_flat_pictures_are_high_enough_to_be_seen(open_page):
    views = [explain(Image.new("RGB", size), HEAT) for size in ((2000, 1), (1, 2000))]
    page = open_page(document(*map(format_as_html, views)))
    flat, thin = (page.locator(".frame").nth(nth).bounding_box() for nth in (0, 1))
    assert (flat["width"], flat["height"]) == (560, 28)
    assert (thin["width"], thin["height"]) == (28, 560)


def test_what_is_drawn_at_full_strength_is_said_to_be_at_least_that(open_page, photo):
    page = open_page(format_as_html(explain(photo, HEAT), saturated=0.4, page=True))
    page.locator(".frame").focus()
    level = np.quantile(HEAT, 0.6)
    status = page.get_by_role("status")
    assert status.inner_text().startswith(f"Heat at least {level:.2f} in")
    page.keyboard.press("ArrowLeft")
    assert status.inner_text().startswith("Heat 0.25 in row 1, column 2")


def test_the_table_has_label_score_and_probability(open_page, photo):
    page = open_page(format_as_html(explain(photo, HEAT, OTHER), page=True))
    rows = [re.split(r"\s+", row) for row in page.locator(".panel tbody tr").all_inner_texts()]
    assert [list(filter(None, row)) for row in rows] == [
        ["one", "100", "12.3", "0.8"],
        ["two", "101", "11.3", "0.4"],
    ]


def test_signals_and_failures_say_so(open_page, photo):
    signal = np.linspace(0, 1, 16, dtype=np.float32)
    page = open_page(format_as_html(explain(None, signal, signal), page=True))
    assert "that of a signal or text" in page.locator(".note").inner_text()
    assert page.get_by_role("radio").count() == 2
    assert not page.locator(".frame").is_visible()
    blank = explain(photo, 0 * HEAT, HEAT)
    page = open_page(format_as_html(blank, page=True))
    assert "zero everywhere" in page.locator(".note").inner_text()
    page.get_by_role("radio").nth(1).check()
    assert page.locator(".note").inner_text() == ""
    failed = Explanation("model", "gradcam", image=photo, error="ValueError: it holds NaN")
    page = open_page(format_as_html(failed, page=True))
    assert "failed: ValueError: it holds NaN" in page.locator(".note").inner_text()
    assert (seen(page)[0, 0] == np.asarray(photo)[0, 0]).all()
    assert not page.locator(".controls").is_visible()


# Who can use it


def test_keys_alone_reach_everything_in_order(open_page, photo):
    views = [
        explain(photo, HEAT, OTHER, layer="early"),
        explain(photo, HEAT, method="layercam", layer="late"),
        explain(photo, HEAT, layer="late"),
    ]
    page = open_page(format_as_html(views, page=True, boxes=[(0, 0, 4, 4)]))
    page.locator(".frame").wait_for()
    order = []
    for _ in range(20):
        page.keyboard.press("Tab")
        name = page.evaluate(FOCUSED)
        if name is None:
            break
        order.append(name)
    assert [re.split(r"[\n,]", name)[0] for name in order] == [
        "Heatmap of one",
        "Method",
        "Layer",
        "one 100",
        "Opacity",
        "Threshold",
        "Colormap",
        "Smooth",
        "Box around the largest hot part",
        "Given boxes",
        "About this explanation",
    ]
    for role in ("application", "combobox", "radio", "slider", "checkbox"):
        for control in page.get_by_role(role).all():
            assert control.aria_snapshot().startswith(f'- {role} "'), role  # its name in quotes
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert page.get_by_text("It says where.").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page, violations, photo, scheme):
    signal = np.linspace(0, 1, 16, dtype=np.float32)
    several = [
        explain(photo, HEAT, OTHER, labels=HOSTILE),
        explain(photo, HEAT, method="layercam", layer="late"),
    ]
    dark = "<style>:root { color-scheme: light dark }</style>"
    page = open_page(
        document(
            dark,
            format_as_html(several, boxes=[(0, 0, 4, 4)]),
            format_as_html(explain(None, HEAT)),
            format_as_html(explain(None, signal, signal)),
            format_as_html(Explanation("model", "gradcam", image=photo, error="no")),
        ),
        scheme=scheme,
    )
    for details in page.locator("summary").all():
        if details.is_visible():
            details.click()
    page.locator(".frame").first.focus()
    assert page.locator(element()).first.get_attribute("data-scheme") == scheme
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_a_page_of_its_own(open_page, violations, photo, scheme):
    page = open_page(format_as_html(explain(photo, HEAT, OTHER), page=True), scheme=scheme)
    page.locator(".frame").wait_for()
    assert violations(page) == []


def test_a_phone_need_not_scroll_sideways(open_page, photo):
    long = "antidisestablishmentarianism" * 12
    views = [
        explain(photo, HEAT, OTHER, labels=[long, "two"], layer=long),
        explain(photo, HEAT, method=long),
    ]
    page = open_page(format_as_html(views, page=True), width=390, has_touch=True)
    page.locator(".frame").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    frame = page.locator(".frame")
    assert frame.bounding_box()["width"] > 300
    frame.tap(position={"x": 10, "y": frame.bounding_box()["height"] - 10})
    assert page.locator(".readout").inner_text().startswith("Heat 1.00 in row 2, column 1")
    for control in page.get_by_role("slider").all():
        edges = control.bounding_box()
        assert edges["x"] >= 0
        assert edges["x"] + edges["width"] <= 390


def test_without_scripts_the_overlay_and_the_table_are_seen(open_page, photo):
    expl = explain(photo.resize((240, 180)), HEAT, OTHER, labels=HOSTILE)
    for html in (format_as_html(expl, page=True), document(format_as_html(expl))):
        page = open_page(html, java_script_enabled=False)
        picture = page.get_by_role("img", name="Heatmap of")
        assert picture.is_visible()
        assert picture.bounding_box()["width"] > 400  # both targets
        assert page.get_by_role("cell", name="11.3").is_visible()
        assert HOSTILE[0] in page.locator("table").inner_text()


@pytest.mark.parametrize(
    ("part", "other", "reason"),
    [
        ("<main>", "<main><script>delete DecompressionStream</script>", "is too old to unpack"),
        ('"heat": "', '"heat": "AAAA', "its data are damaged"),
        ('{"alpha":', '{"alpha"', "JSON"),
    ],
)
def test_where_it_cannot_be_drawn_the_overlay_stays_and_it_says_why(
    open_page, photo, part, other, reason
):
    whole = document(format_as_html(explain(photo, HEAT)))
    assert part in whole
    page = open_page(whole.replace(part, other))
    said = page.get_by_text("This view cannot be drawn here: ")
    assert reason in said.inner_text()
    assert page.get_by_role("img", name="Heatmap of one").is_visible()
    assert page.get_by_role("cell", name="12.3").is_visible()


def test_the_overlay_is_seen_until_the_view_is(open_page, photo):
    html = document(format_as_html(explain(photo, HEAT)))
    slow = """<script>
      const at_once = Response.prototype.arrayBuffer;
      const opened = new Promise((open) => { window.open_gate = open; });
      Response.prototype.arrayBuffer = async function () {
        await opened;
        return at_once.call(this);
      };
    </script>"""
    page = open_page(html.replace("<main>", f"<main>{slow}"), built=False)
    assert page.get_by_role("img", name="Heatmap of one").is_visible()
    page.evaluate("window.open_gate()")
    page.get_by_role("application", name="Heatmap of one").wait_for()
    assert not page.locator(".explainkit-static").is_visible()


def test_letters_of_the_page_around_are_read_in_either_direction(open_page, photo):
    around = '<div dir="rtl" style="white-space: pre; text-transform: uppercase">'
    page = open_page(document(around, format_as_html(explain(photo, HEAT)), "</div>"))
    zero, bar = page.locator(".scale span").first, page.locator(".scale canvas")
    assert zero.inner_text() == "0"
    assert zero.bounding_box()["x"] < bar.bounding_box()["x"]
    assert "ONE" not in page.locator("tbody").last.inner_text()
    assert page.locator("figure").evaluate("(f) => getComputedStyle(f).whiteSpace") == "normal"


def test_letters_that_are_grey_already_stay_legible(open_page, violations, photo):
    grey = "<style>body { color: #555; background: #fff }</style>"
    page = open_page(document(grey, format_as_html(explain(photo, HEAT, OTHER))))
    assert violations(page) == []


def test_a_finger_scrolls_the_page_over_the_picture(open_page, photo):
    html = document(format_as_html(explain(photo, HEAT)), "<p style='height: 3000px'></p>")
    page = open_page(html, width=390, has_touch=True)
    box = page.locator(".frame").bounding_box()
    finger = page.context.new_cdp_session(page)

    def touch(kind, *places):
        points = [{"x": box["x"] + 100, "y": box["y"] + y} for y in places]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 200)
    for y in range(190, 40, -15):
        touch("touchMove", y)
    touch("touchEnd")
    page.wait_for_function("scrollY > 50")


def test_it_follows_the_theme_of_whatever_it_stands_in(open_page, photo):
    theme = "<style>.night { background: #111; color: #eee }</style><div id='around'>"
    page = open_page(document(theme, format_as_html(explain(photo, HEAT)), "</div>"))
    page.evaluate("document.getElementById('around').className = 'night'")
    page.locator(f"{element()}[data-scheme=dark]").wait_for()
    # Who has left the page looks no more.
    left = page.evaluate_handle(
        """async (name) => {
          const view = document.querySelector(name);
          view.remove();
          document.getElementById("around").className = "";
          document.body.className = "other";
          await new Promise(requestAnimationFrame);
          return view;
        }""",
        element(),
    )
    assert left.evaluate("(view) => view.dataset.scheme") == "dark"


def test_it_follows_the_theme_of_a_notebook(open_page, photo):
    page = open_page(document(format_as_html(explain(photo, HEAT))))
    view = page.locator(element())
    assert view.get_attribute("data-scheme") == "light"
    page.evaluate("document.body.setAttribute('style', 'background: #111; color: #eee')")
    page.locator(f"{element()}[data-scheme=dark]").wait_for()


# Many on one page


def test_two_on_one_page_stay_apart_even_of_the_same(open_page, photo):
    expl = explain(photo, HEAT, OTHER)
    page = open_page(document(*[format_as_html(expl)] * 2))
    first, second = expected(expl), expected(expl, target=1)
    page.get_by_role("radio", name="two").nth(1).check()
    assert alike(seen(page, 0), first)
    assert alike(seen(page, 1), second)
    assert page.get_by_role("radio", name="one").nth(0).is_checked()
    page.get_by_role("slider", name="Opacity").nth(0).fill("1")
    assert alike(seen(page, 0), expected(expl, alpha_limit=1.0))
    assert alike(seen(page, 1), second)


def test_views_by_two_versions_stay_apart(open_page, photo):
    here = format_as_html(explain(photo, HEAT))
    other = here.replace(element(), "explainkit-view-00000000").replace("Opacity", "Density")
    page = open_page(document(other, here, here))
    assert page.get_by_role("slider", name="Density").count() == 1
    assert page.get_by_role("slider", name="Opacity").count() == 2


def test_a_notebook_that_puts_it_in_by_script_shows_it(open_page, photo):
    expl = explain(photo, HEAT)
    page = open_page(document('<div id="output"></div>'))
    # Scripts that come with innerHTML do not run until they are made anew: so notebooks do.
    page.evaluate(
        """(html) => {
          const output = document.getElementById("output");
          output.innerHTML = html;
          for (const old of output.querySelectorAll("script")) {
            const anew = document.createElement("script");
            for (const { name, value } of old.attributes) anew.setAttribute(name, value);
            anew.textContent = old.textContent;
            old.replaceWith(anew);
          }
        }""",
        format_as_html(expl),
    )
    assert alike(seen(page), expected(expl))


def test_a_notebook_that_takes_keys_for_its_cells_leaves_those_of_the_controls(open_page, photo):
    page = open_page(document(format_as_html(explain(photo, HEAT))))
    # JupyterLab's way: at the document, before all others, by where the key was pressed.
    page.evaluate(
        """() => document.addEventListener("keydown", (event) => {
          if (event.target.closest("[data-lm-suppress-shortcuts]")) return;
          event.preventDefault();
          event.stopPropagation();
        }, true)"""
    )
    slider = page.get_by_role("slider", name="Opacity")
    slider.focus()
    page.keyboard.press("End")
    assert slider.input_value() == "1"


@pytest.mark.parametrize("first", ["script", "data"])
def test_scripts_give_it_data_by_its_property(open_page, photo, first):
    one, other = explain(photo, HEAT), explain(photo, OTHER)
    page = open_page(document())
    steps = {
        "script": lambda: page.add_script_tag(content=script()),
        "data": lambda: page.evaluate(
            """([name, data]) => {
              const view = document.createElement(name);
              view.data = data;
              document.querySelector("main").append(view);
            }""",
            [element(), payload([one])],
        ),
    }
    for step in (first, *steps.keys() - {first}):
        steps[step]()
    assert alike(seen(page), expected(one))
    view = page.locator(element())
    view.evaluate("(view, data) => { view.data = data }", payload([other]))
    page.get_by_role("application", name="3 cells").wait_for()
    assert alike(seen(page), expected(other))


def test_newer_data_are_not_replaced_by_older_that_take_longer(open_page, photo):
    page = open_page(document())
    page.add_script_tag(content=script())
    kept = page.evaluate(
        """async ([name, older, newer]) => {
          const at_once = Response.prototype.arrayBuffer;
          let open;
          const opened = new Promise((done) => { open = done; });
          Response.prototype.arrayBuffer = async function () {
            Response.prototype.arrayBuffer = at_once;
            await opened;
            return at_once.call(this);
          };
          const view = document.createElement(name);
          document.querySelector("main").append(view);
          view.data = older;
          view.data = newer;
          const figure = () => view.shadowRoot.querySelector("figure");
          while (!figure()) await new Promise(requestAnimationFrame);
          const built = figure();
          open();
          for (let i = 0; i < 5; i++) await new Promise(requestAnimationFrame);
          return figure() === built;
        }""",
        [element(), payload([explain(photo, HEAT)]), payload([explain(photo, OTHER)])],
    )
    assert kept
    assert alike(seen(page), expected(explain(photo, OTHER)))


# Labels and names are data


def test_hostile_names_come_out_as_text(open_page, photo):
    bad = "".join(HOSTILE)
    expl = Explanation(
        f"estimator{bad}",
        f"method{bad}",
        f"layer{bad}",
        f"description{bad}",
        targets=[
            *(TargetExplanation(i, label, 1.0, 0.5, HEAT, HEAT) for i, label in enumerate(HOSTILE)),
            TargetExplanation((bad, 3), None, 1.0, None, HEAT, HEAT),
            TargetExplanation(f"function{bad}", "named", 1.0, None, HEAT, HEAT),
        ],
        image=photo,
    )
    for html in (format_as_html(expl, page=True), document(format_as_html(expl))):
        page = open_page(html)
        page.get_by_text("About this explanation").click()
        rows = page.locator(".panel tbody tr").all_inner_texts()
        for label, row in zip(HOSTILE, rows, strict=False):
            assert row.startswith(label)
        text = page.locator(element()).evaluate("(view) => view.shadowRoot.textContent")
        for name in (
            *HOSTILE,
            f"estimator{bad}",
            f"method{bad}",
            f"layer{bad}",
            f"{bad}[3]",
            f"description{bad}",
        ):
            assert name in text
        assert page.locator("img").count() == 1 + page.locator(".explainkit-static img").count()
        page.get_by_role("radio").nth(1).check()


def test_labels_from_right_to_left_leave_numbers_in_order(open_page, photo):
    page = open_page(format_as_html(explain(photo, HEAT, labels=[HOSTILE[3]]), page=True))
    label = page.locator(".panel tbody th bdi").first.bounding_box()
    unit = page.locator(".panel tbody .unit").bounding_box()
    score = page.locator(".panel tbody td").first.bounding_box()
    assert label["x"] < unit["x"] < score["x"]


def test_the_policy_of_the_page_is_in_force(browser, tmp_path, photo):
    html = format_as_html(explain(photo, HEAT), page=True)
    injected = (
        "<script>window.hacked = 1</script><img src='data:,' onerror='window.hacked = 2'>"
        "<p style='position: fixed'>styled</p><script src='data:text/javascript,hacked=3'></script>"
    )
    path = tmp_path / "page.html"
    path.write_text(html.replace("</main>", f"{injected}</main>"), encoding="utf-8")
    page = browser.new_page()
    refused = []
    page.on("console", lambda said: refused.append(said.text))
    page.goto(path.as_uri())
    page.locator(".frame").wait_for()  # ours runs
    assert page.evaluate("window.hacked") is None
    assert page.get_by_text("styled").evaluate("(p) => getComputedStyle(p).position") == "static"
    assert sum("Content Security Policy" in text for text in refused) >= 4
    page.close()
