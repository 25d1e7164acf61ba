"""How steadily a trial trains, by hand-made curves."""

import math

import pytest

from tuning.analysis.importance.steadiness import late_spread, places


def test_a_slope_is_no_unsteadiness_and_a_spike_is():
    falling = [1.0 - 0.05 * step for step in range(10)]
    assert late_spread(falling) == pytest.approx(0.0, abs=1e-12)
    assert late_spread([*falling[:-2], 0.9, falling[-1]]) > 0.1
    assert late_spread([5.0, 0.1, 4.0, 0.2, *falling]) == pytest.approx(0.0, abs=1e-12), "early jumps do not count"


def test_the_spread_is_the_deviation_around_the_line():
    late = [1.0, -1.0, -1.0, 1.0]  # its line is 0
    assert late_spread([9.0] * 4 + late) == pytest.approx(math.sqrt(4 / 2))


@pytest.mark.parametrize("curve", [[1.0] * 7, [1.0] * 7 + [math.nan]])
def test_what_is_short_or_not_finite_tells_nothing(curve):
    assert late_spread(curve) is None


def test_places_go_by_order_with_the_diverged_last():
    assert places({4: 0.1, 2: 30.0, 7: 0.1}, [9, 1]) == {4: 0.125, 7: 0.125, 2: 0.5, 9: 0.875, 1: 0.875}
