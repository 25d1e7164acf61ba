"""What a method costs and how long it takes, against its scheduler's plan and against the simulator."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.engine import Optimizer
from tuning.engine.forecast import Forecast, Method, forecast
from tuning.engine.simulation import simulate
from tuning.engine.speed import Speed

SPACE = {"x": {"type": "float", "low": 0, "high": 1}}
SCHEDULERS = ["none", "median", "successive_halving", "hyperband", "asha"]
EXACT = ["none", "successive_halving", "hyperband"]


def simulated(method, seed, noise=0.3):
    """(steps, seconds) of the study with epochs of one second, on curves that keep their order but for the noise."""
    worth = np.random.default_rng(seed).random(4096)
    optimizer = Optimizer(
        SPACE,
        "random",
        method.scheduler,
        seed=seed,
        budget=method.n_trials,
        parallel=method.parallel,
        max_resource=method.max_resource,
        min_resource=method.min_resource,
        reduction_factor=method.reduction_factor,
        objective="last",
    )
    found = simulate(
        optimizer,
        lambda trial, step: float(worth[trial.number] + noise * worth[(7 * trial.number + step) % 4096]),
        lambda trial, step: 1.0,
        workers=method.parallel,
    )
    return found.epochs, found.seconds


@given(
    st.sampled_from(SCHEDULERS), st.integers(1, 120), st.integers(1, 30), st.integers(2, 4), st.integers(1, 12),
    st.integers(0, 99),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_the_simulator_plays_inside_the_forecast(scheduler, trials, top, eta, workers, seed):
    method = Method("random", scheduler, trials, top, reduction_factor=eta, parallel=workers)
    found, (steps, seconds) = forecast(method, Speed(1.0)), simulated(method, seed)
    assert found.steps.low <= steps <= found.steps.high
    if scheduler in EXACT:
        assert steps == found.steps.expected
    assert found.seconds is not None
    assert found.seconds.low - 1e-9 <= seconds <= found.seconds.high + 1e-9


@given(st.sampled_from(SCHEDULERS), st.integers(1, 300), st.integers(1, 90), st.integers(1, 9), st.integers(2, 5))
@settings(deadline=None)
def test_the_steps_are_those_of_the_schedulers_plan(scheduler, trials, top, least, eta):
    method = Method("random", scheduler, trials, max(top, least), least, eta)
    plan = method.made().plan(trials)
    found = forecast(method)
    assert found.steps.low <= found.steps.expected <= found.steps.high <= trials * method.max_resource
    if scheduler != "median":
        assert found.steps.expected == plan.resource
    assert (found.device_seconds, found.seconds) == (None, None)


@pytest.mark.parametrize("scheduler", ["successive_halving", "hyperband"])
def test_the_expected_time_is_near_what_the_simulator_needs(scheduler):
    for workers in (1, 4, 16):
        method = Method("random", scheduler, 150, 27, parallel=workers)
        found, (_, seconds) = forecast(method, Speed(1.0)), simulated(method, 0)
        assert found.seconds is not None
        assert found.seconds.expected == pytest.approx(seconds, rel=0.15)


def test_known_hyperband():
    """143 trials of 81 epochs: 1,581 steps where promoted ones are resumed (methods of Li et al.)."""
    found = forecast(Method("gp", "hyperband", 143, 81), Speed(2.0))
    assert found.trials == 143
    assert found.device_seconds is not None
    assert found.device_seconds.expected == 3162.0


def test_what_a_study_is_limited_to_it_does_not_pass():
    method = Method("gp", "asha", 100, 27, total_resource=300, device_seconds=500, study_seconds=400)
    found = forecast(method, Speed(2.0, 0.5))
    assert found.steps.high == 300
    assert found.device_seconds is not None
    assert found.device_seconds.high == 500
    assert found.seconds is not None
    assert found.seconds.high == 400


def test_a_study_by_steps_alone_has_as_many_trials_as_they_pay():
    assert forecast(Method("gp", "hyperband", None, 81, total_resource=1581)).trials == 143
    with pytest.raises(ValueError, match="give n_trials or total_resource"):
        forecast(Method("gp"))


def test_a_trial_without_steps_is_one():
    found = forecast(Method("gp", n_trials=10, parallel=4), Speed(60.0))
    assert found.steps.expected == 10
    assert found.seconds is not None
    assert found.seconds.expected == 180


def test_a_forecast_comes_back_from_its_json():
    for speed in (None, Speed(2.0, 0.1)):
        found = forecast(Method("gp", "hyperband", 40, 27, parallel=3), speed)
        assert Forecast.from_json(found.to_json()) == found
