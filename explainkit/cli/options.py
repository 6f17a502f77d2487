"""The options of the commands: what they are called, and what their help says."""

from pathlib import Path
from typing import Annotated

import typer

#: Under what the help of `explain` gathers its many options.
_MODEL, _QUESTION, _METHOD, _DRAWING, _RESULT = (
    "Which model",
    "What to explain",
    "How to explain it",
    "How to draw it",
    "Where results go",
)

Images = Annotated[
    list[Path], typer.Argument(metavar="IMAGE", help="Pictures, or folders of pictures.")
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        rich_help_panel=_RESULT,
        help="A file for one picture (.png, .jpg, …), a folder, or a page about all pictures "
        "(.html). Optional with --json.",
    ),
]
_JSON_HELP = "Print JSON for programs, and no table."
Json = Annotated[bool, typer.Option("--json", help=_JSON_HELP)]
JsonOfExplanations = Annotated[
    bool, typer.Option("--json", help=_JSON_HELP, rich_help_panel=_RESULT)
]

# Which model, and how its pictures are made ready
_MODEL_HELP = "A .keras or .h5 file, or a name of keras.applications, such as MobileNetV2."
Model = Annotated[str, typer.Option(metavar="MODEL", help=_MODEL_HELP, rich_help_panel=_MODEL)]
ModelToList = Annotated[str, typer.Argument(metavar="MODEL", help=_MODEL_HELP)]
Weights = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=_MODEL,
        help="A file of weights; without it named models download ImageNet's.",
    ),
]
Preprocess = Annotated[
    str | None,
    typer.Option(
        metavar="RANGE",
        rich_help_panel=_MODEL,
        help="How the model takes pictures: 0..255, 0..1, -1..1, or a family of "
        "keras.applications, such as mobilenet_v2.",
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        rich_help_panel=_MODEL,
        help="The size of pictures for models that take any.",
        show_default="224x224",
    ),
]

# What is asked of it
Labels = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=_MODEL,
        help="A text file with the name of each class on a line.",
    ),
]
Target = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CLASS",
        rich_help_panel=_QUESTION,
        help="A class to explain: its number, its label (with --labels), or OUTPUT:NUMBER for "
        "models with several outputs. May be repeated.",
    ),
]
Top = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        rich_help_panel=_QUESTION,
        help="Explain the N classes that score highest.",
        show_default="1",
    ),
]
Layer = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LAYER",
        rich_help_panel=_METHOD,
        help="Where to build the heatmap; 'explainkit layers MODEL' lists what there is. May be "
        "repeated: several layers give one map.",
    ),
]
Method = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_METHOD,
        help="How to explain; 'explainkit methods' lists what there is.",
    ),
]
MethodOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        rich_help_panel=_METHOD,
        help="An option of the method, such as steps=20. May be repeated.",
    ),
]
Smooth = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        rich_help_panel=_METHOD,
        help="Average the map over N noisy copies of the picture.",
    ),
]
Tta = Annotated[
    bool,
    typer.Option(
        "--tta",
        rich_help_panel=_METHOD,
        help="Average the map over the picture and its mirror image.",
    ),
]
Counterfactual = Annotated[
    bool,
    typer.Option(
        "--counterfactual",
        rich_help_panel=_QUESTION,
        help="Show what speaks against the class, not for it.",
    ),
]
Logits = Annotated[
    bool,
    typer.Option(
        "--logits/--probability",
        rich_help_panel=_QUESTION,
        help="Explain the score before a final softmax or sigmoid, or the probability after it.",
    ),
]

# How it is drawn
AlphaLimit = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        rich_help_panel=_DRAWING,
        help="How opaque the heat may be at most, from 0 to 1.",
    ),
]
Colormap = Annotated[
    str,
    typer.Option(metavar="NAME", rich_help_panel=_DRAWING, help="One of matplotlib's colormaps."),
]
Resampling = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_DRAWING,
        help="The filter that enlarges the heatmap: lanczos, bilinear, nearest or another of "
        "Pillow's.",
    ),
]
Saturated = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        rich_help_panel=_DRAWING,
        help="Which share of the pixels is drawn at full strength, the strongest first: 0.02 for "
        "methods whose maps are as fine as the picture.",
    ),
]
Boxes = Annotated[
    bool,
    typer.Option(
        "--boxes",
        rich_help_panel=_DRAWING,
        help="Draw a box around the largest hot part of each heatmap.",
    ),
]

# What a report compares it with
Truth = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=_RESULT,
        help="For reports: a CSV file of what is right, PICTURE,LABEL on each line, or "
        "PICTURE,LABEL,LEFT,TOP,RIGHT,BOTTOM.",
    ),
]

# The demo
DemoOutput = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", help="The picture to write.")
]
Seed = Annotated[
    int,
    typer.Option(min=0, metavar="N", help="The number of the first scene: another, other scenes."),
]
