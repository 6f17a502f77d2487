"""How the command line speaks: results on stdout, one line for each trouble on stderr."""

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import typer.core
from rich.console import Console

from explainkit.explanation import ExplanationWarning

#: What Typer raises for arguments it cannot read. Older versions take it from click,
#: newer ones bring their own: only by its descendant is it public in all of them.
_ArgumentError: Any = typer.BadParameter.__mro__[1]

#: The library speaks of arguments and calls, a shell of options and commands.
_OPTIONS = {
    "top_targets": "--top",
    "target_names=": "--labels",
    "target_names": "--labels",
    "resampling_filter": "--resampling",
    "alpha_limit": "--alpha-limit",
    "saturated": "--saturated",
    "weights=": "--weights",
    "loading a model needs": "this command needs",
    "batch_size": "--batch-size",
    "shard_size": "--shard-size",
    "max_errors": "--max-errors",
    "key_column": "--key-column",
    "image_column": "--image-column",
    "engine='ray'": "--engine ray",
    "preprocess says otherwise": "--preprocess says otherwise",
    "asked for again, with the same source and options, the run goes on from there": (
        "the same command goes on from there"
    ),
    "allowed more errors, the run goes on from there": (
        "the same command with a greater --max-errors goes on from there"
    ),
}
#: Words of all days, which are arguments only where a message begins with them.
_FIRST_WORDS = {
    "preprocess": "--preprocess",
    "size": "--size",
    "engine": "--engine",
    "workers": "--workers",
    "cpus": "--cpus",
    "gpus": "--gpus",
    "threads": "--threads",
    "source": "SOURCE",
}
_ARGUMENTS = re.compile(
    "|".join(
        [rf"\b{name}" for name in _OPTIONS] + [rf"^{name}(?= (?:is|has) )" for name in _FIRST_WORDS]
    )
)


#: The width of a console that is a pipe or a file.
_UNWRAPPED = 10_000


class CommandError(Exception):
    """What ends a command, told in one line.

    Parameters
    ----------
    message : str
    """

    #: What the process exits with.
    exit_code = 1


class UsageError(CommandError):
    """A `CommandError` that other arguments would have spared."""

    exit_code = 2


class CommandGroup(typer.core.TyperGroup):
    """The commands, which end in an exit code and never in a traceback for a user's slip."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command and exit, as Typer does, but with errors of one line."""
        try:
            status = super().main(*args, **(kwargs | {"standalone_mode": False}))
        except CommandError as error:
            complain(str(error))
            for note in getattr(error, "__notes__", ()):
                remark(note)
            status = error.exit_code
        except _ArgumentError as error:
            complain(error.format_message().rstrip(".") + _where_to_look(error.ctx))
            status = error.exit_code
        sys.exit(status or 0)


def _where_to_look(context: Any) -> str:
    return f" (see '{context.command_path} --help')" if context else ""


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn what the library says of its arguments into usage errors."""
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:
        raise UsageError(in_words_of_a_shell(error)) from error


@contextmanager
def model_errors() -> Iterator[None]:
    """Turn what the library says of a model into errors that no other argument would spare."""
    try:
        yield
    except (NotImplementedError, TypeError, ValueError) as error:
        raise CommandError(in_words_of_a_shell(error)) from error


@contextmanager
def loading_errors() -> Iterator[None]:
    """Turn what the library says where it loads a model into errors of a command."""
    try:
        yield
    except LookupError as error:
        raise UsageError(in_words_of_a_shell(error)) from error
    except (ImportError, OSError, ValueError) as error:
        raise CommandError(in_words_of_a_shell(error)) from error


def in_words_of_a_shell(error: BaseException | str) -> str:
    """Say what an error or a note says, with options in the place of arguments.

    Examples
    --------
    >>> in_words_of_a_shell(ValueError("top_targets is 5; output 'y' has 3 units"))
    "--top is 5; output 'y' has 3 units"
    >>> in_words_of_a_shell(ValueError("size is 9x9, but the size is 5x5"))
    '--size is 9x9, but the size is 5x5'
    >>> in_words_of_a_shell(FileNotFoundError(2, "No such file or directory", "cat.jpg"))
    'cat.jpg: no such file or directory'
    """
    if isinstance(error, OSError) and error.strerror:
        reason = error.strerror[0].lower() + error.strerror[1:]
        return f"{error.filename}: {reason}" if error.filename else reason
    return _ARGUMENTS.sub(lambda found: (_OPTIONS | _FIRST_WORDS)[found[0]], str(error))


def complain(message: str) -> None:
    """Report an error on stderr, in one line."""
    remark(f"error: {message}")


def remark(message: str) -> None:
    """Say something on stderr, in one line that leaves the terminal as it is."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))
    print(f"explainkit: {line}", file=sys.stderr)


def terminal(*, stderr: bool = False) -> Console:
    """Make a console that takes every text as it stands, and wraps lines only where people look."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _UNWRAPPED
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


@contextmanager
def keeping_stdout() -> Iterator[None]:
    """Keep stdout for results: prints of other libraries go to stderr, warnings become remarks."""

    def show(message: Warning | str, *_args: Any, **_kwargs: Any) -> None:
        remark(f"warning: {in_words_of_a_shell(message)}")

    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", ExplanationWarning)
        warnings.showwarning = show
        yield
