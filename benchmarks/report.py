"""What a report about many documents costs: to write, in bytes, and to open in a browser.

Each picture is another, as smooth and as noisy as photographs are. The page is opened from disk
by a chromium with the network off; the times are those a person waits: until the first picture
can be chosen, until all is read, and from a choice until the page is drawn anew. Run

    python benchmarks/report.py                  # 1,000 documents
    python benchmarks/report.py --docs 5000
    python benchmarks/report.py --check          # an error where a limit is exceeded

playwright and a chromium must be there (EXPLAINKIT_CHROMIUM may name it).
"""

import argparse
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import explainkit
from explainkit import Explanation, TargetExplanation

#: What 1,000 documents may take: seconds until the page is of use, and megabytes.
USABLE, THUMBNAILS = 3.0, 10.0
SIZE, CELLS, LABELS = 224, 7, ("cat", "dog", "bird", "fish", "horse")
_SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
#: Two frames: what was asked for is drawn in the first, and shown when the second begins.
_DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def explanations(count: int) -> Iterator[Explanation]:
    """Make explanations of pictures, each with three targets."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        targets = [
            TargetExplanation(unit, LABELS[unit], rng.normal(8, 3), rng.random(), heat, heat)
            for unit in rng.permutation(len(LABELS))[:3].tolist()
            for heat in (rng.random((CELLS, CELLS)).astype(np.float32) ** 3,)
        ]
        yield Explanation("net", "gradcam", "conv", targets=targets, image=photograph(rng))


def photograph(rng: np.random.Generator) -> Image.Image:
    """Draw large soft shapes, smaller ones, and the noise of a sensor."""
    levels = np.zeros((SIZE, SIZE, 3))
    for cells, share in ((4, 0.6), (16, 0.25), (56, 0.1)):
        drawn = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8))
        levels += share * np.asarray(drawn.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    noisy = levels + rng.normal(0, 4, levels.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def opened(page: Page, address: str) -> dict[str, float]:
    """Open a report, sort, filter and look closer, and say how many seconds each took."""
    took, begin = {}, time.perf_counter()

    def lap(what: str, since: float) -> None:
        page.evaluate(_DRAWN)
        took[what] = time.perf_counter() - since

    page.goto(address, wait_until="commit")
    page.locator(".picture button").first.wait_for()
    page.get_by_label("Sort by").select_option("score")
    lap("first rows shown, and sorted", begin)
    page.wait_for_load_state("load")
    lap("all read", begin)
    begin = time.perf_counter()
    page.get_by_label("Order").select_option("descending")
    lap("sorted the other way", begin)
    begin = time.perf_counter()
    page.get_by_label("Search").fill("7 cat")
    lap("filtered", begin)
    begin = time.perf_counter()
    page.locator(".picture button").first.click()
    page.locator("dialog .frame canvas").wait_for()
    lap("looked at closer", begin)
    return took


def main() -> None:
    """Read the arguments, write a report, and open it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", type=int, default=1000)
    parser.add_argument("--check", action="store_true", help="fail where a limit is exceeded")
    asked = parser.parse_args()
    browser = os.environ.get("EXPLAINKIT_CHROMIUM") or shutil.which("chromium")

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        begin = time.perf_counter()
        path = explainkit.report(explanations(asked.docs), Path(folder, "report.html"))
        found: dict[str, Any] = {"written, s": time.perf_counter() - begin}
        text = path.read_text("utf-8")
        thumbnails = sum(map(len, re.findall(r'<img src="([^"]*)"', text))) / 1e6
        found |= {"page, MB": len(text) / 1e6, "small pictures, MB": thumbnails}
        started = driver.chromium.launch(executable_path=browser, args=list(_SWITCHES))
        page = started.new_context(offline=True).new_page()
        times = opened(page, path.as_uri())
        found |= {f"{what}, s": seconds for what, seconds in times.items()}
        started.close()
    for what, number in found.items():
        print(f"{what:35} {number:8.2f}")
    slow = times["first rows shown, and sorted"] > USABLE * max(1, asked.docs / 1000)
    large = thumbnails > THUMBNAILS * asked.docs / 1000
    if asked.check and (slow or large):
        raise SystemExit(f"the limits are {USABLE} s and {THUMBNAILS} MB for 1,000 documents")


if __name__ == "__main__":
    main()
