"""Where a model comes from, and how its pictures are made ready."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from explainkit.cli import models
from explainkit.cli.intake import (
    Doc,
    Intake,
    family_scale,
    intake_of,
    parse_range,
    scale_to,
    scales_by_itself,
)
from explainkit.cli.shell import UsageError, remark


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
    in_range = None if source.preprocess is None else parse_range(source.preprocess)
    named = models.find_named(source.model)
    family = None if in_range else source.preprocess or (named.family if named else None)
    scale = family_scale(models.import_keras(), family) if family else in_range
    if named is None:
        model = models.load_file(Path(source.model), source.weights)
    else:
        model = models.build_named(named, source.weights)
    intake = intake_of(model, scale or _assumed_scale(model), size)
    if family and intake.channels != 3:
        raise UsageError(
            f"--preprocess is '{family}', which is for 3 channels; model '{model.name}' takes "
            f"{intake.channels}: give a range, such as 0..1"
        )
    return model, intake


def _assumed_scale(model: Any) -> Callable[[Doc], Any]:
    scales = scales_by_itself(model)
    values = "0..255" if scales else "0..1"
    remark(
        f"pictures are scaled to {values}, for the model "
        f"{'begins' if scales else 'does not begin'} with a layer that scales them; "
        "--preprocess says otherwise"
    )
    return scale_to(0, 255 if scales else 1)
