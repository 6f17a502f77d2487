"""A step in a model that counts its runs, and stumbles where it is told to."""

import contextlib
import weakref

#: How often each layer's Python has run: beside the layers, which must not change.
_runs = weakref.WeakKeyDictionary()
_stage = None


class StumbledError(Exception):
    pass


def count_run(layer):
    _runs[layer] = _runs.get(layer, 0) + 1


def runs_of(layer):
    return _runs.get(layer, 0)


def stumble(stage):
    if stage == _stage:
        raise StumbledError(stage)


@contextlib.contextmanager
def stumbling_at(stage):
    global _stage
    _stage = stage
    try:
        yield
    finally:
        _stage = None
