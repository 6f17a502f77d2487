"""Which layer is chosen where nobody says which, for the models of keras.applications.

Each is built with random weights at the size that is its own, one random doc is
explained without `layer=`, and a Markdown table is printed. Run

    python benchmarks/architectures.py                           # all, on TensorFlow
    python benchmarks/architectures.py --one-per-family --backend jax
    python benchmarks/architectures.py --only VGG16,MobileNetV2 --size 96
    python benchmarks/architectures.py --write docs/architectures.md

All take about five minutes on two cores.
"""

import argparse
import gc
import inspect
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

#: A small one of each family, and of both kinds of MobileNetV3.
FAMILIES = (
    *("ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0"),
    *("InceptionResNetV2", "InceptionV3", "MobileNet", "MobileNetV2"),
    *("MobileNetV3Large", "MobileNetV3Small", "NASNetMobile", "ResNet50"),
    *("ResNet50V2", "VGG16", "VGG19", "Xception"),
)

#: For models that take pictures of any size.
USUAL_SIZE = 224

HEADING = (
    "| architecture | layer that is chosen | map | of pictures of |\n| --- | --- | --- | --- |"
)

PAGE = """\
# Architectures

Where nobody says `layer=`, explainkit chooses the last layer that still has a map. This is what it
chose for the models of keras.applications, each built with random weights and asked about one
random picture:

```sh
{command}
```

That it is the layer which feeds the pooling in front of the head is tested for one model of each
family, and for all of them (but NASNet on PyTorch, where Keras has none) by

```sh
EXPLAINKIT_TEST_ALL_ARCHITECTURES=1 pytest tests/estimators/test_applications.py
```

{table}
"""


def constructors() -> list[str]:
    """Name the constructors of keras.applications."""
    import keras

    return sorted(
        name
        for name, value in vars(keras.applications).items()
        if inspect.isfunction(value) and "weights" in inspect.signature(value).parameters
    )


def chosen_layer(name: str, size: int | None) -> tuple[str, str, str]:
    """Build a model, explain a doc, and tell the layer, the size of the map, and the doc's."""
    import keras

    import explainkit

    options = {} if size is None else {"input_shape": (size, size, 3)}
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, **options)
    try:
        shape = [axis or USUAL_SIZE for axis in model.input_shape[1:]]
        doc = np.random.default_rng(0).uniform(-1, 1, (1, *shape)).astype(np.float32)
        expl = explainkit.explain_prediction(model, doc)
        return expl.layer, _sizes(expl.targets[0].heatmap.shape), f"{_sizes(shape[:2])} px"
    finally:
        del model
        keras.backend.clear_session()
        gc.collect()


def _sizes(axes: Any) -> str:
    return " × ".join(map(str, axes))


def main() -> None:
    """Read the arguments, look at one model after the other, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=("tensorflow", "jax", "torch"), default="tensorflow")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--one-per-family", action="store_true", help="a small one of each family")
    which.add_argument("--only", metavar="NAMES", help="such as VGG16,MobileNetV2")
    parser.add_argument("--size", type=int, help="of the pictures (default: each model's own)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write a page with the table")
    asked = parser.parse_args()
    os.environ["KERAS_BACKEND"] = asked.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    names = FAMILIES if asked.one_per_family else constructors()
    if asked.only:
        unknown = set(asked.only.split(",")) - set(names)
        if unknown:
            parser.error(f"keras.applications has no {', '.join(sorted(unknown))}")
        names = asked.only.split(",")
    warnings.simplefilter("ignore")  # random weights leave some classes without a map
    lines = [HEADING]
    print(HEADING, flush=True)
    for name in names:
        if name.startswith("NASNet") and asked.backend == "torch":
            print(f"{name} is left out: Keras has none on PyTorch", file=sys.stderr)
            continue
        layer, cells, size = chosen_layer(name, asked.size)
        lines.append(f"| {name} | `{layer}` | {cells} | {size} |")
        print(lines[-1], flush=True)
    if asked.write:
        # Named from the folder of the repository, wherever it was run from.
        script = Path(sys.argv[0])
        command = " ".join(
            ["python", f"{script.parent.name}/{script.name}", *map(str, sys.argv[1:])]
        )
        asked.write.write_text(PAGE.format(command=command, table="\n".join(lines)))


if __name__ == "__main__":
    main()
