"""Learning curves: lines, band, labels, marks and gaps."""

import json
import math
from typing import Any

import pytest

from tuning.charts import (
    Band,
    Mark,
    Series,
    TrialCurves,
    curve_table,
    learning_curves_figure,
    middle_band,
    trial_curves_figure,
)
from tuning.charts.theme import spread_labels


def curves(number: int, *values: float, offset: float = 0.1) -> TrialCurves:
    steps = list(range(1, len(values) + 1))
    return TrialCurves(number, Series(steps, values), Series(steps, [value + offset for value in values]))


def texts(figure: dict[str, Any]) -> list[str]:
    return [note["text"] for note in figure["layout"]["annotations"]]


def test_training_is_dashed_and_validation_solid() -> None:
    figure = learning_curves_figure([curves(7, 1.0, 0.5)])
    train, validation = figure["data"]
    assert (train["name"], train["y"], train["line"]["dash"]) == ("trial 7, training", [1.0, 0.5], "5px,3px")
    assert (validation["name"], validation["y"]) == ("trial 7, validation", [1.1, 0.6])
    assert "dash" not in validation["line"]
    assert (train["line"]["color"], validation["line"]["color"]) == ("token:train", "token:validation")


def test_the_best_is_drawn_last_and_named_first() -> None:
    figure = learning_curves_figure(
        [curves(3, 1.0, 0.2), curves(9, 1.0, 0.6), curves(4, 1.0, 0.9), curves(5, 1.0, 0.8)]
    )
    assert figure["data"][-1]["name"] == "trial 3, validation"
    assert texts(figure) == ["trial 3", "trial 9", "trial 4"]


def test_labels_that_would_overlap_are_moved_apart() -> None:
    figure = learning_curves_figure([curves(1, 1.0, 0.500), curves(2, 1.0, 0.501), curves(3, 1.0, 0.502)])
    heights = sorted(note["y"] for note in figure["layout"]["annotations"])
    low, high = figure["layout"]["yaxis"]["range"]
    gap = 15 / 212 * (high - low)
    assert heights[1] - heights[0] >= 0.99 * gap
    assert heights[2] - heights[1] >= 0.99 * gap


def test_labels_stay_on_the_chart() -> None:
    figure = learning_curves_figure([curves(n, 1.0, 0.001 * n, offset=0.0) for n in range(3)])
    low, high = figure["layout"]["yaxis"]["range"]
    assert all(low < note["y"] < high for note in figure["layout"]["annotations"])


def test_the_band_holds_the_middle_of_all_curves() -> None:
    lines = [Series([1, 2], [float(n), 10.0 * n]) for n in range(11)]
    band = middle_band(lines)
    assert (band.steps, band.low, band.high) == (
        [1, 2],
        pytest.approx([1.0, 10.0]),
        pytest.approx([9.0, 90.0]),
    )


def test_the_band_ends_where_too_few_curves_go_on_and_skips_gaps() -> None:
    lines = [Series([1, 2], [1.0, math.nan]), Series([1, 2], [2.0, 2.0]), Series([1, 2], [3.0, 3.0])]
    assert middle_band(lines).steps == [1]
    assert middle_band([]).steps == []


def test_the_band_is_drawn_below_the_lines() -> None:
    figure = learning_curves_figure([curves(1, 1.0, 0.5)], band=Band([1, 2], [0.4, 0.3], [1.2, 0.9]))
    assert figure["data"][1]["fill"] == "tonexty"
    assert [figure["data"][0]["y"], figure["data"][1]["y"]] == [[0.4, 0.3], [1.2, 0.9]]


def test_a_wild_band_does_not_squeeze_the_best_curves() -> None:
    figure = learning_curves_figure([curves(1, 1.0, 0.5)], band=Band([1, 2], [0.4, 0.3], [1e6, 0.9]))
    low, high = figure["layout"]["yaxis"]["range"]
    assert low < 0.5 and high < 2.5


def test_an_outlier_in_a_curve_does_not_flatten_it() -> None:
    figure = learning_curves_figure([curves(1, 1e9, 1.0, 0.8, 0.7, 0.6, 0.55, 0.5, 0.5, 0.49)])
    assert figure["layout"]["yaxis"]["range"][1] < 2


def test_nothing_yet_is_said() -> None:
    assert texts(learning_curves_figure([])) == ["no trial has reported a curve yet"]
    assert texts(learning_curves_figure([TrialCurves(1, Series([], []), None)])) == [
        "no trial has reported a curve yet"
    ]
    assert texts(trial_curves_figure(TrialCurves(1))) == ["this trial has reported no curve yet"]


def test_one_epoch_is_a_dot() -> None:
    figure = trial_curves_figure(curves(1, 0.7))
    assert [trace["mode"] for trace in figure["data"]] == ["markers", "markers"]


def test_gaps_stay_gaps() -> None:
    figure = trial_curves_figure(TrialCurves(1, Series([1, 2, 3], [1.0, math.nan, 0.5])))
    assert figure["data"][0]["y"] == [1.0, None, 0.5]
    json.dumps(figure, allow_nan=False)


def test_a_curve_of_nothing_but_nan_is_left_out() -> None:
    figure = trial_curves_figure(TrialCurves(1, Series([1, 2], [math.nan, math.inf])))
    assert figure["data"] == []


def test_the_best_step_is_ringed_and_named() -> None:
    figure = trial_curves_figure(curves(1, 0.9, 0.5, 0.7), best_step=2)
    ring = figure["data"][-1]
    assert (ring["name"], ring["x"], ring["y"]) == ("best step", [2], [0.6])
    assert "best 0.6 at 2" in texts(figure)


def test_a_best_step_that_was_not_reported_is_not_drawn() -> None:
    assert "best step" not in [trace["name"] for trace in trial_curves_figure(curves(1, 0.9), best_step=5)["data"]]


def test_marks_are_lines_with_words() -> None:
    figure = trial_curves_figure(curves(1, 0.9, 0.5, 0.7), marks=[Mark(2, "turns here")])
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == [2]
    assert "turns here" in texts(figure)


def test_the_axis_reaches_the_planned_epochs() -> None:
    assert trial_curves_figure(curves(1, 0.9, 0.5), max_step=27)["layout"]["xaxis"]["range"] == [0, 27]


def test_long_curves_are_thinned() -> None:
    figure = trial_curves_figure(TrialCurves(1, Series(range(50_000), [float(n % 97) for n in range(50_000)])))
    assert len(figure["data"][0]["x"]) <= 400


def test_the_table_has_every_step_of_every_curve() -> None:
    table = curve_table(
        {"train/loss": Series([1, 2], [0.123456, math.nan]), "validation/loss": Series([2, 3], [0.5, 0.25])}
    )
    assert table == [[1, 0.12346, None], [2, None, 0.5], [3, None, 0.25]]


def test_steps_and_values_must_match() -> None:
    with pytest.raises(ValueError, match="one length, not 2 and 1"):
        Series([1, 2], [1.0])


def test_a_running_trials_label_stays_at_the_end_of_its_line() -> None:
    long = [curves(n, *[1.0] * 26, 0.1 + n / 1000, offset=0.0) for n in range(2)]
    figure = learning_curves_figure([*long, curves(9, 1.0, 0.8, 0.55, offset=0.0)], max_step=27)
    running = next(note for note in figure["layout"]["annotations"] if note["text"] == "trial 9")
    assert (running["x"], running["y"]) == (3, pytest.approx(0.55))


def test_labels_that_have_room_stay_where_they_belong() -> None:
    assert spread_labels([5.0, 1.0, 1.0], 1.0, 0.0, 10.0) == pytest.approx([5.0, 0.5, 1.5])
    assert spread_labels([0.0, 0.0, 0.0], 1.0, 0.0, 10.0) == pytest.approx([0.0, 1.0, 2.0])
    assert spread_labels([10.0, 9.9], 1.0, 0.0, 10.0) == pytest.approx([10.0, 9.0])
    assert spread_labels([], 1.0, 0.0, 1.0) == []


def test_the_words_about_the_best_step_keep_clear_of_the_label_of_a_running_curve() -> None:
    running = trial_curves_figure(curves(1, 0.9, 0.5, 0.4), best_step=3, max_step=10)
    done = trial_curves_figure(curves(1, 0.9, 0.5, 0.4), best_step=3)
    anchors = [
        next(note["xanchor"] for note in figure["layout"]["annotations"] if note["text"].startswith("best"))
        for figure in (running, done)
    ]
    assert anchors == ["left", "right"]


def test_a_metric_of_no_split_has_its_own_name_and_no_markup() -> None:
    figure = trial_curves_figure(TrialCurves(1, None, Series([1, 2], [0.5, 0.4])), name="<b>reward")
    assert texts(figure) == ["&lt;b&gt;reward"]


def test_the_margin_has_room_for_the_longest_number() -> None:
    short, long = (
        learning_curves_figure([curves(number, 1.0, 0.5)])["layout"]["margin"]["r"] for number in (7, 98_765)
    )
    assert long - short == 4 * 7
