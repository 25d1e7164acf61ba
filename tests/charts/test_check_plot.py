"""The small plot of a check: lines and bars on linear and log axes, and nothing where nothing can be drawn."""

import math
import re
from xml.etree import ElementTree

import pytest

from tuning.charts import check_plot_svg
from tuning.charts.check_plot import BOTTOM, HEIGHT, LEFT, MOST_BARS, RIGHT, TOP, WIDTH


def drawn(plot):
    return ElementTree.fromstring(check_plot_svg(plot, "Overfits <a batch>"))


def points(path):
    return [tuple(map(float, pair)) for pair in re.findall(r"[ML]([\d.]+) ([\d.]+)", path.get("d"))]


def by_class(svg, name):
    return [part for part in svg if name in (part.get("class") or "")]


def test_a_line_runs_from_corner_to_corner():
    svg = drawn({"kind": "line", "x": [1, 2, 3], "y": [3.0, 2.0, 1.0]})
    (line,) = by_class(svg, "line")
    assert points(line) == [(LEFT, TOP), ((LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2),
                            (WIDTH - RIGHT, HEIGHT - BOTTOM)]  # fmt: skip
    assert svg.get("aria-label") == "Overfits <a batch>: value over steps"


def test_log_axes_space_decades_evenly_and_leave_out_what_has_no_logarithm():
    svg = drawn({"kind": "line", "x": [1e-3, 1e-2, 1e-1], "y": [1.0, 0.1, 0.0], "log_x": True, "log_y": True,
                 "target": 0.01})  # fmt: skip
    (line,) = by_class(svg, "line")
    assert points(line) == [(LEFT, TOP), ((LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2)]
    (target,) = by_class(svg, "target")
    assert target.get("d") == f"M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"


def test_series_are_named_and_gaps_break_the_line():
    svg = drawn({"series": {"real": [1.0, None, 2.0, 3.0], "zeros": [2.0, 2.0, 2.0, math.nan]}})
    first, second = by_class(svg, "line")
    assert first.get("d").count("M") == 2
    assert len(points(second)) == 3
    assert [text.text for text in by_class(svg, "name")] == ["real", "zeros"]


def test_bars_stand_on_zero():
    svg = drawn({"kind": "bars", "y": [2.0, 4.0, -4.0]})
    tops = [(float(bar.get("y")), float(bar.get("height"))) for bar in by_class(svg, "bar")]
    middle = (TOP + HEIGHT - BOTTOM) / 2
    assert tops == [(pytest.approx(middle / 2 + TOP / 2, abs=0.6), pytest.approx(18.5, abs=0.6)),
                    (TOP, middle - TOP), (middle, middle - TOP)]  # fmt: skip
    assert len(by_class(drawn({"kind": "bars", "y": list(range(100))}), "bar")) == MOST_BARS


@pytest.mark.parametrize("plot", [None, {}, {"y": []}, {"y": [math.nan, None]}, {"y": [0.0, -1.0], "log_y": True}])
def test_nothing_is_drawn_of_nothing(plot):
    assert check_plot_svg(plot, "x") == ""


def test_a_level_line_and_one_point_are_drawn_in_the_middle():
    for plot in ({"y": [1.0, 1.0]}, {"x": [5], "y": [2.0]}):
        ((_, y), *_) = points(by_class(drawn(plot), "line")[0])
        assert y == (TOP + HEIGHT - BOTTOM) / 2
