"""What formatters cost, and how large what they write is.

Each takes turns with its yardstick, and medians are compared:

- `format_as_html` of one picture of 224×224 and three targets, with PNG encoding, by Pillow, of
  the same picture: the milliseconds beyond it, and the bytes of the whole;
- `format_as_image` over a picture of 12 megapixels, with the least that Pillow can do: to resize
  a heatmap of bytes to the picture's size, and to composite a picture of one colour over it.

Run

    python benchmarks/formatters.py
    python benchmarks/formatters.py --rounds 20 --markdown
    python benchmarks/formatters.py --check                # an error where a limit is exceeded

The pictures are noise of the spectrum of photographs: for PNG about as hard as these.
"""

import argparse
import io
import platform

import attrs
import numpy as np
import PIL
from gradcam import medians
from numpy.typing import NDArray
from PIL import Image

from explainkit import Explanation, TargetExplanation, format_as_image
from explainkit.formatters import format_as_html, heatmap_to_image

SMALL, LARGE = (224, 224), (4000, 3000)


@attrs.frozen
class Finding:
    """A figure, and the limit that the project holds it to."""

    what: str
    found: float
    limit: float
    unit: str

    @property
    def exceeds(self) -> bool:
        """Whether it is above its limit."""
        return self.found > self.limit


class Host:
    """The machine itself, which is done when a call returns: a backend for `medians`."""

    def synchronize(self) -> None:
        """Wait for nothing."""


def draw_photo(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw noise whose amplitude falls with its frequency, as in photographs."""
    width, height = size
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    falling = 1 / np.maximum(np.hypot(down, across), 1 / max(size))
    bands = [_band(falling, size, rng) for _ in range(3)]
    return Image.fromarray(np.stack(bands, axis=-1))


def _band(
    falling: NDArray[np.float64], size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.uint8]:
    phases = np.exp(2j * np.pi * rng.random(falling.shape))
    levels = np.fft.irfft2(falling * phases, s=size[::-1])
    spread = levels.std() or 1.0
    return np.clip(128 + 50 * levels / spread, 0, 255).astype(np.uint8)


def explain(picture: Image.Image, targets: int, rng: np.random.Generator) -> Explanation:
    """Make up an explanation with heatmaps of 7×7, as Grad-CAM gives of most networks."""
    heats = rng.random((targets, 7, 7), np.float32)
    named = enumerate(("bull mastiff", "tiger cat", "tabby")[:targets])
    explained = [TargetExplanation(i, name, 9.0, 0.3, heats[i], heats[i]) for i, name in named]
    return Explanation("MobileNetV2", "gradcam", "out_relu", targets=explained, image=picture)


def measure_html(rounds: int, rng: np.random.Generator) -> list[Finding]:
    """Measure a view of a small picture."""
    picture = draw_photo(SMALL, rng)
    expl = explain(picture, 3, rng)
    contenders = {
        "png": lambda: picture.save(io.BytesIO(), "PNG"),
        "html": lambda: format_as_html(expl),
    }
    found = medians(contenders, Host(), rounds)
    beyond = 1000 * (found["html"] - found["png"])
    what = "format_as_html, 224×224, 3 targets"
    size = len(format_as_html(expl).encode()) / 1000
    return [
        Finding(f"{what}: beyond PNG encoding", beyond, 50, "ms"),
        Finding(f"{what}: size", size, 250, "kB"),
    ]


def measure_overlay(rounds: int, rng: np.random.Generator) -> list[Finding]:
    """Measure an overlay of a large picture."""
    picture = draw_photo(LARGE, rng)
    expl = explain(picture, 1, rng)
    grey = heatmap_to_image(expl.targets[0].heatmap)
    colour = Image.new("RGB", LARGE, "navy")

    def by_pillow() -> Image.Image:
        mask = grey.resize(LARGE, Image.Resampling.LANCZOS)
        return Image.composite(colour, picture, mask)

    contenders = {"pillow": by_pillow, "overlay": lambda: format_as_image(expl)}
    found = medians(contenders, Host(), rounds)
    what = "format_as_image, 12 megapixels: over resize and composite"
    return [Finding(what, found["overlay"] / found["pillow"], 3, "times")]


def main() -> None:
    """Read the arguments, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--check", action="store_true", help="fail where a limit is exceeded")
    asked = parser.parse_args()

    rng = np.random.default_rng(0)
    findings = [*measure_html(asked.rounds, rng), *measure_overlay(asked.rounds, rng)]
    print(
        f"Pillow {PIL.__version__}, numpy {np.__version__}, "
        f"Python {platform.python_version()}, {asked.rounds} rounds"
    )
    line = "| {} | {:.1f} {} | {} {} |" if asked.markdown else "{:<58} {:>6.1f} {:<5} limit {} {}"
    if asked.markdown:
        print("| what | found | limit |\n| --- | ---: | ---: |")
    for one in findings:
        print(line.format(one.what, one.found, one.unit, one.limit, one.unit))
    exceeded = [one.what for one in findings if one.exceeds]
    if asked.check and exceeded:
        raise SystemExit(f"above their limits: {'; '.join(exceeded)}")


if __name__ == "__main__":
    main()
