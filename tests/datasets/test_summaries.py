"""What a run says of itself at its end."""

import pytest

from explainkit.datasets import Summary


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (1200, "explained in 10.0 s (120.0 a second)"),
        (200, "200 of them now, in 10.0 s (20.0 a second); 1,000 were there"),
        (0, "all of them were there"),
    ],
)
def test_it_says_what_was_made_now_and_what_was_there(now, said):
    summary = Summary("out", 1200, now, 2400, {}, 0, 10.0)
    assert str(summary).splitlines() == ["1,200 documents, 2,400 rows in out", said]


def test_it_counts_errors_by_their_types_and_heatmaps_that_show_nothing():
    summary = Summary("out", 3, 3, 3, {"OSError": 1, "ValueError": 2}, 5, 1.0)
    assert summary.failed == 3
    assert str(summary).splitlines()[2:] == [
        "3 failed, each with an error row: 2 ValueError, 1 OSError",
        "5 heatmaps are zero everywhere",
    ]
