"""What Grad-CAM costs, as a ratio to the bare compiled forward pass.

Everything takes turns in one process, and medians are compared, so that a busy
machine slows all alike. Run

    python benchmarks/gradcam.py                      # MobileNetV2, 16 docs and 1
    python benchmarks/gradcam.py --model ResNet50V2 --docs 8 --targets 1,10
    python benchmarks/gradcam.py --rounds 50 --markdown

The keras.io recipe (a second model up to the layer, and a tape around it) is
built in as a rival; eli5, tf-keras-vis and xplique join where they are installed.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import importlib.util
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import explainkit

Contender = Callable[[], Any]


def bare_forward_pass(model: keras.Model, docs: np.ndarray) -> Contender:
    """Run the model, compiled, and give its output as an array: the yardstick."""
    spec = tf.TensorSpec([None, *docs.shape[1:]], docs.dtype)
    forward = tf.function(lambda x: model(x, training=False), [spec], autograph=False)
    return lambda: forward(docs).numpy()


def explain_docs(
    model: keras.Model, docs: np.ndarray, targets: np.ndarray, layer: Any
) -> Contender:
    """All docs in one batch, through the public door."""
    options = {"targets": targets, "layer": layer, "batch_size": len(docs)}
    return lambda: list(explainkit.explain_predictions(model, docs, **options))


def explain_doc(model: keras.Model, docs: np.ndarray, targets: np.ndarray, layer: Any) -> Contender:
    """One doc, through the door that people use in notebooks."""
    wanted = targets[0].tolist()
    return lambda: explainkit.explain_prediction(model, docs, targets=wanted, layer=layer)


def keras_recipe(
    model: keras.Model, docs: np.ndarray, targets: np.ndarray, layer: Any
) -> Contender:
    """Do what keras.io shows, for a batch of docs, one target after the other."""
    name = layer or explainkit.inspection.find_layer(model).name
    cut = keras.Model(model.input, [model.get_layer(name).output, model.output])

    def run() -> list[np.ndarray]:
        maps = []
        for column in targets.T:
            with tf.GradientTape() as tape:
                features, predictions = cut(docs)
                scores = tf.gather(predictions, column[:, None], axis=1, batch_dims=1)
            weights = tf.reduce_mean(tape.gradient(scores, features), axis=(1, 2))
            map_ = tf.einsum("nhwc,nc->nhw", features, weights)
            maps.append((tf.nn.relu(map_) / tf.reduce_max(map_)).numpy())
        return maps

    return run


def eli5_prediction(
    model: keras.Model, docs: np.ndarray, targets: np.ndarray, layer: Any
) -> Contender:
    """ELI5's door: one doc and one target a call."""
    import eli5

    calls = [
        (doc[None], [int(target)]) for doc, row in zip(docs, targets, strict=True) for target in row
    ]
    return lambda: [
        eli5.explain_prediction(model, doc, targets=target, layer=layer) for doc, target in calls
    ]


def tf_keras_vis_gradcam(
    model: keras.Model, docs: np.ndarray, targets: np.ndarray, layer: Any
) -> Contender:
    """tf-keras-vis: a batch of docs, one target of each a call."""
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    gradcam = Gradcam(model, clone=False)
    return lambda: [
        gradcam(CategoricalScore(column.tolist()), docs, penultimate_layer=layer or -1)
        for column in targets.T
    ]


def xplique_gradcam(
    model: keras.Model, docs: np.ndarray, targets: np.ndarray, layer: Any
) -> Contender:
    """Xplique: a batch of docs, one target of each a call."""
    from xplique.attributions import GradCAM

    explainer = GradCAM(model, conv_layer=layer, batch_size=len(docs))
    classes = model.output_shape[-1]
    return lambda: [explainer(docs, np.eye(classes)[column]) for column in targets.T]


RIVALS = {
    "eli5": ("eli5", eli5_prediction),
    "tf-keras-vis": ("tf_keras_vis", tf_keras_vis_gradcam),
    "xplique": ("xplique", xplique_gradcam),
}


def installed_rivals(*arguments: Any) -> dict[str, Contender]:
    """Make the rivals that are installed and take such a model; say why others do not."""
    found: dict[str, Contender] = {}
    for name, (package, make) in RIVALS.items():
        if importlib.util.find_spec(package) is None:
            continue
        try:
            run = make(*arguments)
            run()
        except (AttributeError, ImportError, NotImplementedError, TypeError, ValueError) as error:
            print(f"{name} cannot: {type(error).__name__}: {str(error).splitlines()[0][:90]}")
        else:
            found[name] = run
    return found


def medians(contenders: dict[str, Contender], rounds: int) -> dict[str, float]:
    """Time all contenders in turns; median seconds of each, after two warm-up rounds."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 2):
        for name, run in contenders.items():
            begun = time.perf_counter()
            run()
            if turn >= 2:
                times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(spent) for name, spent in times.items()}


def measure(
    model: keras.Model, layer: str | None, count: int, targets: int, rounds: int
) -> list[Any]:
    """Measure everybody at one number of docs and one of targets."""
    rng = np.random.default_rng(0)
    docs = rng.uniform(-1, 1, (count, *model.input_shape[1:])).astype(np.float32)
    chosen = np.stack([rng.choice(model.output_shape[-1], targets, False) for _ in docs])
    explain = explain_doc if count == 1 else explain_docs
    arguments = (model, docs, chosen, layer)
    contenders = {
        "bare forward pass": bare_forward_pass(model, docs),
        "explainkit": explain(*arguments),
        "model.predict": lambda: model.predict(docs, batch_size=count, verbose=0),
        "keras.io recipe": keras_recipe(*arguments),
        **installed_rivals(*arguments),
    }
    found = medians(contenders, rounds)
    bare = found["bare forward pass"]
    return [(count, targets, name, 1000 * s, s / bare) for name, s in found.items()]


def show(rows: list[Any], markdown: bool) -> None:
    """Print the table."""
    heading = ("docs", "targets", "what", "median ms", "ratio")
    if markdown:
        print("| " + " | ".join(heading) + " |\n| ---: | ---: | --- | ---: | ---: |")
    else:
        print("{:>5} {:>8}  {:<20} {:>10} {:>7}".format(*heading))
    line = (
        "| {} | {} | {} | {:.1f} | {:.2f} |"
        if markdown
        else "{:>5} {:>8}  {:<20} {:>10.1f} {:>7.2f}"
    )
    for row in rows:
        print(line.format(*row))


def main() -> None:
    """Read the arguments, build the model, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", default="MobileNetV2", help="a constructor of keras.applications"
    )
    parser.add_argument("--layer", help="where to build the map (default: chosen by explainkit)")
    parser.add_argument("--docs", default="16,1", help="numbers of docs, such as 16,1")
    parser.add_argument("--targets", default="1,5", help="numbers of targets, such as 1,5")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    asked = parser.parse_args()

    # Random weights serve to measure, but leave some classes without a map.
    warnings.simplefilter("ignore", explainkit.ExplanationWarning)
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, asked.model)(weights=None)
    print(
        f"{asked.model}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {asked.rounds} rounds"
    )
    rows: list[Any] = []
    for count in map(int, asked.docs.split(",")):
        for targets in map(int, asked.targets.split(",")):
            rows += measure(model, asked.layer, count, targets, asked.rounds)
    show(rows, asked.markdown)


if __name__ == "__main__":
    main()
