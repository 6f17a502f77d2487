"""``explainkit demo``: pictures whose truth is known, and a network that knows them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from PIL import Image, ImageDraw

from explainkit.cli import outputs
from explainkit.cli.reports import waiting
from explainkit.cli.shell import keeping_stdout, loading_errors
from explainkit.explain import explain_prediction
from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters import format_as_image
from explainkit.formatters.captions import caption_of, side_by_side
from explainkit.loading import import_keras
from explainkit.scenes import KINDS, draw_scenes, load_network
from explainkit.scenes.scene import Scene, SceneObject

_SCENES = 3
_ENLARGED = 3
_FRAME = "white"


@attrs.frozen
class Finding:
    """What the network said of one object that is in a scene.

    Attributes
    ----------
    seed : int
        The scene's.
    kind : str
    score, proba : float
    in_box : bool
        Whether the hottest spot of the heatmap lies in the object's box.
    """

    seed: int
    kind: str
    score: float
    proba: float
    in_box: bool


def run_demo(output: Path, seed: int) -> list[Finding]:
    """Draw scenes, explain the objects in them, and write it all as one picture.

    Parameters
    ----------
    output : Path
        The picture's file.
    seed : int
        The first scene's seed.

    Returns
    -------
    list of Finding
        One for each object.

    Raises
    ------
    CommandError
        If Keras is not installed, or the file cannot be written.
    """
    outputs.check_file(output)
    with keeping_stdout(), waiting("explaining"):
        with loading_errors():
            import_keras()
        network = load_network()
        rows, findings = [], []
        for scene in draw_scenes(_SCENES, seed):
            expl = _explain(network, scene)
            rows.append(_row(scene, expl))
            findings += [
                Finding(scene.seed, thing.kind, target.score, target.proba or 0, in_box)
                for thing, target in zip(scene.objects, expl.targets, strict=True)
                for in_box in (_peaks_in_box(thing, target),)
            ]
        outputs.write_picture(_stacked(rows), output)
    return findings


def _explain(network: Any, scene: Scene) -> Explanation:
    size = (scene.image.width * _ENLARGED, scene.image.height * _ENLARGED)
    return explain_prediction(
        network,
        scene.doc,
        targets=[thing.target for thing in scene.objects],
        target_names=KINDS,
        image=scene.image.resize(size, Image.Resampling.BICUBIC),
    )


def _peaks_in_box(thing: SceneObject, target: TargetExplanation) -> bool:
    """Tell whether the middle of the hottest cell lies in an object's box."""
    cells = np.array(target.heatmap.shape)
    cell = np.unravel_index(target.heatmap.argmax(), target.heatmap.shape)
    y, x = (np.array(cell) + 0.5) / cells * thing.mask.shape
    left, top, right, bottom = thing.box
    return bool(left <= x < right and top <= y < bottom)


def _row(scene: Scene, expl: Explanation) -> Image.Image:
    """Set a scene and its overlays side by side, the explained object framed in each."""
    if expl.image is None:
        raise AssertionError("the demo gives a picture")  # pragma: no cover
    pictures = [expl.image]
    for position, thing in enumerate(scene.objects):
        overlay = format_as_image(expl, target=position)
        frame = [edge * _ENLARGED for edge in thing.box]
        ImageDraw.Draw(overlay).rectangle(frame, outline=_FRAME, width=2)
        pictures.append(overlay)
    names = ", ".join(thing.kind for thing in scene.objects)
    captions = [(f"scene {scene.seed}", names), *(caption_of(one) for one in expl.targets)]
    return side_by_side(pictures, captions, expl.image.size)


def _stacked(rows: Sequence[Image.Image]) -> Image.Image:
    width, height = max(row.width for row in rows), sum(row.height for row in rows)
    sheet = Image.new("RGB", (width, height), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet
