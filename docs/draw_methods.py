"""Draw what each method finds in one scene, and write the tables of docs/methods.md.

    python docs/draw_methods.py

needs nothing but the package, with the extras tensorflow (or jax, or torch) and cli.
"""

import re
from pathlib import Path

import keras
import numpy as np

import explainkit
from explainkit import scenes
from explainkit.methods import METHODS

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
        expl = explainkit.explain_prediction(
            model,
            scene.doc,
            method=name,
            targets=target,
            image=scene.image.resize((WIDTH, WIDTH)),
            **OPTIONS.get(name, {}),
        )
        # Of maps of the picture's own size, few cells outshine all others.
        fine = METHODS[name]().at_picture and METHODS[name].cost.backward != "0"
        picture = explainkit.format_as_image(expl, saturated=0.02 if fine else 0)
        picture.save(HERE / "images" / "methods" / f"{_file_of(name)}.png", optimize=True)


def _file_of(name: str) -> str:
    return name.replace("+", "p")


def table() -> str:
    """Write a row for each method."""
    # What may not be broken keeps the column of pictures from shrinking to nothing.
    rows = ["| one&nbsp;scene,&nbsp;explained | method |", "| --- | --- |"]
    for name, method in METHODS.items():
        picture = f"![{method.title}](images/methods/{_file_of(name)}.png)"
        lines = (
            f'**{method.title}**: `method="{name}"`',
            method.formula,
            f"forward passes: {method.cost.forward}; backward passes: {method.cost.backward}",
            method.source,
        )
        rows.append(f"| {picture} | {'<br>'.join(lines)} |")
    return "\n".join(rows)


def write(page: Path) -> None:
    """Put the table into a page, between its marks."""
    text = page.read_text()
    marks = r"(<!-- methods: begin -->\n).*(<!-- methods: end -->)"
    page.write_text(re.sub(marks, lambda m: f"{m[1]}{table()}\n{m[2]}", text, flags=re.DOTALL))


if __name__ == "__main__":
    draw(scenes.draw_scene(seed=SEED), scenes.load_network())
    write(HERE / "methods.md")
