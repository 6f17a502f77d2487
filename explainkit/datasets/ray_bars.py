"""Ray Data's own bars: hidden, for they count blocks and shards, and not documents."""

import logging
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

_LOGGER = "ray.data._internal.progress"


def rows_of(dataset: Any) -> Generator[Any, None, None]:
    """Go through the rows of a Ray Dataset without bars; what is told of errors is seen."""
    with hidden_bars(dataset), closing(iter(dataset.iter_rows())) as rows:
        yield from rows


@contextmanager
def hidden_bars(dataset: Any) -> Iterator[None]:
    """Hide the bars of a Ray Dataset, and of those that are made of it."""
    # Datasets share their context with those that they are made of: it is the caller's.
    context = dataset.context
    before = context.enable_progress_bars, context.print_on_execution_start
    context.enable_progress_bars = context.print_on_execution_start = False
    # Ray tells how to have the bars, for all datasets.
    logging.getLogger(_LOGGER).addFilter(_says_more)
    try:
        yield
    finally:
        logging.getLogger(_LOGGER).removeFilter(_says_more)
        context.enable_progress_bars, context.print_on_execution_start = before


def _says_more(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Progress bars disabled")
