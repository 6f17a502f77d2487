"""Which targets are explained, in whatever form they are given."""

from typing import Any

import numpy as np
import pytest

from explainkit.explanation import Explanation
from explainkit.testing.subject import Subject


class TargetContract(Subject):
    """A target is the same in every form, and without one the highest scores are explained."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test for each form that the estimator takes, and each stage where it can fail."""
        for name, values in (("form", self.target_forms), ("stage", self.stages)):
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, values)

    def test_targets_mean_the_same_in_every_form(self, form: str) -> None:
        """What is asked for in one form is what a list of units would give."""
        model, doc, unit = self.make_model(), self.make_doc(0), self.targets[-1]
        if form in ("None", "top"):
            self._assert_highest(model, doc, len(self.targets) if form == "top" else 1)
            return
        listed = self.explain(model, doc, targets=[unit])
        if form == "callable":
            [found] = self.explain(model, doc, targets=self.score_of(unit)).targets
            assert isinstance(found.target, str)
            self.assert_alike(found, listed.targets[0])
        elif form == "label":
            names = {position: f"unit {position}" for position in self.targets}
            expl = self.explain(model, doc, targets=f"unit {unit}", target_names=names)
            assert expl.targets[0].label == f"unit {unit}"
            self.assert_same(expl, self.explain(model, doc, targets=[unit], target_names=names))
        elif form == "rows":
            self._assert_rows(model)
        else:
            self.assert_same(self.explain(model, doc, targets=_in_form(form, unit)), listed)

    def _assert_highest(self, model: Any, doc: Any, count: int) -> None:
        asked = {} if count == 1 else {"top_targets": count}
        found = self.explain(model, doc, targets=None, **asked).targets
        assert len(found) == count
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)
        known = self.explain(model, doc)
        others = [t.score for t in known.targets if t.target not in {o.target for o in found}]
        assert scores[-1] >= max(others, default=-np.inf) - self.tolerance
        for one in found:
            [listed] = self.explain(model, doc, targets=[one.target]).targets
            self.assert_alike(one, listed)

    def _assert_rows(self, model: Any) -> None:
        docs = [self.make_doc(seed) for seed in range(3)]
        rows = [np.roll(self.targets, seed).tolist() for seed in range(3)]
        many: list[Explanation] = self.explain_many(model, docs, targets=np.array(rows))
        for doc, row, expl in zip(docs, rows, many, strict=True):
            self.assert_same(expl, self.explain(model, doc, targets=row))


def _in_form(form: str, unit: Any) -> Any:
    given: dict[str, Any] = {
        "int": unit,
        "numpy int": np.int64(unit),
        "list": [np.int32(unit)],
        "array": np.array([unit]),
    }
    return given[form]
