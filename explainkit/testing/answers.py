"""What explanations say: the right thing, whatever else is explained beside it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from explainkit.explanation import Explanation
from explainkit.testing.subject import Subject

_THREADS = 8


class AnswerContract(Subject):
    """Explanations are well formed, right, and the same again, in batches and in threads."""

    def test_the_record_is_well_formed(self) -> None:
        """Fields have the types that the record declares, and heatmaps can be drawn."""
        expl = self.explain(self.make_model(), self.make_doc(0))
        assert isinstance(expl, Explanation)
        assert isinstance(expl.estimator, str)
        assert expl.estimator
        assert expl.method == self.method
        assert expl.error is None
        assert expl.layer is None or isinstance(expl.layer, str)
        assert isinstance(expl.description, str)
        assert [found.target for found in expl.targets] == list(self.targets)
        for found in expl.targets:
            assert type(found.score) is float
            assert np.isfinite(found.score)
            assert found.proba is None or 0 <= found.proba <= 1
            for array in (found.map, found.heatmap):
                assert array.dtype == np.float32
                assert np.isfinite(array).all()
            assert found.map.shape == found.heatmap.shape
            assert found.heatmap.min() >= 0
            assert found.heatmap.max() <= 1

    def test_answers_equal_the_reference(self) -> None:
        """What was worked out another way is found: so all engines find the same."""
        model = self.make_model()
        for seed in range(3):
            doc = self.make_doc(seed)
            for found in self.explain(model, doc).targets:
                expected = self.reference(doc, found.target)
                if expected is None:
                    pytest.skip("there is no reference")
                self.assert_close(found, expected, self.reference_tolerance)

    def test_asking_again_gives_the_same(self) -> None:
        """An answer depends on nothing that was asked before."""
        model, doc = self.make_model(), self.make_doc(0)
        first = self.explain(model, doc)
        self.explain(model, self.make_doc(1), targets=[self.targets[-1]])
        self.assert_same(self.explain(model, doc), first)

    @pytest.mark.parametrize("batch_size", [1, 2, 5])
    def test_docs_in_a_batch_are_explained_as_each_alone(self, batch_size: int) -> None:
        """No doc is influenced by those beside it."""
        model, docs = self.make_model(), [self.make_doc(seed) for seed in range(5)]
        together = self.explain_many(model, docs, batch_size=batch_size)
        assert len(together) == len(docs)
        for doc, expl in zip(docs, together, strict=True):
            self.assert_same(expl, self.explain(model, doc))

    def test_the_order_of_docs_does_not_matter(self) -> None:
        """Each doc's explanation goes with the doc."""
        model, docs = self.make_model(), [self.make_doc(seed) for seed in range(4)]
        found = self.explain_many(model, docs, batch_size=len(docs))
        turned = self.explain_many(model, docs[1:] + docs[:1], batch_size=len(docs))
        for one, other in zip(found, turned[-1:] + turned[:-1], strict=True):
            self.assert_same(one, other)

    def test_threads_get_what_one_thread_gets(self) -> None:
        """Many may explain one model at the same time, each a doc of their own."""
        docs = [self.make_doc(seed) for seed in range(_THREADS)]
        # Of another model, so that the threads meet one that is explained for the first time.
        other = self.make_model()
        alone = [self.explain(other, doc) for doc in docs]
        model, together = self.make_model(), Barrier(_THREADS)

        def work(doc: Any) -> list[Explanation]:
            together.wait()
            return [self.explain(model, doc) for _ in range(3)]

        before = self.parts(model)
        with ThreadPoolExecutor(_THREADS) as threads:
            answers = list(threads.map(work, docs))
        self.assert_untouched(before, self.parts(model))
        for one, found in zip(alone, answers, strict=True):
            for expl in found:
                self.assert_same(expl, one)
