"""What quantus measures on arrays alone is the same."""

import numpy as np
import pytest

from explainkit.metrics import (
    complexity,
    pointing_game,
    relevance_mass,
    relevance_rank,
    sparseness,
    top_k_intersection,
)

COUNT, SIZES = 6, (12, 9)


@pytest.fixture(scope="module")
def quantus():
    return pytest.importorskip("quantus")


@pytest.fixture(scope="module")
def maps():
    return np.random.default_rng(0).uniform(0.1, 5, (COUNT, *SIZES))


@pytest.fixture(scope="module")
def masks(maps):
    found = np.random.default_rng(1).random((COUNT, *SIZES)) < 0.3
    for map_, mask in zip(maps[::2], found[::2], strict=True):
        mask[np.unravel_index(map_.argmax(), SIZES)] = True
    return found


def theirs(metric, maps, masks):
    pictures = np.zeros((COUNT, 1, *SIZES))
    return metric(
        model=None,
        x_batch=pictures,
        y_batch=np.zeros(COUNT, int),
        a_batch=maps[:, None].copy(),
        s_batch=masks[:, None],
        channel_first=True,
    )


PAIRS = {
    "Sparseness": (sparseness, {}),
    "Complexity": (complexity, {}),
    "RelevanceMassAccuracy": (relevance_mass, {}),
    "RelevanceRankAccuracy": (relevance_rank, {}),
    "PointingGame": (pointing_game, {}),
    "TopKIntersection": (top_k_intersection, {"k": 20}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_numbers_are_those_of_quantus(quantus, maps, masks, name):
    ours, options = PAIRS[name]
    # Theirs are asked for what is positive already.
    in_place = {"abs": name in ("Sparseness", "Complexity"), "normalise": False}
    metric = getattr(quantus, name)(**in_place, **options, disable_warnings=True)
    if name in ("Sparseness", "Complexity"):
        found = [ours(map_) for map_ in maps]
    else:
        found = [ours(*row, **options) for row in zip(maps, masks, strict=True)]
    expected = np.asarray(theirs(metric, maps, masks), float)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert len(set(np.round(expected, 6))) > 1
