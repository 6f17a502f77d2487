"""Counterfactual maps: what speaks against a kind, and what it is.

The counterfactual of Grad-CAM is the map with its sign turned: what would have to go for the score
to rise (Selvaraju et al. 2017, arXiv:1610.02391). Of *which* score matters. Scenes hold
two things here, and for each of the two kinds it is asked what speaks against it:

- ``alone``: against the score of the kind by itself. The network has a sigmoid for each label, and
  a cross takes nothing from a disc: this map shows places that are least like a disc, wherever.
- ``contrast``: against the lead of the kind over the other one, the difference of two scores.
- ``competition``: against the share of the kind among all ten, as a softmax would give it. The
  other kind is not told. It is the map that names it: by the thing that its peak lies on.

Measured on the 71 scenes of two things among scenes 0 to 159, asked about either thing: how often
the peak of the map is at the other thing (within a cell of the map, 8 pixels, of its visible
pixels), and how often it names it, which is to say is nearer to it than to the thing itself:

=========== ================== ========
score       at the other thing names it
=========== ================== ========
alone       19%                18%
contrast    99%                97%
competition 99%                97%
=========== ================== ========

Run it from a checkout; it needs nothing but the package, with the extra tensorflow (or jax, or
torch), and less than a minute::

    python examples/analysis/counterfactual.py --output explained
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import explainkit
from explainkit import scenes

SIDE = 96  # of a scene, in pixels
CELL = SIDE // 12  # of the network's last map
SCENES = 160  # of which some have two things
SHOWN = 4  # scenes: the first ones, for better or worse

#: Makes a score, shape (N,), of the scores of all kinds, shape (N, 10).
Score = Callable[[Any], Any]


class Question(NamedTuple):
    """It asks what speaks against one of two things."""

    scene: scenes.Scene
    about: scenes.SceneObject
    other: scenes.SceneObject


def questions_about(found: Sequence[scenes.Scene]) -> list[Question]:
    """Ask about both things of each scene that has two."""
    return [
        Question(scene, *pair)
        for scene in found
        if len(scene.objects) == 2
        for pair in (scene.objects, scene.objects[::-1])
    ]


def alone(question: Question) -> int:
    """Take the score of the kind itself."""
    return question.about.target


def contrast(question: Question) -> Score:
    """Take the lead of the kind over the other one."""
    about, other = question.about.target, question.other.target
    return lambda scores: scores[:, about] - scores[:, other]


def competition(question: Question) -> Score:
    """Take the logarithm of the kind's share among all: the other one is not told."""
    about = question.about.target
    return lambda scores: scores[:, about] - keras.ops.logsumexp(scores, axis=1)


TARGETS: dict[str, Callable[[Question], int | Score]] = {
    "alone": alone,
    "contrast": contrast,
    "competition": competition,
}


def explain(network: keras.Model, question: Question, target: int | Score) -> NDArray[np.float32]:
    """Map what speaks against a target."""
    expl = explainkit.explain_prediction(
        network,
        question.scene.doc,
        targets=target,
        method=explainkit.counterfactual("gradcam"),
    )
    return expl.targets[0].map


def peak(map_: NDArray[np.float32]) -> tuple[int, int]:
    """Find the pixel, row and column, of the highest point of a map."""
    large = Image.fromarray(np.maximum(map_, 0)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    row, column = np.unravel_index(np.asarray(large).argmax(), (SIDE, SIDE))
    return int(row), int(column)


def distance(place: tuple[int, int], thing: scenes.SceneObject) -> int:
    """Tell how many rows or columns, whichever are more, a pixel is away from a thing."""
    rows, columns = np.nonzero(thing.mask)
    return int(np.maximum(abs(rows - place[0]), abs(columns - place[1])).min())


def named_by(map_: NDArray[np.float32], scene: scenes.Scene) -> str | None:
    """Name the thing that a map's peak lies on or beside; None where there is nothing."""
    place = peak(map_)
    nearest = min(scene.objects, key=lambda thing: distance(place, thing))
    return nearest.kind if distance(place, nearest) <= CELL else None


def count(
    network: keras.Model, asked: Sequence[Question], chosen: Callable[[Question], int | Score]
) -> tuple[float, float]:
    """Tell how often a peak is at the other thing, and how often it names it."""
    near, named = [], []
    for question in asked:
        map_ = explain(network, question, chosen(question))
        near.append(distance(peak(map_), question.other) <= CELL)
        named.append(named_by(map_, question.scene) == question.other.kind)
    return float(np.mean(near)), float(np.mean(named))


def picture_of(network: keras.Model, asked: Sequence[Question]) -> Image.Image:
    """Draw for some questions what speaks for a kind, and what against it."""
    images, titles, overlays = [], [], []
    for question in asked:
        kind, image = question.about.kind, question.scene.image
        speaks_for = explainkit.explain_prediction(
            network, question.scene.doc, targets=question.about.target
        )
        against = [explain(network, question, target(question)) for target in (alone, competition)]
        name = named_by(against[1], question.scene)
        images += [image] * 4
        titles += [f"{kind} and {question.other.kind}", f"for {kind}", f"against {kind} alone"]
        titles += [f"against {kind}: {name or 'nothing there'}"]
        overlays += [None, speaks_for, *against]
    return explainkit.visualize(images, titles, overlays, columns=4, alpha_limit=0.8)


def main(output: Path) -> None:
    """Ask what speaks against each of two things, count what is named, and draw some."""
    network = scenes.load_network()
    asked = questions_about(list(scenes.draw_scenes(SCENES)))
    print(f"what speaks against a thing, {len(asked)} times in scenes of two")
    for name, chosen in TARGETS.items():
        near, named = count(network, asked, chosen)
        print(f"{name:>12}: peak at the other thing {near:.0%}, names it {named:.0%}")
    picture = picture_of(network, asked[: 2 * SHOWN : 2])
    output.mkdir(parents=True, exist_ok=True)
    picture.quantize().save(
        output / "counterfactual.png", optimize=True
    )  # 256 colours: a small file


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(), help="the folder for the picture")
    main(parser.parse_args().output)
