"""The notebooks of the examples, and the site that runs and shows them.

What is said of the site is tested where `EXPLAINKIT_SITE` names the folder of its pages, as
`tox -e docs` does when it has built them: notebooks are run once, by that build.
"""

import os
import re
from html.parser import HTMLParser
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

    def test_the_wrong_reason_is_found_and_mended(self, executed):
        text = "".join(output.get("text", "") for output in outputs_of(executed["texture_xray"]))
        shares = [int(share) for share in re.findall(r"(\d+)% right", text)]
        deceived, elsewhere, *mended = shares
        assert deceived >= 95
        assert elsewhere <= 70
        assert len(mended) == 2
        assert min(mended) >= 90


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
