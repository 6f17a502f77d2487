"""Draw what each method finds in one scene, and what its options change.

    python docs/draw_methods.py

needs nothing but the package, with the extras tensorflow (or jax, or torch) and cli.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

import explainkit
from explainkit import scenes
from explainkit.methods import METHODS, Method, counterfactual, smooth, tta

HERE = Path(__file__).parent
SEED, WIDTH = 8, 192
#: Options with which methods are drawn, where the defaults take long.
OPTIONS = {"rise": {"masks": 2000}}


def averaging_network(network: keras.Model) -> keras.Model:
    """Give the scenes network the head that CAM needs: channels averaged, one dense layer.

    Its weights are those of least squares on some scenes.
    """
    found = list(scenes.draw_scenes(400, seed=1000))
    docs = np.concatenate([scene.doc for scene in found])
    features = explainkit.inspection.expose(network)(docs)[1].mean(axis=(1, 2))
    shown = np.array([[kind in _kinds(scene) for kind in scenes.KINDS] for scene in found])
    inputs = np.column_stack([features, np.ones(len(features))])
    weights, *_ = np.linalg.lstsq(inputs, shown.astype(float), rcond=None)
    head = keras.layers.Dense(len(scenes.KINDS), name="kinds")
    layer = explainkit.inspection.find_layer(network)
    means = keras.layers.GlobalAveragePooling2D()(layer.output)
    model = keras.Model(network.inputs, head(means))
    head.set_weights([weights[:-1], weights[-1]])
    return model


def _kinds(scene: scenes.Scene) -> set[str]:
    return {thing.kind for thing in scene.objects}


def draw(scene: scenes.Scene, network: keras.Model) -> None:
    """Draw every method on one scene, for the first of its objects."""
    averaging = averaging_network(network)
    target = scene.objects[0].target
    for name in METHODS:
        model = averaging if name == "cam" else network
        picture = overlay(scene, model, name, target, **OPTIONS.get(name, {}))
        save(picture, name)


def overlay(
    scene: scenes.Scene, model: keras.Model, method: str | Method, target: int, **options: Any
) -> Image.Image:
    """Draw what one method finds."""
    expl = explainkit.explain_prediction(
        model,
        scene.doc,
        method=method,
        targets=target,
        image=scene.image.resize((WIDTH, WIDTH)),
        **options,
    )
    # Of maps of the picture's own size, few cells outshine all others.
    found = METHODS.get(str(method), type(method))
    fine = isinstance(method, str) and found().at_picture and found.cost.backward != "0"
    return explainkit.format_as_image(expl, saturated=0.02 if fine else 0)


def save(picture: Image.Image, name: str) -> None:
    """Save a picture in a palette of 256 colours, which is seen by nobody and a third as large."""
    file = HERE / "images" / "methods" / f"{name.replace('+', 'p')}.png"
    picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(file, optimize=True)


#: What is shown side by side on a page: its titles, and how each picture is asked for.
#: A target is the position of the object in the scene.
STRIPS: dict[str, dict[str, dict[str, Any]]] = {
    "gradcam": {
        "the heart": {"method": "gradcam", "target": 0},
        "the zigzag": {"method": "gradcam", "target": 1},
        "the square": {"method": "gradcam", "target": 2},
    },
    "gradcam++": {"Grad-CAM": {"method": "gradcam"}, "Grad-CAM++": {"method": "gradcam++"}},
    "hirescam": {"Grad-CAM": {"method": "gradcam"}, "HiResCAM": {"method": "hirescam"}},
    "layercam": {
        "Grad-CAM, early": {"method": "gradcam", "layer": "re_lu"},
        "LayerCAM, early": {"method": "layercam", "layer": "re_lu"},
        "LayerCAM, last": {"method": "layercam"},
        "LayerCAM, both": {"method": "layercam", "layer": ["re_lu", "activation_7"]},
    },
    "eigencam": {
        "asked for the heart": {"method": "eigencam", "target": 0},
        "asked for the square": {"method": "eigencam", "target": 2},
    },
    "scorecam": {
        "baseline 0": {"method": "scorecam"},
        "baseline mean": {"method": "scorecam", "baseline": "mean"},
        "baseline blur": {"method": "scorecam", "baseline": "blur"},
    },
    "gradients": {
        "channels added": {"method": "gradients"},
        "largest channel": {"method": "gradients", "channels": "max"},
    },
    "smoothgrad": {
        "gradients": {"method": "gradients"},
        "5 samples": {"method": "smoothgrad", "samples": 5},
        "25 samples": {"method": "smoothgrad"},
    },
    "vargrad": {
        "noise 0.05": {"method": "vargrad", "noise": 0.05},
        "noise 0.15": {"method": "vargrad"},
        "noise 0.3": {"method": "vargrad", "noise": 0.3},
    },
    "integrated_gradients": {
        "from black": {"method": "integrated_gradients"},
        "from the mean colour": {"method": "integrated_gradients", "baseline": "mean"},
        "from the blur": {"method": "integrated_gradients", "baseline": "blur"},
    },
    "guided_backprop": {
        "the heart": {"method": "guided_backprop", "target": 0},
        "the square": {"method": "guided_backprop", "target": 2},
    },
    "deconvnet": {
        "the heart": {"method": "deconvnet", "target": 0},
        "the square": {"method": "deconvnet", "target": 2},
    },
    "guided_gradcam": {
        "the heart": {"method": "guided_gradcam", "target": 0},
        "the square": {"method": "guided_gradcam", "target": 2},
    },
    "fullgrad": {
        'psi="absolute"': {"method": "fullgrad"},
        'psi="none"': {"method": "fullgrad", "psi": "none"},
    },
    "occlusion": {
        "patch 6": {"method": "occlusion", "patch": 6},
        "patch 12": {"method": "occlusion"},
        "patch 24": {"method": "occlusion", "patch": 24},
    },
    "rise": {
        "100 masks": {"method": "rise", "masks": 100},
        "500 masks": {"method": "rise", "masks": 500},
        "2000 masks": {"method": "rise", "masks": 2000},
    },
    "tta": {
        "gradcam": {"method": "gradcam"},
        "tta(gradcam)": {"method": tta("gradcam")},
        "flipped both ways": {"method": tta("gradcam", flips=("horizontal", "vertical"))},
    },
    "counterfactual": {
        "what speaks for it": {"method": "gradcam"},
        "what speaks against it": {"method": counterfactual("gradcam")},
    },
}


def draw_strips(scene: scenes.Scene, network: keras.Model) -> None:
    """Draw what changes with an option, a target or a layer."""
    for name, panels in STRIPS.items():
        pictures = []
        for asked in panels.values():
            options = {"target": 0, **asked}
            target = scene.objects[options.pop("target")].target
            pictures.append(overlay(scene, network, target=target, **options))
        save(explainkit.visualize(pictures, list(panels)), f"{name}-strip")


def draw_wrappers(scene: scenes.Scene, network: keras.Model) -> None:
    """Draw the methods that are made of methods."""
    target = scene.objects[0].target
    made = {
        "smooth": smooth("gradcam"),
        "tta": tta("gradcam"),
        "counterfactual": counterfactual("gradcam"),
    }
    for name, method in made.items():
        save(overlay(scene, network, method, target), name)


if __name__ == "__main__":
    shown, network = scenes.draw_scene(seed=SEED), scenes.load_network()
    draw(shown, network)
    draw_wrappers(shown, network)
    draw_strips(shown, network)
