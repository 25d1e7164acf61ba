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
    assert 'class="small-slice__line" d="M4 50L172 4"' in drawn
    assert ">1e-5<" in drawn and ">0.1<" in drawn
    assert marginal_range([([2.0, 2.0], [0.0, 0.0])]) == (1.5, 2.5)


def test_choices_are_bars_and_escaped():
    drawn = marginal_svg(
        '"<b>', ["<i>a</i>", True], [1.0, 2.0], [0.1, 0.2], (0.9, 2.2), numeric=False, places=[0.25, 0.75]
    )
    assert drawn.count("<rect") == 2 and "<i>" not in drawn and "<b>" not in drawn
    starts = [float(x) for x in re.findall(r'<rect class="small-slice__band" x="([\d.]+)"', drawn)]
    assert starts == pytest.approx([34, 118])
