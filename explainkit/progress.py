"""A bar for those who wait: tqdm's, where somebody looks."""

import warnings
from collections.abc import Iterable
from typing import Any


def progress_bar(
    items: Iterable[Any] | None = None,
    *,
    total: int | None,
    unit: str,
    progress: bool | None,
) -> Any:
    """Make a bar on stderr, or in a notebook.

    Parameters
    ----------
    items : iterable or None
        What is gone through; None where the bar is moved by its `update`.
    total : int or None
        How many there are, if that is known.
    unit : str
        What they are.
    progress : bool or None
        Whether to show it; None for after three seconds, if stderr is a terminal.

    Returns
    -------
    tqdm.tqdm

    Examples
    --------
    >>> list(progress_bar([1, 2], total=2, unit="doc", progress=False))
    [1, 2]
    """
    with warnings.catch_warnings():
        # In a notebook without ipywidgets the bar is of letters, which is no news to anybody.
        warnings.filterwarnings("ignore", "IProgress not found")
        from tqdm.auto import tqdm  # type: ignore[import-untyped]

    asked = {"disable": None, "delay": 3} if progress is None else {"disable": not progress}
    return tqdm(items, total=total, unit=unit, **asked)
