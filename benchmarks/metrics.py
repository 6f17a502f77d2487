"""What metrics cost on many pictures, as a ratio to the forward passes that they need.

Each evaluation, the explanations in it included, takes turns with one bare forward pass of all
pictures, in batches of the same size, compiled where the framework compiles; medians are
compared. An evaluation needs one pass for the explanations by Grad-CAM, and those of the metric.
Run

    python benchmarks/metrics.py                       # 100 pictures, MobileNetV2
    python benchmarks/metrics.py --metrics "deletion;insertion" --rounds 5
    python benchmarks/metrics.py --backend native-torch --markdown
    python benchmarks/metrics.py --check               # an error where the limit is exceeded

`LIMIT` holds for what asks the model about changed pictures. ROAD makes up hidden pixels by
linear systems, and parameter randomisation compiles one program in each evaluation, for the model
with other weights: that is no pass, and they are measured, but not held to it.
"""

import argparse
import platform
import warnings
from typing import Any

import numpy as np
from backends import BACKENDS, Backend, Contender, KerasBackend
from gradcam import medians
from numpy.typing import NDArray

import explainkit

BATCH_SIZE = 32
LIMIT = 1.2
#: The passes of each metric for each picture, with its options as they come; the last of each
#: average drop, increase and gain shares those of the others.
PASSES = {
    "deletion": 33,
    "insertion": 33,
    "infidelity": 33,
    "average_drop,increase,average_gain": 2,
    "max_sensitivity": 10,
    "random_logit": 1,
    "road_morf": 8,
    "road_lerf": 8,
    "parameter_randomization": 4,
}
#: What is measured, but not held to the limit.
FREE = ("road_morf", "road_lerf", "parameter_randomization")


def bare(backend: Backend, model: Any, docs: NDArray[np.float32]) -> Contender:
    """Pass all pictures through the model, a batch at a time."""
    batches = [docs[start : start + BATCH_SIZE] for start in range(0, len(docs), BATCH_SIZE)]
    passes = [backend.forward_pass(model, batch) for batch in batches]
    return lambda: [run() for run in passes]


def evaluation(backend: Backend, model: Any, docs: NDArray[np.float32], metrics: str) -> Contender:
    """Evaluate Grad-CAM by some metrics."""
    asked: dict[str, Any] = {"targets": 0, "batch_size": BATCH_SIZE, "progress": False}
    if not isinstance(backend, KerasBackend):
        asked["activation"] = "softmax"  # our own MobileNetV2 ends with scores
    return lambda: explainkit.evaluate(model, docs, ["gradcam"], metrics.split(","), **asked)


def main() -> None:
    """Read the arguments, build the model, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=tuple(BACKENDS), default="tensorflow")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--docs", type=int, default=100)
    parser.add_argument("--metrics", help="such as 'deletion;insertion': those of PASSES")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--check", action="store_true", help="fail where the limit is exceeded")
    asked = parser.parse_args()

    warnings.simplefilter("ignore", explainkit.ExplanationWarning)
    backend = BACKENDS[asked.backend](asked.device)
    model = backend.build("MobileNetV2")
    rng = np.random.default_rng(0)
    docs = rng.uniform(-1, 1, (asked.docs, *backend.doc_shape(model))).astype(np.float32)
    print(
        f"MobileNetV2, {asked.docs} pictures, {backend.title}, {backend.device}: "
        f"{backend.versions()}, Python {platform.python_version()}, {asked.rounds} rounds"
    )
    line = (
        "| {} | {} | {:.1f} | {:.1f} | {:.2f} | {} |"
        if asked.markdown
        else ("{:<36} {:>7} {:>9.1f} {:>9.1f} {:>6.2f} {:>6}")
    )
    exceeded = []
    for name in asked.metrics.split(";") if asked.metrics else PASSES:
        passes = PASSES[name] + 1
        contenders = {
            "bare": bare(backend, model, docs),
            name: evaluation(backend, model, docs, name),
        }
        found = medians(contenders, backend, asked.rounds)
        needed = found["bare"] * passes
        ratio = found[name] / needed
        limit = "" if name in FREE else LIMIT
        print(line.format(name, passes, found[name], needed, ratio, limit), flush=True)
        if limit and ratio > limit:
            exceeded.append(name)
    if asked.check and exceeded:
        raise SystemExit(f"above the limit: {', '.join(exceeded)}")


if __name__ == "__main__":
    main()
