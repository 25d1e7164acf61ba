"""Sparklines: geometry worked out by hand."""

import math
import re
import xml.etree.ElementTree as ElementTree

from tuning.charts import sparkline_svg


def paths(svg: str) -> list[str]:
    return re.findall(r' d="([^"]*)"', svg)


def test_a_falling_curve_goes_from_top_left_to_bottom_right() -> None:
    svg = sparkline_svg({"validation": [1.0, 0.5, 0.0]})
    assert paths(svg) == ["M3 3L36 12L69 21"]
    assert 'cx="69" cy="21"' in svg
    ElementTree.fromstring(svg)


def test_two_curves_share_one_scale() -> None:
    svg = sparkline_svg({"train": [1.0, 0.0], "validation": [1.0, 0.5]})
    assert paths(svg) == ["M3 3L69 21", "M3 3L69 12"]
    assert "sparkline__line--train" in svg and "sparkline__line--validation" in svg


def test_gaps_break_the_line() -> None:
    assert paths(sparkline_svg({"train": [1.0, math.nan, 0.0]})) == ["M3 3M69 21"]


def test_a_flat_curve_runs_through_the_middle() -> None:
    assert paths(sparkline_svg({"train": [2.0, 2.0]})) == ["M3 12L69 12"]


def test_an_outlier_is_cut_at_the_edge() -> None:
    assert paths(sparkline_svg({"train": [1e9, 1.0, 0.5, 0.0]}))[0].startswith("M3 3L25 3L47 12")


def test_nothing_to_draw_is_nothing() -> None:
    assert sparkline_svg({}) == ""
    assert sparkline_svg({"train": [math.nan, None]}) == ""


def test_names_and_titles_are_escaped() -> None:
    svg = sparkline_svg({'"><script>': [1.0]}, title='<b>"')
    assert "<script>" not in svg and "<b>" not in svg
    ElementTree.fromstring(svg)


def test_long_curves_stay_small() -> None:
    assert len(sparkline_svg({"train": [float(n % 13) for n in range(20_000)]})) < 4000
