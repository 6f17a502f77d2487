"""The notebooks of the examples, and the site that runs and shows them.

What is said of the site is tested where `EXPLAINKIT_SITE` names the folder of its pages, as
`tox -e docs` does when it has built them: notebooks are run once, by that build.
"""

import os
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = {path.stem: path for path in sorted((ROOT / "examples/notebooks").glob("*.ipynb"))}


def read(path):
    return nbformat.read(path, as_version=4)


def code_of(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module", params=NOTEBOOKS)
def source(request):
    return read(NOTEBOOKS[request.param])


class TestSources:
    def test_they_are_stored_without_what_they_put_out(self, source):
        nbformat.validate(source)
        for cell in source.cells:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None
            assert not cell.metadata
            assert not cell.get("attachments")
        assert set(source.metadata) == {"kernelspec", "language_info"}
        assert source.metadata.kernelspec.name == "python3"

    def test_each_begins_with_what_it_is_and_ends_with_what_is_next(self, source):
        first, *_, last = source.cells
        assert first.source.startswith("# ")
        assert last.source.split("## ")[-1].startswith("What next\n")

    def test_each_leads_to_the_next_one_of_the_hour(self):
        order = re.findall(r"^tutorials/(\w+)$", (ROOT / "docs/index.md").read_text(), re.MULTILINE)
        assert set(order) == set(NOTEBOOKS)
        for name, following in pairwise(order):
            what_next = read(NOTEBOOKS[name]).cells[-1].source.split("## What next\n")[-1]
            assert re.search(r"\]\((.*?)\)", what_next)[1] == f"{following}.ipynb"

    @pytest.mark.parametrize("name", NOTEBOOKS)
    def test_each_is_named_where_notebooks_are_looked_for(self, name):
        assert f"(notebooks/{name}.ipynb)" in (ROOT / "examples/README.md").read_text()
        assert f"\ntutorials/{name}\n" in (ROOT / "docs/index.md").read_text()


@pytest.fixture(scope="module")
def site():
    folder = os.environ.get("EXPLAINKIT_SITE")
    if not folder:
        pytest.skip("no site; build it and set EXPLAINKIT_SITE to its folder, as tox -e docs does")
    return Path(folder).resolve()


@pytest.fixture(scope="module")
def executed(site):
    """The notebooks as they were run, which MyST-NB leaves beside the site."""
    folder = site.parent / "jupyter_execute" / "tutorials"
    return {path.stem: read(path) for path in folder.glob("*.ipynb")}


def outputs_of(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def kinds_in(notebook):
    return [kind for output in outputs_of(notebook) for kind in output.get("data", ())]


class TestNotebooksThatRan:
    @pytest.mark.parametrize("name", NOTEBOOKS)
    def test_every_cell_ran_as_it_is_stored_without_an_error(self, name, executed):
        notebook = executed[name]
        assert code_of(notebook) == code_of(read(NOTEBOOKS[name]))
        counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
        assert counts == list(range(1, len(counts) + 1))
        assert all(output.output_type != "error" for output in outputs_of(notebook))

    @pytest.mark.parametrize("name", NOTEBOOKS)
    def test_each_shows_pictures(self, name, executed):
        assert kinds_in(executed[name]).count("image/png") >= 2

    def test_explanations_show_themselves_as_html_as_png_and_as_text(self, executed):
        shown = {
            frozenset(output.data)
            for output in outputs_of(executed["first_steps"])
            if output.output_type in ("display_data", "execute_result")
        }
        assert any(kinds >= {"text/html", "image/png", "text/plain"} for kinds in shown)


def printed(notebook):
    """What the cells of a notebook print, and their values as text."""
    return "\n".join(
        output["text"] if output.output_type == "stream" else output.data.get("text/plain", "")
        for output in outputs_of(notebook)
        if output.get("name") != "stderr"
    )


def numbers(pattern, text):
    """Find the numbers in each match of a pattern in which # stands for a number."""
    found = re.findall(pattern.replace("#", r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)"), text)
    assert found, f"nothing like {pattern!r} is printed"
    return [tuple(map(float, (one,) if isinstance(one, str) else one)) for one in found]


def number(pattern, text):
    """Find the one number of the first match."""
    ((found,), *_) = numbers(pattern, text)
    return found


def measured(method, text, metrics):
    """Find the means of an evaluation's metrics, for each time that a method is in its table."""
    return numbers(rf"(?m)^{method}" + r" +# \[.*?\]" * metrics, text)


class TestWhatNotebooksSay:
    """Their sentences hold for what they print, loosely: other backends round otherwise."""

    @pytest.fixture
    def said(self, executed):
        return lambda name: printed(executed[name])

    @pytest.mark.parametrize("name", NOTEBOOKS)
    def test_no_check_in_them_fails(self, name, said):
        assert not re.search(r": False\b", said(name))

    def test_first_steps_finds_all_that_is_in_the_scene(self, said):
        text = said("first_steps")
        assert set(re.findall(r"(?m)^(\w+) +score", text)) == {"heart", "zigzag", "square"}
        assert all(proba > 0.9 for (proba,) in numbers(r"score \S+, proba #", text))
        assert text.count("the same again: True") == 3

    def test_eli5_a_sigmoid_leaves_the_heatmap_unless_it_leaves_nothing(self, said):
        text = said("eli5_tutorial")
        assert number("difference of their heatmaps: #", text) < 1e-3
        assert number("probability of the cross: #", text) > number("the probability: #", text)
        assert "its heatmap is all zeros" in text
        assert abs(number("1 trained +1.00 +#", text)) < 0.4

    def test_gradcam_by_hand_is_that_of_the_library(self, said):
        text = said("gradcam")
        low, high = numbers("raw: # to #", text)[0]
        assert low < 0 < high
        assert number("difference of the maps: #", text) < 1e-4 * high

    def test_fullgrad_adds_up_and_the_input_alone_does_not(self, said):
        text = said("fullgrad")
        complete = numbers("score +# +sum of the map +#", text)
        alone = numbers(r"score +# +x · gradient +#", text)
        assert len(complete) == len(alone) == 4
        assert all(total == pytest.approx(score, abs=1e-2) for score, total in complete)
        assert all(abs(total - score) > 1 for score, total in alone)
        first, last = (number(f"the {name} two: #%", text) for name in ("first", "last"))
        assert first < last

    def test_applications_cam_is_gradcam_times_the_cells(self, said):
        text = said("applications")
        difference, greatest = (
            number(f"{what}: #", text)
            for what in ("difference of CAM and cells · Grad-CAM", "greatest number in CAM")
        )
        assert difference < 1e-4 * greatest

    def test_applications_guided_backpropagation_tells_classes_apart_least(self, said):
        alike = {
            name: abs(number(rf"(?m)^{name} .*: #$", said("applications")))
            for name in ("gradcam", "guided_backprop", "guided_gradcam")
        }
        assert max(alike, key=alike.get) == "guided_backprop"
        assert alike["guided_gradcam"] < 0.1

    def test_applications_the_star_speaks_against_the_cross(self, said):
        text = said("applications")
        speaks_for, against = numbers("the cross: #% on it, #% on the star", text)
        assert speaks_for[0] > 25 > 5 > speaks_for[1]
        assert against[0] < 5 < 20 < against[1]

    def test_applications_higher_thresholds_miss_more_boxes(self, said):
        wrong = numbers(r"threshold \S+: #% wrong", said("applications"))
        assert len(wrong) == 3
        assert wrong == sorted(set(wrong))

    def test_applications_smoothing_helps_masks_that_are_tight(self, said):
        row = r"threshold \S+: mean IoU # \(size #\), smoothed mean IoU # \(size #\)"
        loose, *tight = numbers(row, said("applications"))
        assert loose[1] > 1.5
        assert loose[2] < loose[0] + 0.05
        assert loose[3] > loose[1] + 0.5
        assert len(tight) == 2
        assert all(smoothed > plain + 0.1 for plain, _, smoothed, _ in tight)

    def test_applications_what_is_missed_is_looked_at_and_more_hidden(self, said):
        text = said("applications")
        missed, everything, hits = numbers("missed: # of # things, and pointed at: #", text)[0]
        assert 4 <= missed < 0.1 * everything
        assert hits >= 0.8 * missed
        of_missed, of_all = numbers(r"things, on average: #%", text)
        assert of_missed[0] < of_all[0] - 5

    def test_applications_maps_stand_more_noise_than_predictions_and_not_any(self, said):
        text = said("applications")
        before, count = numbers("missed before: # of #", text)[0]
        assert before <= 0.05 * count
        rows = numbers("step (?:6|12|24)/255: # missed, and pointed at: #", text)
        small, middle, large = rows
        assert small[0] < middle[0] <= large[0]
        assert middle[0] > 0.5 * count
        assert middle[1] > 0.65 * middle[0]
        assert large[1] / large[0] < middle[1] / middle[0] - 0.1

    def test_texture_the_wrong_reason_is_found_and_mended(self, said):
        deceived, elsewhere, *mended = (
            share for (share,) in numbers("#% right", said("texture_xray"))
        )
        assert deceived >= 95
        assert elsewhere <= 70
        assert len(mended) == 2
        assert min(mended) >= 90

    def test_texture_the_heat_moves_from_the_corner_to_the_texture(self, said):
        rows = measured("gradcam", said("texture_xray"), metrics=2)
        texture, corner, texture_mended, corner_mended = rows
        assert corner[0] > 0.5
        assert corner[1] > 0.9
        assert max(texture) < 0.25
        assert texture_mended[0] > 0.3
        assert texture_mended[1] > 0.9
        assert max(corner_mended) < 0.1

    def test_audit_no_method_is_ahead_in_all(self, said):
        text = said("audit")
        gradcam, layercam, simple = (
            measured(method, text, metrics=3)[0]
            for method in ("gradcam", "layercam", "input_x_gradient")
        )
        assert gradcam[0] < layercam[0] < simple[0]
        assert gradcam[1] > layercam[1] > simple[1]
        assert layercam[2] > gradcam[2] > simple[2]

    def test_many_pictures_goes_on_after_the_one_that_is_broken(self, said):
        text = said("many_pictures")
        ((kept, everything),) = set(numbers("# of # documents are explained and kept", text))
        now, there = number("# of them now", text), number("; # were there", text)
        assert 0 < kept == there < everything == now + there == 60
        assert text.count("'40.png': 'ValueError: ") == 1
        assert "1 failed, each with an error row: 1 ValueError" in text

    def test_your_own_layercam_has_more_of_its_heat_on_the_thing(self, said):
        text = said("your_own_estimator")
        mine, layercam = (measured(name, text, 2)[0] for name in ("steepestcam", "layercam"))
        assert mine[0] < layercam[0] - 0.05


class Page(HTMLParser):
    """What a page points at, and what can be pointed at in it."""

    def __init__(self, path):
        super().__init__()
        self.targets, self.names = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id" or (name == "name" and tag == "a"):
                self.names.add(value)
            elif value and name in ("href", "src") and tag != "base":
                self.targets.append(value)


def test_every_link_and_picture_of_the_site_is_there(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    # Pages of sources point back to where a thing lives, which need not be where it is documented.
    written = [path for path in pages if "_modules" not in path.parts]
    assert len(written) > len(NOTEBOOKS)
    missing = set()
    for path in written:
        for target in pages[path].targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            aim = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            aim = aim / "index.html" if aim.is_dir() else aim
            named = not parts.fragment or aim not in pages
            if not aim.exists() or not (named or unquote(parts.fragment) in pages[aim].names):
                missing.add(f"{path.relative_to(site)}: {target}")
    assert not missing
