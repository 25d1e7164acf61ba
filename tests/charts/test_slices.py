"""Slices: line, bands, trials, the acquisition below, on every kind of parameter; small ones for all."""

import json
import math
import re
from typing import Any

import numpy as np
import pytest

from tests.charts.cuts import made, points
from tuning.charts import CutMark, TrialPoint, common_range, relative_promise, slice_figure, slice_svg
from tuning.charts.sides import Coordinates, log_ticks
from tuning.engine.values import short_number

OPTIONS: dict[str, Any] = {"direction": "minimize", "acquisition": "ei"}
NEXT = CutMark({"lr": 1e-3, "layers": 2, "optimizer": "sgd", "dropout": 0.1}, 0.05, "next: trial 30")


def traces(figure: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in figure["data"]}


@pytest.mark.parametrize("name", ["lr", "optimizer", "momentum", "layers", "units", "dropout"])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_every_kind_of_parameter_has_its_slice(name: str, direction: str) -> None:
    cut = made(name, direction=direction)
    figure = slice_figure(cut, points([name], direction), direction=direction, acquisition="ei", next_trial=NEXT)
    text = json.dumps(figure, allow_nan=False)
    assert "<b>" not in text.replace("\\u003c", "<")  # a choice's name is text
    drawn = traces(figure)
    assert {"95 % band of a trial", "95 % band", "expected", "promise", "complete"} <= set(drawn)
    assert len(drawn["expected"]["x"]) == len(cut.x.values)
    low, high = figure["layout"]["yaxis"]["range"]
    middle = drawn["expected"]["y"]
    assert low <= min(middle)
    assert max(middle) <= high


def test_a_logarithmic_parameter_has_a_logarithmic_axis_with_words_of_its_own() -> None:
    layout = slice_figure(made("lr"), [], **OPTIONS)["layout"]
    assert layout["xaxis"]["type"] == "log"
    assert layout["xaxis"]["ticktext"] == ["1e-5", "1e-4", "0.001", "0.01", "0.1"]
    assert layout["xaxis"]["anchor"] == "y2"
    low, high = layout["xaxis"]["range"]
    assert low < -4.99
    assert high > -1.01


def test_whole_numbers_go_in_steps_and_choices_are_bars() -> None:
    steps = traces(slice_figure(made("layers"), [], **OPTIONS))
    assert steps["expected"]["line"]["shape"] == "hvh"
    assert steps["expected"]["x"] == [1, 2, 3, 4, 5]
    figure = slice_figure(made("optimizer"), [], **OPTIONS)
    bars = traces(figure)
    assert bars["95 % band"]["type"] == bars["promise"]["type"] == "bar"
    assert figure["layout"]["barmode"] == "overlay"
    assert figure["layout"]["xaxis"]["ticktext"] == ["sgd", "&lt;b&gt;adam&lt;/b&gt;", "null"]
    tops = [base + length for base, length in zip(bars["95 % band"]["base"], bars["95 % band"]["y"], strict=True)]
    assert all(
        base <= y <= top for base, y, top in zip(bars["95 % band"]["base"], bars["expected"]["y"], tops, strict=True)
    )


def test_trials_near_the_slice_are_stronger_and_failed_ones_stand_at_the_worse_edge() -> None:
    figure = slice_figure(made("lr"), points(["lr"]), **OPTIONS)
    drawn = traces(figure)
    opacity = drawn["complete"]["marker"]["opacity"]
    assert opacity == sorted(opacity)
    assert opacity[-1] > 3 * opacity[0]
    assert drawn["failed"]["y"] == [figure["layout"]["yaxis"]["range"][1]]
    assert drawn["pruned"]["marker"]["symbol"] == "circle-open"
    assert "trial 1<br>" in drawn["pruned"]["customdata"][0]


def test_an_outlier_does_not_flatten_the_slice() -> None:
    far = TrialPoint(99, {"lr": 1e-3}, 1e9, "COMPLETE", 1.0)
    figure = slice_figure(made("lr"), [*points(["lr"]), far], **OPTIONS)
    high = figure["layout"]["yaxis"]["range"][1]
    assert high < 10
    assert traces(figure)["off the axis"]["y"] == [high]
    assert "1e+09" in traces(figure)["off the axis"]["customdata"][0]


def test_the_next_trial_is_a_line_and_a_point_with_its_band() -> None:
    figure = slice_figure(made("lr"), [], next_trial=NEXT, next_band=(0.02, 0.09), **OPTIONS)
    (line,) = figure["layout"]["shapes"]
    assert line["x0"] == 1e-3  # a shape takes the value, an annotation its logarithm
    note = next(note for note in figure["layout"]["annotations"] if note["text"] == "next: trial 30")
    assert note["x"] == pytest.approx(-3)
    marker = traces(figure)["next"]
    assert (marker["x"], marker["y"]) == ([1e-3], [0.05])
    assert marker["error_y"]["array"] == [0.04]
    assert marker["error_y"]["arrayminus"] == [0.03]
    without = slice_figure(made("momentum"), [], next_trial=NEXT, **OPTIONS)
    assert without["layout"]["shapes"] == []  # it has no momentum


def test_the_trial_that_the_slice_goes_through_is_ringed() -> None:
    held = CutMark({"optimizer": "sgd"}, 0.2, "trial 3")
    ring = traces(slice_figure(made("optimizer"), [], held=held, **OPTIONS))["trial 3"]
    assert (ring["x"], ring["y"]) == ([0], [0.2])


@pytest.mark.parametrize("acquisition", ["ei", "pi", "ucb"])
def test_the_promise_is_a_share_of_its_highest(acquisition: str) -> None:
    cut = made("lr", acquisition=acquisition)
    promise = relative_promise(cut.expected.acquisition.tolist(), acquisition)
    assert max(promise) == 1.0
    assert min(promise) >= 0.0
    assert promise.index(1.0) == int(np.argmax(cut.expected.acquisition))
    figure = slice_figure(cut, [], direction="minimize", acquisition=acquisition)
    assert figure["data"][-1]["x"] == [Coordinates(cut.x).at[promise.index(1.0)]]


def test_promises_of_logarithms_and_of_bounds() -> None:
    assert relative_promise([math.log(2.0), math.log(1.0), -1e4], "ei") == pytest.approx([1.0, 0.5, 0.0])
    assert relative_promise([-1.0, 0.0, 3.0], "ucb") == pytest.approx([0.0, 0.25, 1.0])
    assert relative_promise([2.0, 2.0], "ucb") == [1.0, 1.0]


def test_ticks_of_logarithmic_axes() -> None:
    assert log_ticks(-5, -1) == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 1e-1])
    assert log_ticks(math.log10(16), math.log10(512)) == pytest.approx([20, 50, 100, 200, 500])
    assert log_ticks(0.31, 0.32) == pytest.approx([10**0.31, 10**0.32])
    assert len(log_ticks(-30, 30)) <= 8
    assert [short_number(x) for x in (1e-5, 0.02, 128.0, 1e9, 0.0)] == ["1e-5", "0.02", "128", "1e9", "0"]


# --- small ones -------------------------------------------------------------------------------------------------------
def test_small_slices_share_their_scale_so_that_a_flat_one_matters_little() -> None:
    cuts = [made(name) for name in ("lr", "optimizer", "layers", "units")]
    low, high = common_range(cuts, "minimize")
    assert low < min(cut.expected.median.min() for cut in cuts)
    heights = {}
    for cut in cuts:
        svg = slice_svg(cut, low, high, held={cut.x.name: cut.x.values[0]}, upcoming={cut.x.name: cut.x.values[-1]})
        assert svg.count("<svg") == svg.count("</svg>") == 1
        assert 'class="small-slice__held"' in svg
        assert 'class="small-slice__next"' in svg
        assert "<b>" not in svg
        line = re.findall(r'small-slice__line" d="([^"]+)"', svg)
        ys = [float(y) for path in line for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]
        heights[cut.x.name] = max(ys) - min(ys)
        assert max(ys) <= 54
    assert heights["lr"] > 3 * heights["units"]


def test_a_small_slice_without_marks_has_none_and_names_its_ends() -> None:
    svg = slice_svg(made("lr"), 0.0, 1.0, held={"dropout": 0.1})
    assert "small-slice__held" not in svg
    assert ">1e-5<" in svg
    assert ">0.1<" in svg
    assert common_range([], "minimize") == (0.0, 1.0)


def test_running_trials_are_hollow_where_they_are_expected() -> None:
    running = TrialPoint(40, {"lr": 1e-3}, 0.05, "RUNNING", 0.5)
    drawn = traces(slice_figure(made("lr"), [running], **OPTIONS))["running"]
    assert (drawn["x"], drawn["y"], drawn["marker"]["symbol"]) == ([1e-3], [0.05], "circle-open")
    assert drawn["customdata"] == ["trial 40<br>0.05 expected, running"]
