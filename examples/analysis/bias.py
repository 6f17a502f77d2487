"""A biased training set, given away by where the explanations look.

Two networks of one make learn to tell four kinds of things: stars, discs, crosses and crescents.
The things are the same for both; what lies behind them is not. The unbiased one sees half of the
things of each kind at sea and half ashore. The biased one sees every star at sea, and nothing
else there, as happens to those who collect pictures of starfish. On stars at sea both networks
are right, so that a test set collected in the same way does not tell them apart. Grad-CAM does:
most heat of the biased network lies on the water.

The metric is the share of the heat outside the star, 1 - relevance mass. Relevance mass is the
positive heat on the thing over all positive heat (Arras et al. 2022, arXiv:2003.07258). It is
worth something here because the network averages the last map and weighs it: the Grad-CAM map
adds up to the score, cell by cell, so that heat on the water *is* score won by the water. Stars
are 13% of their pictures: a map that is the same everywhere has 0.87 outside.

Measured with Keras 3.15 on TensorFlow, on 100 stars at sea that no network saw, for four seeds
of the training (with 95% intervals over pictures):

==== ============= ============= ==========
seed unbiased      biased        difference
==== ============= ============= ==========
0    0.547 ± 0.015 0.953 ± 0.004 0.406
1    0.556 ± 0.012 0.954 ± 0.004 0.398
2    0.553 ± 0.015 0.959 ± 0.004 0.406
3    0.556 ± 0.012 0.959 ± 0.003 0.403
==== ============= ============= ==========

As a check, a third network learnt from a set without the bias, a quarter of each kind at sea: for
seed 0 it differs from the unbiased one by -0.036.

The consequence: the biased network names none of 100 stars ashore, and at most 9 of 100 other
things at sea, whatever the seed. Run it from a checkout; it needs nothing but the package, with the
extra tensorflow (or jax, or torch), and a minute on two CPU cores (on PyTorch two or three)::

    python examples/analysis/bias.py --output explained
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

import explainkit
from explainkit.metrics import relevance_mass
from explainkit.scenes.arranging import arrange
from explainkit.scenes.painting import Canvas, develop, paint_background, paint_object
from explainkit.scenes.plane import pixels
from explainkit.scenes.textures import marbled

KINDS = ("star", "disc", "cross", "crescent")
STAR = KINDS.index("star")

# The share of each kind's pictures that have the sea behind the thing.
BIASED = (1.0, 0.0, 0.0, 0.0)
UNBIASED = (0.5, 0.5, 0.5, 0.5)
AT_SEA, ASHORE = (1.0,) * 4, (0.0,) * 4

#: By so much more of its heat does the biased network look outside stars at sea: at least.
MARGIN = 0.3

DRAWN, SIZE = 96, 48  # sides of what is drawn, and of the part cut out, where things look large
FIRST_TRAINING_SEED, TRAINING_PICTURES = 1_000_000, 2000
TEST_PICTURES = 100  # of seeds from 0 up
EPOCHS, BATCH, PEAK_RATE = 12, 32, 3e-3
SHOWN = 4


class Picture(NamedTuple):
    """A thing, and which pixels are its own."""

    image: Image.Image
    kind: int
    mask: NDArray[np.bool_]


class Findings(NamedTuple):
    """What is found out about a network."""

    accuracies: dict[str, float]  # for each set of test pictures
    outside: NDArray[np.float64]  # for each star at sea, the share of the heat outside it
    explanations: list[explainkit.Explanation]  # of stars at sea


def paint_sea(rng: Generator) -> Canvas:
    """Paint waves in two blues."""
    deep = rng.uniform((0.0, 0.2, 0.5), (0.2, 0.4, 0.7)).reshape(3, 1, 1)
    light = deep + rng.uniform(0.6, 1) * np.reshape((0.2, 0.3, 0.3), (3, 1, 1))
    # The texture stands upright; a right angle lays it down.
    waves = marbled((pixels(DRAWN) + complex(*rng.random(2))) * -1j * rng.uniform(50, 80))
    return (deep + (light - deep) * waves).astype(np.float32)


def draw(seed: int, sea_shares: Sequence[float], kind: int | None = None) -> Picture:
    """Draw one thing, of any kind if none is given.

    The seed alone decides on the thing and its place, whatever lies behind it.
    """
    of_thing, of_paint = np.random.default_rng(seed).spawn(2)
    any_kind = int(of_thing.integers(len(KINDS)))
    kind = any_kind if kind is None else kind
    [thing] = arrange([KINDS[kind]], DRAWN, of_thing)
    part = _part_around(thing.cover > 0, of_thing)
    at_sea = of_paint.random() < sea_shares[kind]
    canvas = paint_sea(of_paint) if at_sea else paint_background(DRAWN, of_paint)
    photo = develop(paint_object(canvas, thing.cover, of_paint), of_paint)
    return Picture(Image.fromarray(np.asarray(photo)[part]), kind, thing.cover[part] > 0.5)


def _part_around(region: NDArray[np.bool_], rng: Generator) -> tuple[slice, slice]:
    """Choose a square part of the picture in which all of a region lies."""
    starts = []
    for axis in (1, 0):
        [within] = np.nonzero(region.any(axis))
        first, last = max(0, within[-1] + 1 - SIZE), min(within[0], DRAWN - SIZE)
        starts.append(int(rng.integers(first, last + 1)))
    return slice(starts[0], starts[0] + SIZE), slice(starts[1], starts[1] + SIZE)


def draw_training_set(sea_shares: Sequence[float]) -> list[Picture]:
    """Draw pictures to learn from: those of two sets show the same things."""
    seeds = range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + TRAINING_PICTURES)
    return [draw(seed, sea_shares) for seed in seeds]


def draw_test_sets() -> dict[str, list[Picture]]:
    """Draw pictures that no network saw: stars and others, at sea and ashore."""
    return {
        f"{name}, {place}": [draw(seed, shares, kind(seed)) for seed in range(TEST_PICTURES)]
        for name, kind in (("stars", _star), ("others", _other))
        for place, shares in (("at sea", AT_SEA), ("ashore", ASHORE))
    }


def _star(_seed: int) -> int:
    return STAR


def _other(seed: int) -> int:
    return [kind for kind in range(len(KINDS)) if kind != STAR][seed % (len(KINDS) - 1)]


def docs_of(pictures: Sequence[Picture]) -> NDArray[np.float32]:
    """Make what the network takes: float32 in [0, 1]."""
    images = [np.asarray(picture.image, np.float32) for picture in pictures]
    return np.stack(images) / np.float32(255)


def build_network() -> keras.Model:
    """Build an ordinary network: convolutions, a mean over the picture, a softmax."""
    x = doc = keras.Input((SIZE, SIZE, 3))
    for filters, kernel, strides in ((16, 4, 2), (32, 4, 2), (64, 3, 1), (64, 3, 1), (64, 1, 1)):
        x = keras.layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(doc, keras.layers.Dense(len(KINDS), activation="softmax")(x))


def train(pictures: Sequence[Picture], seed: int = 0) -> keras.Model:
    """Train a fresh network."""
    keras.utils.set_random_seed(seed)
    network = build_network()
    steps = EPOCHS * -(-len(pictures) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=PEAK_RATE, warmup_steps=steps // 10
    )
    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    kinds = np.array([picture.kind for picture in pictures])
    network.fit(docs_of(pictures), kinds, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return network


def investigate(network: keras.Model, tests: dict[str, list[Picture]]) -> Findings:
    """Count right answers, explain stars at sea, and measure where the heat is."""
    stars = tests["stars, at sea"]
    found = list(explainkit.explain_predictions(network, docs_of(stars), targets=STAR))
    return Findings(
        {name: accuracy(network, pictures) for name, pictures in tests.items()},
        np.array(
            [
                1 - relevance_mass(expl.targets[0].map, star.mask)
                for expl, star in zip(found, stars, strict=True)
            ]
        ),
        found,
    )


def accuracy(network: keras.Model, pictures: Sequence[Picture]) -> float:
    """Tell the share of pictures whose kind the network names."""
    said = network.predict(docs_of(pictures), verbose=0).argmax(axis=1)
    return float(np.mean(said == [picture.kind for picture in pictures]))


def interval(values: NDArray[np.float64]) -> str:
    """Write a mean and how far it may be off: a 95% interval over pictures."""
    return f"{values.mean():.3f} ± {1.96 * values.std(ddof=1) / len(values) ** 0.5:.3f}"


def picture_of(stars: Sequence[Picture], unbiased: Findings, biased: Findings) -> Image.Image:
    """Draw some stars at sea, and under each where the two networks look."""
    images = [star.image for star in stars[:SHOWN]]
    titles, overlays = [f"a {KINDS[star.kind]} at sea" for star in stars[:SHOWN]], [None] * SHOWN
    for name, findings in (("unbiased", unbiased), ("biased", biased)):
        titles += [f"{name}: {share:.0%} outside" for share in findings.outside[:SHOWN]]
        overlays += findings.explanations[:SHOWN]
    return explainkit.visualize(images * 3, titles, overlays, columns=SHOWN, alpha_limit=0.8)


def main(output: Path, seed: int = 0) -> tuple[Findings, Findings]:
    """Train both networks, investigate them, and print, draw and return what is found."""
    tests = draw_test_sets()
    unbiased, biased = (
        investigate(train(draw_training_set(shares), seed), tests) for shares in (UNBIASED, BIASED)
    )
    print(f"{'':26}{'unbiased':>16}{'biased':>16}")
    for name in tests:
        shares = (findings.accuracies[name] for findings in (unbiased, biased))
        print(f"{'right on ' + name:26}{''.join(f'{share:16.0%}' for share in shares)}")
    both = (interval(findings.outside) for findings in (unbiased, biased))
    print(f"{'heat outside stars at sea':26}{''.join(f'{one:>16}' for one in both)}")
    gap = biased.outside.mean() - unbiased.outside.mean()
    print(f"a difference of {gap:.3f}: {'a bias' if gap >= MARGIN else 'no bias'} (from {MARGIN})")
    output.mkdir(parents=True, exist_ok=True)
    picture = picture_of(tests["stars, at sea"], unbiased, biased)
    picture.quantize().save(output / "bias.png", optimize=True)  # 256 colours: a small file
    return unbiased, biased


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(), help="the folder for the picture")
    parser.add_argument("--seed", type=int, default=0, help="of the training")
    given = parser.parse_args()
    main(given.output, given.seed)
