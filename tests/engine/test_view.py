"""The in-memory view passes the contract of all views, and stays quick."""

import time
from dataclasses import replace

from tests.engine.view_contract import RungViewContract
from tuning.engine import Trial, TrialState
from tuning.engine.schedulers.view import EntryState, InMemoryView, RungCounts


class TestInMemoryView(RungViewContract):
    def view(self, trials, direction="minimize", budget=None):
        view = InMemoryView(direction, budget)
        for trial in trials:
            view.put(trial)
        return view

    def rung_view(self, cohorts, members, entries, direction="minimize"):
        view = InMemoryView(direction)
        for bracket, planned in cohorts:
            view.open_cohort(bracket, planned)
        for trial in members:
            own = [entry for entry in entries if entry[0] == trial.number]
            if not own:
                view.put(trial)
            for _, rung, state, value in own:
                view.put(replace(trial, state=TrialState.RUNNING, rung=rung))
                if value is not None:
                    view.enter(trial.number, EntryState.REACHED, value)
                view.enter(trial.number, state)
                view.put(trial)
        return view


def test_a_trial_that_fails_after_it_was_ranked_leaves_the_ranking():
    view = InMemoryView()
    view.open_cohort(0, 2)
    for number in (0, 1):
        view.put(Trial(number, {}, TrialState.PAUSED, cohort=0, rung=0))
        view.enter(number, EntryState.REACHED, 1.0)
    view.enter(0, EntryState.FAILED)
    assert [entry.number for entry in view.ranked(0, 0, 9)] == [1]
    assert view.rung(0, 0) == RungCounts(reached=1, failed=1)


def test_a_decision_with_ten_thousand_at_a_rung_takes_under_two_milliseconds():
    view = InMemoryView()
    view.open_cohort(0, 10_000)
    for number in range(10_000):
        view.put(Trial(number, {}, TrialState.PAUSED, cohort=0, rung=0))
        view.enter(number, EntryState.REACHED, float(number * 7919 % 10_007))

    def decide():
        start = time.perf_counter()
        counts = view.rung(0, 0)
        view.rank(0, 0, 5000.0, 3)
        view.ranked(0, 0, 10)
        assert counts.reached == 10_000
        return time.perf_counter() - start

    assert min(decide() for _ in range(5)) < 0.002
