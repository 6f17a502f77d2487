"""``explainkit dataset``: from a source of any size to rows in Parquet files."""

import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import typer

from explainkit.cli.questions import Asking, arguments_of, check_asking, read_labels
from explainkit.cli.reports import print_json, print_line
from explainkit.cli.shell import (
    CommandError,
    UsageError,
    in_words_of_a_shell,
    keeping_stdout,
    remark,
    usage_errors,
)
from explainkit.cli.sources import Source, check_preprocess, parse_size

if TYPE_CHECKING:
    from explainkit.datasets import Summary

_WORKERS = re.compile(r"([1-9]\d*)(?::([1-9]\d*))?")
#: What the extra `datasets` brings, beside what its room asks for itself.
_TOOLS = ("fsspec", "filelock")
_TABLES = (".parquet", ".pq")
_GLOBS = {"folder": "'photos/**/*.jpg'", "table": "'photos/*.parquet'"}
#: What a shell says of a process that Ctrl-C ended.
_STOPPED = 130


def parse_workers(text: str) -> int | tuple[int, int]:
    """Read how many workers there are, or at least and at most.

    Examples
    --------
    >>> parse_workers("4"), parse_workers("1:8")
    (4, (1, 8))
    """
    found = _WORKERS.fullmatch(text)
    if not found or (found[2] and int(found[2]) < int(found[1])):
        raise UsageError(f"--workers is '{text}'; give a number, or MIN:MAX, such as 1:8")
    return (int(found[1]), int(found[2])) if found[2] else int(found[1])


@attrs.frozen(kw_only=True)
class Running:
    """How a dataset is gone through, and kept: options of ``dataset``."""

    overlays: bool
    shard_size: int
    key_column: str | None
    image_column: str | None
    batch_size: int
    engine: str
    workers: int | tuple[int, int] | None = attrs.field(
        converter=attrs.converters.optional(parse_workers)
    )
    cpus: float
    gpus: float
    threads: int | None
    progress: bool | None
    max_errors: int | None
    retry_errors: bool


def explain_source(
    given: Sequence[str], output: str, source: Source, asking: Asking, running: Running
) -> "Summary":
    """Explain all documents of a source, or those that are missing.

    Parameters
    ----------
    given : sequence of str
        A folder, a glob, a file or a URL; or many files, as a shell makes of a glob.
    output : str
        A folder or a URL.
    source, asking, running
        The options.

    Raises
    ------
    CommandError
        If the arguments make no sense, or the run had to stop.
    typer.Exit
        After Ctrl-C or SIGTERM.
    """
    with usage_errors():
        check_asking(asking)
        size = parse_size(source.size)
    check_preprocess(source.preprocess)
    labels = None if asking.labels is None else read_labels(asking.labels)
    _check_together(given)
    with keeping_stdout(), _stopping(), _errors():
        if sys.stderr.isatty():
            remark("loading the model, which may take a while")
        from explainkit.datasets import explain_dataset

        return explain_dataset(
            source.model,
            given[0] if len(given) == 1 else list(given),
            output,
            **arguments_of(asking, labels),
            preprocess=source.preprocess,
            size=size,
            weights=source.weights,
            **attrs.asdict(running),
        )


def print_summary(summary: "Summary", *, as_json: bool) -> None:
    """Print what a run came to."""
    if as_json:
        print_json(attrs.asdict(summary) | {"failed": summary.failed, "rate": summary.rate})
        return
    for line in str(summary).splitlines():
        print_line(line)


def _check_together(given: Sequence[str]) -> None:
    """Refuse among many files, as a shell makes of a glob, what is read as a whole."""
    for path in given if len(given) > 1 else ():
        is_table = Path(path).suffix.lower() in _TABLES
        kind = "folder" if Path(path).is_dir() else "table" if is_table else None
        if kind:
            raise UsageError(
                f"{path} is a {kind}, but SOURCE has {len(given)}; give one {kind}, or a glob in "
                f"quotes, such as {_GLOBS[kind]}"
            )


@contextmanager
def _stopping() -> Iterator[None]:
    """Stop at Ctrl-C, and when the machine or a scheduler asks to, saying how to go on."""
    main = threading.current_thread() is threading.main_thread()
    before: Any = signal.signal(signal.SIGTERM, signal.default_int_handler) if main else None
    try:
        yield
    # Ray has SIGTERM end a process by an exit.
    except (KeyboardInterrupt, SystemExit) as stopped:
        said = getattr(stopped, "__notes__", ("the same command goes on where it was",))
        remark(f"stopped: {in_words_of_a_shell(said[-1])}")
        raise typer.Exit(_STOPPED) from stopped
    finally:
        # None is what no Python set.
        if before is not None:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what the library says into errors of a command, with what it notes on going on."""
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:
        raise _with_notes(UsageError(in_words_of_a_shell(error)), error) from error
    except ModuleNotFoundError as error:
        raise CommandError(_missing(error)) from error
    except (ImportError, NotImplementedError, OSError, RuntimeError) as error:
        raise _with_notes(CommandError(in_words_of_a_shell(error)), error) from error


def _missing(error: ModuleNotFoundError) -> str:
    module = str(error.name).partition(".")[0]
    if module not in _TOOLS:
        return in_words_of_a_shell(error)
    return (
        f"this command needs {module}, which is not installed: pip install 'explainkit[datasets]'"
    )


def _with_notes(made: CommandError, error: BaseException) -> CommandError:
    for note in getattr(error, "__notes__", ()):
        made.add_note(in_words_of_a_shell(note))
    return made
