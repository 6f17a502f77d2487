"""The options of the commands: what they are called, and what their help says."""

from pathlib import Path
from typing import Annotated

import typer

Images = Annotated[
    list[Path], typer.Argument(metavar="IMAGE", help="Pictures, or folders of pictures.")
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="A file for one picture (.png, .jpg, …), or a folder. Optional with --json.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, and no table.")]

# Which model, and how its pictures are made ready
_MODEL_HELP = "A .keras or .h5 file, or a name of keras.applications, such as MobileNetV2."
Model = Annotated[str, typer.Option(help=_MODEL_HELP)]
ModelToList = Annotated[str, typer.Argument(help=_MODEL_HELP)]
Weights = Annotated[
    Path | None,
    typer.Option(help="A file of weights; without it named models download ImageNet's."),
]
Preprocess = Annotated[
    str | None,
    typer.Option(
        help="How the model takes pictures: 0..255, 0..1, -1..1, or a family of "
        "keras.applications, such as mobilenet_v2."
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="HxW", help="The size of pictures for models that take any.", show_default="224x224"
    ),
]

# What is asked of it
Labels = Annotated[
    Path | None, typer.Option(help="A text file with the name of each class on a line.")
]
Target = Annotated[
    list[str] | None,
    typer.Option(
        help="A class to explain: its number or label, or OUTPUT:NUMBER. May be repeated."
    ),
]
Top = Annotated[
    int | None, typer.Option(help="Explain so many of the highest classes.", show_default="1")
]
Layer = Annotated[
    list[str] | None,
    typer.Option(help="Where to build the heatmap; see 'layers'. Several are fused."),
]
Method = Annotated[str, typer.Option(help="How to explain; see 'methods'.")]
MethodOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="An option of the method, such as steps=20. May be repeated.",
    ),
]
Smooth = Annotated[
    int | None,
    typer.Option(metavar="SAMPLES", help="Average the map over so many noisy copies."),
]
Tta = Annotated[
    bool, typer.Option("--tta", help="Average the map over the picture and its mirror image.")
]
Counterfactual = Annotated[
    bool, typer.Option("--counterfactual", help="Show what speaks against the target.")
]
Logits = Annotated[
    bool,
    typer.Option(
        "--logits/--probability",
        help="Explain the score before a final softmax or sigmoid, or the one after it.",
    ),
]

# How it is drawn
AlphaLimit = Annotated[
    float, typer.Option(help="The opacity that no pixel of the overlay exceeds, 0 to 1.")
]
Colormap = Annotated[str, typer.Option(help="One of matplotlib's colormaps.")]
Resampling = Annotated[
    str, typer.Option(help="The filter that expands the heatmap: bilinear, nearest, …")
]
Saturated = Annotated[
    float, typer.Option(help="The share of the strongest cells drawn at full strength, below 1.")
]
Boxes = Annotated[
    bool, typer.Option("--boxes", help="Draw a box around the largest hot part of each heatmap.")
]

# The demo
DemoOutput = Annotated[Path, typer.Option("-o", "--output", help="The picture to write.")]
Seed = Annotated[int, typer.Option(min=0, help="The first scene to draw.")]
