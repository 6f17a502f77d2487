"""What each method costs for one picture, as a ratio to the passes that it is made of.

Each takes turns with its yardstick, and medians are compared. The yardsticks are bare passes
of the same framework, compiled where it compiles: one forward pass of one picture, and,
for methods that ask about many variants, as many passes of as many pictures as the
variants make. Run

    python benchmarks/methods.py                           # all methods, MobileNetV2
    python benchmarks/methods.py --methods gradients,fullgrad --rounds 30
    python benchmarks/methods.py --backend native-torch
    python benchmarks/methods.py --memory scorecam         # the peak of a process of its own
    python benchmarks/methods.py --weights mobilenet_v2_imagenet.weights.h5 --markdown

Limits that the project holds itself to are in `LIMITS`; `--check` ends with an error
where one is exceeded.
"""

import argparse
import platform
import resource
import sys
import warnings
from typing import Any

import attrs
import numpy as np
from backends import BACKENDS, Backend, Contender
from gradcam import medians

import explainkit
from explainkit.methods import METHODS
from explainkit.methods.turns import turns_of

BATCH_SIZE = 32


@attrs.frozen
class Yardstick:
    """So many passes of so many pictures each."""

    what: str
    turns: int = 1
    size: int = 1

    def __str__(self) -> str:
        """Say it as people do."""
        if self.turns == self.size == 1:
            return f"1 {self.what}"
        return f"{self.turns} {self.what} of {self.size}"


FORWARD = Yardstick("forward")


def many(what: str, variants: int) -> Yardstick:
    """Pass so many variants through the model."""
    return Yardstick(what, *turns_of(variants, BATCH_SIZE))


#: What each method is measured by; one forward pass where nothing is said.
YARDSTICKS = {
    "scorecam": many("forward", 1280),
    "occlusion": many("forward", 225),
    "rise": many("forward", 1000),
    "smoothgrad": many("forward and backward", 25),
    "vargrad": many("forward and backward", 25),
    "integrated_gradients": many("forward and backward", 50),
}
#: What none may exceed, in yardsticks.
LIMITS = {
    **dict.fromkeys(("gradients", "fullgrad"), 3.0),
    **dict.fromkeys(
        ("cam", "gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "eigencam"), 1.5
    ),
    "ablationcam": 5.0,
    "scorecam": 1.1,
    "integrated_gradients": 1.1,
}


def explain(model: Any, doc: Any, method: str) -> Contender:
    """Ask through the door that people use in notebooks."""
    asked = {"method": method, "targets": 0, "batch_size": BATCH_SIZE}
    return lambda: explainkit.explain_prediction(model, doc, **asked)


def passes(backend: Backend, model: Any, doc: Any, yardstick: Yardstick) -> Contender:
    """Give one pass of a yardstick."""
    docs = np.repeat(doc, yardstick.size, axis=0)
    if yardstick.what == "forward":
        return backend.forward_pass(model, docs)
    return backend.forward_and_backward(model, docs)


def measure(
    backend: Backend, model: Any, doc: Any, method: str, rounds: int
) -> tuple[str, float, str, float, float]:
    """Measure a method in turns with its yardstick."""
    yardstick = YARDSTICKS.get(method, FORWARD)
    contenders = {
        "bare": passes(backend, model, doc, yardstick),
        method: explain(model, doc, method),
    }
    found = medians(contenders, backend, rounds)
    bare = found["bare"] * yardstick.turns
    return method, found[method] * 1e3, str(yardstick), bare * 1e3, found[method] / bare


def show(rows: list[tuple[Any, ...]], markdown: bool) -> None:
    """Print a table."""
    heading = ("method", "ms", "measured by", "ms", "ratio", "limit")
    if markdown:
        print("| " + " | ".join(heading) + " |")
        print("| --- | ---: | --- | ---: | ---: | ---: |")
        line = "| `{}` | {:.1f} | {} | {:.1f} | {:.2f} | {} |"
    else:
        print("{:<21} {:>9}  {:<30} {:>9} {:>7} {:>6}".format(*heading))
        line = "{:<21} {:>9.1f}  {:<30} {:>9.1f} {:>7.2f} {:>6}"
    for row in rows:
        print(line.format(*row, LIMITS.get(row[0], "")))


def peak_memory(model: Any, doc: Any, method: str) -> None:
    """Explain once, and tell what the process took at most, in GB."""
    before = _peak()
    explain(model, doc, method)()
    print(f"{method}: {_peak():.2f} GB at most, {before:.2f} GB before it began")


def _peak() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main() -> None:
    """Read the arguments, build the model, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=tuple(BACKENDS), default="tensorflow")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--methods", default=",".join(METHODS), help="such as gradients,fullgrad")
    parser.add_argument("--weights", help="a file of weights, in place of random ones")
    parser.add_argument("--rounds", type=int, default=20, help="a tenth for many variants")
    parser.add_argument("--memory", metavar="METHOD", help="measure memory, and nothing else")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--check", action="store_true", help="fail where a limit is exceeded")
    asked = parser.parse_args()

    # Random weights serve to measure, but leave some classes without a map.
    warnings.simplefilter("ignore", explainkit.ExplanationWarning)
    backend = BACKENDS[asked.backend](asked.device)
    model = backend.build("MobileNetV2")
    if asked.weights:
        model.load_weights(asked.weights)
    rng = np.random.default_rng(0)
    doc = rng.uniform(-1, 1, (1, *backend.doc_shape(model))).astype(np.float32)
    if asked.memory:
        peak_memory(model, doc, asked.memory)
        return
    print(
        f"MobileNetV2, {backend.title}, {backend.device}: {backend.versions()}, "
        f"Python {platform.python_version()}, {asked.rounds} rounds"
    )
    rows = []
    for method in asked.methods.split(","):
        rounds = max(2, asked.rounds // 10) if method in YARDSTICKS else asked.rounds
        rows.append(measure(backend, model, doc, method, rounds))
    show(rows, asked.markdown)
    exceeded = [row[0] for row in rows if row[-1] > LIMITS.get(row[0], np.inf)]
    if asked.check and exceeded:
        raise SystemExit(f"above their limits: {', '.join(exceeded)}")


if __name__ == "__main__":
    main()
