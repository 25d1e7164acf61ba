"""Bars of shares and small marginal curves: to scale, inside their drawing, and without markup from outside."""

import re

import pytest

from tuning.charts import marginal_range, marginal_svg, share_svg


def test_a_bar_is_as_long_as_its_share_and_never_longer_than_its_track():
    assert 'class="share__bar" width="40"' in share_svg(0.25)
    assert 'class="share__bar" width="160"' in share_svg(1.7) and 'width="0"' in share_svg(-0.1)
    assert 'class="share__bar" width="80"' in share_svg(0.75, most=1.5)
    assert 'd="M24 7H56"' in share_svg(0.25, 0.1) and "share__spread" not in share_svg(0.25)


def test_a_curve_stands_between_the_ends_of_its_page():
    within = marginal_range([([1.0, 2.0], [0.5, 0.0]), ([3.0], [1.0])])
    assert within == (0.5, 4.0)
    drawn = marginal_svg("lr", [1e-5, 0.1], [0.5, 4.0], [0.0, 0.0], within, numeric=True, places=[0.0, 1.0])
    assert 'class="small-slice__line" d="M44 94L248 8"' in drawn
    assert ">1e-5<" in drawn and ">0.1<" in drawn
    assert ">0.5<" in drawn and ">4<" in drawn, "the ends of the values"
    assert marginal_range([([2.0, 2.0], [0.0, 0.0])]) == (1.5, 2.5)


def test_a_log_parameter_has_ticks_at_powers_of_ten_where_there_is_room():
    values = [1e-5, 1e-3, 0.1]
    where = {"numeric": True, "places": [0.0, 0.5, 1.0]}
    drawn = marginal_svg("lr", values, [1.0, 2.0, 3.0], [0.1] * 3, (0.0, 4.0), log=True, **where)
    ticks = re.findall(r'<text class="small-slice__tick" x="([\d.]+)" y="110" text-anchor="middle">([^<]+)<', drawn)
    assert ("146", "0.001") in ticks or ("146", "1e-3") in ticks
    assert [float(x) for x, _ in ticks] == sorted(float(x) for x, _ in ticks)
    plain = marginal_svg("lr", values, [1.0, 2.0, 3.0], [0.1] * 3, (0.0, 4.0), **where)
    assert 'text-anchor="middle"' not in plain


def test_choices_are_points_with_intervals_named_and_escaped():
    drawn = marginal_svg(
        '"<b>', ["<i>a</i>", True], [1.0, 2.0], [0.1, 0.2], (0.9, 2.2), numeric=False, places=[0.25, 0.75]
    )
    assert drawn.count("marginal__interval") == 2 and "<i>" not in drawn and "<b>" not in drawn
    points = [float(x) for x in re.findall(r'<circle class="marginal__point" cx="([\d.]+)"', drawn)]
    assert points == pytest.approx([95, 197])
    assert ">true<" in drawn and "&lt;i&gt;a&lt;/i&gt;" in drawn
    many = [f"a long choice {k}" for k in range(9)]
    crowded = marginal_svg("c", many, [1.0] * 9, [0.1] * 9, (0.5, 2.0), numeric=False, places=[k / 8 for k in range(9)])
    assert "choice 4" not in crowded, "where there is no room for all, the first and the last"
