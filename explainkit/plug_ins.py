"""What other distributions bring, loaded one by one: none that fails stops the rest."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

from explainkit.explanation import warn


def load(entry_point: EntryPoint, use: Callable[[Any], None]) -> None:
    """Load what an entry point names, and use it; a warning names what goes wrong.

    Parameters
    ----------
    entry_point
    use
        Is called with what was loaded, and may refuse it.
    """
    try:
        use(entry_point.load())
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        warn(
            f"the plug-in {entry_point.name!r} ({entry_point.value}) cannot be loaded: "
            f"{type(error).__name__}: {error}"
        )
