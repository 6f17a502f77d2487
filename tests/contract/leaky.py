"""A plug-in that keeps the contract, but for the one leak that it is asked to have.

The model is plain Python, so that the contract is tested wherever the tests run.
"""

import random
import time
import warnings
import weakref

import numpy as np

from explainkit import Explanation, TargetExplanation, explain_prediction, explain_predictions
from explainkit.methods.heatmap import heatmap_of
from explainkit.testing import EstimatorContract, Expected

from . import probe

#: The leak that the plug-in has now.
leak = None
kept = []
looked_at = weakref.WeakKeyDictionary()


class Model:
    """Scores that are sums of weighted pixels, bent: Σ w tanh(x). It may have hooks, and trains."""

    def __init__(self):
        self.weights = np.random.default_rng(0).normal(size=(3, 6, 7))
        self.hooks = []
        self.training = True

    def shares(self, docs):
        probe.count_run(self)
        if looked_at.get(self):  # an error in the middle comes once it was looked at
            probe.stumble("forward")
        return self.weights * np.tanh(docs)[:, None]


@explain_prediction.register
def explain_one(model: Model, doc, **options):
    [expl] = explain_batch(model, checked(doc), **options)
    return expl


@explain_predictions.register
def explain_many(model: Model, docs, *, batch_size=32, **options):
    docs, targets = list(docs), options.pop("targets", None)
    for start in range(0, len(docs), batch_size):
        rows = slice(start, start + batch_size)
        batch = np.concatenate([checked(doc) for doc in docs[rows]])
        given = targets[rows] if isinstance(targets, np.ndarray) else targets
        yield from explain_batch(model, batch, targets=given, **options)


def checked(doc):
    if not isinstance(doc, np.ndarray):
        raise TypeError(f"doc is a {type(doc).__name__}; give an array")
    if np.isnan(doc).any() and leak != "takes NaN":
        raise ValueError("doc holds NaN")
    return doc


def explain_batch(model, docs, *, targets=None, top_targets=1, target_names=None):
    if model not in looked_at or leak == "traces again":  # where a network would be traced
        looked_at[model] = model.shares(docs[:1]).shape
    try:
        maps = model.shares(docs)
    except probe.StumbledError:
        model.training = leak != "mode left by errors"
        raise
    scores = maps.sum(axis=(2, 3))
    maps = spoiled(model, docs, maps)
    explanations = []
    for doc in range(len(docs)):
        chosen = units(scores[doc], targets, top_targets, target_names, doc)
        explanations.append(
            Explanation(
                estimator="Model",
                method="shares",
                targets=[told(u, scores[doc], maps[doc], target_names) for u in chosen],
            )
        )
    return explanations


def units(scores, targets, top_targets, target_names, doc):
    if targets is None:
        highest = np.argsort(scores if leak == "lowest first" else -scores)
        return highest[:top_targets].tolist()
    if isinstance(targets, str):
        return [unit for unit, name in target_names.items() if name == targets]
    if isinstance(targets, np.ndarray) and targets.ndim == 2:
        return targets[0 if leak == "first row for all" else doc].tolist()
    return np.atleast_1d(targets).tolist()


def told(unit, scores, maps, target_names):
    map_ = maps[unit].astype(np.float64 if leak == "double" else np.float32)
    heatmap = heatmap_of(map_)
    return TargetExplanation(
        target=unit,
        label=target_names[unit] if target_names else None,
        score=float(scores[unit]),
        proba=None,
        heatmap=2 * heatmap if leak == "too bright" else heatmap,
        map=map_,
    )


def spoiled(model, docs, maps):
    """Do what a plug-in should not do, and give the maps."""
    other = LEAKS[leak](model, docs, maps) if leak in LEAKS else None
    return maps if other is None else other


def patch_class(model, docs, maps):
    Model.shares = lambda self, docs, run=Model.shares: run(self, docs)


def share_among_threads(model, docs, maps):
    kept[:] = [maps]
    time.sleep(0.001)
    return kept.pop() if kept else maps


#: What is done beside explaining, by name; some give other maps.
LEAKS = {
    "hook": lambda model, docs, maps: model.hooks.append(print),
    "mode": lambda model, docs, maps: setattr(model, "training", False),
    "weights": lambda model, docs, maps: model.weights.put(0, model.weights[0, 0, 0] + 1e-9),
    "patched class": patch_class,
    "kept": lambda model, docs, maps: kept.append(model),
    "random numbers": lambda model, docs, maps: random.random() and None,
    "numpy errors": lambda model, docs, maps: np.seterr(divide="ignore") and None,
    "warnings": lambda model, docs, maps: warnings.simplefilter("ignore"),
    "doc": lambda model, docs, maps: docs.put(0, docs[0, 0, 0] + 1e-9),
    "batch-dependent": lambda model, docs, maps: (
        maps / np.abs(maps).max() if len(docs) > 1 else maps
    ),
    "mixes up docs": lambda model, docs, maps: maps[::-1],
    "threads": share_among_threads,
    "wrong": lambda model, docs, maps: maps + 0.01,
    "chance": lambda model, docs, maps: maps * np.random.default_rng().uniform(1, 2),
}


class LeakyContract(EstimatorContract):
    method = "shares"
    target_forms = ("None", "top", "int", "numpy int", "list", "array", "rows", "label")
    stages = ("forward",)
    compiles = False

    def make_model(self):
        return Model()

    def make_doc(self, seed):
        return np.random.default_rng(seed).normal(size=(1, 6, 7))

    def reference(self, doc, target):
        shares = Model().weights[target] * np.tanh(doc[0])
        return Expected(shares.sum(), shares)

    def runs(self, model):
        return probe.runs_of(model)

    def failing(self, stage):
        return probe.stumbling_at(stage)
