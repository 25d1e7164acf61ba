"""How long a study's mean step takes, told from a few of the middle configuration."""

import math

import pytest

from tuning.engine import SearchSpace
from tuning.engine.speed import SIZED_FACTOR, Range, Speed

SIZED = SearchSpace.from_json(
    {"units": {"type": "int", "low": 8, "high": 64}, "batch": {"type": "constant", "value": 8}}
)
ALIKE = SearchSpace.from_json(
    {"lr": {"type": "float", "low": 0.1, "high": 1}, "units": {"type": "constant", "value": 8}}
)


def test_the_median_counts_since_the_first_step_warms_up():
    assert Speed.of_middle([9.0, 1.0, 1.0], ALIKE).seconds == 1.0


def test_where_sizes_are_searched_the_mean_step_takes_longer_and_is_less_sure():
    sized, alike = Speed.of_middle([2.0], SIZED), Speed.of_middle([2.0], ALIKE)
    assert sized.seconds == 2.0 * SIZED_FACTOR
    assert alike.seconds == 2.0, "a constant changes nothing"
    assert sized.spread > alike.spread


@pytest.mark.parametrize(
    ("entry", "mean"),
    [
        ({"type": "categorical", "choices": [0.05, 0.15, 0.4, 1.0]}, 0.4),
        ({"type": "float", "low": 0.2, "high": 1.0}, 0.6),
        ({"type": "constant", "value": 0.5}, 0.5),
    ],
)
def test_fewer_examples_take_less_but_for_what_stays(entry, mean):
    part = Speed.of_middle([2.0], SearchSpace.from_json({"train_fraction": entry}))
    assert part.seconds == pytest.approx(2.0 * (0.15 + 0.85 * mean))
    assert part.spread > Speed.of_middle([2.0], ALIKE).spread


def test_the_range_is_as_wide_as_the_spread():
    found = Speed(2.0, 0.5).range()
    assert found.expected == 2.0
    assert math.log(found.high / 2.0) == pytest.approx(0.98)
    assert math.log(2.0 / found.low) == pytest.approx(0.98)
    assert Speed(2.0).range() == Range(2.0, 2.0, 2.0)


@pytest.mark.parametrize("seconds", [[], [0.0], [1.0, -1.0], [math.nan], [math.inf]])
def test_a_step_takes_time(seconds):
    with pytest.raises(ValueError, match="longer than 0 seconds"):
        Speed.of_middle(seconds, SIZED)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_a_speed_is_a_number(seconds):
    with pytest.raises(ValueError, match="it must take some"):
        Speed(seconds)
