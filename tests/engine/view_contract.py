"""What every view of a study must answer, wherever its counts come from.

A view's tests inherit `ViewContract`, or `RungViewContract` where it knows cohorts and rungs, and say how to make
a view that shows given trials.
"""

from dataclasses import replace

import pytest

from tuning.engine import Direction, Trial, TrialState
from tuning.engine.schedulers.view import Cohort, EntryState, RungCounts, RungEntry, budget_left

ONE_OF_EACH = [
    Trial(0, {"x": 0.0}, TrialState.WAITING, resource=3),
    Trial(1, {"x": 0.1}, TrialState.RUNNING, resource=9),
    Trial(2, {"x": 0.2}, TrialState.PAUSED, resource=3, resume_step=3),
    Trial(3, {"x": 0.3}, TrialState.COMPLETE, value=0.5, resource=27, resume_step=27),
    Trial(4, {"x": 0.4}, TrialState.PRUNED, resource=3, resume_step=3),
    Trial(5, {"x": 0.5}, TrialState.FAILED, reason_code="diverged"),
    Trial(6, {"x": 0.6}, TrialState.RUNNING, resource=3),
    Trial(7, {"x": 0.7}, TrialState.WAITING, resource=3, origin="enqueued"),
]


class ViewContract:
    """Subclasses give `view`; `space` is the JSON form that the trials' params fit."""

    space = {"x": {"type": "float", "low": 0.0, "high": 1.0}}

    def view(self, trials, direction="minimize", budget=None):
        """A view of a study that has exactly these trials."""
        raise NotImplementedError

    def test_nothing_has_happened_yet(self):
        view = self.view([])
        assert (view.created, view.waiting, view.running, view.paused, view.open) == (0, 0, 0, 0, 0)

    def test_trials_are_counted_by_state(self):
        view = self.view(ONE_OF_EACH)
        assert (view.waiting, view.running, view.paused) == (2, 2, 1)
        assert view.open == 5
        assert view.created == 8

    def test_added_trials_do_not_count_against_the_budget(self):
        added = [replace(ONE_OF_EACH[3], number=number, origin="added") for number in (8, 9)]
        view = self.view(ONE_OF_EACH + added, budget=10)
        assert view.created == 8
        assert budget_left(view) == 2

    def test_what_was_infeasible_before_its_first_step_does_not_either(self):
        infeasible = [
            Trial(8, {"x": 0.8}, TrialState.PRUNED, resource=3, infeasible=True),
            Trial(9, {"x": 0.9}, TrialState.PRUNED, resource=3, infeasible=True, resume_step=1),
        ]
        view = self.view(ONE_OF_EACH + infeasible, budget=10)
        assert (view.created, view.open) == (9, 5)

    def test_the_budget_is_a_number_of_trials_or_none(self):
        assert self.view(ONE_OF_EACH, budget=8).budget == 8
        assert budget_left(self.view(ONE_OF_EACH, budget=8)) == 0
        assert budget_left(self.view(ONE_OF_EACH, budget=5)) == 0
        assert self.view(ONE_OF_EACH).budget is None
        assert budget_left(self.view(ONE_OF_EACH)) is None

    @pytest.mark.parametrize("direction", list(Direction))
    def test_the_direction_is_the_studys(self, direction):
        assert self.view([], direction=str(direction)).direction is direction

    def test_the_resource_of_a_trial(self):
        view = self.view(ONE_OF_EACH)
        assert [view.resource_of(number) for number in (0, 1, 3, 5)] == [3, 9, 27, None]

    def test_an_unknown_trial_has_no_resource(self):
        with pytest.raises(KeyError):
            self.view(ONE_OF_EACH).resource_of(8)


REACHED, PROMOTED, CUT, FAILED, COMPLETE = EntryState
COHORTS = [(0, 6), (1, 2), (0, 6)]  # bracket, planned
MEMBERS = [
    Trial(0, {"x": 0.0}, TrialState.RUNNING, bracket=0, cohort=0, rung=1, resource=9, resume_step=5),
    Trial(1, {"x": 0.1}, TrialState.PAUSED, bracket=0, cohort=0, rung=0, resource=3, resume_step=3),
    Trial(2, {"x": 0.2}, TrialState.PRUNED, bracket=0, cohort=0, rung=0, resource=3, resume_step=3),
    Trial(3, {"x": 0.3}, TrialState.FAILED, bracket=0, cohort=0, rung=0, resource=3, reason_code="diverged"),
    Trial(4, {"x": 0.4}, TrialState.WAITING, bracket=0, cohort=0, rung=0, resource=3),
    Trial(5, {"x": 0.5}, TrialState.RUNNING, bracket=1, cohort=1, rung=0, resource=9),
    Trial(6, {"x": 0.6}, TrialState.PAUSED, bracket=0, cohort=0, rung=0, resource=3, resume_step=3),
    Trial(
        7,
        {"x": 0.7},
        TrialState.COMPLETE,
        value=1.0,
        bracket=1,
        cohort=1,
        rung=1,
        resource=27,
        resume_step=27,
    ),
    Trial(8, {"x": 0.8}, TrialState.RUNNING, resource=27),
]
ENTRIES = [  # number, rung, state, value
    (6, 0, REACHED, 2.0),
    (0, 0, PROMOTED, 1.0),
    (1, 0, REACHED, 2.0),
    (2, 0, CUT, 5.0),
    (3, 0, FAILED, None),
    (7, 0, COMPLETE, 4.0),
    (7, 1, COMPLETE, 1.0),
]


class RungViewContract(ViewContract):
    """Subclasses give `rung_view` as well."""

    def rung_view(self, cohorts, members, entries, direction="minimize"):
        """A view of a study with these cohorts (bracket, planned), trials, and entries (number, rung, state, value)."""
        raise NotImplementedError

    def test_no_cohort_is_open_at_first(self):
        view = self.view([])
        assert (view.cohort_count, list(view.open_cohorts())) == (0, [])
        assert view.rung(0, 0) == RungCounts()
        assert list(view.ranked(0, 0, 9)) == []
        assert view.rank(0, 0, 1.0, 0) == 0
        assert view.best_reached(0, 0) is None
        assert view.complete_median(0, 0) == (0, None)

    def test_cohorts_count_who_has_started(self):
        view = self.rung_view(COHORTS, MEMBERS, ENTRIES)
        cohorts = view.open_cohorts()
        assert view.cohort_count == 3
        assert list(cohorts) == [Cohort(0, 0, 6, 6), Cohort(1, 1, 2, 2), Cohort(2, 0, 6, 0)]
        assert [cohort.full for cohort in cohorts] == [True, True, False]

    def test_a_full_cohort_whose_trials_have_all_ended_is_no_longer_open(self):
        members = [trial for trial in MEMBERS if trial.cohort != 1 or trial.number == 7]
        view = self.rung_view([(0, 6), (1, 1)], members, [entry for entry in ENTRIES if entry[0] != 5])
        assert view.cohort_count == 2
        assert [cohort.number for cohort in view.open_cohorts()] == [0]

    def test_rungs_count_who_is_where(self):
        view = self.rung_view(COHORTS, MEMBERS, ENTRIES)
        assert view.rung(0, 0) == RungCounts(busy=1, reached=2, promoted=1, cut=1, failed=1)
        assert view.rung(0, 1) == RungCounts(busy=1)
        assert view.rung(1, 0) == RungCounts(busy=1, complete=1)
        assert view.rung(1, 1) == RungCounts(complete=1)
        assert [view.rung(*place).entries for place in ((0, 0), (0, 1), (1, 0))] == [5, 0, 1]
        assert view.rung(2, 0) == RungCounts()

    def test_entries_are_ranked_best_first_ties_by_the_lower_number_and_failures_never(self):
        view = self.rung_view(COHORTS, MEMBERS, ENTRIES)
        expected = [
            RungEntry(0, 1.0, PROMOTED), RungEntry(1, 2.0, REACHED), RungEntry(6, 2.0, REACHED), RungEntry(2, 5.0, CUT),
        ]  # fmt: skip
        assert list(view.ranked(0, 0, 10)) == expected
        assert list(view.ranked(0, 0, 2)) == expected[:2]
        assert list(view.ranked(0, 0, 0)) == []

    def test_maximising_ranks_the_other_way_round_and_keeps_the_tie_rule(self):
        view = self.rung_view(COHORTS, MEMBERS, ENTRIES, "maximize")
        assert [entry.number for entry in view.ranked(0, 0, 10)] == [2, 1, 6, 0]
        assert [entry.value for entry in view.ranked(0, 0, 10)] == [5.0, 2.0, 2.0, 1.0]
        assert view.rank(0, 0, 2.0, 6) == 2

    def test_a_rank_counts_those_that_are_better(self):
        view = self.rung_view(COHORTS, MEMBERS, ENTRIES)
        assert [view.rank(0, 0, value, number) for number, _, _, value in ENTRIES[:4]] == [2, 0, 1, 3]
        assert view.rank(0, 0, 0.5, 99) == 0
        assert view.rank(0, 0, 9.0, 99) == 4
        assert [view.rank(0, 0, 9.0, 99, most) for most in (0, 3, 4, 5)] == [0, 3, 4, 4]

    def test_among_the_best_is_who_has_few_enough_before_it(self):
        view = self.rung_view(COHORTS, MEMBERS, ENTRIES)
        for value, number in ((0.5, 99), (9.0, 99), *((value, number) for number, _, _, value in ENTRIES[:4])):
            rank = view.rank(0, 0, value, number)
            assert [view.among_best(0, 0, value, number, top) for top in range(7)] == [rank < top for top in range(7)]

    def test_the_best_that_waits_for_a_decision(self):
        view = self.rung_view(COHORTS, MEMBERS, ENTRIES)
        assert view.best_reached(0, 0) == RungEntry(1, 2.0, REACHED)
        assert view.best_reached(1, 0) is None
        assert self.rung_view(COHORTS, MEMBERS, ENTRIES, "maximize").best_reached(0, 0).number == 1

    @pytest.mark.parametrize("direction", ["minimize", "maximize"])
    def test_the_best_that_waits_is_promotable_where_it_is_among_the_best(self, direction):
        sign = 1.0 if direction == "minimize" else -1.0
        states = [PROMOTED, COMPLETE, REACHED, PROMOTED, REACHED, CUT, PROMOTED]
        members = [
            Trial(n, {"x": 0.1}, TrialState.PAUSED, bracket=0, cohort=0, rung=0, resource=3, resume_step=3)
            for n in range(8)
        ]
        for tied in (0.0, 1.0):  # tied: the lower number is the better one
            entries = [(n, 0, state, sign * (n if n != 3 else 3.0 - tied)) for n, state in enumerate(states)]
            view = self.rung_view([(0, 9)], members, [*entries, (7, 0, FAILED, None)], direction)
            found = [view.promotable(0, 0, top) for top in range(8)]
            best = RungEntry(2, sign * 2.0, REACHED)
            assert found == [None, None, None, best, best, best, best, best]
            assert view.promotable(0, 1, 3) is None

    def test_the_median_of_complete_trials(self):
        complete = [
            Trial(n, {"x": 0.1}, TrialState.COMPLETE, value=0.0, bracket=0, cohort=0, rung=1, resource=9, resume_step=9)
            for n in range(4)
        ]
        running = Trial(4, {"x": 0.1}, TrialState.RUNNING, bracket=0, cohort=0, rung=1, resource=9, resume_step=3)
        entries = [(n, 0, COMPLETE, value) for n, value in enumerate((4.0, 1.0, 8.0, 3.0))]
        entries += [(n, 1, COMPLETE, 0.5) for n in range(4)] + [(4, 0, PROMOTED, 0.1)]
        view = self.rung_view([(0, 9)], [*complete, running], entries, "maximize")
        assert view.complete_median(0, 0) == (4, 3.5)
        assert view.complete_median(0, 1) == (4, 0.5)
        assert self.rung_view([(0, 9)], [*complete[:3], running], entries[:3]).complete_median(0, 0) == (3, 4.0)

    def test_the_place_of_a_trial_is_where_it_runs_to_or_stands(self):
        view = self.rung_view(COHORTS, MEMBERS, ENTRIES)
        assert [view.place_of(number) for number in (0, 1, 5, 7)] == [(0, 1), (0, 0), (1, 0), (1, 1)]
        for number in (8, 99):
            with pytest.raises(KeyError):
                view.place_of(number)
