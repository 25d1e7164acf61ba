"""Rounding and axes, against values worked out by hand."""

import math

import pytest

from tuning.charts.rounding import padded_range, quantile, significant, tick_format, worst_shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.24152771579393834, 0.24153),
        (123456.0, 123460.0),
        (-1.000004e-7, -1e-7),
        (0, 0.0),
        (9.99999, 10.0),
        (7, 7.0),
    ],
)
def test_five_significant_digits(value: float, expected: float) -> None:
    assert significant(value) == expected


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_json_cannot_hold_becomes_none(value: float | None) -> None:
    assert significant(value) is None


def test_quantile_interpolates() -> None:
    assert quantile([1.0, 2.0, 4.0], 0.25) == 1.5
    assert quantile([1.0, 2.0, 4.0], 1.0) == 4.0
    assert quantile([3.0], 0.9) == 3.0


def test_quantile_of_huge_values_does_not_overflow() -> None:
    assert quantile([-1.7e308, 1.7e308], 0.5) == 0.0


def test_one_outlier_is_left_off_the_axis() -> None:
    assert worst_shown([0.1, 0.2, 0.15, 1e9]) == 0.2
    assert worst_shown([0.9, 0.8, 0.85, -1e9], "maximize") == 0.8


def test_a_mild_tail_stays_on_the_axis() -> None:
    # best 0.1, three quarters up to 0.3, spread 0.2: the axis may go to 0.7
    assert worst_shown([0.1, 0.2, 0.3, 0.7]) == 0.7
    assert worst_shown([0.1, 0.2, 0.3, 0.71]) == 0.3


def test_equal_values_with_an_outlier_keep_a_scale() -> None:
    assert worst_shown([0.5, 0.5, 0.5, 0.5, 1e9]) == 0.5
    assert worst_shown([0.0, 0.0, 0.0, 0.0, 1e9]) == 0.0


def test_one_or_two_values_are_all_shown() -> None:
    assert worst_shown([]) is None
    assert worst_shown([3.0]) == 3.0
    assert worst_shown([0.1, 1e9]) == 1e9


def test_a_range_has_a_length_even_for_one_value() -> None:
    assert padded_range(0.0, 1.0) == [-0.06, 1.06]
    assert padded_range(2.0, 2.0) == [1.8, 2.2]
    assert padded_range(0.0, 0.0) == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.06, 0.16, ".2f"), (0.0, 1.6, ".1f"), (0.0, 90.0, ".0f"), (0.0, 1e7, ""), (0.0, 1e-7, "")],
)
def test_ticks_have_one_number_of_decimals(low: float, high: float, expected: str) -> None:
    assert tick_format(low, high) == expected


def test_how_far_the_tail_reaches_can_be_chosen() -> None:
    assert worst_shown([0.1, 0.2, 0.3, 2.0], reach=15.0) == 2.0
