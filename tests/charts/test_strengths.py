"""Best strength against size."""

import json

import pytest

from tuning.charts import StrengthPoint, strength_figure

POINTS = [
    StrengthPoint(40, 1e-2, 3e-3, 3e-2, "", True, 30),
    StrengthPoint(150, 1e-3, 3e-4, 3e-3, "", True, 30),
    StrengthPoint(1000, 1e-4, 3e-5, 3e-4, "low", True, 30),
    StrengthPoint(1078, 1e-3, 3e-5, 3e-1, "high", False, 30),
]


def test_the_line_is_drawn_where_it_is_claimed_and_ends_are_triangles() -> None:
    figure = strength_figure(POINTS, parameter="weight_decay", across="training examples", log=True, line=(0.0, -1.0))
    line, hollow, told = figure["data"]
    assert line["x"] == [40.0, 1078.0] and line["y"] == pytest.approx([1 / 40, 1 / 1078], rel=1e-4)
    assert told["marker"]["symbol"] == ["circle", "circle", "triangle-down"]
    assert hollow["marker"]["symbol"] == ["triangle-up-open"]
    assert told["error_y"]["arrayminus"][0] == pytest.approx(7e-3)
    assert told["error_y"]["array"][0] == pytest.approx(2e-2)
    assert (figure["layout"]["xaxis"]["type"], figure["layout"]["yaxis"]["type"]) == ("log", "log")
    assert 1e-3 in figure["layout"]["yaxis"]["tickvals"] and "1,000" in figure["layout"]["xaxis"]["ticktext"]
    json.dumps(figure, allow_nan=False)
    bare = strength_figure(POINTS, parameter="weight_decay", across="training examples", log=True)
    assert [trace["mode"] for trace in bare["data"]] == ["markers", "markers"]


def test_a_rate_has_its_own_scale_and_one_size_no_figure() -> None:
    rates = [point._replace(best=0.1, low=0.0, high=0.2) for point in POINTS]
    figure = strength_figure(rates, parameter="dropout", across="parameters", log=False, line=(0.1, 0.05))
    assert "type" not in figure["layout"]["yaxis"] and figure["layout"]["yaxis"]["range"][0] < 0
    assert strength_figure(POINTS[:1], parameter="dropout", across="parameters", log=False)["data"] == []
