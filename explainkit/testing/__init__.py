"""The contract of estimators: tests that every one passes, a plug-in's like explainkit's own.

Subclass `EstimatorContract` in a test module, say how the model and a document are made,
and pytest runs the contract. This is a package for tests: it imports pytest
(``pip install 'explainkit[testing]'``) and no framework.
"""

import pytest

# Failed asserts show their values, as they do in test modules.
pytest.register_assert_rewrite(
    *(f"{__name__}.{part}" for part in ("subject", "answers", "targeting", "untouched"))
)

from explainkit.testing.contract import EstimatorContract  # noqa: E402 - rewritten when imported
from explainkit.testing.parts import parts_of  # noqa: E402
from explainkit.testing.subject import Expected  # noqa: E402

__all__ = ["EstimatorContract", "Expected", "parts_of"]
