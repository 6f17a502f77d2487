"""Explanations as rows of Arrow tables, and back again.

One row for each document and target; a document that failed has one row, with its error.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from math import prod
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from explainkit.datasets.plain_text import written
from explainkit.explanation import Explanation, PictureSource, TargetExplanation, TargetName

#: The version of the columns.
SCHEMA = 1
#: Of a message so many letters are kept: some hold all of a model's configuration.
_LONGEST = 2000


@attrs.frozen
class Explained:
    """What came out for one document.

    Attributes
    ----------
    key : str
    expl : Explanation
        With `error` set where there is none: the exception's type and message.
    overlay : str or None
        The path of its overlay in the output.
    """

    key: str
    expl: Explanation
    overlay: str | None = None


@attrs.frozen
class Constants:
    """What is the same in all rows of a run.

    Attributes
    ----------
    map_shape : tuple of int
        The shape of every heatmap; empty where no document could be explained.
    model_digest : str
    options : str
        All options, as JSON.
    """

    map_shape: tuple[int, ...]
    model_digest: str
    options: str


def schema_of(map_shape: Sequence[int]) -> pa.Schema:
    """Give the columns of a run whose heatmaps have a shape.

    Examples
    --------
    >>> schema_of((7, 7)).field("heatmap").type
    FixedSizeListType(fixed_size_list<item: halffloat>[49])
    """
    return pa.schema(
        [
            ("key", pa.string()),
            ("doc", pa.int32()),  # its place in the shard
            ("rank", pa.int32()),  # the target's place among those of the document
            ("target", pa.int64()),
            ("output", pa.string()),  # where the model has several
            ("chosen_by", pa.string()),  # the name of the function that chose the score
            ("label", pa.string()),
            ("score", pa.float64()),
            ("proba", pa.float64()),
            ("heatmap", pa.list_(pa.float16(), prod(map_shape) if map_shape else 0)),
            ("map_shape", pa.list_(pa.int32(), len(map_shape))),
            ("estimator", pa.string()),
            ("model_digest", pa.string()),
            ("method", pa.string()),
            ("layer", pa.string()),
            ("description", pa.string()),
            ("is_regression", pa.bool_()),
            ("options", pa.string()),
            ("overlay", pa.string()),
            ("error_type", pa.string()),
            ("error", pa.string()),
        ]
    )


def as_rows(explained: Sequence[Explained], first: int, same: Constants) -> pa.Table:
    """Write explanations as rows.

    Parameters
    ----------
    explained : sequence of Explained
        Documents that follow each other; heatmaps have the shape of the run.
    first : int
        The place of the first in its shard.
    same : Constants
    """
    rows: list[dict[str, Any]] = []
    heatmaps: list[Any] = []
    for doc, one in enumerate(explained, start=first):
        expl = one.expl
        error_type, _, message = (expl.error or "").partition(": ")
        common = {
            "key": one.key,
            "doc": doc,
            "estimator": expl.estimator,
            "model_digest": same.model_digest,
            "method": expl.method,
            "layer": expl.layer,
            "description": expl.description,
            "is_regression": expl.is_regression,
            "options": same.options,
            "overlay": one.overlay,
            "error_type": error_type or None,
            "error": None if expl.error is None else written(message[:_LONGEST]),
        }
        for rank, found in enumerate(expl.targets):
            rows.append({**common, "rank": rank, **_target(found)})
            heatmaps.append(found.heatmap)
        if not expl.targets:
            rows.append({**common, "rank": 0})
            heatmaps.append(None)
    schema = schema_of(same.map_shape)
    columns = {
        name: pa.array([r.get(name) for r in rows], schema.field(name).type) for name in _PLAIN
    }
    columns["heatmap"] = _stacked(heatmaps, schema.field("heatmap").type)
    shapes = [list(same.map_shape) or None] * len(rows)
    columns["map_shape"] = pa.array(shapes, schema.field("map_shape").type)
    return pa.table([columns[name] for name in schema.names], schema=schema)


_PLAIN = tuple(name for name in schema_of(()).names if name not in ("heatmap", "map_shape"))


def as_explained(
    rows: pa.Table, image: Callable[[dict[str, Any]], PictureSource]
) -> Iterator[Explained]:
    """Read explanations from rows, those of one document beside each other.

    Parameters
    ----------
    rows : pyarrow.Table
    image : callable
        From a row, as a dict, to the picture, or what makes it when somebody looks.

    Yields
    ------
    Explained
    """
    plain = rows.drop_columns(["heatmap"]).to_pylist()
    stacked = unstacked(rows["heatmap"])
    for _, of_doc in groupby(enumerate(plain), key=lambda pair: (pair[1]["key"], pair[1]["doc"])):
        placed = list(of_doc)
        first = placed[0][1]
        targets = [
            _read_target(row, stacked[position])
            for position, row in placed
            if row["score"] is not None
        ]
        expl = Explanation(
            first["estimator"],
            first["method"],
            first["layer"],
            first["description"],
            first["is_regression"],
            targets,
            image(first),
            first["error_type"] and f"{first['error_type']}: {first['error']}",
        )
        yield Explained(first["key"], expl, first["overlay"])


def unstacked(heatmaps: pa.ChunkedArray) -> NDArray[np.float16]:
    """Give a column of heatmaps as one array, shape (rows, cells), without a copy if it can be."""
    column = heatmaps.combine_chunks()
    size = column.type.list_size
    flat = column.values.to_numpy(zero_copy_only=False)
    return flat[column.offset * size :][: len(column) * size].reshape(len(column), size)  # type: ignore[no-any-return]


def _target(found: TargetExplanation) -> dict[str, Any]:
    target = found.target
    named = {"label": found.label, "score": found.score, "proba": found.proba}
    if isinstance(target, str):
        return {"chosen_by": target, **named}
    output, unit = target if isinstance(target, tuple) else (None, target)
    return {"output": output, "target": unit, **named}


def _read_target(row: dict[str, Any], heatmap: Any) -> TargetExplanation:
    target: TargetName = row["target"] if row["chosen_by"] is None else row["chosen_by"]
    if row["output"] is not None:
        target = row["output"], row["target"]
    heat = np.asarray(heatmap, np.float32).reshape(row["map_shape"])
    return TargetExplanation(target, row["label"], row["score"], row["proba"], heat, heat)


def _stacked(heatmaps: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Make one column of heatmaps without a detour through Python's numbers.

    Where there is none, all its numbers are NaN: before its version 26 pyarrow can neither
    write lists of a fixed size that are null, nor read them. Of no size they must be.
    """
    size = kind.list_size
    if size == 0:
        return pa.array([None] * len(heatmaps), kind)
    missing = np.full(size, np.nan, np.float16)
    flat = [missing if one is None else np.asarray(one, np.float16).reshape(-1) for one in heatmaps]
    return pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(flat)), type=kind)
