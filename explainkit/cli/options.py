"""The options of the commands: what they are called, and what their help says."""

from pathlib import Path
from typing import Annotated

import typer

#: Under what the help of `explain` and `dataset` gathers their many options.
_MODEL, _QUESTION, _METHOD, _DRAWING, _RESULT, _TABLE, _RUN, _TROUBLE = (
    "Which model",
    "What to explain",
    "How to explain it",
    "How to draw it",
    "Where results go",
    "Which columns of tables",
    "Where and how it runs",
    "When documents fail",
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

# Whole datasets
DatasetSource = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="A folder of pictures, at any depth, a glob in quotes, a Parquet file, or a URL of "
        "these, such as s3://bucket/photos. Or many files.",
    ),
]
DatasetOutput = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        rich_help_panel=_RESULT,
        help="A folder, which is made, or a URL of one. A run that is there and was stopped goes "
        "on.",
    ),
]
Overlays = Annotated[
    bool,
    typer.Option(
        "--overlays", rich_help_panel=_RESULT, help="Keep pictures with their heatmaps, too."
    ),
]
ShardSize = Annotated[
    int,
    typer.Option(
        metavar="N",
        rich_help_panel=_RESULT,
        help="How many documents are in one file, and made again at most where a run is killed.",
    ),
]
JsonOfSummary = Annotated[
    bool,
    typer.Option(
        "--json", help="Print the summary as JSON, for programs.", rich_help_panel=_RESULT
    ),
]
KeyColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_TABLE,
        help="The column of a Parquet file that names each document.",
        show_default="one of the usual names",
    ),
]
ImageColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_TABLE,
        help="The column of a Parquet file with the pictures: their bytes, or where they are.",
        show_default="one of the usual names",
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(
        metavar="N",
        rich_help_panel=_RUN,
        help="How many documents pass through the model at once.",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_RUN,
        help="'local', this process, or 'ray': the Ray cluster that is running here or that "
        "RAY_ADDRESS names, or one of this machine.",
    ),
]
Workers = Annotated[
    str | None,
    typer.Option(
        metavar="N|MIN:MAX",
        rich_help_panel=_RUN,
        help="On Ray: how many workers, or at least and at most.",
        show_default="1",
    ),
]
Cpus = Annotated[
    float,
    typer.Option(metavar="N", rich_help_panel=_RUN, help="On Ray: the CPUs of each worker."),
]
Gpus = Annotated[
    float,
    typer.Option(
        metavar="N",
        rich_help_panel=_RUN,
        help="On Ray: the GPUs of each worker; with 0.5, two share one.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        rich_help_panel=_RUN,
        help="How many pictures a worker reads at the same time.",
        show_default="one for each CPU, 8 at most",
    ),
]
ShowProgress = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress",
        rich_help_panel=_RUN,
        help="Show on stderr how far the run is: a bar on a terminal, else a line now and then.",
        show_default="progress",
    ),
]
MaxErrors = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        rich_help_panel=_TROUBLE,
        help="Stop when more documents than these fail.",
        show_default="never",
    ),
]
RetryErrors = Annotated[
    bool,
    typer.Option(
        "--retry-errors",
        rich_help_panel=_TROUBLE,
        help="Make those again that failed before, with the files that they are in.",
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
