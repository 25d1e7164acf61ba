"""The history figure: directions, states, outliers, and nothing to draw."""

import json
import math
from typing import Any

import pytest

from tuning.charts import HistoryPoint, history_figure
from tuning.charts.history import best_so_far


def points(*rows: tuple[int, float | None, str]) -> list[HistoryPoint]:
    return [HistoryPoint(*row) for row in rows]


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    return next(trace for trace in figure["data"] if trace["name"] == name)


def names(figure: dict[str, Any]) -> list[str]:
    return [trace["name"] for trace in figure["data"]]


MIXED = points(
    (0, 0.5, "COMPLETE"), (1, 0.7, "COMPLETE"), (2, 0.3, "PRUNED"), (3, 0.4, "COMPLETE"),
    (4, None, "FAILED"), (5, 0.6, "RUNNING"), (6, None, "WAITING"),
)  # fmt: skip


def test_best_so_far_steps_down_when_minimizing() -> None:
    figure = history_figure(MIXED, direction="minimize")
    line = trace(figure, "best so far")
    assert (line["x"], line["y"]) == ([0, 3, 6], [0.5, 0.4, 0.4])
    assert (trace(figure, "best")["x"], trace(figure, "best")["y"]) == ([3], [0.4])


def test_best_so_far_steps_up_when_maximizing() -> None:
    line = trace(history_figure(MIXED, direction="maximize"), "best so far")
    assert (line["x"], line["y"]) == ([0, 1, 6], [0.5, 0.7, 0.7])


def test_a_pruned_trial_is_hollow_and_never_the_best() -> None:
    figure = history_figure(MIXED, direction="minimize")
    pruned = trace(figure, "pruned")
    assert (pruned["x"], pruned["y"], pruned["marker"]["symbol"]) == ([2], [0.3], "circle-open")
    assert [record.number for record in best_so_far(MIXED, "minimize")] == [0, 3]


def test_a_failed_trial_is_a_cross_at_the_worse_edge() -> None:
    minimize, maximize = (history_figure(MIXED, direction=d) for d in ("minimize", "maximize"))
    assert (trace(minimize, "failed")["x"], trace(minimize, "failed")["y"]) == ([4], [0.7])
    assert trace(maximize, "failed")["y"] == [0.3]
    assert trace(minimize, "failed")["marker"]["symbol"] == "x-thin"


def test_one_huge_value_does_not_flatten_the_rest() -> None:
    figure = history_figure(
        points((0, 0.1, "COMPLETE"), (1, 0.2, "COMPLETE"), (2, 1e9, "COMPLETE"), (3, 0.15, "COMPLETE")),
        direction="minimize",
    )
    assert figure["layout"]["yaxis"]["range"][1] < 0.25
    outside = trace(figure, "off the axis")
    assert (outside["x"], outside["y"], outside["customdata"]) == ([2], [0.2], ["1e+09"])
    assert outside["marker"]["symbol"] == "triangle-up"


def test_the_axis_goes_to_the_budget_and_marks_now() -> None:
    layout = history_figure(points((0, 0.1, "COMPLETE"), (1, 0.2, "COMPLETE")), direction="minimize", budget=60)[
        "layout"
    ]
    assert layout["xaxis"]["range"][1] > 59
    assert [shape["x0"] for shape in layout["shapes"]] == [1.5]
    done = history_figure(points((0, 0.1, "COMPLETE")), direction="minimize", budget=1)["layout"]
    assert done["shapes"] == []


def test_no_trial_at_all_says_so_without_empty_axes() -> None:
    figure = history_figure([], direction="minimize", budget=10)
    assert figure["layout"]["xaxis"] == {"visible": False}
    assert figure["data"] == []
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["no trial has a value yet"]


def test_only_failures_are_still_drawn() -> None:
    figure = history_figure(points((0, None, "FAILED"), (1, math.nan, "FAILED")), direction="maximize")
    assert names(figure) == ["failed"]
    assert figure["layout"]["yaxis"]["showticklabels"] is False


def test_one_point_has_room_around_it() -> None:
    low, high = history_figure(points((0, 2.0, "COMPLETE")), direction="minimize")["layout"]["yaxis"]["range"]
    assert low < 2.0 < high


def test_a_logarithmic_axis_needs_values_above_zero() -> None:
    positive = points((0, 0.01, "COMPLETE"), (1, 100.0, "COMPLETE"))
    layout = history_figure(positive, direction="minimize", log=True)["layout"]
    assert layout["yaxis"]["type"] == "log"
    assert layout["yaxis"]["range"] == [-2.24, 2.24]
    assert layout["annotations"][0]["y"] == -2.0
    mixed = history_figure([*positive, HistoryPoint(2, 0.0, "COMPLETE")], direction="minimize", log=True)
    assert mixed["layout"]["yaxis"]["type"] == "linear"


def test_not_a_number_is_drawn_nowhere() -> None:
    figure = history_figure(
        points((0, math.nan, "COMPLETE"), (1, math.inf, "PRUNED"), (2, 1.0, "COMPLETE")), direction="minimize"
    )
    assert trace(figure, "complete")["x"] == [2]
    json.dumps(figure, allow_nan=False)


def test_a_hundred_thousand_trials_become_two_thousand_points() -> None:
    many = [HistoryPoint(n, 1.0 + (n * 7919 % 1000) / 1000, "COMPLETE") for n in range(100_000)]
    many[77_777] = HistoryPoint(77_777, 0.5, "COMPLETE")
    figure = history_figure(many, direction="minimize")
    assert sum(len(trace["x"]) for trace in figure["data"] if trace["mode"] == "markers") <= 2001
    assert 77_777 in trace(figure, "complete")["x"]


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="'minimize' or 'maximize'"):
        history_figure([], direction="min")
