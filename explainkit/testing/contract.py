"""The contract as a whole."""

from explainkit.testing.answers import AnswerContract
from explainkit.testing.targeting import TargetContract
from explainkit.testing.untouched import UntouchedContract


class EstimatorContract(AnswerContract, TargetContract, UntouchedContract):
    """What every (estimator, engine, method) promises, as tests for pytest.

    A subclass whose name begins with ``Test`` says how a model (`make_model`) and a
    document (`make_doc`) are made, which units are asked for (`targets`), and what
    the doors are given (`options`). The rest has defaults: `reference`, `runs`,
    `stages`, `target_forms` and `parts` make the contract stricter, or fit it to an
    estimator that takes less.

    Examples
    --------
    >>> from explainkit import scenes
    >>> class TestScenes(EstimatorContract):
    ...     def make_model(self):
    ...         return scenes.load_network()
    ...
    ...     def make_doc(self, seed):
    ...         return scenes.draw_scene(seed).doc
    >>> TestScenes().test_asking_again_gives_the_same()
    """
