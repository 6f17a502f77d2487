import gc
import threading

from explainkit.engines.cache import WeakCache


class Model:
    def __eq__(self, other):  # as some models define it: unhashable, equal to everything
        return True

    __hash__ = None


def test_a_value_is_made_once_for_each_model_and_key():
    cache, made = WeakCache(), []
    one, other = Model(), Model()
    for model, key in ((one, "a"), (one, "a"), (one, "b"), (other, "a"), (one, "a")):
        cache.get(model, key, lambda model=model, key=key: made.append((id(model), key)))
    assert made == [(id(one), "a"), (id(one), "b"), (id(other), "a")]


def test_the_least_used_value_is_dropped():
    cache, made = WeakCache(size=2), []
    model = Model()
    for key in "abacab":
        cache.get(model, key, lambda key=key: made.append(key))
    assert made == ["a", "b", "c", "b"]


def test_values_go_with_their_model():
    cache, model = WeakCache(), Model()
    cache.get(model, "a", object)
    assert len(cache) == 1
    del model
    gc.collect()
    assert len(cache) == 0


def test_threads_wait_for_one_to_make_the_value():
    cache, model, made = WeakCache(), Model(), []
    barrier = threading.Barrier(8)

    def work():
        barrier.wait()
        cache.get(model, "a", lambda: made.append(threading.get_ident()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
