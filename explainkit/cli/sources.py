"""Where a model comes from, and how its pictures are made ready."""

import re
from pathlib import Path
from typing import Any

import attrs

from explainkit.cli.shell import (
    UsageError,
    loading_errors,
    model_errors,
    remark,
    usage_errors,
)
from explainkit.intake import Intake, find_scale, layout_of, make_intake
from explainkit.loading import family_of, load_model
from explainkit.loading.files import load_file
from explainkit.loading.keras2 import is_of_keras2, read_version
from explainkit.loading.named import find_named

_SIZE = re.compile(r"(\d+)(?:x(\d+))?")


@attrs.frozen
class Source:
    """Which model, and how its pictures are made ready: options of ``explain``."""

    model: str
    weights: Path | None = None
    preprocess: str | None = None
    size: str | None = None


def load(source: Source, size: tuple[int, int] | None) -> tuple[Any, Intake]:
    """Load a model, and find how its pictures are made ready.

    Parameters
    ----------
    source : Source
    size : tuple of (int, int), or None
        The height and the width for a model that takes any.

    Returns
    -------
    model : keras.Model
    intake : Intake

    Raises
    ------
    CommandError
        If there is no such model, or it takes no such pictures.
    """
    check_preprocess(source.preprocess)
    with loading_errors():
        model, family = load_model(source.model, source.weights), family_of(source.model)
    _tell_opener(Path(source.model), model)
    with model_errors():
        layout_of(model)
    with usage_errors():
        intake = make_intake(model, source.preprocess, size, family)
    if intake.assumed:
        remark(f"{intake.assumed}; --preprocess says otherwise")
    return model, intake


def check_preprocess(preprocess: str | None) -> None:
    """Refuse a way to scale pictures that there is not, before a model is loaded.

    Raises
    ------
    CommandError
        If it is neither a range nor a family.
    """
    if preprocess is not None:
        with loading_errors(), usage_errors():
            find_scale(preprocess)


def load_unweighted(model: str) -> Any:
    """Load a model for its layers alone; of one that has a name, no weights are downloaded.

    Raises
    ------
    CommandError
        If there is no such model.
    """
    with loading_errors():
        named = find_named(model)
        loaded = load_file(model) if named is None else named.build(weights=None)
    _tell_opener(Path(model), loaded)
    return loaded


def _tell_opener(file: Path, model: Any) -> None:
    if is_of_keras2(model):
        remark(f"{file} was saved by Keras {read_version(file)}: opened with tf_keras")


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Read a height and a width.

    Examples
    --------
    >>> parse_size("224"), parse_size("240x320"), parse_size(None)
    ((224, 224), (240, 320), None)
    """
    if text is None:
        return None
    found = _SIZE.fullmatch(text)
    if not found or "0" in found.groups():
        raise UsageError(f"--size is '{text}'; give HEIGHTxWIDTH, such as 240x320, or one number")
    return int(found[1]), int(found[2] or found[1])
