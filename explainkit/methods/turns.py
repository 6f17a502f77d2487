"""Many variants of a document, so many at once as a batch holds."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def turns_of(count: int, batch_size: int) -> tuple[int, int]:
    """Tell in how many turns of which equal size so many variants pass through a model.

    Examples
    --------
    >>> turns_of(50, 32), turns_of(47, 32), turns_of(3, 32)
    ((2, 25), (2, 24), (1, 3))
    """
    turns = math.ceil(count / batch_size)
    return turns, math.ceil(count / turns)


def positions_in_turns(count: int, batch_size: int) -> NDArray[np.int32]:
    """Give the positions of variants, a row for each turn; the last turn is filled up.

    Examples
    --------
    >>> positions_in_turns(5, 3)
    array([[0, 1, 2],
           [3, 4, 0]], dtype=int32)
    """
    turns, size = turns_of(count, batch_size)
    return np.resize(np.arange(count, dtype=np.int32), (turns, size))


def in_turns(variants: NDArray[Any], batch_size: int) -> NDArray[Any]:
    """Arrange variants, shape (count, ...), in turns, shape (turns, size, ...)."""
    return np.asarray(variants[positions_in_turns(len(variants), batch_size)])


def weights_in_turns(count: int, batch_size: int) -> NDArray[np.float32]:
    """Weights of variants that average them, whatever the last turn is filled up with.

    Examples
    --------
    >>> weights_in_turns(5, 3)
    array([[0.2, 0.2, 0.2],
           [0.2, 0.2, 0. ]], dtype=float32)
    """
    turns, size = turns_of(count, batch_size)
    weights = np.zeros(turns * size, np.float32)
    weights[:count] = 1 / count
    return weights.reshape(turns, size)
