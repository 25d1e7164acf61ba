"""Predicted against observed."""

import json

from tuning.charts import PredictedPoint, validation_figure


def test_points_outside_their_band_are_hollow_and_the_line_is_where_both_agree() -> None:
    points = [PredictedPoint(0, 0.1, 0.12, True), PredictedPoint(1, 0.3, 0.2, True), PredictedPoint(2, 0.2, 0.5, False)]
    line, inside, outside = validation_figure(points, direction="minimize")["data"]
    assert line["x"] == line["y"]
    assert inside["x"] == [0.1, 0.3]
    assert outside["marker"]["symbol"] == "circle-open"
    assert "predicted 0.2, was 0.5" in outside["customdata"][0]


def test_an_outlier_stands_at_the_edge_with_its_value_in_the_hover() -> None:
    points = [PredictedPoint(n, 0.1 + n / 100, 0.1 + n / 90, True) for n in range(20)]
    figure = validation_figure([*points, PredictedPoint(20, 0.2, 1e9, False)], direction="minimize")
    assert figure["layout"]["yaxis"]["range"][1] < 2
    assert figure["data"][2]["y"] == [figure["layout"]["yaxis"]["range"][1]]
    assert "1e+09" in figure["data"][2]["customdata"][0]
    json.dumps(figure, allow_nan=False)


def test_one_trial_is_too_few() -> None:
    assert validation_figure([PredictedPoint(0, 0.1, 0.1, True)], direction="maximize")["data"] == []
