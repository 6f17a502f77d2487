"""Draw the pictures of the page on sharing: real pages in a real browser.

Run it from a checkout; chromium must be on the machine::

    python docs/draw_pages.py
"""

import io
import os
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import explainkit
from explainkit import scenes

IMAGES = Path(__file__).parent / "images" / "pages"
METHODS = ("gradcam", "layercam")


def write_page(folder: Path) -> Path:
    """Explain one scene by several methods."""
    scene, network = scenes.draw_scene(seed=8), scenes.load_network()
    asked = {
        "targets": [thing.target for thing in scene.objects],
        "target_names": scenes.KINDS,
        "image": scene.image.resize((384, 384), Image.Resampling.BICUBIC),
    }
    expls = [
        explainkit.explain_prediction(network, scene.doc, method=method, **asked)
        for method in METHODS
    ]
    path = folder / "page.html"
    path.write_text(explainkit.format_as_html(expls, page=True, boxes=True), encoding="utf-8")
    return path


def keep(page: Page, name: str) -> None:
    """Save what is seen."""
    page.locator(".frame").wait_for()
    page.wait_for_timeout(300)
    seen = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    seen.save(IMAGES / name, quality=88, method=6)


def main() -> None:
    """Open the page on a screen, and in the dark on a phone."""
    browser = os.environ.get("EXPLAINKIT_CHROMIUM") or shutil.which("chromium")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as driver:
        address = write_page(Path(made)).as_uri()
        started = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = started.new_page(viewport={"width": 1060, "height": 600})
        page.goto(address)
        page.locator(".frame").focus()
        page.get_by_role("radio").nth(1).check()
        page.locator(".frame").hover(position={"x": 180, "y": 150})
        keep(page, "viewer.webp")
        page = started.new_page(viewport={"width": 390, "height": 700}, color_scheme="dark")
        page.goto(address)
        page.get_by_label("Colormap").select_option("magma")
        page.get_by_role("slider", name="Opacity").fill("0.9")
        page.get_by_role("combobox", name="Method").select_option("layercam")
        keep(page, "viewer-phone.webp")
        started.close()


if __name__ == "__main__":
    main()
