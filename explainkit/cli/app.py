"""The commands; what they do is in the modules beside this one."""

from pathlib import Path
from typing import Annotated, Any

import typer

from explainkit import __version__
from explainkit.cli import options
from explainkit.cli.shell import CommandGroup, UsageError

app = typer.Typer(cls=CommandGroup, add_completion=False, pretty_exceptions_enable=False)


def _one_a_line(*lines: str) -> str:
    # Paragraphs: single ends of lines are taken out of help.
    return "\n\n".join(lines)


@app.callback(
    invoke_without_command=True,
    help="What in this input made the model say that? Heatmaps of pictures, by any Keras model.",
    epilog=_one_a_line(
        "Begin with: explainkit demo",
        "Then: explainkit explain photo.jpg --model MobileNetV2 -o why.png",
        "What a command takes: explainkit COMMAND --help",
    ),
)
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Answer what is asked of no command."""
    if version:
        typer.echo(__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def demo(output: options.DemoOutput = Path("explainkit-demo.png"), seed: options.Seed = 0) -> None:
    """See it work, on a small network that comes with the package: nothing is downloaded."""
    from explainkit.cli.demo import run_demo
    from explainkit.cli.reports import print_line, print_table

    findings = run_demo(output, seed)
    print_table(
        ("scene", "object", "score", "proba", "hottest spot"),
        [
            (
                str(one.seed),
                one.kind,
                f"{one.score:.2f}",
                f"{one.proba:.3f}",
                "in the object's box" if one.in_box else "outside the object's box",
            )
            for one in findings
        ],
        numbers="scene score proba",
    )
    print_line(f"Wrote {output}: each scene, and what speaks for each object in it.")
    print_line("Next: explainkit explain PHOTO.jpg --model MobileNetV2 -o why.png")


@app.command(
    epilog=_one_a_line(
        "Examples:",
        "explainkit explain photo.jpg --model MobileNetV2 -o why.png",
        "explainkit explain photo.jpg --model my.keras --labels classes.txt --top 3 -o why.png",
        "explainkit explain photos/ --model my.keras --target 3 -o explained/",
        "explainkit explain photos/ --model my.keras -o report.html",
        "explainkit explain photo.jpg --model my.keras --method rise --set masks=500 -o why.png",
    )
)
def explain(
    images: options.Images,
    model: options.Model,
    output: options.Output = None,
    weights: options.Weights = None,
    preprocess: options.Preprocess = None,
    size: options.Size = None,
    labels: options.Labels = None,
    target: options.Target = None,
    top: options.Top = None,
    layer: options.Layer = None,
    method: options.Method = "gradcam",
    method_options: options.MethodOptions = None,
    smooth: options.Smooth = None,
    tta: options.Tta = False,
    counterfactual: options.Counterfactual = False,
    logits: options.Logits = True,
    alpha_limit: options.AlphaLimit = 0.65,
    colormap: options.Colormap = "viridis",
    resampling: options.Resampling = "lanczos",
    saturated: options.Saturated = 0.0,
    boxes: options.Boxes = False,
    truth: options.Truth = None,
    as_json: options.JsonOfExplanations = False,
) -> None:
    """Draw over pictures what in them made a model say what it says.

    Overlays have the picture's own size; those of several targets stand side
    by side. A page (.html) is a report about all pictures, to sort and filter
    in a browser.
    """
    from explainkit.cli.explaining import Drawing, explain_files
    from explainkit.cli.questions import Asking, Method
    from explainkit.cli.reports import print_explanations, print_json
    from explainkit.cli.sources import Source

    if output is None and not as_json:
        raise UsageError("there is nowhere to draw to: give -o OUT, or --json for records alone")
    records = explain_files(
        images,
        output,
        Source(model, weights, preprocess, size),
        Asking(
            Method(method, method_options or (), counterfactual, smooth, tta),
            *(target or (), top, layer or (), labels, logits),
        ),
        Drawing(alpha_limit, colormap, resampling, saturated, boxes),
        truth,
    )
    if as_json:
        print_json(records)
    else:
        print_explanations(records)
    if any(record["error"] for record in records):
        raise typer.Exit(1)


@app.command(
    epilog=_one_a_line(
        "Examples:",
        "explainkit dataset photos/ --model MobileNetV2 -o explained/",
        "explainkit dataset photos.parquet --model my.keras --image-column jpeg -o explained/",
        "explainkit dataset s3://mine/photos --model my.keras --overlays -o s3://mine/explained",
        "explainkit dataset 'photos/**/*.jpg' --model my.keras --engine ray --workers 1:8 -o out/",
    )
)
def dataset(
    source: options.DatasetSource,
    model: options.Model,
    output: options.DatasetOutput,
    weights: options.Weights = None,
    preprocess: options.Preprocess = None,
    size: options.Size = None,
    labels: options.Labels = None,
    target: options.Target = None,
    top: options.Top = None,
    layer: options.Layer = None,
    method: options.Method = "gradcam",
    method_options: options.MethodOptions = None,
    smooth: options.Smooth = None,
    tta: options.Tta = False,
    counterfactual: options.Counterfactual = False,
    logits: options.Logits = True,
    overlays: options.Overlays = False,
    shard_size: options.ShardSize = 256,
    as_json: options.JsonOfSummary = False,
    key_column: options.KeyColumn = None,
    image_column: options.ImageColumn = None,
    batch_size: options.BatchSize = 32,
    engine: options.Engine = "local",
    workers: options.Workers = None,
    cpus: options.Cpus = 1,
    gpus: options.Gpus = 0,
    threads: options.Threads = None,
    progress: options.ShowProgress = None,
    max_errors: options.MaxErrors = None,
    retry_errors: options.RetryErrors = False,
) -> None:
    """Explain every document of a folder, a bucket or a table, and keep it all in Parquet files.

    Stopped or killed, the same command goes on where it was. A document that fails has a row
    with its error, and does not stop the others.
    """
    from explainkit.cli.dataset import Running, explain_source, print_summary
    from explainkit.cli.questions import Asking, Method
    from explainkit.cli.sources import Source

    summary = explain_source(
        source,
        output,
        Source(model, weights, preprocess, size),
        Asking(
            Method(method, method_options or (), counterfactual, smooth, tta),
            *(target or (), top, layer or (), labels, logits),
        ),
        Running(
            overlays=overlays,
            shard_size=shard_size,
            key_column=key_column,
            image_column=image_column,
            batch_size=batch_size,
            engine=engine,
            workers=workers,
            cpus=cpus,
            gpus=gpus,
            threads=threads,
            progress=progress,
            max_errors=max_errors,
            retry_errors=retry_errors,
        ),
    )
    print_summary(summary, as_json=as_json)
    if summary.failed == summary.docs:
        raise typer.Exit(1)


@app.command(epilog="Example: explainkit layers MobileNetV2 (its weights are not downloaded)")
def layers(model: options.ModelToList, as_json: options.Json = False) -> None:
    """List the layers of a model that a heatmap can be built from; the default is marked."""
    from explainkit.cli.listings import by_x, list_layers
    from explainkit.cli.reports import print_json, print_table

    found = list_layers(model)
    if as_json:
        print_json(found)
        return
    print_table(
        ("layer", "kind", "output", "map", ""),
        [
            (
                one["layer"],
                one["kind"],
                by_x(one["shape"]),
                by_x(one["map_shape"]),
                "default" if one["default"] else "",
            )
            for one in found
        ],
        numbers="output map",
    )


@app.command()
def methods(as_json: options.Json = False) -> None:
    """List the methods: how explanations are worked out, and who found it."""
    from explainkit.cli.listings import list_methods
    from explainkit.cli.reports import print_json, print_table

    found = list_methods()
    if as_json:
        print_json(found)
    else:
        print_table(
            ("name", "what"),
            [(one["name"], _lines_of_method(one)) for one in found],
        )


def _lines_of_method(one: dict[str, Any]) -> list[str]:
    return [
        f"{one['title']}: {one['formula']}",
        f"forward passes: {one['forward']}",
        f"backward passes: {one['backward']}",
        f"options: {', '.join(one['options']) or 'none'}",
        one["source"],
    ]
