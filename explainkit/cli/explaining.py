"""``explainkit explain``: from files of pictures to overlays and records."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from pathlib import Path
from typing import Any

import attrs
from PIL import Image

from explainkit.cli import outputs, reports
from explainkit.cli.outputs import Job
from explainkit.cli.questions import Asking, arguments_of, check_asking, read_labels
from explainkit.cli.shell import (
    CommandError,
    UsageError,
    complain,
    in_words_of_a_shell,
    keeping_stdout,
    model_errors,
    usage_errors,
)
from explainkit.cli.sources import Source, load, parse_size
from explainkit.cli.truths import check_truths, read_truths
from explainkit.explain import explain_predictions
from explainkit.explanation import Explanation
from explainkit.formatters import format_as_image
from explainkit.formatters.image import check_drawing
from explainkit.formatters.reports.agreement import Truth
from explainkit.inspection import find_layer
from explainkit.intake import Doc, Intake
from explainkit.pictures import read_image

#: Pictures are held at their own size while their batch is explained.
_BATCH = 8


@attrs.frozen
class Drawing:
    """How the overlay looks: options of ``explain``."""

    alpha_limit: float = 0.65
    colormap: str = "viridis"
    resampling: str = "lanczos"
    saturated: float = 0.0
    boxes: bool = False


def explain_files(
    images: Sequence[Path],
    output: str | None,
    source: Source,
    asking: Asking,
    drawing: Drawing,
    truth: Path | None = None,
) -> list[reports.Record]:
    """Explain pictures in files, and write an overlay for each, or a report about all.

    Parameters
    ----------
    images : sequence of Path
        Files, or folders of files.
    output : str or None
        A file, a folder, a page (.html), or None where only the records are wanted.
    source, asking, drawing
        The options.
    truth : Path or None
        The file of what is right, for a report.

    Returns
    -------
    list of dict
        A record for each picture, in order. Where `error` is set, it was reported.

    Raises
    ------
    CommandError
        If nothing can be explained at all, or a file cannot be written.
    """
    with usage_errors():
        _check_options(asking, drawing)
        if truth is not None and not outputs.is_report(output):
            raise UsageError("--truth is for a report; give -o and a page, such as report.html")
        size = parse_size(source.size)
    labels = None if asking.labels is None else read_labels(asking.labels)
    jobs = outputs.plan(outputs.find_images(images), output)
    if not any(job.image.exists() for job in jobs):
        raise CommandError(f"{jobs[0].image}: no such file or directory")
    found = [job.image for job in jobs]
    known = None if truth is None else read_truths(truth, found, labels)
    records: list[reports.Record] = []
    with keeping_stdout():
        with reports.waiting("loading the model"):
            model, intake = load(source, size)
            arguments = arguments_of(asking, labels)
            _check_question(model, intake, arguments)
            if truth is not None and known is not None:
                check_truths(truth, known, found, model)
        answers = _told(explain_jobs(jobs, model, intake, arguments), len(jobs), records)
        if outputs.is_report(output):
            _write_report(answers, jobs, drawing, known)
        else:
            _write_pictures(answers, drawing)
    return records


def _told(
    answers: Iterable[tuple[Job, Explanation]], count: int, records: list[reports.Record]
) -> Iterator[tuple[Job, Explanation]]:
    """Pass answers on, when their records are made and their errors told."""
    for job, expl in reports.progress(answers, count):
        records.append(reports.as_record(job, expl))
        if expl.error:
            complain(expl.error)
        yield job, expl


def _write_pictures(answers: Iterable[tuple[Job, Explanation]], drawing: Drawing) -> None:
    for job, expl in answers:
        if job.output is not None and not expl.error:
            outputs.write_picture(_draw(expl, drawing), job.output)


def _write_report(
    answers: Iterable[tuple[Job, Explanation]],
    jobs: Sequence[Job],
    drawing: Drawing,
    known: Sequence[Truth] | None,
) -> None:
    page = jobs[0].output
    if page is None:
        raise AssertionError("a report has a place")  # pragma: no cover
    outputs.write_report(
        (expl for _, expl in answers),
        page,
        names=outputs.short_names([job.image for job in jobs]),
        truth=known,
        resampling_filter=drawing.resampling,
        colormap=drawing.colormap,
        alpha_limit=drawing.alpha_limit,
        saturated=drawing.saturated,
        boxes=drawing.boxes,
    )


def explain_jobs(
    jobs: Sequence[Job], model: Any, intake: Intake, arguments: dict[str, Any]
) -> Iterator[tuple[Job, Explanation]]:
    """Explain pictures in order; what cannot be read or explained has a record with `error`."""
    waiting: deque[tuple[Job, Explanation | None]] = deque()

    def read() -> Iterator[tuple[Doc, Image.Image]]:
        for job in jobs:
            try:
                picture = read_image(job.image)
                doc = intake.doc(picture)
            except (OSError, ValueError) as error:
                reason = in_words_of_a_shell(error)
                failed = Explanation(model.name, arguments["method"].spelled, error=reason)
                waiting.append((job, failed))
            else:
                waiting.append((job, None))
                yield doc, picture

    docs, pictures = tee(read())
    found = explain_predictions(
        model,
        (doc for doc, _ in docs),
        images=(picture for _, picture in pictures),
        batch_size=_BATCH,
        on_error="record",
        **arguments,
    )
    for expl in found:
        yield from _failed_first(waiting)
        job, _ = waiting.popleft()
        yield job, attrs.evolve(expl, error=expl.error and f"{job.image}: {expl.error}")
    yield from _failed_first(waiting)


def _failed_first(
    waiting: deque[tuple[Job, Explanation | None]],
) -> Iterator[tuple[Job, Explanation]]:
    while waiting and (failed := waiting[0][1]) is not None:
        yield waiting.popleft()[0], failed


def _check_options(asking: Asking, drawing: Drawing) -> None:
    """Refuse what can be refused before a model is loaded."""
    check_drawing(drawing.resampling, drawing.colormap, drawing.alpha_limit, drawing.saturated)
    check_asking(asking)


def _check_question(model: Any, intake: Intake, arguments: dict[str, Any]) -> None:
    with model_errors():
        find_layer(model)
    with usage_errors():
        # An array is checked at once; what it gives is never asked for, so that nothing runs.
        explain_predictions(model, intake.blank(), **arguments)


def _draw(expl: Explanation, drawing: Drawing) -> Image.Image:
    return format_as_image(
        expl,
        drawing.resampling,
        drawing.colormap,
        drawing.alpha_limit,
        target=0 if len(expl.targets) == 1 else None,
        saturated=drawing.saturated,
        boxes=drawing.boxes,
    )
