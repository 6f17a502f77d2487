"""Train the network of `explainkit.scenes`, and measure it on scenes it never saw.

Run it from a checkout; it overwrites ``explainkit/scenes/network.weights.h5``::

    KERAS_BACKEND=tensorflow python benchmarks/train_scenes.py

On two CPU cores drawing the scenes takes a minute and training about a quarter
of an hour. Everything is seeded: a second run on the same machine gives the same
figures, and another machine gives figures that differ by rounding only.
``--measure`` skips the training and measures the weights that are there.

The figures are accuracy (for each label, and of whole scenes) and pointing: the
share of objects for which the peak of the heatmap lies in the object's box,
within one map cell of its visible pixels, and on them.
"""

import argparse
import warnings
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explainkit import ExplanationWarning, explain_predictions
from explainkit.scenes import (
    KINDS,
    Scene,
    SceneObject,
    as_docs,
    build_network,
    draw_scene,
    draw_scenes,
    load_network,
)

FIRST_TRAINING_SEED = 1_000_000
TRAINING_SCENES = 32_000
EPOCHS = 16
BATCH = 32
PEAK_RATE = 2e-3

UNSEEN_RANGES = (0, 200, 400)  # first seeds; the tests use the first range
UNSEEN_SCENES = 200
CELL = 96 // 12  # a cell of the map, in pixels

WEIGHTS = Path(__file__).parents[1] / "explainkit" / "scenes" / "network.weights.h5"


class Batches(keras.utils.PyDataset):
    """Shuffled batches, each seen from another side and in other colours.

    Neither turning nor mirroring nor swapping or inverting colours changes what
    a scene holds, so one scene does for many.
    """

    def __init__(self, pixels: NDArray[np.uint8], labels: NDArray[np.float32], seed: int) -> None:
        super().__init__()
        self.pixels, self.labels = pixels, labels
        self.rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return len(self.pixels) // BATCH

    def on_epoch_end(self) -> None:
        """Shuffle for the next round."""
        self.order = self.rng.permutation(len(self.pixels))

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        chosen = self.order[index * BATCH :][:BATCH]
        docs = self.pixels[chosen].astype(np.float32) / 255
        docs = np.rot90(docs, self.rng.integers(4), axes=(1, 2))[:, :: self.rng.choice([-1, 1])]
        docs = docs[..., self.rng.permutation(3)]
        return (docs if self.rng.integers(2) else 1 - docs), self.labels[chosen]


def labels_of(scene: Scene) -> NDArray[np.float32]:
    """Tell which kinds a scene holds, as zeros and ones."""
    return np.isin(np.arange(len(KINDS)), [thing.target for thing in scene.objects]).astype("f4")


def training_pair(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Draw one scene to learn from."""
    scene = draw_scene(seed)
    return np.asarray(scene.image), labels_of(scene)


def train() -> None:
    """Train a fresh network and write its weights."""
    seeds = range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + TRAINING_SCENES)
    with Pool() as pool:
        pixels, labels = map(np.stack, zip(*pool.map(training_pair, seeds, 500), strict=True))
    keras.utils.set_random_seed(0)
    batches = Batches(pixels, labels, seed=0)
    steps = EPOCHS * len(batches)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=PEAK_RATE, warmup_steps=steps // 20
    )
    network = build_network()
    network.compile(keras.optimizers.AdamW(rate, weight_decay=0.01), "binary_crossentropy")
    network.fit(batches, epochs=EPOCHS, verbose=2)
    shipped = build_network()  # a compiled network would save its optimizer too
    shipped.set_weights(network.get_weights())
    shipped.save_weights(WEIGHTS)


def pointing(
    network: keras.Model, scenes: list[Scene], resampling: Image.Resampling
) -> NDArray[np.float64]:
    """Tell how often the peak lies in the box, within a cell of the mask, on the mask."""
    asked = [(scene, thing) for scene in scenes for thing in scene.objects]
    targets = np.array([[thing.target] for _, thing in asked])
    docs = (scene.doc for scene, _ in asked)
    hits = []
    for (scene, thing), expl in zip(
        asked, explain_predictions(network, docs, targets=targets), strict=True
    ):
        heatmap = Image.fromarray(expl.targets[0].heatmap)
        large = np.asarray(heatmap.resize(scene.image.size, resampling))
        row, column = np.unravel_index(large.argmax(), large.shape)
        hits.append(list(closeness(thing, int(row), int(column))))
    return np.mean(hits, axis=0)


def closeness(thing: SceneObject, row: int, column: int) -> Iterator[bool]:
    """Tell whether a pixel is in an object's box, within a cell of its mask, on it."""
    left, top, right, bottom = thing.box
    yield left <= column < right and top <= row < bottom
    rows, columns = (slice(max(0, at - CELL), at + CELL + 1) for at in (row, column))
    yield thing.mask[rows, columns].any()
    yield thing.mask[row, column]


def measure(network: keras.Model) -> None:
    """Print accuracy and pointing for each range of unseen scenes."""
    # A blank heatmap counts as a miss; there is no need to tell of each.
    warnings.simplefilter("ignore", ExplanationWarning)
    for first in UNSEEN_RANGES:
        scenes = list(draw_scenes(UNSEEN_SCENES, first))
        predicted = network.predict(as_docs(scenes), verbose=0) > 0.5
        right = predicted == np.stack([labels_of(scene) for scene in scenes])
        print(f"scenes {first} to {first + UNSEEN_SCENES - 1}")
        print(f"  labels {right.mean():.1%}, whole scenes {right.all(1).mean():.1%}; each label:")
        shares = [f"{kind} {share:.1%}" for kind, share in zip(KINDS, right.mean(0), strict=True)]
        for five in (shares[:5], shares[5:]):
            print("   ", ", ".join(five))
        for resampling in (Image.Resampling.BILINEAR, Image.Resampling.LANCZOS):
            box, cell, mask = pointing(network, scenes, resampling)
            print(
                f"  {resampling.name.lower()} peak in the box {box:.1%},"
                f" within a cell of the mask {cell:.1%}, on it {mask:.1%}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="measure the weights that are there")
    if not parser.parse_args().measure:
        train()
    measure(load_network())
