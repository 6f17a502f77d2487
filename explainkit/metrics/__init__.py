"""Metrics: numbers that say whether an explanation is faithful, focused, stable and right.

A metric is a class whose fields are its options; `METRICS` lists them by name. The functions
are their formulas, on arrays of numpy.
"""

from explainkit.metrics.base import Metric
from explainkit.metrics.checking import UnmeasurableError
from explainkit.metrics.concentration import Complexity, Sparseness, complexity, sparseness
from explainkit.metrics.confidence import (
    AverageDrop,
    AverageGain,
    Increase,
    average_drop,
    average_gain,
    increase,
)
from explainkit.metrics.covering import LocalizationError, MaskIoU, box_iou, mask_iou
from explainkit.metrics.curves import Deletion, Insertion, area_under
from explainkit.metrics.evaluation import evaluate
from explainkit.metrics.finding import METRICS, find_metric
from explainkit.metrics.infidelity import Infidelity, infidelity
from explainkit.metrics.pointing import (
    EnergyPointing,
    PointingGame,
    energy_pointing,
    pointing_game,
)
from explainkit.metrics.randomization import ParameterRandomization, RandomLogit
from explainkit.metrics.relevance import (
    RelevanceMass,
    RelevanceRank,
    TopKIntersection,
    relevance_mass,
    relevance_rank,
    top_k_intersection,
)
from explainkit.metrics.results import Evaluation, Measurement, Summary
from explainkit.metrics.road import ROADLeastRelevantFirst, ROADMostRelevantFirst, impute
from explainkit.metrics.sensitivity import MaxSensitivity, max_sensitivity

__all__ = [
    "METRICS",
    "AverageDrop",
    "AverageGain",
    "Complexity",
    "Deletion",
    "EnergyPointing",
    "Evaluation",
    "Increase",
    "Infidelity",
    "Insertion",
    "LocalizationError",
    "MaskIoU",
    "MaxSensitivity",
    "Measurement",
    "Metric",
    "ParameterRandomization",
    "PointingGame",
    "ROADLeastRelevantFirst",
    "ROADMostRelevantFirst",
    "RandomLogit",
    "RelevanceMass",
    "RelevanceRank",
    "Sparseness",
    "Summary",
    "TopKIntersection",
    "UnmeasurableError",
    "area_under",
    "average_drop",
    "average_gain",
    "box_iou",
    "complexity",
    "energy_pointing",
    "evaluate",
    "find_metric",
    "impute",
    "increase",
    "infidelity",
    "mask_iou",
    "max_sensitivity",
    "pointing_game",
    "relevance_mass",
    "relevance_rank",
    "sparseness",
    "top_k_intersection",
]
