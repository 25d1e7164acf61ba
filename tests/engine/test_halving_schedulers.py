"""Successive halving and Hyperband, run to their ends."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.races import advance, race, run_out
from tests.engine.test_brackets import by_fractions
from tuning.engine import NothingToRun, Optimizer, OptionError, TrialState
from tuning.engine.schedulers.hyperband import Hyperband
from tuning.engine.schedulers.successive_halving import SuccessiveHalving

COMPLETE, PRUNED, WAITING = TrialState.COMPLETE, TrialState.PRUNED, TrialState.WAITING


def by_number(trial, step):
    """The higher the number the better, at every step."""
    return -float(trial.number)


def reached(optimizer):
    """(bracket, last step) -> how many trials ended there."""
    return Counter((trial.bracket, trial.resume_step) for trial in optimizer.trials)


def expected_ends(R, eta, r=1):
    """The same by the table."""
    ends = Counter()
    for s, _n, sizes, resources in by_fractions(R, eta, r):
        above = [*sizes[1:], 0]
        for size, higher, resource in zip(sizes, above, resources, strict=True):
            ends[s, resource] += size - higher
    return +ends


# --- Hyperband ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("workers", [1, 7, 200])
def test_a_round_of_hyperband_is_the_published_table(workers):
    optimizer = race(Hyperband, resources=(1, 81), budget=143)
    assert run_out(optimizer, by_number, workers) == 1581
    assert [bracket for bracket, _ in sorted(Counter(t.bracket for t in optimizer.trials).items())] == [0, 1, 2, 3, 4]
    assert Counter(t.bracket for t in optimizer.trials) == {4: 81, 3: 34, 2: 15, 1: 8, 0: 5}
    assert reached(optimizer) == expected_ends(81, 3)
    assert sum(trial.state is COMPLETE for trial in optimizer.trials) == 1 + 1 + 1 + 2 + 5


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 60), st.integers(2, 5), st.integers(1, 4), st.sampled_from(["minimize", "maximize"]),
    st.integers(1, 40), st.randoms(use_true_random=False),
)  # fmt: skip
def test_any_round_of_hyperband_is_its_table(R, eta, r, direction, workers, random):
    r = min(r, R)
    table = by_fractions(R, eta, r)
    values = {}

    def value(trial, step):
        return values.setdefault((trial.number, step), random.choice([0.0, 1.0, random.random()]))

    optimizer = race(Hyperband, resources=(r, R), eta=eta, budget=sum(n for _, n, _, _ in table), direction=direction)
    epochs = run_out(optimizer, value, workers)
    assert reached(optimizer) == expected_ends(R, eta, r)
    plan = Hyperband(r, R, eta).plan(None)
    assert (plan.trials, plan.resource, plan.exact) == (len(optimizer.trials), epochs, True)
    assert [(bracket.bracket, bracket.rungs) for bracket in plan.brackets] == [
        (s, tuple(zip(sizes, resources, strict=True))) for s, _n, sizes, resources in table
    ]


def test_the_best_of_each_rung_go_on_and_ties_go_to_the_lower_number():
    optimizer = race(SuccessiveHalving, resources=(1, 9), budget=9)
    values = [5.0, 1.0, 3.0, 1.0, 9.0, 1.0, 1.0, 8.0, 7.0]
    run_out(optimizer, lambda trial, step: values[trial.number], workers=9)
    ends = [(trial.state, trial.resume_step) for trial in optimizer.trials]
    assert ends[1] == (COMPLETE, 9)
    assert [n for n, (_, step) in enumerate(ends) if step >= 3] == [1, 3, 5]
    assert optimizer.trials[6].reason == "cut at 1: place 4 of 9, and 3 go on"


def test_when_maximising_the_largest_go_on():
    optimizer = race(SuccessiveHalving, resources=(1, 3), budget=3, direction="maximize")
    run_out(optimizer, lambda trial, step: [0.1, 0.9, 0.5][trial.number])
    assert optimizer.best.number == 1


def test_rounds_repeat_while_the_budget_lasts_and_the_last_cohort_is_cut_to_it():
    optimizer = race(Hyperband, resources=(1, 9), budget=17 + 9 + 2)
    run_out(optimizer, by_number, workers=3)
    cohorts = Counter((trial.cohort, trial.bracket) for trial in optimizer.trials)
    assert cohorts == {(0, 2): 9, (1, 1): 5, (2, 0): 3, (3, 2): 9, (4, 1): 2}
    plan = Hyperband(1, 9, 3).plan(28)
    assert (plan.trials, [bracket.rungs for bracket in plan.brackets]) == (
        28,
        [((18, 1), (6, 3), (2, 9)), ((7, 3), (2, 9)), ((3, 9),)],
    )


def test_the_next_cohort_opens_rather_than_let_a_worker_wait():
    optimizer = race(Hyperband, resources=(1, 9), budget=17)
    assert [(trial.cohort, trial.resource) for trial in optimizer.ask_many(17)] == (
        [(0, 1)] * 9 + [(1, 3)] * 5 + [(2, 9)] * 3
    )
    with pytest.raises(NothingToRun) as nothing:
        optimizer.ask()
    assert nothing.value.reason == "waiting"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["value", "nan", "lost", "error"]), min_size=9, max_size=9))
def test_members_that_fail_keep_their_place_and_never_block(fates):
    optimizer = race(SuccessiveHalving, resources=(1, 9), budget=9)
    for trial, fate in zip(optimizer.ask_many(9), fates, strict=True):
        if fate == "value":
            optimizer.report(trial.number, 1, float(trial.number))
        elif fate == "nan":
            optimizer.report(trial.number, 1, math.nan)
        else:
            optimizer.tell(trial.number, state="failed", reason="lost_host" if fate == "lost" else "code_error")
    good = [number for number, fate in enumerate(fates) if fate == "value"]
    assert [trial.number for trial in optimizer.trials if trial.state is WAITING] == good[:3]
    run_out(optimizer, by_number)
    assert not any(trial.state.open for trial in optimizer.trials)
    assert sum(trial.state is COMPLETE for trial in optimizer.trials) == (1 if good else 0)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_infeasible_members_leave_their_place_to_others(data):
    """Whenever they end: the cohort has nine members that ran, of which three and then one go on."""
    optimizer = race(data.draw(st.sampled_from([SuccessiveHalving, Hyperband])), resources=(1, 9), budget=9)
    waiting, infeasible, ran = optimizer.ask_many(9), 0, 0
    while ran < 9:
        trial = waiting.pop(data.draw(st.integers(0, len(waiting) - 1)))
        if infeasible < 20 and data.draw(st.booleans()):
            optimizer.tell(trial.number, state="pruned", constraints=[-1.0, 0.5])
            infeasible += 1
            (another,) = optimizer.ask_many(9)
            assert (another.cohort, another.rung, another.resource) == (0, 0, 1)
            waiting.append(another)
        else:
            ran += 1
            verdict = optimizer.report(trial.number, 1, float(trial.number))
            assert verdict == "pause" or ran == 9  # the last one may hear at once that it is cut
    first = sorted(trial.number for trial in optimizer.trials if not trial.infeasible)[:3]
    assert [trial.number for trial in optimizer.trials if trial.state is WAITING] == first
    run_out(optimizer, by_number)
    assert sum(trial.state is COMPLETE for trial in optimizer.trials) == 1
    assert len(optimizer.trials) == 9 + infeasible


def test_a_promoted_trial_that_is_lost_for_good_leaves_the_rest_to_go_on():
    optimizer = race(SuccessiveHalving, resources=(1, 9), budget=9)
    for trial in optimizer.ask_many(9):
        advance(optimizer, trial, by_number)
    first = optimizer.ask()
    optimizer.tell(first.number, state="failed", reason="cancelled")
    run_out(optimizer, by_number)
    assert sum(trial.state is COMPLETE for trial in optimizer.trials) == 1


def test_a_budget_that_ends_within_a_cohort_still_yields_a_result():
    optimizer = race(SuccessiveHalving, resources=(1, 81), budget=2)
    run_out(optimizer, by_number)
    assert [(trial.state, trial.resume_step) for trial in optimizer.trials] == [(PRUNED, 1), (COMPLETE, 81)]


def test_a_cohort_size_of_ones_own():
    plan = SuccessiveHalving(1, 9, 3, cohort_size=20).plan(30)
    assert plan.brackets[0].rungs == ((30, 1), (9, 3), (3, 9))  # 20, 6, 2 and 10, 3, 1
    assert SuccessiveHalving(1, 27, 3).plan(None).trials == 27


def test_closing_prunes_what_stands_at_a_rung():
    optimizer = race(SuccessiveHalving, resources=(1, 9), budget=9)
    for trial in optimizer.ask_many(4):
        advance(optimizer, trial, by_number)
    optimizer.close()
    assert {trial.state for trial in optimizer.trials} == {PRUNED}


def test_a_training_without_a_known_length_is_refused_with_the_remedy():
    for kind in (SuccessiveHalving, Hyperband):
        with pytest.raises(OptionError, match=f"{kind.name} needs it: write the number of steps"):
            kind(1, None)


def test_a_resource_below_the_reduction_factor_is_random_search():
    optimizer = race(Hyperband, resources=(1, 2), budget=4)
    assert run_out(optimizer, by_number) == 8
    assert {trial.state for trial in optimizer.trials} == {COMPLETE}


def test_a_cohort_that_a_finite_sampler_leaves_short_is_not_filled_up_after_its_cut():
    space = {"k": {"type": "int", "low": 1, "high": 2}}
    optimizer = Optimizer(space, "grid", SuccessiveHalving(1, 3, 3))
    run_out(optimizer, by_number)
    assert [trial.state for trial in optimizer.trials] == [PRUNED, COMPLETE]
    assert optimizer.enqueue({"k": 1}).cohort == 1
