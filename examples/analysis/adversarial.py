"""An adversarial picture, explained before and after.

The fast gradient sign method (Goodfellow et al. 2015, arXiv:1412.6572) makes every number of a
picture a little darker or brighter, whichever makes the network surer of a wrong answer. Nobody
sees it; the network no longer finds a thing that it found with certainty. The Grad-CAM paper asks
what becomes of the explanation (Selvaraju et al. 2017, arXiv:1610.02391): does the map for the kind
that is no longer seen still find the thing?

Measured on the network that comes with explainkit, on the hindmost thing of scenes 0 to 99, with
Keras on TensorFlow. 99 of them are seen, and all have the peak of Grad-CAM in their box: they are
"found". Of those whose probability falls below 0.5, and of those of whose absence the network
becomes sure, so many are still found (by a peak that may be anywhere it would be 8%):

======= =============== ============== =============== ==============
change  missed          still found    p < 0.01        still found
======= =============== ============== =============== ==============
2/255   19 of 99 (19%)  19 of 19       3 of 99 (3%)    3 of 3
4/255   39 of 99 (39%)  34 of 39 (87%) 13 of 99 (13%)  9 of 13 (69%)
8/255   68 of 99 (69%)  48 of 68 (71%) 33 of 99 (33%)  16 of 33 (48%)
======= =============== ============== =============== ==============

So the answer is yes for most of what is missed, and the surer the miss, the less: then the map
shows what little else there is of that kind. Run it from a checkout; it needs nothing but the
package, with the extra tensorflow (or jax, or torch), and less than a minute::

    python examples/analysis/adversarial.py --output explained
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import explainkit
from explainkit import scenes

SIDE = 96  # of a scene, in pixels
SCENES = 100
STEPS = (2, 4, 8)  # of 255: by how much a number of the picture may change
SHOWN_STEP = 4
SHOWN_SEEDS = (80, 60, 27)  # two whose map holds, one whose map does not
SURE = 0.01  # the network is sure that a thing is not there if its probability is lower

Docs = NDArray[np.float32]


class Views(NamedTuple):
    """What the network says of one thing in each of some pictures, and where it looks."""

    probas: NDArray[np.float64]
    maps: NDArray[np.float32]  # shape (N, h, w)
    in_box: NDArray[np.bool_]  # whether the map's peak lies in the thing's box


def things_of(found: Sequence[scenes.Scene]) -> list[scenes.SceneObject]:
    """Choose the thing of each scene that is attacked: the hindmost."""
    return [scene.objects[0] for scene in found]


def attack(network: keras.Model, docs: Docs, targets: NDArray[np.int64], epsilon: float) -> Docs:
    """Change each number by epsilon, so that the network misses what it saw.

    The loss of a label that is there falls as its score rises, and in this only the sign of the
    gradient counts: the score before the sigmoid has that sign, and does not vanish where the
    network is certain. No number leaves [0, 1].
    """
    return np.clip(docs - np.float32(epsilon) * np.sign(gradients(network, docs, targets)), 0, 1)


def gradients(network: keras.Model, docs: Docs, targets: NDArray[np.int64]) -> Docs:
    """Work out the gradient of one score of each doc, with respect to each number of it.

    explainkit adds up the channels of a pixel. Here red, green and blue lie one below another,
    as a picture of one channel: each of them is a pixel of its own.
    """
    planes = keras.Input((3 * SIDE, SIDE, 1))
    x = keras.layers.Permute((2, 3, 1))(keras.layers.Reshape((3, SIDE, SIDE))(planes))
    of_planes = keras.Model(planes, network(x))
    laid = np.moveaxis(docs, -1, 1).reshape(-1, 3 * SIDE, SIDE, 1)
    _, maps = explainkit.gradients(of_planes, laid, targets[:, np.newaxis], postprocess=None)
    return np.moveaxis(maps.reshape(-1, 3, SIDE, SIDE), 1, -1)


def look(network: keras.Model, docs: Docs, things: Sequence[scenes.SceneObject]) -> Views:
    """Explain one thing of each picture by Grad-CAM."""
    targets = np.array([[thing.target] for thing in things])
    found = list(explainkit.explain_predictions(network, docs, targets=targets))
    maps = [expl.targets[0].map for expl in found]
    return Views(
        np.array([expl.targets[0].proba for expl in found]),
        np.stack(maps),
        np.array([peaks_in_box(*both) for both in zip(maps, things, strict=True)]),
    )


def peaks_in_box(map_: NDArray[np.float32], thing: scenes.SceneObject) -> bool:
    """Tell whether the highest point of a map, enlarged, lies in a thing's box."""
    large = np.asarray(Image.fromarray(map_).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    row, column = np.unravel_index(large.argmax(), large.shape)
    left, top, right, bottom = thing.box
    return bool(left <= column < right and top <= row < bottom)


def print_table(network: keras.Model, found: Sequence[scenes.Scene]) -> None:
    """Attack scenes, more and more, and count what is missed and what still found."""
    docs, things = scenes.as_docs(found), things_of(found)
    targets = np.array([thing.target for thing in things])
    before = look(network, docs, things)
    seen = before.probas > 0.5
    print(f"before: {_share(seen, among=len(found))} seen, {_share(before.in_box, seen)} found")
    print(f"a peak anywhere would find {chance(things):.0%}")
    headings = ("change", "missed", "still found", f"below {SURE}", "still found")
    print("".join(f"{heading:>18}" for heading in headings))
    for step in STEPS:
        after = look(network, attack(network, docs, targets, step / 255), things)
        row = [f"{step}/255"]
        for limit in (0.5, SURE):
            missed = seen & (after.probas < limit)
            row += [_share(missed, seen), _share(after.in_box, missed)]
        print("".join(f"{cell:>18}" for cell in row))


def chance(things: Sequence[scenes.SceneObject]) -> float:
    """Tell how often a peak that may be anywhere would lie in a thing's box."""
    boxes = (thing.box for thing in things)
    sizes = [(right - left) * (bottom - top) for left, top, right, bottom in boxes]
    return float(np.mean(sizes)) / SIDE**2


def _share(
    which: NDArray[np.bool_], within: NDArray[np.bool_] | None = None, among: int = 0
) -> str:
    part, whole = (which.sum(), among) if within is None else (which[within].sum(), within.sum())
    return f"{part} of {whole} ({part / max(whole, 1):.0%})"


def picture_of(network: keras.Model, found: Sequence[scenes.Scene]) -> Image.Image:
    """Draw scenes before and after the attack, what it changed, and where the network looks."""
    docs, things = scenes.as_docs(found), things_of(found)
    targets = np.array([thing.target for thing in things])
    attacked = attack(network, docs, targets, SHOWN_STEP / 255)
    before, after = look(network, docs, things), look(network, attacked, things)
    # Grey is no change; black and white, or full colours, are a whole step.
    times = 255 / SHOWN_STEP / 2
    changes = 0.5 + (attacked - docs) * times
    images, titles, overlays = [], [], []
    for i, thing in enumerate(things):
        images += [docs[i], docs[i], changes[i], attacked[i], attacked[i]]
        why = f"Grad-CAM of {thing.kind}"
        titles += [f"{thing.kind}: p = {before.probas[i]:.2g}", why, f"added, × {times:.0f}"]
        titles += [f"{thing.kind}: p = {after.probas[i]:.2g}", why]
        overlays += [None, before.maps[i], None, None, after.maps[i]]
    return explainkit.visualize(images, titles, overlays, columns=5, alpha_limit=0.8)


def main(output: Path) -> None:
    """Attack scenes, print what becomes of them, and draw some."""
    network = scenes.load_network()
    print_table(network, list(scenes.draw_scenes(SCENES)))
    picture = picture_of(network, [scenes.draw_scene(seed) for seed in SHOWN_SEEDS])
    output.mkdir(parents=True, exist_ok=True)
    picture.quantize().save(output / "adversarial.png", optimize=True)  # 256 colours: a small file


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(), help="the folder for the picture")
    main(parser.parse_args().output)
