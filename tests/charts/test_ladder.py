"""The rung ladder: markers by what became of a trial, lines between its rungs, outliers at the edge."""

import json

import pytest

from tuning.charts import RungPoint, ladder_figure

POINTS = [
    RungPoint(0, 1, 0.5, "promoted"),
    RungPoint(0, 3, 0.4, "cut"),
    RungPoint(1, 1, 0.9, "cut"),
    RungPoint(2, 1, 0.6, "complete"),
    RungPoint(2, 3, 0.3, "complete"),
    RungPoint(2, 9, 0.2, "complete"),
    RungPoint(3, 1, 0.7, "reached"),
]


def trace(figure, name):
    return next(trace for trace in figure["data"] if trace["name"] == name)


def test_a_line_for_each_trial_that_came_to_several_rungs():
    lines = trace(ladder_figure(POINTS, direction="minimize"), "trials")
    assert (lines["x"], lines["y"]) == ([1, 3, None, 1, 3, 9, None], [0.5, 0.4, None, 0.6, 0.3, 0.2, None])


def test_markers_say_what_became_of_a_trial_at_each_rung():
    figure = ladder_figure(POINTS, direction="minimize", unit="steps")
    cut = trace(figure, "cut here")
    assert (cut["x"], cut["y"], cut["customdata"]) == ([3, 1], [0.4, 0.9], [[0, "0.4"], [1, "0.9"]])
    assert trace(figure, "went on")["x"] == [1]
    assert trace(figure, "waits for a decision")["y"] == [0.7]
    assert trace(figure, "has run to its end")["x"] == [1, 3, 9]
    axis = figure["layout"]["xaxis"]
    assert (axis["type"], axis["tickvals"], axis["title"]["text"]) == ("log", [1, 3, 9], "steps")
    json.dumps(figure, allow_nan=False)


@pytest.mark.parametrize(("direction", "far", "edge"), [("minimize", 1e9, 0.9), ("maximize", -1e9, 0.2)])
def test_a_value_far_worse_than_the_bulk_stands_at_the_edge(direction, far, edge):
    figure = ladder_figure([*POINTS, RungPoint(9, 1, far, "cut")], direction=direction)
    cut = trace(figure, "cut here")
    assert (cut["y"][-1], cut["customdata"][-1]) == (edge, [9, f"{far:.4g}"])
    low, high = figure["layout"]["yaxis"]["range"]
    assert low < edge < high < 2.0


def test_nothing_to_draw_is_a_sentence():
    figure = ladder_figure([], direction="minimize")
    assert figure["data"] == []
    assert figure["layout"]["annotations"][0]["text"] == "no trial has come to a rung yet"
