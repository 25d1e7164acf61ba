"""ASHA in both types, by the published vectors and run to its end."""

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.races import advance, race, run_out
from tuning.engine import NothingToRun, TrialState
from tuning.engine.schedulers.asha import ASHA

ARRIVALS = (5.0, 4.0, 6.0, 3.0, 7.0, 2.0)
COMPLETE, PRUNED, PAUSED = TrialState.COMPLETE, TrialState.PRUNED, TrialState.PAUSED


def arrive(optimizer, values):
    """New trials that report these values at the bottom rung, all asked for before the first reports."""
    trials = optimizer.ask_many(len(values))
    return [optimizer.report(trial.number, 1, value) for trial, value in zip(trials, values, strict=True)]


@pytest.mark.parametrize(("arrived", "promoted"), [(2, []), (3, [1]), (6, [5, 3])])
def test_promotion_type_by_the_published_vector(arrived, promoted):
    """floor(2/3) = 0 go on; of three the best, 4; of six the two best, 2 and 3."""
    optimizer = race(ASHA, resources=(1, 9), budget=6)
    assert arrive(optimizer, ARRIVALS[:arrived]) == ["pause"] * arrived
    asked = optimizer.ask_many(len(promoted))
    assert [(trial.number, trial.resource, trial.rung) for trial in asked] == [(n, 3, 1) for n in promoted]


def test_stopping_type_by_its_vector():
    """With fewer than eta values all go on; then only the best third: 6 and 7 stop."""
    optimizer = race(ASHA, resources=(1, 9), budget=6, type="stopping")
    assert arrive(optimizer, ARRIVALS) == ["continue", "continue", "stop", "continue", "stop", "continue"]
    states = [(trial.state, trial.resource) for trial in optimizer.trials]
    assert states[2] == (PRUNED, 1)
    assert states[5] == (TrialState.RUNNING, 3)


def test_a_new_trial_starts_rather_than_let_a_worker_wait():
    optimizer = race(ASHA, resources=(1, 81))
    assert [trial.resource for trial in optimizer.ask_many(500)] == [1] * 500


def test_the_highest_rung_is_promoted_first():
    optimizer = race(ASHA, resources=(1, 9), budget=100)
    arrive(optimizer, [float(n) for n in range(9)])
    for trial in optimizer.ask_many(3):
        assert trial.rung == 1
        advance(optimizer, trial, lambda trial, step: float(trial.number))
    arrived = optimizer.ask_many(2)
    assert [(trial.number, trial.rung) for trial in arrived] == [(0, 2), (9, 0)]


@pytest.mark.parametrize("kind", ["promotion", "stopping"])
def test_those_that_fail_count_as_worst_and_are_never_promoted(kind):
    optimizer = race(ASHA, resources=(1, 9), budget=6, type=kind)
    trials = optimizer.ask_many(6)
    optimizer.report(0, 1, math.nan)
    optimizer.tell(1, state="failed", reason="code_error")
    verdict = optimizer.report(2, 1, 100.0)
    if kind == "promotion":
        assert verdict == "pause"
        assert optimizer.ask().number == 2  # the best of three
        with pytest.raises(NothingToRun):
            optimizer.ask()
    else:
        assert verdict == "continue"
        assert optimizer.report(3, 1, 101.0) == "stop"  # second of four, of which one goes on
    assert [trial.number for trial in trials] == list(range(6))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_ties_go_to_the_lower_number(direction):
    optimizer = race(ASHA, resources=(1, 3), budget=6, direction=direction)
    trials = optimizer.ask_many(6)
    for trial in reversed(trials):
        optimizer.report(trial.number, 1, 0.5)
    assert [trial.number for trial in optimizer.ask_many(2)] == [0, 1]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60), st.integers(2, 4), st.integers(1, 40), st.integers(1, 12),
    st.sampled_from(["promotion", "stopping"]), st.sampled_from(["minimize", "maximize"]),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_any_study_ends_with_a_result_and_at_the_rungs(R, eta, budget, workers, kind, direction, random):
    optimizer = race(ASHA, resources=(1, R), eta=eta, budget=budget, direction=direction, type=kind)
    values = {}
    run_out(
        optimizer,
        lambda trial, step: values.setdefault((trial.number, step), random.choice([0.5, random.random()])),
        workers,
    )
    optimizer.close()
    ladder = ASHA(1, R, eta).ladder(None)
    assert len(optimizer.trials) == budget
    assert optimizer.best is not None
    assert {trial.resume_step for trial in optimizer.trials} <= set(ladder)
    assert all((trial.state is COMPLETE) == (trial.resume_step == R) for trial in optimizer.trials)
    ends = Counter(trial.resume_step for trial in optimizer.trials)
    came = [sum(n for step, n in ends.items() if step >= resource) for resource in ladder]
    if kind == "promotion" and workers == 1:
        for below, above in pairwise(came):
            assert above <= max(1, below)


def test_a_budget_too_small_for_the_top_lets_the_best_of_the_highest_rung_finish():
    optimizer = race(ASHA, resources=(1, 81), budget=4)
    run_out(optimizer, lambda trial, step: float((trial.number - 2) ** 2))
    assert (optimizer.best.number, optimizer.best.resume_step) == (2, 81)
    assert [trial.state for trial in optimizer.trials] == [PAUSED, PAUSED, COMPLETE, PAUSED]
    optimizer.close()
    assert [trial.state for trial in optimizer.trials] == [PRUNED, PRUNED, COMPLETE, PRUNED]


def test_the_plan_is_an_expectation():
    plan = ASHA(1, 81, 3).plan(100)
    assert (plan.trials, plan.exact) == (100, False)
    assert plan.brackets[0].rungs == ((100, 1), (33, 3), (11, 9), (3, 27), (1, 81))
    assert plan.resource == 100 + 33 * 2 + 11 * 6 + 3 * 18 + 54
    assert ASHA(1, 81, 3).plan(None).trials is None
