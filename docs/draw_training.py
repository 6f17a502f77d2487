"""Draw the picture of the page on explanations while training.

Run it from a checkout::

    python docs/draw_training.py
"""

import tempfile
from pathlib import Path

import keras
import numpy as np
from PIL import Image

import explainkit

IMAGES = Path(__file__).parent / "images"
SHOWN = (0, 1, 2, 4, 8)


def draw_stripes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey noise, with a patch of stripes somewhere: upright (1) or level (0)."""
    rng = np.random.default_rng(seed)
    pictures = rng.normal(0.5, 0.15, (count, 64, 64, 1))
    upright = rng.integers(0, 2, count)
    stripes = np.where(np.arange(20) % 4 < 2, 0.25, -0.25)
    for picture, label in zip(pictures, upright, strict=True):
        top, left = rng.integers(2, 42, 2)
        patch = picture[top : top + 20, left : left + 20, 0]
        patch += stripes[None, :] if label else stripes[:, None]
    return np.clip(pictures, 0, 1).astype(np.float32), upright


def build_network() -> keras.Model:
    """A few convolutions, and the mean of what they find."""
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((64, 64, 1)),
            layers.Conv2D(8, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def draw_epochs(folder: Path) -> Image.Image:
    """Train, and lay the pictures of some epochs side by side."""
    keras.utils.set_random_seed(3)
    docs, truth = draw_stripes(2, seed=1)
    why = explainkit.training.ExplanationCallback(
        docs,
        folder,
        targets=truth[:, None],
        target_names=["level", "upright"],
        names=["one", "other"],
        every=SHOWN[1:],
    )
    network = build_network()
    network.fit(*draw_stripes(1000, seed=0), epochs=SHOWN[-1], callbacks=[why], verbose=2)
    pictures = [
        Image.open(folder / name / f"epoch-{epoch:06d}.png")
        for name in ("one", "other")
        for epoch in SHOWN
    ]
    titles = ["untrained", *(f"epoch {epoch}" for epoch in SHOWN[1:])]
    return explainkit.visualize(pictures, titles, columns=len(SHOWN))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sheet = draw_epochs(Path(made)).quantize(128, dither=Image.Dither.NONE)
    sheet.save(IMAGES / "training.png", optimize=True)
