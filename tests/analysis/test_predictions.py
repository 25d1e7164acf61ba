"""A study's forecast held against what happened."""

import pytest

from tuning.analysis.predictions import Actual, held_against
from tuning.engine.forecast import Method, forecast
from tuning.engine.speed import Speed

PREDICTED = forecast(Method("gp", "hyperband", 75, 27, parallel=2), Speed(2.0, 0.2))


def test_what_came_out_as_predicted():
    found = held_against(PREDICTED, Actual(75, 429, 900.0, 500.0))
    assert (found.rule, found.severity) == ("prediction-held", "info")
    assert found.message.startswith(
        "The prediction held: 75 trials (75 expected), 429 steps (429 expected), 15.0 min of"
    )
    assert found.evidence["device_seconds"]["verdict"] == "within"


def test_what_took_more_is_a_miss_and_says_by_how_much():
    found = held_against(PREDICTED, Actual(75, 429, 2900.0, 500.0))
    assert found.rule == "prediction-missed"
    assert found.message.startswith("The study took more than was predicted")
    assert "48.3 min of device time (14.3 min expected, 9.7 min to 21.2 min)" in found.message
    assert found.evidence["device_seconds"]["verdict"] == "more"


def test_what_took_less_is_none():
    found = held_against(PREDICTED, Actual(20, 100, 200.0, 120.0))
    assert found.rule == "prediction-held"
    assert found.message.startswith("The study took less than was predicted: 20 trials (75 expected)")


def test_a_study_that_runs_holds_until_it_is_above():
    assert held_against(PREDICTED, Actual(2, 9, 20.0, 12.0), ended=False).message.startswith(
        "The prediction holds so far"
    )
    found = held_against(PREDICTED, Actual(70, 400, 2900.0), ended=False)
    assert found.message.startswith("The study has taken more than was predicted")
    assert "seconds" not in found.evidence, "nobody has measured it"


def test_without_a_speed_the_steps_are_compared():
    found = held_against(forecast(Method("gp", "hyperband", 75, 27)), Actual(75, 429, 900.0, 500.0))
    assert set(found.evidence) == {"trials", "steps"}
    with pytest.raises(ValueError, match="nothing that was predicted has been measured"):
        held_against(PREDICTED, Actual(75))
