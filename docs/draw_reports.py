"""Draw the pictures of the page on reports: a real report in a real browser.

Run it from a checkout; chromium must be on the machine::

    python docs/draw_reports.py
"""

import io
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import explainkit
from explainkit import scenes
from explainkit.formatters.reports.agreement import Truth

IMAGES = Path(__file__).parent / "images" / "pages"
COUNT, SIZE = 120, 256


def write_report(folder: Path) -> Path:
    """Explain the highest kinds of some scenes, and tell where the first of them is."""
    drawn = list(scenes.draw_scenes(COUNT))
    docs = scenes.as_docs(drawn)
    docs[17] = np.nan
    found = explainkit.explain_predictions(
        scenes.load_network(),
        docs,
        top_targets=3,
        target_names=scenes.KINDS,
        images=[scene.image.resize((SIZE, SIZE), Image.Resampling.BICUBIC) for scene in drawn],
        on_error="record",
    )
    explanations = list(found)
    return explainkit.report(
        explanations,
        folder / "report.html",
        names=[f"scene {scene.seed}" for scene in drawn],
        truth=[truth_of(scene, expl) for scene, expl in zip(drawn, explanations, strict=True)],
        title=f"{COUNT} scenes",
    )


def truth_of(scene: scenes.Scene, expl: explainkit.Explanation) -> Truth:
    """Give the object that the network names; if none is like that, the foremost."""
    highest = [one.label for one in expl.targets[:1]]
    thing = next((one for one in scene.objects if one.kind in highest), scene.objects[-1])
    return Truth(thing.kind, [edge * SIZE // scene.image.width for edge in thing.box])


def keep(page: Page, name: str) -> None:
    """Save what is seen."""
    seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    seen.save(IMAGES / name, quality=88, method=6)  # WebP: a third of a PNG of photographs


def main() -> None:
    """Open the report in light and dark, on a screen and on a phone."""
    browser = os.environ.get("EXPLAINKIT_CHROMIUM") or shutil.which("chromium")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as driver:
        address = write_report(Path(made)).as_uri()
        started = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])

        def opened(width: int, height: int, scheme: str, asked: str = "") -> Page:
            page = started.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page.goto(f"{address}#{asked}")
            return page

        keep(opened(1100, 760, "light", "sort=overlap"), "report.webp")
        page = opened(1100, 760, "dark", "sort=score&order=down")
        page.get_by_role("button", name="Look closer").nth(1).click()
        page.wait_for_timeout(500)
        keep(page, "report-closer.webp")
        keep(opened(390, 760, "light"), "report-phone.webp")
        started.close()


if __name__ == "__main__":
    main()
