"""What models say and explain on one backend, written to a file: run in a process of its own."""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers
from keras.applications import mobilenet_v2

from explainkit import explain_prediction
from explainkit.scenes import draw_scenes, load_network

from . import models


def _with_known_weights(model, doc):
    """Give a model weights that are the same wherever it is built."""
    model(doc)  # builds those that say nothing of their inputs
    rng = np.random.default_rng(0)
    for weights in model.weights:
        weights.assign(rng.normal(0, 0.3, weights.shape))
    return model


def small():
    """Explain small models of three builds, and the network that comes with the package."""
    for build in (models.sequential, models.nested_three_deep, models.subclassed):
        model = _with_known_weights(build(), models.doc())
        for seed in range(3):
            yield f"{build.__name__} {seed}", model, models.doc(seed), range(models.CLASSES)
    network = load_network()
    for number, scene in enumerate(draw_scenes(4)):
        yield f"scene {number}", network, scene.doc, range(10)


def real(shared):
    """Explain MobileNetV2, as it is and inside a model that scales its pictures."""
    flat = mobilenet_v2.MobileNetV2(weights=str(shared / "models/mobilenet_v2_imagenet.weights.h5"))
    nested = keras.Sequential(
        [keras.Input((224, 224, 3)), layers.Rescaling(1 / 127.5, offset=-1), flat]
    )
    picture = keras.utils.load_img(shared / "images/cat_dog.jpg", target_size=(224, 224))
    doc = keras.utils.img_to_array(picture)[np.newaxis]
    for targets in ([243, 282], None):
        yield f"flat {targets}", flat, mobilenet_v2.preprocess_input(doc.copy()), targets
        yield f"nested {targets}", nested, doc, targets


def main(path, shared=None):
    found = {"backend": keras.backend.backend()}
    for name, model, doc, targets in real(Path(shared)) if shared else small():
        asked = None if targets is None else list(targets)
        explained = explain_prediction(model, doc, targets=asked).targets
        found[f"{name} | targets"] = [one.target for one in explained]
        found[f"{name} | scores"] = [(one.score, one.proba) for one in explained]
        found[f"{name} | heatmaps"] = [one.heatmap for one in explained]
    np.savez(path, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
