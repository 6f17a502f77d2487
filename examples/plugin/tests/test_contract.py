"""The plug-in keeps the contract of explainkit's estimators."""

import numpy as np
from explainkit_linear.model import LinearModel

from explainkit.testing import EstimatorContract, Expected


class TestLinear(EstimatorContract):
    """Pytest runs the contract; what is said here is what it has to know."""

    method = "shares"
    targets = (2, 0)
    target_forms = ("None", "int", "numpy int", "list", "array")

    def make_model(self) -> LinearModel:
        """Make a model, with the same weights each time."""
        return LinearModel(np.random.default_rng(0).normal(size=(3, 8, 8)))

    def make_doc(self, seed: int) -> np.ndarray:
        """Make a document, another for each seed."""
        return np.random.default_rng(seed).normal(size=(1, 8, 8))

    def reference(self, doc: np.ndarray, target: int) -> Expected:
        """Work out the shares by another way: they add up to the score."""
        shares = self.make_model().weights[target] * doc[0]
        return Expected(score=shares.sum(), map=shares)
