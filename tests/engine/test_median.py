"""Median stopping."""

import pytest

from tests.engine.races import advance, race, run_out
from tuning.engine import TrialState
from tuning.engine.schedulers.median import MedianStopping

COMPLETE, PRUNED = TrialState.COMPLETE, TrialState.PRUNED


def finish(optimizer, values):
    """Trials that run to their end with a value that stays the same."""
    for value in values:
        trial = optimizer.ask()
        while trial.state is TrialState.RUNNING:
            advance(optimizer, trial, lambda trial, step, value=value: value)
            trial = optimizer.trials[trial.number]


def test_what_is_worse_than_the_median_of_the_complete_ends():
    optimizer = race(MedianStopping, resources=(1, 4), n_startup_trials=4)
    finish(optimizer, [1.0, 2.0, 3.0, 10.0])  # median 2.5
    good, bad, tied = optimizer.ask_many(3)
    assert optimizer.report(good.number, 1, 2.4) == "continue"
    assert optimizer.report(bad.number, 1, 2.6) == "stop"
    assert optimizer.report(tied.number, 1, 2.5) == "continue"
    assert optimizer.trials[bad.number].state is PRUNED
    assert optimizer.trials[bad.number].reason == "median stopped it at step 1"


def test_only_complete_trials_are_compared_with():
    optimizer = race(MedianStopping, resources=(1, 4), n_startup_trials=2)
    finish(optimizer, [1.0, 3.0])
    running, later = optimizer.ask_many(2)
    optimizer.report(running.number, 1, 0.0)
    assert optimizer.report(later.number, 1, 1.9) == "continue"  # the median is 2, not 1


def test_when_maximising_the_smaller_ends():
    optimizer = race(MedianStopping, resources=(1, 4), n_startup_trials=2, direction="maximize")
    finish(optimizer, [0.5, 0.7])
    trial = optimizer.ask()
    assert optimizer.report(trial.number, 1, 0.55) == "stop"


def test_nobody_is_stopped_before_enough_are_complete():
    optimizer = race(MedianStopping, resources=(1, 4))
    finish(optimizer, [1.0] * 4 + [9.0])
    assert [trial.state for trial in optimizer.trials] == [COMPLETE] * 5
    finish(optimizer, [9.0])
    assert optimizer.trials[5].state is PRUNED


def test_nobody_is_stopped_while_warming_up():
    optimizer = race(MedianStopping, resources=(1, 6), n_startup_trials=1, n_warmup_steps=3)
    finish(optimizer, [1.0, 2.0])
    assert (optimizer.trials[1].state, optimizer.trials[1].resume_step) == (PRUNED, 4)


@pytest.mark.parametrize(
    ("options", "resources", "looks"),
    [
        ({}, (1, 5), (1, 2, 3, 4, 5)),
        ({"interval_steps": 2}, (1, 6), (1, 3, 5, 6)),
        ({"n_warmup_steps": 2, "interval_steps": 2}, (1, 6), (3, 5, 6)),
        ({"n_warmup_steps": 9}, (1, 6), (6,)),
        ({}, (4, 6), (4, 5, 6)),
    ],
)
def test_looks(options, resources, looks):
    assert MedianStopping(*resources, **options).ladder(None) == looks


def test_long_trainings_are_looked_at_thirty_times_at_the_most():
    assert all(len(MedianStopping(1, R).ladder(None)) <= 31 for R in range(1, 2000))


def test_a_study_runs_to_its_end_with_fewer_epochs():
    optimizer = race(MedianStopping, resources=(1, 20), budget=30)
    epochs = run_out(optimizer, lambda trial, step: abs(trial.params["x"] - 0.3) + 1.0 / step, workers=3)
    assert epochs < 0.8 * 30 * 20
    assert optimizer.best.value == min(trial.value for trial in optimizer.trials)
