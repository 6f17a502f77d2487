"""``explainkit layers`` and ``explainkit methods``: what there is to choose from."""

from typing import Any

from explainkit.cli.reports import waiting
from explainkit.cli.shell import CommandError, keeping_stdout, model_errors
from explainkit.cli.sources import load_unweighted
from explainkit.inspection import spatial_layers
from explainkit.methods import known_methods, option_names


def list_layers(model: str) -> list[dict[str, Any]]:
    """List the layers of a model that a heatmap could be built from.

    Parameters
    ----------
    model : str
        A file, or the name of a model of keras.applications, whose weights are not
        needed here.

    Returns
    -------
    list of dict
        In the order in which they run: `layer`, as ``--layer`` takes it, `kind`,
        `shape`, `map_shape`, and `default`, which is true for the last.

    Raises
    ------
    CommandError
        If there is no such model.
    """
    with keeping_stdout(), waiting("loading the model"):
        loaded = load_unweighted(model)
        with model_errors():
            calls = spatial_layers(loaded)
    if not calls:
        raise CommandError(f"{model} has no layer with two spatial axes greater than 1")
    repeated = {call.path for call in calls if call.application}
    return [
        {
            "layer": f"{call.path}#{call.application}" if call.path in repeated else call.path,
            "kind": call.kind,
            "shape": _listed(call.shape),
            "map_shape": _listed(call.map_shape),
            "default": call is calls[-1],
        }
        for call in calls
    ]


def _listed(shape: tuple[int | None, ...] | None) -> list[int | None]:
    return list(shape or ())


def list_methods() -> list[dict[str, Any]]:
    """List the methods, those of plug-ins included.

    Returns
    -------
    list of dict
        `name`, `title`, `formula` and `source`; how many `forward` and `backward` passes each
        takes, in words; and the names of its `options`.
    """
    return [
        {
            "name": method.name,
            "title": method.title,
            "formula": method.formula,
            "source": method.source,
            "forward": method.cost.forward,
            "backward": method.cost.backward,
            "options": option_names(name),
        }
        for name, method in known_methods().items()
    ]


def by_x(shape: list[int | None]) -> str:
    """Write a shape as people do.

    Examples
    --------
    >>> by_x([7, None, 32])
    '7×any×32'
    """
    return "×".join("any" if size is None else str(size) for size in shape)
