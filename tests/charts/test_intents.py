"""Lanes of intents: one stroke a trial, a dot where it improved the best."""

import json

from tuning.charts import IntentPoint, intent_figure
from tuning.charts.intents import LANES

POINTS = [
    IntentPoint(0, "startup", "COMPLETE", False),
    IntentPoint(1, "startup", "FAILED", False),
    IntentPoint(2, "explore", "COMPLETE", True),
    IntentPoint(3, "exploit", "PRUNED", False),
    IntentPoint(4, "exploit", "RUNNING", False),
]
COUNTS = {"startup": 2, "explore": 1, "exploit": 1200}


def test_each_intent_has_a_lane_with_its_count_the_first_at_the_top() -> None:
    figure = intent_figure(POINTS, COUNTS)
    axis = figure["layout"]["yaxis"]
    assert dict(zip(axis["ticktext"], axis["tickvals"], strict=True)) == {
        "start-up  2": 2, "exploring  1": 1, "exploiting  1,200": 0,
    }  # fmt: skip
    json.dumps(figure, allow_nan=False)


def test_what_became_of_a_trial_is_in_its_mark() -> None:
    by_name = {trace["name"]: trace for trace in intent_figure(POINTS, COUNTS)["data"]}
    assert by_name["improved the best"]["x"] == [2]
    assert by_name["improved the best"]["y"] == [1]
    assert by_name["failed"]["x"] == [1]
    assert by_name["pruned"]["x"] == [3]
    assert by_name["not ended"]["x"] == [4]
    assert list(by_name)[-1] == "improved the best"  # drawn over the strokes


def test_the_axis_goes_up_to_the_budget_and_nothing_says_so() -> None:
    assert intent_figure(POINTS, COUNTS, budget=80)["layout"]["xaxis"]["range"][1] > 79
    empty = intent_figure([], {})
    assert empty["data"] == []
    assert empty["layout"]["annotations"][0]["text"] == "no trial yet"


def test_every_intent_of_the_engine_has_a_lane() -> None:
    from tuning.engine.intents import Intent

    assert set(LANES) == {str(intent) for intent in Intent}
