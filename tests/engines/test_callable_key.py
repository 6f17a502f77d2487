import gc
import math
import weakref

import pytest

from explainkit.engines.callable_key import CallableKey


def shifted(by):
    return lambda outputs: outputs + by


LEVEL = 1


def global_reader():
    return lambda outputs: outputs + LEVEL


def test_functions_of_the_same_code_and_plain_values_are_one_key():
    assert CallableKey(shifted(1)) == CallableKey(shifted(1))
    assert hash(CallableKey(shifted(1))) == hash(CallableKey(shifted(1)))
    assert CallableKey(shifted(1)) != CallableKey(shifted(2))
    assert CallableKey(shifted(1)) != CallableKey(shifted(True))
    assert CallableKey(lambda o: math.exp(o)) != CallableKey(lambda o: math.log(o))


def test_a_global_that_changes_makes_another_key(monkeypatch):
    before = CallableKey(global_reader())
    assert before == CallableKey(global_reader())
    monkeypatch.setitem(globals(), "LEVEL", 2)
    assert before != CallableKey(global_reader())


def test_what_may_change_unseen_is_told_by_identity():
    values = [1]
    one, other = shifted(values), shifted(values)
    assert CallableKey(one) == CallableKey(one)
    assert CallableKey(one) != CallableKey(other)


def test_functions_of_plain_values_outlive_themselves_and_what_they_refer_to(monkeypatch):
    in_a_loop = [CallableKey(lambda outputs: outputs + i) for i in range(3)]  # noqa: B023
    gc.collect()
    assert [key.get()(10) for key in in_a_loop] == [10, 11, 12]
    key = CallableKey(global_reader())
    monkeypatch.setitem(globals(), "LEVEL", 2)
    assert key.get()(10) == 11
    key = CallableKey(lambda outputs, by=5: max(outputs, by))
    assert (key.get()(3), key.get().__name__) == (5, "<lambda>")


class Scorer:
    __hash__ = None

    def __call__(self, outputs):
        return outputs

    def score(self, outputs):
        return outputs


def test_objects_and_methods_are_keys_and_are_not_kept():
    scorer, other = Scorer(), Scorer()
    key, method = CallableKey(scorer), CallableKey(scorer.score)
    assert key == CallableKey(scorer) != CallableKey(other)
    assert method == CallableKey(scorer.score) != CallableKey(other.score)
    assert method.get()(3) == 3
    gone = weakref.ref(scorer)
    del scorer
    gc.collect()
    assert gone() is None
    assert key.get() is None
    # Another that is given the same id is not the same.
    assert key != key


class Weighing:
    def __init__(self):
        self.weight = 1

    def weigh(self, x):
        return x * self.weight

    def __call__(self, x):
        return self.weigh(x)


class WeighingToo(Weighing):
    """Inherits all that it does."""


@pytest.mark.parametrize("kind", [Weighing, WeighingToo])
@pytest.mark.parametrize(
    "reached", [lambda one: one, lambda one: one.weigh, lambda one: one.__call__]
)
def test_a_callable_that_reads_another_value_is_another_key(kind, reached):
    weighing = kind()
    key = CallableKey(reached(weighing))
    assert CallableKey(reached(weighing)) == key
    weighing.weight = 2
    assert CallableKey(reached(weighing)) != key
