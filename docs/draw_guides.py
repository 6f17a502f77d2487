"""Draw the pictures of the guides on comparing, boxes and masks, and metrics.

Run it from a checkout::

    python docs/draw_guides.py
"""

from pathlib import Path

import numpy as np
from PIL import Image

import explainkit
from explainkit import localization, scenes

IMAGES = Path(__file__).parent / "images"
METHODS = ("gradcam", "layercam", "occlusion", "gradients")


def draw_comparison() -> None:
    """One object, by four methods."""
    scene, network = scenes.draw_scene(seed=8), scenes.load_network()
    target = scene.objects[0].target
    found = [
        explainkit.explain_prediction(network, scene.doc, method=method, targets=[target])
        for method in METHODS
    ]
    explainkit.compare(found, saturated=0.01).image.save(IMAGES / "compare.png", optimize=True)


def draw_boxes() -> None:
    """The box of each object of some scenes, and a mask that follows its edges."""
    network = scenes.load_network()
    drawn = [scenes.draw_scene(seed) for seed in (8, 20, 33)]
    asked = [(scene, scene.objects[-1]) for scene in drawn]
    found = [
        explainkit.explain_prediction(network, scene.doc, targets=[thing.target])
        for scene, thing in asked
    ]
    boxed = [explainkit.format_as_image(expl, boxes=True) for expl in found]
    masks = [localization.find_mask(expl, threshold=0.5, smoothing=8) for expl in found]
    seeds = [
        Image.fromarray(np.where(mask[..., None], np.asarray(expl.image.convert("RGB")), 255))
        for expl, mask in zip(found, masks, strict=True)
    ]
    titles = [
        *(f"{thing.kind}: box" for _, thing in asked),
        *(f"{thing.kind}: mask" for _, thing in asked),
    ]
    sheet = explainkit.visualize([*boxed, *seeds], titles, columns=len(drawn))
    sheet.save(IMAGES / "boxes.png", optimize=True)


def draw_metrics() -> None:
    """Four methods, measured on 24 scenes."""
    drawn = list(scenes.draw_scenes(24))
    things = [scene.objects[-1] for scene in drawn]
    found = explainkit.evaluate(
        scenes.load_network(),
        scenes.as_docs(drawn),
        METHODS,
        ["deletion", "insertion", "pointing_game", "relevance_mass", "sparseness", "random_logit"],
        targets=[thing.target for thing in things],
        masks=[thing.mask for thing in things],
    )
    found.plot().savefig(IMAGES / "metrics.png", dpi=72)


if __name__ == "__main__":
    draw_comparison()
    draw_boxes()
    draw_metrics()
