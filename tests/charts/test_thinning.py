"""Leaving points out must not change what is seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.charts.thinning import thinned


def test_few_points_are_left_as_they_are() -> None:
    assert thinned([3, 1, 2], [3.0, 1.0, 2.0], 4) == [3, 1, 2]


def test_each_bucket_keeps_first_last_lowest_and_highest() -> None:
    values = [5.0, 9.0, 0.0, 4.0, 3.0, 6.0, 1.0, 2.0, 8.0, 7.0]
    assert thinned(list(range(10)), values, 8) == [0, 1, 2, 4, 5, 6, 8, 9]


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=400), st.integers(4, 60))
def test_the_outline_survives_within_the_limit(values: list[float], limit: int) -> None:
    kept = thinned(values, values, limit)
    assert len(kept) <= max(limit, 4)
    assert (min(kept), max(kept), kept[0], kept[-1]) == (min(values), max(values), values[0], values[-1])


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="one length, not 2 and 1"):
        thinned([1, 2], [1.0])
    with pytest.raises(ValueError, match="limit is 3"):
        thinned([1], [1.0], 3)
