"""What is sent between processes: jobs there, and back what came of them, errors too."""

import pickle
import traceback
from collections.abc import Callable
from typing import Any

import attrs

from explainkit.datasets.jobs import Job
from explainkit.function_words import place_of


class WorkerTraceback(Exception):  # noqa: N818 - it is shown as the cause of an error
    """Where in a worker an error was raised."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


@attrs.frozen
class Sent:
    """What a worker found, or the error that it raised: as it is, and not as Ray wraps it.

    Workers that are gone raise nothing: what they did is done again, by Ray.
    """

    value: Any = None
    error: Exception | None = None
    where: str = ""

    @classmethod
    def by(cls, work: Callable[[], Any]) -> "Sent":
        """Work, and keep what is raised."""
        try:
            return cls(work())
        except Exception as error:  # noqa: BLE001 - it is raised where it is opened
            return cls(error=_portable(error), where=traceback.format_exc())

    def opened(self) -> Any:
        """Give the value, or raise the error."""
        if self.error is not None:
            raise self.error from WorkerTraceback(self.where)
        return self.value


def _portable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    except Exception:  # noqa: BLE001 - exceptions of others need not be pickled
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def packed(job: Job) -> bytes:
    """Make a job what can be sent.

    Raises
    ------
    TypeError
        If its model, or something else of it, cannot be pickled: it says what.
    """
    from ray import cloudpickle

    try:
        return bytes(cloudpickle.dumps(job))
    except Exception:  # what pickling calls may raise anything
        _blame(job, cloudpickle.dumps)
        raise


def _blame(job: Job, dumps: Callable[[Any], bytes]) -> None:
    model, question = job.model.given, job.question
    loads = callable(model) and not job.model.is_there
    what = f"the function {place_of(model)}" if loads else f"a {type(model).__name__}"
    would_do = "give the file it is saved in, or a function that loads it"
    parts = {
        f"model is {what}": (model, would_do if not loads else "let it hold less, and load more"),
        "preprocess": (question.preprocess, "give a function that holds what can be"),
        "targets": (question.targets, "give a function that holds what can be, or units"),
        "one of the options": (question.said, "name layers by their paths"),
    }
    for name, (part, hint) in parts.items():
        try:
            dumps(part)
        except Exception as error:
            told = f"{type(error).__name__}: {error}".splitlines()[0]
            raise TypeError(
                f"{name}, which cannot be pickled and sent to workers of Ray ({told}); {hint}"
            ) from error


def unpacked(data: bytes) -> Job:
    """Make a job of what was sent.

    Raises
    ------
    ModuleNotFoundError
        If the code of the caller is not where the worker is.
    """
    try:
        job: Job = pickle.loads(data)  # noqa: S301 - what our own driver sent
    except ModuleNotFoundError as error:
        error.add_note(
            f"a worker of Ray has no module {error.name!r}, which functions of this run are from; "
            "install it on each node, or send it with ray.init(runtime_env={'working_dir': ...})"
        )
        raise
    return job
