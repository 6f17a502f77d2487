"""Reports as a browser shows them: opened from the disk, without a network."""

import random

import attrs
import numpy as np
import pytest
from PIL import Image

from explainkit import report
from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters.reports.agreement import Truth

MARKUP = "<img src=x onerror=alert(1)>"
ARABIC = "كلب"
# In the order in which people sort them.
LABELS = [MARKUP, "ant", "Bee", "cat", ARABIC]
COUNT = 200


@attrs.frozen
class Known:
    """What a document of the report is made of, for oracles in Python."""

    place: int
    number: int
    label: str | None
    score: float | None
    proba: float | None
    truth: str | None
    box: tuple[int, int, int, int]
    error: str | None

    @property
    def name(self):
        return f"photo {self.number}.jpg"

    def explanation(self):
        if self.error:
            return Explanation("net", "gradcam", error=self.error)
        rng = np.random.default_rng(self.place)
        levels = rng.integers(0, 256, (6, 8, 3), np.uint8)
        heat = np.zeros((3, 4), np.float32)
        heat[1, self.place % 4] = 1
        found = TargetExplanation(0, self.label, self.score, self.proba, heat, heat)
        other = TargetExplanation(9, "another", self.score - 1, None, heat.T, heat.T)
        image = Image.fromarray(levels).resize((40, 30), Image.Resampling.BICUBIC)
        return Explanation("net", "gradcam", "conv", targets=[found, other], image=image)


def draw(count, seed=0):
    drawn = random.Random(seed)
    numbers = drawn.sample(range(1, 5 * count), count)
    known = []
    for place, number in enumerate(numbers):
        error = f"ValueError: doc {number} holds NaN" if place % 17 == 5 else None
        left, top = drawn.randrange(20), drawn.randrange(15)
        known.append(
            Known(
                place,
                number,
                None if error else drawn.choice(LABELS),
                None if error else round(drawn.gauss(3, 4), 2),
                None if error or place % 29 == 3 else round(drawn.random(), 3),
                drawn.choice(LABELS) if place % 3 else None,
                (left, top, left + 20, top + 15),
                error,
            )
        )
    return known


def write(known, path):
    return report(
        (one.explanation() for one in known),
        path,
        names=(one.name for one in known),
        truth=(Truth(one.truth, one.box if one.place % 3 else ()) for one in known),
    )


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A report about many documents, and what is known of them."""
    known = draw(COUNT)
    return write(known, tmp_path_factory.mktemp("many") / "report.html"), known


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    known = draw(12, seed=1)
    return write(known, tmp_path_factory.mktemp("few") / "report.html"), known


def shown(page):
    """List the places of the items that are to be seen, from the first to the last."""
    return page.locator(".item").evaluate_all(
        "all => all.map((one) => Number(one.id.replace('item-', '')))"
    )


def told(page):
    return page.get_by_role("status").text_content()


def opener(page, one):
    return page.get_by_role("button", name=f"Look closer at {one.name}", exact=True)


def focused(page):
    return page.evaluate("document.activeElement.getAttribute('aria-label')")


# Sorting and filtering

KEYS = {
    "as given": lambda one: one.place,
    "name": lambda one: one.number,
    "label": lambda one: None if one.label is None else LABELS.index(one.label),
    "score": lambda one: one.score,
    "probability": lambda one: one.proba,
}


def in_order(known, key, downwards=False):
    """Sort as Python does; what has no key is last, and equals stay as they were given."""
    there = [one for one in known if key(one) is not None]
    there.sort(key=lambda one: -key(one) if downwards else key(one))
    return [one.place for one in [*there, *(one for one in known if key(one) is None)]]


def test_a_thousand_documents_are_sorted_and_filtered(open_page, tmp_path):
    known = draw(1000, seed=2)
    page = open_page(write(known, tmp_path / "report.html"))
    assert shown(page) == list(range(1000))
    assert told(page) == "1,000 of 1,000 shown"
    page.get_by_label("Sort by").select_option("score")
    page.get_by_label("Label").select_option(value="cat")
    found = [place for place in in_order(known, KEYS["score"]) if known[place].label == "cat"]
    assert shown(page) == found
    opener(page, known[found[-1]]).click()
    page.get_by_role("dialog").get_by_role("row", name="cat").wait_for()


def test_documents_are_sorted_both_ways(open_page, many):
    path, known = many
    page = open_page(path, locale="en-GB")
    assert shown(page) == list(range(COUNT))
    for name, key in KEYS.items():
        page.get_by_label("Sort by").select_option(name)
        for order in ("ascending", "descending"):
            page.get_by_label("Order").select_option(order)
            assert shown(page) == in_order(known, key, order == "descending"), (name, order)
        page.get_by_label("Order").select_option("ascending")


def test_agreement_with_the_truth_is_sorted_by(open_page, many):
    path, known = many
    page = open_page(path)
    page.get_by_label("Sort by").select_option("overlap with the truth")
    page.get_by_label("Order").select_option("descending")
    overlaps = page.locator(".item").evaluate_all("all => all.map((one) => one.dataset.overlap)")
    judged = [float(one) for one in overlaps if one is not None]
    assert judged == sorted(judged, reverse=True)
    assert overlaps[len(judged) :] == [None] * (COUNT - len(judged))
    assert len(judged) == sum(one.error is None and one.place % 3 != 0 for one in known)
    page.get_by_label("Sort by").select_option("outcome, failed first")
    page.get_by_label("Order").select_option("ascending")
    failed = [one.place for one in known if one.error]
    unjudged = [
        one.place for one in known if one.place % 3 == 0 and not one.error and not one.truth
    ]
    assert unjudged
    found = shown(page)
    assert found[: len(failed)] == failed
    assert found[-len(unjudged) :] == unjudged
    best = page.locator(f"#item-{found[-len(unjudged) - 1]}")
    assert best.get_attribute("data-outcomes") == "explained right hit"
    page.get_by_label("Order").select_option("descending")
    assert shown(page)[-len(unjudged) :] == unjudged


def test_documents_are_filtered(open_page, many):
    path, known = many
    page = open_page(path)

    def expect(fits):
        places = [one.place for one in known if fits(one)]
        assert 0 < len(places) < COUNT
        assert shown(page) == places
        assert told(page) == f"{len(places)} of 200 shown"

    def right(one):
        return one.error is None and one.truth is not None and one.label == one.truth

    search = page.get_by_label("Search")
    search.fill("PHOTO 12")
    expect(lambda one: "12" in one.name)
    search.fill("bee 7")
    expect(lambda one: "Bee" in (one.label, one.truth) and "7" in one.name)
    search.fill(MARKUP)
    expect(lambda one: MARKUP in (one.label, one.truth))
    search.fill("")
    label = page.get_by_label("Label")
    label.select_option(value=ARABIC)
    expect(lambda one: one.label == ARABIC)
    page.get_by_label("Show").select_option(value="wrong")
    expect(lambda one: one.label == ARABIC and one.truth is not None and not right(one))
    label.select_option("all labels")
    page.get_by_label("Show").select_option(value="right")
    expect(right)
    page.get_by_label("Show").select_option(value="failed")
    expect(lambda one: one.error is not None)
    page.get_by_label("Show").select_option(value="")
    page.get_by_label("Score from").fill("2.5")
    expect(lambda one: one.score is not None and one.score >= 2.5)
    page.get_by_label("Score up to").fill("4")
    expect(lambda one: one.score is not None and 2.5 <= one.score <= 4)
    page.get_by_role("button", name="Reset").click()
    assert shown(page) == list(range(COUNT))


def test_where_nothing_fits_the_way_back_is_shown(open_page, few):
    page = open_page(few[0])
    page.get_by_label("Search").fill("no such thing")
    assert (shown(page), told(page)) == ([], "0 of 12 shown")
    page.get_by_role("button", name="Show all").click()
    assert told(page) == "12 of 12 shown"


def test_the_address_keeps_what_is_asked(open_page, few):
    path, known = few
    page = open_page(path)
    page.get_by_label("Label").select_option(value=MARKUP)
    page.get_by_label("Sort by").select_option("score")
    page.get_by_label("Order").select_option("descending")
    asked, found = page.url, shown(page)
    assert found == [
        place for place in in_order(known, KEYS["score"], downwards=True)
        if known[place].label == MARKUP
    ]  # fmt: skip
    page.goto("about:blank")
    page.goto(asked)
    assert shown(page) == found
    assert page.get_by_label("Label").input_value() == MARKUP
    page.evaluate("location.hash = 'label=unknown&sort=score'")
    page.get_by_role("status").filter(has_text="12 of 12 shown").wait_for()
    assert shown(page) == in_order(known, KEYS["score"])


# Looking closer


def test_keys_alone_look_closer_and_come_back(open_page, few):
    path, known = few
    page = open_page(path)
    explained = [one for one in known if not one.error]
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page) == f"Look closer at {explained[0].name}":
            break
    dialog = page.get_by_role("dialog")
    assert not dialog.is_visible()
    page.keyboard.press("Enter")
    assert dialog.is_visible()
    assert page.get_by_role("dialog", name=explained[0].name, exact=True).is_visible()
    dialog.get_by_role("row", name=explained[0].label).wait_for()
    assert dialog.get_by_role("button", name="Previous").is_disabled()
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert focused(page) == f"Look closer at {explained[0].name}"
    page.keyboard.press("ArrowRight")
    assert focused(page) == f"Look closer at {explained[1].name}"
    page.keyboard.press("Space")
    dialog.get_by_role("button", name="Next").press("Enter")
    assert page.get_by_role("dialog", name=explained[2].name, exact=True).is_visible()
    dialog.get_by_role("button", name="Close").press("Enter")
    assert focused(page) == f"Look closer at {explained[2].name}"


def test_next_follows_the_order_and_the_filter(open_page, few):
    path, known = few
    page = open_page(path)
    page.get_by_label("Sort by").select_option("score")
    page.get_by_label("Score from").fill("2")
    places = [
        place for place in in_order(known, KEYS["score"]) if (known[place].score or 0) >= 2
    ]  # fmt: skip
    assert len(places) > 2
    opener(page, known[places[0]]).click()
    dialog = page.get_by_role("dialog")
    for place in places[1:]:
        dialog.get_by_role("button", name="Next").click()
        assert page.get_by_role("dialog", name=known[place].name, exact=True).is_visible()
    assert dialog.get_by_role("button", name="Next").is_disabled()
    assert focused(page) == "Close"


def test_the_item_that_is_looked_at_is_the_one_that_is_drawn(open_page, few):
    path, known = few
    page = open_page(path)
    one = next(one for one in known if not one.error)
    opener(page, one).click()
    page.get_by_role("dialog").get_by_role("row", name=one.label).wait_for()
    frame = page.get_by_role("dialog").locator(".frame")
    before = frame.screenshot()
    page.get_by_role("dialog").get_by_role("slider", name="Opacity").press("End")
    page.wait_for_timeout(100)
    assert frame.screenshot() != before
    assert page.get_by_role("dialog").get_by_role("radio").count() == 2


def test_what_is_set_for_one_picture_goes_for_the_next(open_page, few):
    path, known = few
    page = open_page(path, bypass_csp=True)  # to wait for conditions
    first, second, *_ = [one for one in known if not one.error]
    opener(page, first).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("slider", name="Opacity").press("Home")
    dialog.get_by_role("slider", name="Threshold").press("End")
    dialog.get_by_label("Colormap").select_option("magma")
    dialog.get_by_label("Smooth").uncheck()
    dialog.get_by_role("button", name="Next").click()
    heard = dialog.get_by_role("heading", name=second.name, exact=True)
    heard.wait_for()
    assert heard.get_attribute("aria-live") == "polite"
    dialog.locator("option:checked", has_text="magma").wait_for(state="attached")
    assert dialog.get_by_role("slider", name="Opacity").input_value() == "0"
    assert dialog.get_by_role("slider", name="Threshold").input_value() == "1"
    assert not dialog.get_by_label("Smooth").is_checked()
    assert dialog.get_by_label("Box around").is_checked() is False
    page.wait_for_function(
        """(canvas) => canvas.getContext("2d").getImageData(0, 0, 40, 30).data
            .every((value, i) => i % 4 < 3 || value === 0)""",
        arg=dialog.locator(".frame canvas").element_handle(),
    )


def middle_of(box):
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_only_a_click_beside_the_dialog_closes_it(open_page, few):
    path, known = few
    page = open_page(path, height=500)
    one = next(one for one in known if one.truth and not one.error)
    opener(page, one).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("row", name=one.label).wait_for()
    box = dialog.bounding_box()
    # Beside the verdicts there is nothing but the dialog itself.
    said = dialog.locator("p.truth").bounding_box()
    page.mouse.click(box["x"] + 8, middle_of(said)[1])
    assert dialog.is_visible()
    # From a text to beyond the edge: it is selected.
    page.mouse.move(*middle_of(dialog.locator("h2").bounding_box()))
    page.mouse.down()
    page.mouse.move(box["x"] - 20, box["y"] + 20, steps=3)
    page.mouse.up()
    assert dialog.is_visible()
    page.mouse.click(box["x"] - 20, box["y"] + 20)
    dialog.wait_for(state="hidden")
    assert focused(page) == f"Look closer at {one.name}"


def test_the_page_does_not_scroll_behind_the_dialog(open_page, few):
    path, known = few
    page = open_page(path, height=400, bypass_csp=True)  # to wait for conditions
    first, second, *_ = [one for one in known if not one.error]
    opener(page, first).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("row", name=first.label).wait_for()
    before = page.evaluate("scrollY")
    box = dialog.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 200)
    page.mouse.wheel(0, 5000)
    page.wait_for_function("document.querySelector('dialog').scrollTop > 0")
    page.mouse.wheel(0, 5000)
    page.mouse.move(box["x"] - 10, box["y"] + 200)
    page.mouse.wheel(0, 5000)
    page.wait_for_timeout(200)
    assert page.evaluate("scrollY") == before
    dialog.get_by_role("button", name="Next").click()
    assert page.get_by_role("dialog", name=second.name, exact=True).is_visible()
    dialog.get_by_role("row", name=second.label).wait_for()
    assert dialog.evaluate("one => one.scrollTop") == 0


def test_failed_documents_say_why_and_cannot_be_opened(open_page, few):
    path, known = few
    page = open_page(path)
    [failed] = [one for one in known if one.error]
    item = page.locator(f"#item-{failed.place}")
    assert failed.error in item.inner_text()
    assert item.get_by_role("button").count() == 0


# For all people


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page, violations, few, scheme):
    path, known = few
    page = open_page(path, scheme=scheme, bypass_csp=True)
    assert violations(page) == []
    opener(page, next(one for one in known if not one.error)).click()
    page.get_by_role("dialog").get_by_role("radio").first.wait_for()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_label("Search").fill("no such thing")
    assert violations(page) == []


def test_every_control_has_a_name(open_page, few):
    page = open_page(few[0])
    names = {
        "searchbox": ["Search"],
        "combobox": ["Label", "Show", "Sort by", "Order"],
        "spinbutton": ["Score from", "Score up to"],
    }
    for role, expected in names.items():
        assert page.get_by_role(role).count() == len(expected)
        for name in expected:
            assert page.get_by_role(role, name=name).count() == 1, name
    assert page.get_by_role("search", name="Sort and filter").count() == 1


MOVING = """() => {
  const roots = [document];
  for (const root of roots)
    for (const one of root.querySelectorAll("*")) if (one.shadowRoot) roots.push(one.shadowRoot);
  const moves = (one) => {
    const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(one);
    return transitionDuration !== "0s" || animationName !== "none" || scrollBehavior === "smooth";
  };
  return roots.flatMap((root) => [...root.querySelectorAll("*")]).filter(moves).length;
}"""


@pytest.mark.parametrize("asked", ["reduce", "no-preference"])
def test_nothing_moves_for_who_would_have_it_still(open_page, few, asked):
    page = open_page(few[0], reduced_motion=asked)
    page.locator(".picture button").first.click()
    page.locator("dialog figure").wait_for()
    assert (page.evaluate(MOVING) > 0) == (asked == "no-preference")


def test_a_phone_need_not_scroll_sideways(open_page, tmp_path):
    long = "antidisestablishmentarianism" * 9
    known = [attrs.evolve(one, label=one.label and long, truth=long) for one in draw(8)]
    path = report(
        [one.explanation() for one in known],
        tmp_path / "long.html",
        names=[long] * 8,
        truth=[one.truth for one in known],
        title=long,
    )
    page = open_page(path, width=390, height=844, is_mobile=True, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".picture button").first.click()
    page.get_by_role("dialog").get_by_role("radio").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.get_by_role("dialog").evaluate("one => one.scrollWidth <= one.clientWidth")


def test_without_scripts_all_documents_are_there(open_page, few):
    path, known = few
    page = open_page(path, java_script_enabled=False)
    assert page.locator(".item").count() == len(known)
    assert not page.get_by_role("search").is_visible()
    for one in known:
        item = page.locator(f"#item-{one.place}")
        assert item.locator(".name").inner_text() == one.name
        if not one.error:
            assert item.locator("img").evaluate("one => one.naturalWidth") == 40
            assert item.locator("img").bounding_box()["width"] > 100
            assert item.locator(".label").inner_text() == one.label


# Labels and names are data


def test_markup_in_labels_and_names_is_shown_and_runs_nothing(open_page, tmp_path):
    texts = [MARKUP, "</script><script>alert(2)</script>", "\"'><svg onload=alert(3)>", ARABIC]
    known = [
        attrs.evolve(one, label=text, truth=text, error=None, score=1.0)
        for one, text in zip(draw(4), texts, strict=True)
    ]
    path = report(
        [
            *(one.explanation() for one in known),
            *(Explanation(text, text, error=text) for text in texts),
        ],
        tmp_path / "hostile.html",
        names=[*texts, *texts],
        truth=[*texts, *texts],
        title=MARKUP,
    )
    page = open_page(path)
    assert page.title() == MARKUP
    assert page.locator(".item .name").all_inner_texts() == [*texts, *texts]
    assert page.locator(".item .label").all_inner_texts() == texts
    assert page.locator(".item .error").all_inner_texts() == texts
    for text in texts:
        page.get_by_role("button", name=f"Look closer at {text}", exact=True).click()
        dialog = page.get_by_role("dialog")
        assert dialog.locator("h2").inner_text() == text
        dialog.get_by_role("radio").first.wait_for()
        assert dialog.get_by_text(text, exact=True).count() >= 2
        page.keyboard.press("Escape")
    page.get_by_label("Label").select_option(value=texts[1])
    assert shown(page) == [1]
    assert page.locator("img:not([src^='data:image/webp'])").count() == 0


def test_the_policy_is_in_force(browser, few):
    page = browser.new_context(offline=True).new_page()
    complaints = []
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(few[0].as_uri())
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<p id=p style='color: red'>p</p>");
        }"""
    )
    assert page.evaluate("window.ran") is None
    assert page.locator("#p").evaluate("p => getComputedStyle(p).color") != "rgb(255, 0, 0)"
    assert len(complaints) == 2
    assert all("Content Security Policy" in one for one in complaints)
    page.context.close()
