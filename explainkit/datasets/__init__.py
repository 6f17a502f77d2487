"""Explanations of whole datasets: on one machine or many, kept in Parquet files.

`explain_dataset` makes them, and goes on where it was stopped; `load` reads them.
"""

try:
    import pyarrow as pa  # noqa: F401 - all that is kept is kept by it
except ModuleNotFoundError as error:
    raise ImportError(
        "explanations of datasets are kept by pyarrow, which is not installed: pip install "
        "'explainkit[datasets]'"
    ) from error

from explainkit.datasets.reading import ExplanationDataset, load
from explainkit.datasets.running import explain_dataset
from explainkit.datasets.summaries import Summary
from explainkit.datasets.workers import TooManyErrorsError

__all__ = ["ExplanationDataset", "Summary", "TooManyErrorsError", "explain_dataset", "load"]
