"""Explanations of neural networks: what in this input made the model say that.

`show_prediction` draws the answer in a notebook; `explain_prediction` returns it
as a record that programs can read. Names arrive when they are first used, so
that importing explainkit loads no framework.
"""

import importlib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from explainkit.explanation import (
    Explanation,
    ExplanationWarning,
    TargetExplanation,
    readers,
    rich_views,
    views,
    writers,
)

if TYPE_CHECKING:
    from explainkit import (
        datasets as datasets,
    )
    from explainkit import (
        filters,
        formatters,
        inspection,
        localization,
        methods,
        metrics,
        scenes,
        similarity,
        training,
    )
    from explainkit.arrays import explain_arrays
    from explainkit.datasets import explain_dataset as explain_dataset
    from explainkit.explain import explain_prediction, explain_predictions
    from explainkit.formatters import (
        compare,
        expand_heatmap,
        format_as_csv,
        format_as_dataframe,
        format_as_dict,
        format_as_html,
        format_as_image,
        format_as_text,
        from_dict,
        heatmap_to_image,
        report,
        visualize,
    )
    from explainkit.ipython import show_prediction
    from explainkit.methods import counterfactual, smooth, tta
    from explainkit.metrics import evaluate

__version__ = "0.1.0.dev0"

#: `Explanation.load`, from a file that `Explanation.save` wrote.
load = Explanation.load

__all__ = [
    "Explanation",
    "ExplanationWarning",
    "TargetExplanation",
    "__version__",
    "compare",
    "counterfactual",
    "evaluate",
    "expand_heatmap",
    "explain_arrays",
    "explain_prediction",
    "explain_predictions",
    "filters",
    "format_as_csv",
    "format_as_dataframe",
    "format_as_dict",
    "format_as_html",
    "format_as_image",
    "format_as_text",
    "formatters",
    "from_dict",
    "heatmap_to_image",
    "inspection",
    "load",
    "localization",
    "methods",
    "metrics",
    "report",
    "scenes",
    "show_prediction",
    "similarity",
    "smooth",
    "training",
    "tta",
    "visualize",
]

_ARRAY_DOORS = (
    *("ablationcam", "cam", "deconvnet", "eigencam", "fullgrad", "gradcam", "gradcampp"),
    *("gradients", "guided_backprop", "guided_gradcam", "hirescam", "input_x_gradient"),
    *("integrated_gradients", "layercam", "occlusion", "rise", "scorecam", "smoothgrad"),
    *("vargrad", "xgradcam"),
)

#: What is there where the extra `datasets` is installed: importing all names must not need it.
_OF_EXTRAS = ("datasets", "explain_dataset")

#: Where each name lives that is not loaded with the package.
_HOMES = {
    "compare": "explainkit.formatters",
    "counterfactual": "explainkit.methods",
    "evaluate": "explainkit.metrics",
    "expand_heatmap": "explainkit.formatters",
    "explain_arrays": "explainkit.arrays",
    "explain_dataset": "explainkit.datasets",
    "explain_prediction": "explainkit.explain",
    "explain_predictions": "explainkit.explain",
    "format_as_csv": "explainkit.formatters",
    "format_as_dataframe": "explainkit.formatters",
    "format_as_dict": "explainkit.formatters",
    "format_as_html": "explainkit.formatters",
    "format_as_image": "explainkit.formatters",
    "format_as_text": "explainkit.formatters",
    "from_dict": "explainkit.formatters",
    "heatmap_to_image": "explainkit.formatters",
    "report": "explainkit.formatters",
    "show_prediction": "explainkit.ipython",
    "smooth": "explainkit.methods",
    "tta": "explainkit.methods",
    "visualize": "explainkit.formatters",
    # A function of arrays for each method.
    **dict.fromkeys(_ARRAY_DOORS, "explainkit.arrays"),
}
_MODULES = (
    *(
        "datasets",
        "filters",
        "formatters",
        "inspection",
        "localization",
        "methods",
        "metrics",
        "scenes",
    ),
    *("similarity", "training"),
)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"explainkit.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'explainkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_ARRAY_DOORS, *_OF_EXTRAS]


def _as_png(expl: Explanation) -> bytes | None:
    from explainkit.formatters import format_as_png

    # Signals, volumes and failures are no pictures, nor is every record that somebody filled: a
    # notebook shows it in words.
    with suppress(ValueError, OSError):
        return format_as_png(expl)
    return None


def _as_html(expl: Explanation) -> str | None:
    from explainkit.formatters import format_as_html

    with suppress(ValueError, OSError):
        return format_as_html(expl)
    return None


views.update({"text/plain": repr, "image/png": _as_png, "text/html": _as_html})


def _by_files(name: str, *given: Any) -> Any:
    return getattr(importlib.import_module("explainkit.formatters.files"), name)(*given)


def _as_rich(expl: Explanation) -> Any:
    from explainkit.formatters.as_rich import RichView

    return RichView(expl)


rich_views.append(_as_rich)
for _kind in ("json", "html", "png"):
    writers[f".{_kind}"] = partial(_by_files, f"write_{_kind}")
    readers[f".{_kind}"] = partial(_by_files, f"read_{_kind}")
