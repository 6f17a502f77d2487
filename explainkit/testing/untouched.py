"""What explanations leave behind: nothing, whatever happens."""

import copy
import gc
import weakref
from typing import Any, ClassVar

import numpy as np
import pytest

from explainkit.testing.process import modes, streams
from explainkit.testing.subject import Subject


class UntouchedContract(Subject):
    """Model, doc and process are left as they were, and nothing is worked out twice."""

    _modes: ClassVar[dict[str, Any]] = {}

    @classmethod
    def setup_class(cls) -> None:
        """Note the process before anything is explained, once the model's framework is there."""
        cls().make_model()
        cls._modes = modes()

    def test_an_explanation_leaves_the_model_as_it_was(self) -> None:
        """One doc or many: weights, hooks, modes and all else are the same."""
        model = self.make_model()
        before = self.parts(model)
        self.explain(model, self.make_doc(0))
        self.assert_untouched(before, self.parts(model))
        self.explain_many(model, [self.make_doc(seed) for seed in range(3)])
        self.assert_untouched(before, self.parts(model))

    def test_a_bad_doc_is_refused_and_leaves_the_model_as_it_was(self) -> None:
        """Docs that are none are refused with an error that says so."""
        model = self.make_model()
        before = self.parts(model)
        for doc, error in self.make_bad_docs().values():
            with pytest.raises(error):
                self.explain(model, doc)
            self.assert_untouched(before, self.parts(model))

    def test_an_error_in_the_middle_leaves_all_as_it_was(self, stage: str) -> None:
        """A model that fails can be used and explained as before."""
        model, doc = self.make_model(), self.make_doc(0)
        expected = self.explain(self.make_model(), doc)
        before, shared = self.parts(model), {**modes(), **streams()}
        with self.failing(stage), pytest.raises(Exception):  # noqa: B017, PT011 - anything
            self.explain(model, doc)
        self.assert_untouched(before, self.parts(model))
        self.assert_untouched(shared, {**modes(), **streams()})
        self.assert_same(self.explain(model, doc), expected)

    def test_the_doc_is_left_as_it_was(self) -> None:
        """Nothing is written into what was given."""
        model, doc, docs = self.make_model(), self.make_doc(0), [self.make_doc(1)]
        before = copy.deepcopy((doc, docs))
        self.explain(model, doc)
        self.explain_many(model, docs)
        np.testing.assert_equal((doc, docs), before)

    def test_the_process_is_left_as_it_was(self) -> None:
        """Random numbers go on as they would have; no mode, class or filter is changed."""
        model = self.make_model()
        before = {**modes(), **self._modes, **streams()}
        self.explain(model, self.make_doc(0))
        self.explain_many(model, [self.make_doc(seed) for seed in range(3)])
        self.assert_untouched(before, {**modes(), **streams()})

    def test_a_deleted_model_is_freed(self) -> None:
        """Nothing that was kept of a model keeps the model."""
        model = self.make_model()
        expl = self.explain(model, self.make_doc(0))
        self.explain_many(model, [self.make_doc(seed) for seed in range(3)])
        gone = weakref.ref(model)
        del model
        gc.collect()
        assert gone() is None
        assert expl.targets

    def test_asking_again_traces_nothing(self) -> None:
        """The model is looked at once; other docs and other targets need no second look."""
        model = self.make_model()
        if self.runs(model) is None:
            pytest.skip("nobody counts how often the model's Python runs")
        docs = [self.make_doc(seed) for seed in range(3)]
        first, others = [self.targets[0]], [[unit] for unit in self.targets[1:]]

        def runs_of(doc: Any, targets: Any) -> int:
            before = self.runs(model) or 0
            self.explain(model, doc, targets=targets)
            self.explain_many(model, docs, targets=targets)
            return (self.runs(model) or 0) - before

        at_first = runs_of(docs[0], first)
        again = {runs_of(doc, targets) for doc in docs for targets in (first, *others)}
        assert len(again) == 1
        assert max(again) < at_first
        assert not (self.compiles and any(again))
