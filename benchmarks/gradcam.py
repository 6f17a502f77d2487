"""What Grad-CAM costs, as a ratio to the bare forward pass of the same framework.

Everything takes turns in one process, and medians are compared, so that a busy
machine slows all alike. Run

    python benchmarks/gradcam.py                      # MobileNetV2, 16 docs and 1
    python benchmarks/gradcam.py --backend jax        # Keras on JAX; torch: on PyTorch
    python benchmarks/gradcam.py --backend native-torch         # no Keras at all
    python benchmarks/gradcam.py --backend jax --device gpu     # the first accelerator
    python benchmarks/gradcam.py --model ResNet50V2 --docs 8 --targets 1,10
    python benchmarks/gradcam.py --rounds 50 --markdown

The bare forward pass is compiled where the framework compiles, begins with docs
of numpy, and ends with its output as an array of numpy; so does an explanation.

On TensorFlow the keras.io recipe (a second model up to the layer, and a tape around
it) is built in as a rival; eli5, tf-keras-vis and xplique join where they are
installed. For native PyTorch it is the recipe of hooks, joined by pytorch-grad-cam
and captum. `--no-rivals` leaves them out.

The C library gives memory of large tensors back to the kernel and asks for it anew,
which on a CPU can take PyTorch as long as the forward pass itself, and varies.
`--keep-memory` has it keep the memory, for all contenders alike (glibc only).
"""

import argparse
import ctypes
import platform
import statistics
import time
import warnings
from typing import Any

import numpy as np
from backends import BACKENDS, Backend, Contender, KerasBackend
from numpy.typing import NDArray
from rivals import find_rivals

import explainkit

HEADING = ("docs", "targets", "what", "median ms", "images/s", "ratio")


def explain(model: Any, docs: NDArray[Any], targets: NDArray[Any], layer: Any) -> Contender:
    """One doc through the door that people use in notebooks; several in one batch."""
    if len(docs) == 1:
        wanted = targets[0].tolist()
        return lambda: explainkit.explain_prediction(model, docs, targets=wanted, layer=layer)
    options = {"targets": targets, "layer": layer, "batch_size": len(docs)}
    return lambda: list(explainkit.explain_predictions(model, docs, **options))


def medians(contenders: dict[str, Contender], backend: Backend, rounds: int) -> dict[str, float]:
    """Time all contenders in turns; median seconds of each, after two warm-up rounds."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 2):
        for name, run in contenders.items():
            backend.synchronize()
            begun = time.perf_counter()
            run()
            backend.synchronize()
            if turn >= 2:
                times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(spent) for name, spent in times.items()}


def measure(
    backend: Backend, model: Any, asked: argparse.Namespace, count: int, targets: int
) -> list[tuple[Any, ...]]:
    """Measure everybody at one number of docs and one of targets."""
    rng = np.random.default_rng(0)
    docs = rng.uniform(-1, 1, (count, *backend.doc_shape(model))).astype(np.float32)
    chosen = np.stack([rng.choice(backend.classes(model), targets, False) for _ in docs])
    question = (model, docs, chosen, asked.layer)
    contenders = {
        "bare forward pass": backend.forward_pass(model, docs),
        "explainkit": explain(*question),
    }
    if asked.rivals:
        if isinstance(backend, KerasBackend):
            contenders["model.predict"] = lambda: model.predict(docs, batch_size=count, verbose=0)
        contenders.update(find_rivals(asked.backend, *question))
    found = medians(contenders, backend, asked.rounds)
    bare = found["bare forward pass"]
    return [(count, targets, name, 1000 * s, count / s, s / bare) for name, s in found.items()]


def show(rows: list[tuple[Any, ...]], markdown: bool) -> None:
    """Print the table."""
    if markdown:
        print(f"\n| {' | '.join(HEADING)} |\n| ---: | ---: | --- | ---: | ---: | ---: |")
        line = "| {} | {} | {} | {:.1f} | {:.1f} | {:.2f} |"
    else:
        print("{:>5} {:>8}  {:<20} {:>10} {:>9} {:>7}".format(*HEADING))
        line = "{:>5} {:>8}  {:<20} {:>10.1f} {:>9.1f} {:>7.2f}"
    for row in rows:
        print(line.format(*row))


def keep_memory() -> None:
    """Have glibc keep what is freed, and take none of it from the kernel directly."""
    trim_threshold, most_mapped = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    library = ctypes.CDLL(None)
    if not (library.mallopt(most_mapped, 0) and library.mallopt(trim_threshold, -1)):
        raise SystemExit("--keep-memory: the C library refuses")


def main() -> None:
    """Read the arguments, build the model, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=tuple(BACKENDS), default="tensorflow")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument(
        "--model", default="MobileNetV2", help="a constructor of keras.applications"
    )
    parser.add_argument("--layer", help="where to build the map (default: chosen by explainkit)")
    parser.add_argument("--docs", default="16,1", help="numbers of docs, such as 16,1")
    parser.add_argument("--targets", default="1,5", help="numbers of targets, such as 1,5")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--no-rivals", dest="rivals", action="store_false", help="explainkit only")
    parser.add_argument("--keep-memory", action="store_true", help="of large tensors, once freed")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    asked = parser.parse_args()

    # Random weights serve to measure, but leave some classes without a map.
    warnings.simplefilter("ignore", explainkit.ExplanationWarning)
    if asked.keep_memory:
        keep_memory()
    backend = BACKENDS[asked.backend](asked.device)
    model = backend.build(asked.model)
    print(
        f"{asked.model}, {backend.title}, {backend.device}: {backend.versions()}, "
        f"Python {platform.python_version()}, {asked.rounds} rounds"
        f"{', memory kept' if asked.keep_memory else ''}"
    )
    rows: list[tuple[Any, ...]] = []
    for count in map(int, asked.docs.split(",")):
        for targets in map(int, asked.targets.split(",")):
            rows += measure(backend, model, asked, count, targets)
    show(rows, asked.markdown)


if __name__ == "__main__":
    main()
