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


def test_losses_that_fall_to_a_small_part_stand_on_a_logarithmic_axis_and_accuracies_do_not():
    falling = [RungPoint(0, 1, 2.0, "promoted"), RungPoint(0, 3, 0.2, "complete"), RungPoint(1, 1, 2.2, "cut")]
    axis = ladder_figure(falling, direction="minimize")["layout"]["yaxis"]
    low, high = axis["range"]
    assert axis["type"] == "log"
    assert low < -0.69 < 0.34 < high, "the logarithms of 0.2 and 2.2"
    rising = [RungPoint(0, 1, 0.2, "promoted"), RungPoint(0, 3, 0.9, "complete")]
    assert ladder_figure(rising, direction="maximize")["layout"]["yaxis"]["type"] == "linear"
    below = [*falling, RungPoint(2, 3, -0.1, "cut")]
    assert ladder_figure(below, direction="minimize")["layout"]["yaxis"]["type"] == "linear"


def test_many_entries_of_a_rung_stand_beside_each_other_and_stay_far_from_the_next():
    points = [RungPoint(n, 1, 0.5 + n / 1000, "promoted" if n < 100 else "reached") for n in range(300)]
    points += [RungPoint(n, 3, 0.4 + n / 1000, "complete") for n in range(100)]
    figure = ladder_figure(points, direction="minimize")
    waiting = trace(figure, "waits for a decision")
    assert len(set(waiting["x"])) > 190
    assert 3**-0.13 < min(waiting["x"]) < 0.9 and 1.1 < max(waiting["x"]) < 3**0.13
    lines = trace(figure, "trials")
    assert lines["x"][1] / lines["x"][0] == pytest.approx(3, rel=1e-3), "a trial stands alike at all rungs"
    assert figure["layout"]["xaxis"]["tickvals"] == [1, 3]


def test_nothing_to_draw_is_a_sentence():
    figure = ladder_figure([], direction="minimize")
    assert figure["data"] == []
    assert figure["layout"]["annotations"][0]["text"] == "no trial has come to a rung yet"
