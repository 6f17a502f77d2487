"""What the contract is run on: how a subclass says it, and how it is asked and compared."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.typing import ArrayLike

from explainkit.explain import explain_prediction, explain_predictions
from explainkit.explanation import Explanation, TargetExplanation, TargetName
from explainkit.testing.parts import parts_of

#: The forms in which targets are given, of which an estimator may take some.
TARGET_FORMS = ("None", "top", "int", "numpy int", "list", "array", "rows", "label", "callable")

_MISSING = object()


@attrs.frozen
class Expected:
    """What an explanation must say of one target, worked out another way.

    Attributes
    ----------
    score : float
    map : array
        Raw and signed.
    heatmap : array, optional
        In [0, 1].
    """

    score: float
    map: ArrayLike
    heatmap: ArrayLike | None = None


class Subject(ABC):
    """An estimator with a method, and all that the contract has to know of it.

    Attributes
    ----------
    method : str
        What the records name as their method.
    options : mapping
        What the doors are given each time, such as ``{"method": "gradcam"}``.
    targets : sequence of int
        Two or more units of the output to ask for.
    target_forms : sequence of str
        Which of `TARGET_FORMS` the estimator takes, beside a list of units.
    stages : sequence of str
        Names of places where `failing` can make the model fail.
    compiles : bool
        Whether the model's own Python runs only while the model is traced.
    tolerance : float
        How far two answers of the estimator itself may be apart: relative to the
        largest number of a map, and absolute in heatmaps.
    reference_tolerance : float
        How far an answer may be from `reference`.
    """

    method: str = "gradcam"
    options: Mapping[str, Any] = {}
    targets: Sequence[TargetName] = (0, 1)
    target_forms: Sequence[str] = TARGET_FORMS
    stages: Sequence[str] = ()
    compiles: bool = True
    tolerance: float = 1e-5
    reference_tolerance: float = 1e-4

    @abstractmethod
    def make_model(self) -> Any:
        """Make a model, with the same weights each time."""

    @abstractmethod
    def make_doc(self, seed: int) -> Any:
        """Make a document, a batch of one of numpy: another for each seed."""

    def make_bad_docs(self) -> Mapping[str, tuple[Any, type[Exception]]]:
        """Make documents that must be refused, each with the error that must come."""
        unknown = np.full_like(self.make_doc(0), np.nan)
        return {"NaN": (unknown, ValueError), "text": ("a string", TypeError)}

    def reference(self, doc: Any, target: TargetName) -> Expected | None:  # noqa: ARG002
        """Work the answer out another way; None where there is none."""
        return None

    def parts(self, model: Any) -> Any:
        """Note all that must be left as it was, as data that can be compared.

        `parts_of` notes all there is; where a model changes by itself, note less.
        """
        return parts_of(model)

    def runs(self, model: Any) -> int | None:  # noqa: ARG002
        """Tell how often the model's own Python has run so far; None where nobody counts."""
        return None

    def failing(self, stage: str) -> AbstractContextManager[Any]:  # noqa: ARG002
        """Have models fail at one of the `stages`, as long as the context lasts."""
        return nullcontext()

    def score_of(self, target: TargetName) -> Any:
        """Make the callable that stands for a unit, of an output that is named or the only one."""
        if isinstance(target, tuple):
            output, unit = target
            return lambda outputs: outputs[output][:, unit]
        return lambda outputs: outputs[:, target]

    # How the contract's tests ask and compare

    def explain(self, model: Any, doc: Any, **asked: Any) -> Explanation:
        """Explain one document; all targets are asked for where none are given."""
        asked = {"targets": list(self.targets), **self.options, **asked}
        return explain_prediction(model, doc, **asked)

    def explain_many(self, model: Any, docs: Any, **asked: Any) -> list[Explanation]:
        """Explain many documents, as `explain` does one."""
        asked = {"targets": list(self.targets), **self.options, **asked}
        return list(explain_predictions(model, docs, **asked))

    def assert_same(self, one: Explanation, other: Explanation) -> None:
        """Fail unless two explanations say the same, but for rounding."""
        about = [(found.target, found.label) for found in one.targets]
        assert about == [(found.target, found.label) for found in other.targets]
        for a, b in zip(one.targets, other.targets, strict=True):
            self.assert_alike(a, b)

    def assert_alike(self, one: TargetExplanation, other: TargetExplanation) -> None:
        """Fail unless two targets have the same score and map, but for rounding."""
        self.assert_close(one, Expected(other.score, other.map, other.heatmap), self.tolerance)

    @staticmethod
    def assert_untouched(before: Any, after: Any) -> None:
        """Fail unless two notes are equal, and name the places where they are not."""
        if isinstance(before, Mapping):
            places = [place for place in {**before, **after} if place not in before]
            places += [place for place in before if before[place] != after.get(place, _MISSING)]
            assert not places, f"changed: {places}"
        else:
            assert before == after

    @staticmethod
    def assert_close(found: TargetExplanation, expected: Expected, tolerance: float) -> None:
        """Fail unless a target's explanation says what was expected, but for rounding."""
        map_ = np.asarray(expected.map, np.float64)
        spread = float(np.abs(map_).max())
        assert found.score == pytest.approx(expected.score, rel=tolerance, abs=tolerance)
        np.testing.assert_allclose(found.map, map_, rtol=tolerance, atol=tolerance * spread)
        if expected.heatmap is not None:
            heatmap = np.asarray(expected.heatmap, np.float64)
            np.testing.assert_allclose(found.heatmap, heatmap, rtol=0, atol=tolerance)
