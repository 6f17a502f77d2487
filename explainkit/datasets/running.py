"""The door: many documents explained, and kept."""

import inspect
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, Literal

from explainkit.datasets.here import Here
from explainkit.datasets.items import SHARD_SIZE
from explainkit.datasets.jobs import Engine, Job
from explainkit.datasets.models import ModelSource
from explainkit.datasets.on_ray import OnRay
from explainkit.datasets.preparing import Preprocess, family_or_function
from explainkit.datasets.progress import watched
from explainkit.datasets.questions import Question, check_targets
from explainkit.datasets.ray_cluster import Cluster
from explainkit.datasets.ray_rows import RayRows
from explainkit.datasets.resuming import Missing, begin, finish, telling_how_to_go_on
from explainkit.datasets.runs import Run, read_run
from explainkit.datasets.shards import Entry
from explainkit.datasets.sources import Source, find_source
from explainkit.datasets.stores import find_store
from explainkit.datasets.summaries import Summary, summed
from explainkit.datasets.workers import About, TooManyErrorsError
from explainkit.explanation import warn
from explainkit.methods import find_method
from explainkit.methods.base import Method
from explainkit.suggestions import did_you_mean


def explain_dataset(
    model: Any,
    source: Any,
    output: str | os.PathLike[str],
    *,
    method: str | Method = "gradcam",
    targets: Any = None,
    top_targets: int = 1,
    layer: Any = None,
    target_names: Any = None,
    logits: bool = True,
    reshape: Any = None,
    batch_size: int = 32,
    preprocess: Preprocess = None,
    size: tuple[int, int] | None = None,
    weights: str | os.PathLike[str] | None = None,
    key_column: str | None = None,
    image_column: str | None = None,
    overlays: bool = False,
    shard_size: int = SHARD_SIZE,
    max_errors: int | None = None,
    retry_errors: bool = False,
    engine: Literal["local", "ray"] = "local",
    threads: int | None = None,
    workers: int | tuple[int, int] | None = None,
    cpus: float = 1,
    gpus: float = 0,
    progress: bool | None = None,
    **options: Any,
) -> Summary:
    """Explain every document of a source, and keep the explanations in Parquet files.

    A run can be stopped at any moment, however rudely, and goes on when it is asked for
    again: only what is missing is explained. A document that fails has a row with its error.

    Parameters
    ----------
    model
        A model, as `explainkit.explain_prediction` takes it; the file it is saved in, or a
        name of keras.applications, as for `explainkit.loading.load_model`; or a function
        without arguments that loads it, which each worker calls once.
    source
        A folder of pictures, at any depth, a file, a glob, or a URL of these that fsspec
        opens; a list of paths; Parquet files with pictures as bytes, or paths; a Ray Dataset;
        or an iterable of pairs (key, array), gone through once. Arrays, of Ray Datasets, too, are
        documents as the model takes them or, where `preprocess` is given, pictures.
    output : str, path or URL
        A folder, which is made. In a store of objects, where nothing locks, no two runs may
        write to one place at a time.
    method, targets, top_targets, layer, target_names, logits, reshape, **options
        As in `explainkit.explain_predictions`. `targets` may also be a mapping from keys to
        the unit, or the units, of each document; layers are named by their paths.
    batch_size : int
        How many documents pass through the model at once.
    preprocess : str or callable, optional
        How pictures become documents: a function from a PIL picture (upright, in mode L, LA,
        RGB or RGBA) to an array; a range, such as ``"-1..1"``, or a family of
        keras.applications, such as ``"mobilenet_v2"``, for models that say what size they
        take. By default what `explainkit.intake.make_intake` finds.
    size : tuple of (int, int), optional
        The height and the width of pictures for a model that takes any.
    weights : path, optional
        A file of weights for a model that is a file or a name.
    key_column, image_column : str, optional
        Of Parquet files and Ray Datasets; by default columns of the usual names.
    overlays : bool
        Whether to keep pictures with their heatmaps, too, as PNG files whose longer side has
        1,024 pixels at most.
    shard_size : int
        How many documents are in one file, and lost and made again at most where a run is
        killed. Batches end where shards do: give a multiple of `batch_size`.
    max_errors : int, optional
        How many documents may fail before the run stops.
    retry_errors : bool
        Whether shards with errors are made again: after a store was out of reach, say.
    engine : {"local", "ray"}
        This process, or a Ray cluster: the one that is running, or that RAY_ADDRESS names, or
        one of this machine.
    threads : int, optional
        How many pictures a worker reads at the same time: by default as many as there are CPUs,
        and on Ray as it takes of them, though 2 at least; not more than 8.
    workers : int or tuple of (int, int), optional
        On Ray: how many workers, or at least and at most; one unless given.
    cpus, gpus : float
        On Ray: what each worker takes. Parts of a GPU let several share it.
    progress : bool, optional
        Whether to show how far the run is, on stderr: a bar where that is a terminal, else a
        line now and then. Of workers on Ray it is known when a shard is committed.

    Returns
    -------
    Summary
        Print it. `explainkit.datasets.load` reads what was kept.

    Raises
    ------
    TypeError, ValueError, LookupError
        If the question makes no sense; if another run, or something else, is in `output`: the
        message says what differs.
    FileNotFoundError
        If there is no such source.
    TooManyErrorsError
        If more documents fail than `max_errors` allows.
    OSError
        If nothing can be written.

    Examples
    --------
    >>> import tempfile
    >>> from explainkit import datasets, scenes
    >>> pairs = [(f"scene {scene.seed}", scene.doc) for scene in scenes.draw_scenes(3)]
    >>> output = tempfile.mkdtemp()
    >>> explain_dataset(scenes.load_network(), pairs, output, method="layercam").docs
    3
    >>> [expl.method for expl in datasets.load(output)]
    ['layercam', 'layercam', 'layercam']
    """
    began = time.monotonic()
    _check_counts(batch_size=batch_size, shard_size=shard_size, threads=threads)
    _check_max_errors(max_errors)
    store = find_store(output)
    found = _source(source, key_column, image_column, store.place)
    said = {
        "top_targets": None if top_targets == 1 else top_targets,
        "layer": layer,
        "target_names": target_names,
        "logits": None if logits is True else logits,
        "reshape": reshape,
    }
    question = Question(
        find_method(method, options, _ARGUMENTS),
        {name: value for name, value in said.items() if value is not None},
        *(check_targets(targets), family_or_function(preprocess), size),
        *(bool(overlays), batch_size),
    )
    job = Job(ModelSource(model, weights), question, store, threads, max_errors)
    at_work = _engine(engine, job, workers, cpus, gpus)
    read_run(store)  # refuses what is something else before anything is written
    store.prepare()
    with store.alone():
        store.clear()
        # Before a document is looked at: functions may keep something of what they are given.
        asked = question.in_words()
        about = at_work.look(found)
        if about.assumed:
            warn(f"{about.assumed}; preprocess says otherwise")
        run = begin(_run(found, about, asked, shard_size), store)
        missing = Missing.of(found, store, run, retry_errors)
        kept, now = list(missing.kept.values()), list[Entry]()
        with (
            telling_how_to_go_on(store, run, found.count),
            watched(found.count, sum(entry.docs for entry in kept), progress) as seen,
            # What is still being written is there before anybody else may write.
            closing(at_work.explain(missing.shards(), run, seen)) as made,
        ):
            for entry in _allowed(made, kept, max_errors):
                now.append(entry)
            finish(found, store, run, [*kept, *now])
    return summed(store.place, kept, now, time.monotonic() - began)


def _source(given: Any, key_column: str | None, image_column: str | None, output: str) -> Source:
    # What is a Ray Dataset is known only where Ray is imported, as it is where there is one.
    if type(given).__module__.startswith("ray.data"):
        return RayRows.of(given, key_column, image_column)
    return find_source(given, key_column, image_column, output)


def _engine(
    engine: str, job: Job, workers: int | tuple[int, int] | None, cpus: float, gpus: float
) -> Engine:
    if engine == "ray":
        return OnRay(job, Cluster(1 if workers is None else workers, cpus, gpus))
    if engine != "local":
        hint = did_you_mean(str(engine), ("local", "ray"))
        raise ValueError(f"engine is {engine!r}; give 'local' or 'ray'{hint}")
    for name, value, usual in (("workers", workers, None), ("cpus", cpus, 1), ("gpus", gpus, 0)):
        if value != usual:
            raise ValueError(f"{name} is {value!r}, which is for engine='ray'")
    return Here(job)


def _run(source: Source, about: About, asked: dict[str, str], shard_size: int) -> Run:
    model = {"name": about.name, "digest": about.digest}
    options = asked | {"pictures": about.pictures}
    return Run(source.in_words(), model, options, shard_size, about.map_shape)


def _allowed(
    entries: Iterable[Entry], kept: Sequence[Entry], max_errors: int | None
) -> Iterator[Entry]:
    """Stop where more documents failed, in all shards together, than are allowed."""
    failed = sum(entry.failed for entry in kept)
    _check_failed(failed, max_errors)
    for entry in entries:
        yield entry
        failed += entry.failed
        _check_failed(failed, max_errors)


def _check_failed(failed: int, max_errors: int | None) -> None:
    if max_errors is not None and failed > max_errors:
        raise TooManyErrorsError(
            f"{failed} documents failed, and max_errors is {max_errors}; their shards are made "
            "again with retry_errors"
        )


def _check_counts(**counts: Any) -> None:
    for name, count in counts.items():
        if count is None and name == "threads":
            continue
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"{name} is {count!r}; give a whole number, 1 or more")


def _check_max_errors(count: Any) -> None:
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
        raise ValueError(f"max_errors is {count!r}; give a whole number, 0 or more, or None")


#: The names that a misspelt argument may have meant.
_ARGUMENTS = tuple(inspect.signature(explain_dataset).parameters)[3:]
