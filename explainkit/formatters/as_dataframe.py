"""Explanations as a table of pandas: one row a target."""

from collections.abc import Iterable
from typing import Any

from explainkit.explanation import Explanation
from explainkit.formatters.rows import COLUMNS, rows_of

#: What is missing is NA in texts and whole numbers, and NaN in others.
_DTYPES = {
    **dict.fromkeys(COLUMNS, "string"),
    "doc": "int64",
    "unit": "Int64",
    "score": "float64",
    "proba": "float64",
}


def format_as_dataframe(
    expls: Explanation | Iterable[Explanation], *, heatmaps: bool = False
) -> Any:
    """Write explanations as a `pandas.DataFrame`, a row for each target.

    An explanation without targets, such as one that failed, has one row, too.

    Parameters
    ----------
    expls : Explanation or iterable of Explanation
        Such as what `explainkit.explain_predictions` returns.
    heatmaps : bool
        Whether there are two more columns, ``heatmap`` and ``map``, of arrays.

    Returns
    -------
    pandas.DataFrame
        The columns are ``doc`` (the position of the explanation), ``estimator``, ``method``,
        ``layer``, ``target`` (what it is called, a text), ``output`` (where the model has
        several), ``unit`` (a whole number), ``label``, ``score``, ``proba``, ``map_size``
        (such as "7x7") and ``error``. Each has the same dtype, whatever is in it.

    Raises
    ------
    ImportError
        If pandas is not installed.
    TypeError
        If something else than explanations is given.

    Examples
    --------
    >>> import numpy as np
    >>> from explainkit import TargetExplanation
    >>> heat = np.eye(7, dtype=np.float32)
    >>> target = TargetExplanation(243, "bull mastiff", 12.3, 0.81, heat, heat)
    >>> expl = Explanation("a model", "gradcam", targets=[target])
    >>> format_as_dataframe(expl)[["unit", "label", "score", "map_size"]]
       unit         label  score map_size
    0   243  bull mastiff   12.3      7x7
    """
    try:
        import pandas as pd
    except ImportError:
        raise ImportError(
            "a dataframe needs pandas: pip install 'explainkit[tables]'; format_as_csv writes the "
            "same table without it"
        ) from None
    found = list(rows_of(expls))
    table = pd.DataFrame(
        {
            name: pd.Series([getattr(row, name) for row, _ in found], dtype=dtype)
            for name, dtype in _DTYPES.items()
        }
    )
    if heatmaps:
        for name in ("heatmap", "map"):
            arrays = [one and getattr(one, name) for _, one in found]
            table[name] = pd.Series(arrays, dtype=object)
    return table
