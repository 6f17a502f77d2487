"""Explanations of neural networks: what in this input made the model say that.

`show_prediction` draws the answer in a notebook; `explain_prediction` returns it
as a record that programs can read. Names arrive when they are first used, so
that importing explainkit loads no framework.
"""

import importlib
from typing import TYPE_CHECKING, Any

from explainkit.explanation import Explanation, ExplanationWarning, TargetExplanation, views

if TYPE_CHECKING:
    from explainkit import (
        filters,
        formatters,
        inspection,
        localization,
        methods,
        metrics,
        scenes,
        similarity,
    )
    from explainkit.arrays import explain_arrays
    from explainkit.explain import explain_prediction, explain_predictions
    from explainkit.formatters import (
        compare,
        expand_heatmap,
        format_as_image,
        heatmap_to_image,
        visualize,
    )
    from explainkit.ipython import show_prediction
    from explainkit.methods import counterfactual, smooth, tta
    from explainkit.metrics import evaluate

__version__ = "0.1.0.dev0"

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
    "format_as_image",
    "formatters",
    "heatmap_to_image",
    "inspection",
    "localization",
    "methods",
    "metrics",
    "scenes",
    "show_prediction",
    "similarity",
    "smooth",
    "tta",
    "visualize",
]

_ARRAY_DOORS = (
    *("ablationcam", "cam", "deconvnet", "eigencam", "fullgrad", "gradcam", "gradcampp"),
    *("gradients", "guided_backprop", "guided_gradcam", "hirescam", "input_x_gradient"),
    *("integrated_gradients", "layercam", "occlusion", "rise", "scorecam", "smoothgrad"),
    *("vargrad", "xgradcam"),
)

#: Where each name lives that is not loaded with the package.
_HOMES = {
    "compare": "explainkit.formatters",
    "counterfactual": "explainkit.methods",
    "evaluate": "explainkit.metrics",
    "expand_heatmap": "explainkit.formatters",
    "explain_arrays": "explainkit.arrays",
    "explain_prediction": "explainkit.explain",
    "explain_predictions": "explainkit.explain",
    "format_as_image": "explainkit.formatters",
    "heatmap_to_image": "explainkit.formatters",
    "show_prediction": "explainkit.ipython",
    "smooth": "explainkit.methods",
    "tta": "explainkit.methods",
    "visualize": "explainkit.formatters",
    # A function of arrays for each method.
    **dict.fromkeys(_ARRAY_DOORS, "explainkit.arrays"),
}
_MODULES = (
    *("filters", "formatters", "inspection", "localization", "methods", "metrics", "scenes"),
    "similarity",
)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"explainkit.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'explainkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_ARRAY_DOORS]


def _as_png(expl: Explanation) -> bytes | None:
    from explainkit.formatters import format_as_png

    # Signals and volumes are no pictures, though a signal's doc may have the axes of one.
    of_a_picture = expl.targets and all(one.heatmap.ndim == 2 for one in expl.targets)
    return format_as_png(expl) if of_a_picture and expl.image is not None else None


views.update({"text/plain": repr, "image/png": _as_png})
