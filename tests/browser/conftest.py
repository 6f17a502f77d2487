"""A real browser: Debian's chromium, driven by playwright, with the network off."""

import os
import shutil
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SWITCHES = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


# Not for the session: while it is there, asyncio takes its loop for a running one, and tests
# with kernels of their own could not run.
@pytest.fixture(scope="package")
def browser():
    """One browser for the tests of this folder."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    on_path = filter(None, map(shutil.which, _NAMES))
    found = os.environ.get("EXPLAINKIT_CHROMIUM") or next(on_path, None)
    if found is None:
        pytest.skip(f"none of {', '.join(_NAMES)} is there; EXPLAINKIT_CHROMIUM may name a browser")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=found, args=list(_SWITCHES))
        yield started
        started.close()


#: Each view in the page shows what it was given, or says why it cannot.
_BUILT = """() => [...document.querySelectorAll("*")]
  .filter((one) => one.localName.startsWith("explainkit-view-"))
  .every((view) => view.shadowRoot?.querySelector("figure, [role=status]"))"""


class Opener:
    """Opens pages from disk, and notes what a page must not do."""

    def __init__(self, browser, folder):
        self.browser, self.folder = browser, folder
        self.contexts, self.complaints, self.requests = [], [], []

    def __call__(self, html, *, width=1100, height=800, scheme="light", built=True, **context):
        """Open a page: its HTML, or the path of its file. Wait until its views are built."""
        path = html
        if not isinstance(html, Path):
            path = self.folder / f"page-{len(self.contexts)}.html"
            path.write_text(html, encoding="utf-8")
        opened = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            offline=True,
            **context,
        )
        self.contexts.append(opened)
        page = opened.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        if built and context.get("java_script_enabled", True):
            page.wait_for_function(_BUILT)
        return page

    def _dismiss(self, dialog):
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def close(self):
        for one in self.contexts:
            one.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Open pages; at the end no console error, page error, dialog or request may have been."""
    opener = Opener(browser, tmp_path)
    yield opener
    opener.close()
    assert opener.complaints == []
    assert [url for url in opener.requests if not url.startswith(("file:", "data:"))] == []


@pytest.fixture
def violations():
    """Ask axe-core what on a page keeps people out: serious and critical violations."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def ask(page):
        found = axe.run(page).response["violations"]
        return [
            (one["id"], [node["html"][:120] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    return ask
