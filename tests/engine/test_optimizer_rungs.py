"""Pauses, promotions and cuts, driven by schedulers that really halve."""

import math

import pytest

from tests.engine.halving import Halving, Promoting, Stopping
from tuning.engine import NothingToRun, Optimizer, OptionError, TrialError, TrialState
from tuning.engine.schedulers.base import Transition
from tuning.engine.schedulers.view import EntryState, RungCounts

SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
WAITING, RUNNING, PAUSED, COMPLETE, PRUNED, FAILED = TrialState


def make(scheduler=Halving, direction="minimize", budget=4, eta=2, resources=(1, 4), **options):
    return Optimizer(
        SPACE,
        scheduler=scheduler(*resources, eta, direction, **options),
        direction=direction,
        budget=budget,
        sampler="random",
    )


def states(optimizer):
    return [str(trial.state) for trial in optimizer.trials]


def run(optimizer, trial, value):
    """Report from the trial's resume step to its resource; the last answer."""
    answer = "continue"
    for step in range(trial.resume_step + 1, trial.resource + 1):
        answer = optimizer.report(trial.number, step, value)
        if answer != "continue":
            break
    return answer


def test_a_cohort_is_halved_when_all_have_arrived():
    optimizer = make()
    trials = optimizer.ask_many(9)
    assert [(t.number, t.resource, t.bracket, t.cohort, t.rung) for t in trials] == [
        (n, 1, 0, 0, 0) for n in range(4)
    ]
    for trial, value in zip(trials[:3], (0.4, 0.2, 0.3), strict=True):
        assert run(optimizer, trial, value) == "pause"
    assert states(optimizer) == ["PAUSED", "PAUSED", "PAUSED", "RUNNING"]
    with pytest.raises(NothingToRun, match="on its way") as caught:
        optimizer.ask()
    assert caught.value.reason == "waiting"
    assert optimizer.changes == []

    assert run(optimizer, trials[3], 0.5) == "stop"  # it is last, and the rung is complete
    assert states(optimizer) == ["PRUNED", "WAITING", "WAITING", "PRUNED"]
    assert [(change.number, change.state, change.resource) for change in optimizer.changes] == [
        (1, WAITING, 2), (2, WAITING, 2), (0, PRUNED, None),
    ]  # fmt: skip
    assert optimizer.changes == []

    first, second = optimizer.ask_many(9)
    assert [(t.number, t.resource, t.resume_step, t.rung) for t in (first, second)] == [
        (1, 2, 1, 1),
        (2, 2, 1, 1),
    ]
    assert run(optimizer, first, 0.2) == "pause"
    assert run(optimizer, second, 0.1) == "pause"  # promoted at once, and handed out again by ask
    assert states(optimizer) == ["PRUNED", "PRUNED", "WAITING", "PRUNED"]
    assert [change.number for change in optimizer.changes] == [2, 1]
    last = optimizer.ask()
    assert (last.number, last.resource, last.resume_step, last.rung) == (2, 4, 2, 2)
    assert run(optimizer, last, 0.05) == "stop"
    assert states(optimizer) == ["PRUNED", "PRUNED", "COMPLETE", "PRUNED"]
    assert (optimizer.best.number, optimizer.best.value) == (2, 0.05)
    with pytest.raises(NothingToRun) as caught:
        optimizer.ask()
    assert caught.value.reason == "exhausted"


def test_maximising_promotes_the_largest():
    optimizer = make(direction="maximize")
    for trial, value in zip(optimizer.ask_many(4), (0.4, 0.2, 0.3, 0.5), strict=True):
        run(optimizer, trial, value)
    assert states(optimizer) == ["WAITING", "PRUNED", "PRUNED", "WAITING"]


def test_ties_go_to_the_lower_number():
    optimizer = make()
    for trial in reversed(optimizer.ask_many(4)):
        run(optimizer, trial, 0.5)
    assert states(optimizer) == ["WAITING", "WAITING", "PRUNED", "PRUNED"]


def test_a_pruned_trial_has_its_value_so_far_and_says_why():
    optimizer = make()
    for trial, value in zip(optimizer.ask_many(4), (0.4, 0.2, 0.3, 0.5), strict=True):
        run(optimizer, trial, value)
    cut = optimizer.trials[0]
    assert (cut.value, cut.reason, cut.resume_step) == (0.4, "place 3 of 4", 1)
    row = optimizer._ledger.history.trial(0)
    assert (row.number, row.state, row.value, row.intermediate) == (0, PRUNED, 0.4, {1: 0.4})


def test_failures_keep_their_place_and_never_block():
    optimizer = make()
    trials = optimizer.ask_many(4)
    run(optimizer, trials[0], 0.9)
    assert optimizer.report(1, 1, math.nan) == "stop"
    optimizer.tell(2, state="failed", reason="out_of_memory")
    assert states(optimizer) == ["PAUSED", "FAILED", "FAILED", "RUNNING"]
    optimizer.tell(3, state="pruned")
    assert states(optimizer) == ["WAITING", "FAILED", "FAILED", "PRUNED"]
    assert optimizer._ledger.view.rung(0, 0) == RungCounts(promoted=1, failed=3)


def test_a_paused_trial_that_is_cancelled_is_never_promoted():
    optimizer = make()
    trials = optimizer.ask_many(4)
    for trial, value in zip(trials[:3], (0.1, 0.2, 0.3), strict=True):
        run(optimizer, trial, value)
    optimizer.tell(0, state="failed", reason="cancelled")
    run(optimizer, trials[3], 0.4)
    assert states(optimizer) == ["FAILED", "WAITING", "WAITING", "PRUNED"]


def test_a_promoted_trial_that_is_cancelled_frees_the_next_rung():
    optimizer = make()
    for trial, value in zip(optimizer.ask_many(4), (0.1, 0.2, 0.3, 0.4), strict=True):
        run(optimizer, trial, value)
    optimizer.tell(0, state="failed", reason="lost_host")
    run(optimizer, optimizer.ask(), 0.5)
    assert states(optimizer) == ["FAILED", "WAITING", "PRUNED", "PRUNED"]
    assert optimizer.trials[1].resource == 4


def test_a_paused_trial_takes_no_result_but_a_cancellation():
    optimizer = make()
    optimizer.ask()
    optimizer.report(0, 1, 0.5)
    for call in (lambda: optimizer.tell(0, 0.5), lambda: optimizer.report(0, 2, 0.4)):
        with pytest.raises(
            TrialError, match=r"trial 0 is PAUSED, not RUNNING: its scheduler has yet to decide"
        ):
            call()
    assert optimizer.report(0, 1, 0.5) == "pause"  # the same report again
    assert states(optimizer) == ["PAUSED"]


def test_another_cohort_opens_rather_than_let_a_slot_wait():
    optimizer = make(budget=None, size=2)
    trials = optimizer.ask_many(5)
    assert [trial.cohort for trial in trials] == [0, 0, 1, 1, 2]
    assert [cohort.started for cohort in optimizer._ledger.view.open_cohorts()] == [2, 2, 1]


def test_a_cohort_that_the_budget_cuts_short_closes_with_who_there_is():
    optimizer = make(budget=3)
    for trial, value in zip(optimizer.ask_many(9), (0.3, 0.2, 0.1), strict=True):
        run(optimizer, trial, value)
    assert states(optimizer) == ["PRUNED", "PRUNED", "WAITING"]


def test_a_sampler_that_runs_out_cuts_the_cohort_short_too():
    optimizer = Optimizer({"k": {"type": "int", "low": 1, "high": 3}}, "grid", Halving(1, 4, 2, size=5))
    trials = optimizer.ask_many(9)
    assert len(trials) == 3
    with pytest.raises(NothingToRun, match="all 3 configurations") as caught:
        optimizer.ask()
    assert caught.value.reason == "waiting"
    for trial, value in zip(trials, (0.3, 0.2, 0.1), strict=True):
        run(optimizer, trial, value)
    assert states(optimizer) == ["PRUNED", "PRUNED", "WAITING"]
    assert run(optimizer, optimizer.ask(), 0.1) == "pause"
    assert run(optimizer, optimizer.ask(), 0.1) == "stop"
    with pytest.raises(NothingToRun, match="all 3 configurations") as caught:
        optimizer.ask()
    assert caught.value.reason == "exhausted"


def test_closing_prunes_the_paused_and_what_pauses_later():
    optimizer = make()
    trials = optimizer.ask_many(4)
    run(optimizer, trials[0], 0.3)
    optimizer.close()
    assert states(optimizer) == ["PRUNED", "RUNNING", "RUNNING", "RUNNING"]
    assert optimizer.changes == [Transition(0, PRUNED, None, "the study was closed")]
    assert run(optimizer, trials[1], 0.2) == "stop"
    assert states(optimizer)[1] == "PRUNED"
    assert optimizer.changes == []
    assert optimizer.trials[1].value == 0.2
    optimizer.tell(2, 0.1)
    assert optimizer.best.number == 2


def test_a_step_beyond_the_rung_counts_as_reaching_it():
    optimizer = make()
    optimizer.ask()
    assert optimizer.report(0, 3, 0.3) == "pause"
    assert optimizer.trials[0].resume_step == 3


def test_an_enqueued_trial_joins_the_cohort():
    optimizer = make()
    assert optimizer.enqueue({"x": 0.5}).cohort == 0
    assert [trial.number for trial in optimizer.ask_many(9)] == [0, 1, 2, 3]
    assert {trial.cohort for trial in optimizer.trials} == {0}


def test_promotion_type_promotes_on_asking():
    optimizer = make(Promoting, budget=5, eta=2)
    for value in (0.4, 0.3):
        run(optimizer, optimizer.ask(), value)
    assert states(optimizer) == ["PAUSED", "PAUSED"]
    promoted = optimizer.ask()
    assert (promoted.number, promoted.state, promoted.rung, promoted.resource) == (1, RUNNING, 1, 2)
    assert promoted.resume_step == 1
    assert optimizer.changes == []  # ask has handed it out: nothing has happened to another trial
    third = optimizer.ask()
    assert third.number == 2
    run(optimizer, third, 0.2)
    best = optimizer.ask()  # floor(3 / 2) = 1 of the three at the rung goes up, and trial 2 is the best
    assert (best.number, best.rung) == (2, 1)
    assert optimizer.ask().number == 3


def test_a_promotion_on_the_way_to_enqueueing_is_told_as_a_change():
    optimizer = make(Promoting, budget=5, eta=2)
    for value in (0.4, 0.3):
        run(optimizer, optimizer.ask(), value)
    assert optimizer.enqueue({"x": 0.5}).number == 2
    assert optimizer.changes == [Transition(1, WAITING, 2, "promoted")]
    assert [trial.number for trial in optimizer.ask_many(2)] == [1, 2]


def test_stopping_type_goes_on_without_a_pause():
    optimizer = make(Stopping, budget=9, eta=2)
    first = optimizer.ask()
    assert optimizer.report(first.number, 1, 0.5) == "continue"
    trial = optimizer.trials[0]
    assert (trial.state, trial.rung, trial.resource) == (RUNNING, 1, 2)
    second = optimizer.ask()
    assert optimizer.report(second.number, 1, 0.7) == "stop"
    stopped = optimizer.trials[1]
    assert (stopped.state, stopped.value, stopped.reason) == (PRUNED, 0.7, "stopping stopped it at step 1")
    assert optimizer.tell(1, state="pruned") == stopped
    assert optimizer._ledger.view.rung(0, 0) == RungCounts(promoted=1, cut=1)
    assert [entry.state for entry in optimizer._ledger.view.ranked(0, 0, 9)] == [
        EntryState.PROMOTED,
        EntryState.CUT,
    ]
    assert optimizer.report(0, 2, 0.4) == "continue"
    assert optimizer.report(0, 3, 0.3) == "continue"
    assert optimizer.report(0, 4, 0.2) == "stop"
    assert (optimizer.best.number, optimizer.best.value) == (0, 0.2)


def test_stopping_type_by_the_published_vector():
    """eta = 3, arrivals 5 4 6 3 7 2; with fewer than eta values a trial goes on."""
    optimizer = make(Stopping, budget=6, eta=3, resources=(1, 3))
    answers = [optimizer.report(optimizer.ask().number, 1, value) for value in (5.0, 4.0, 6.0, 3.0, 7.0, 2.0)]
    assert answers == ["continue", "continue", "stop", "continue", "stop", "continue"]


def test_a_scheduler_for_the_other_direction_is_refused():
    with pytest.raises(OptionError, match=r"^direction: the scheduler is made to maximize"):
        Optimizer(SPACE, scheduler=Halving(1, 4, 2, "maximize"))


def test_a_scheduler_that_moves_a_running_trial_is_refused():
    class Confused(Halving):
        def settle(self, view, closing):
            return [Transition(0, PRUNED, None, "why not")] if view.running else []

    optimizer = make(Confused)
    optimizer.ask()
    with pytest.raises(TrialError, match="moves trial 0 to PRUNED, but it is RUNNING, not PAUSED"):
        optimizer.ask()
