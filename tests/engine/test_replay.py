"""Recorded curves through other schedulers: by hand, against the simulator, and where the record does not tell."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.engine import Optimizer, OptionError, TrialState
from tuning.engine.alternatives import MANY, alternatives, settings_for
from tuning.engine.registry import make_scheduler
from tuning.engine.replay import Gap, Record, RecordedTrial, replay
from tuning.engine.simulation import simulate

NINE = range(1, 10)
ASHA = ("asha", {"type": "promotion"})
STOPPING = ("asha", {"type": "stopping"})
METHODS = [("none", {}), ASHA, STOPPING, ("successive_halving", {}), ("hyperband", {}), ("median", {})]


def halving(direction="minimize", **options):
    return make_scheduler("successive_halving", options, max_resource=9, direction=direction)


def flat(number, value, last=9, ending="complete"):
    """A trial whose metric never moves."""
    return RecordedTrial(number, range(1, last + 1), [value] * last, ending, value if ending == "complete" else None)


def nine(*others):
    """Nine trials to step 9, the first the best, with others in place of those of the same number."""
    trials = {number: flat(number, float(number)) for number in range(9)}
    return list((trials | {trial.number: trial for trial in others}).values())


def slow_nine():
    """Nine curves of nine steps, of which the fifth is the worst until its last step and then the best."""
    return [[float(number)] * 9 if number != 4 else [10.0] * 8 + [-1.0] for number in range(9)]


# --- by hand ----------------------------------------------------------------------------------------------------------
def test_successive_halving_of_nine_trials():
    """R = 9, eta = 3: nine to step 1, three to 3, one to 9, each going on from where it stood."""
    found = replay(Record(nine()), halving())
    assert found.reached == {0: 9, 1: 3, 2: 3, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1}
    assert (found.steps, found.seconds, found.share, found.record.steps) == (21, 21.0, 21 / 81, 81)
    assert (found.kept, found.cut_at, found.regret, found.gap) == (True, None, 0.0, None)
    assert found.best is not None
    assert found.best.number == 0


def test_a_slow_starter_is_cut_and_the_replay_says_where_and_what_it_costs():
    slow = RecordedTrial(4, NINE, [10.0] * 8 + [-1.0], "complete", -1.0)
    found = replay(Record(nine(slow)), halving())
    assert (found.kept, found.cut_at, found.regret) == (False, 1, 1.0)
    assert found.best is not None
    assert found.best.number == 0
    late = RecordedTrial(4, NINE, [1.5] * 8 + [-1.0], "complete", -1.0)
    assert replay(Record(nine(late)), halving()).cut_at == 3


def test_asynchronous_halving_depends_on_the_order():
    """The best first: 9 + 3 x 2 + 6. The best last: all from the third on go to 3, from the third of those to 9."""
    asha = make_scheduler(*ASHA, max_resource=9)
    assert replay(Record(nine()), asha).steps == 21
    found = replay(Record([flat(number, -float(number)) for number in range(9)]), asha)
    assert found.steps == 9 + 7 * 2 + 5 * 6
    assert found.complete == {4, 5, 6, 7, 8}


def test_median_stopping_looks_at_complete_trials():
    """After two complete trials (values 0 and 1, median .5) all others are worse at their first step."""
    median = make_scheduler("median", {"n_startup_trials": 2}, max_resource=9)
    found = replay(Record(nine()), median)
    assert found.steps == 9 + 9 + 7
    assert found.complete == {0, 1}


def test_without_early_stopping_all_is_spent():
    record = Record(nine(), workers=4)
    found = replay(record, make_scheduler("none", max_resource=9))
    assert (found.steps, found.share, found.complete) == (81, 1.0, set(range(9)))
    assert found.seconds == record.seconds == 27.0


def test_maximising_is_the_same_upside_down():
    slow = RecordedTrial(4, NINE, [10.0] * 8 + [-1.0], "complete", -1.0)
    for trials in (nine(), nine(slow)):
        turned = [
            RecordedTrial(one.number, one.steps, [-value for value in one.values], one.ending, -one.value)
            for one in trials
        ]
        low, high = replay(Record(trials), halving()), replay(Record(turned, "maximize"), halving("maximize"))
        assert (low.reached, low.kept, low.cut_at) == (high.reached, high.kept, high.cut_at)
        assert low.regret == high.regret


def test_of_equals_the_lower_number_goes_on_and_wins():
    record = Record([flat(number, 1.0) for number in (2, 3, 5, 7, 11, 13, 17, 19, 23)])
    found = replay(record, halving())
    assert record.winner is not None
    assert record.winner.number == 2
    assert found.complete == {2}
    assert {number for number, step in found.reached.items() if step == 3} == {3, 5}


# --- trials that end by themselves ------------------------------------------------------------------------------------
def test_a_trial_that_diverged_keeps_its_place_behind_all_others():
    nan = RecordedTrial(1, [1], [math.nan], "failed")
    found = replay(Record(nine(nan)), halving())
    assert {number for number, step in found.reached.items() if step >= 3} == {0, 2, 3}
    assert found.reached[1] == 1


def test_a_trial_that_failed_between_rungs_fails_there_again():
    broken = flat(1, 1.0, last=2, ending="failed")
    found = replay(Record(nine(broken)), halving())
    assert (found.reached[1], found.complete, found.steps) == (2, {0}, 20)
    assert found.record.steps == 74
    at_once = replay(Record(nine(RecordedTrial(1, [], [], "failed"))), halving())
    assert (at_once.reached[1], at_once.gap) == (0, None)


def test_a_value_that_is_no_number_counts_only_where_a_rung_looks():
    for values, kept in (([0.0, math.nan] + [0.0] * 7, True), ([0.0, 0.0, math.nan] + [0.0] * 6, False)):
        odd = RecordedTrial(0, NINE, values, "complete", 0.0)
        assert replay(Record(nine(odd)), halving()).kept is kept
    at_its_end = RecordedTrial(0, NINE, [0.0] * 8 + [math.nan], "complete", 0.0)
    found = replay(Record(nine(at_its_end)), halving())
    assert (found.kept, found.regret) == (True, 0.0)


def test_a_trial_that_was_done_early_is_done_early_again():
    early = flat(0, 0.0, last=5)
    found = replay(Record(nine(early)), halving())
    assert (found.reached[0], found.complete) == (5, {0})


def test_a_trial_that_reports_now_and_then_is_compared_at_its_next_report():
    sparse = [RecordedTrial(number, [2, 4, 9], [float(number)] * 3, "complete", float(number)) for number in range(9)]
    found = replay(Record(sparse), halving())
    assert found.steps == 6 * 2 + 2 * 4 + 9


# --- where the record ends --------------------------------------------------------------------------------------------
def cut_record():
    """What successive halving leaves of nine trials."""
    played = replay(Record(nine()), halving())
    return Record([
        flat(number, float(number), last, "complete" if number in played.complete else "cut")
        for number, last in played.reached.items()
    ])  # fmt: skip


def test_the_same_scheduler_finds_its_own_record():
    found = replay(cut_record(), halving())
    assert (found.steps, found.share, found.kept, found.gap) == (21, 1.0, True, None)


def test_beyond_the_record_nothing_is_claimed():
    found = replay(cut_record(), make_scheduler("none", max_resource=9))
    assert found.gap == Gap(1, 3, 9)
    assert (found.share, found.best, found.regret) == (None, None, None)
    assert found.kept is True, "the winner had run to its end before"


def test_what_was_certain_before_the_gap_stays_certain():
    """A winner that is cut at its first rung stays cut, whatever comes; of one that still waits nothing is known."""
    slow = RecordedTrial(4, NINE, [10.0] * 8 + [-1.0], "complete", -1.0)
    short = flat(0, 0.0, last=1, ending="cut")
    found = replay(Record(nine(slow, short)), halving())
    assert (found.gap, found.kept, found.cut_at) == (Gap(0, 1, 3), False, 1)
    found = replay(Record(nine(flat(1, 0.5, 1, "cut"), flat(0, 0.0, 1, "cut"))), halving())
    assert found.record.winner is not None
    assert found.record.winner.number == 2
    assert (found.kept, found.cut_at) == (None, None)


# --- against the simulator --------------------------------------------------------------------------------------------
@st.composite
def races(draw):
    n, top = draw(st.integers(1, 30)), draw(st.sampled_from([1, 4, 9, 10, 27]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = rng.normal(size=(n, top)).round(draw(st.sampled_from([0, 6]))) + 0.0
    seconds = np.exp(rng.normal(0.0, 0.7, n)).tolist()
    name, options = draw(st.sampled_from(METHODS))
    direction = draw(st.sampled_from(["minimize", "maximize"]))
    scheduler = make_scheduler(
        name,
        options,
        min_resource=draw(st.integers(1, min(top, 3))),
        max_resource=top,
        reduction_factor=draw(st.integers(2, 4)),
        direction=direction,
    )
    return values, seconds, scheduler, direction, draw(st.integers(1, 6))


def played(values, seconds, scheduler, direction, workers):
    """The same by the simulator, step by step."""
    space = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
    optimizer = Optimizer(space, "random", scheduler, direction=direction, budget=len(values))
    found = simulate(
        optimizer,
        lambda trial, step: float(values[trial.number][step - 1]),
        lambda trial, step: seconds[trial.number],
        workers=workers,
    )
    optimizer.close()
    return optimizer, found


def record_of(values, seconds, direction, workers, reached=None, complete=None):
    sign = -1.0 if direction == "maximize" else 1.0
    trials = []
    for number, row in enumerate(values.tolist()):
        last = len(row) if reached is None else reached[number]
        done = complete is None or number in complete
        value = sign * min(sign * one for one in row) if done else None
        trials.append(
            RecordedTrial(number, range(1, last + 1), row[:last], "complete" if done else "cut", value, seconds[number])
        )
    return Record(trials, direction, workers)


@settings(max_examples=120, deadline=None)
@given(races())
def test_it_is_the_simulator_with_looked_up_values(race):
    values, seconds, scheduler, direction, workers = race
    optimizer, found = played(*race)
    made = replay(record_of(values, seconds, direction, workers), scheduler)
    steps = {trial.number: trial.resume_step for trial in optimizer.trials}
    complete = {trial.number for trial in optimizer.trials if trial.state is TrialState.COMPLETE}
    assert (made.steps, made.reached, made.complete) == (found.epochs, steps, complete)
    assert made.seconds == pytest.approx(found.seconds)
    assert made.gap is None
    assert (made.best.value if made.best else None) == (optimizer.best.value if optimizer.best else None)
    # What this scheduler leaves on record is enough to replay it, and nothing more is asked for.
    again = replay(record_of(values, seconds, direction, workers, steps, complete), scheduler)
    assert (again.reached, again.complete, again.gap) == (steps, complete, None)


# --- the settings -----------------------------------------------------------------------------------------------------
def test_every_setting_has_rungs_of_its_own():
    found = settings_for(81)
    assert {(one.scheduler, one.options.get("type")) for one in found} == {
        ("asha", "promotion"), ("asha", "stopping"), ("successive_halving", None), ("hyperband", None),
        ("median", None),
    }  # fmt: skip
    assert {(one.min_resource, one.reduction_factor) for one in found if one.scheduler == "hyperband"} == {
        (first, factor) for first in (1, 9) for factor in (2, 3, 4)
    }
    assert len({(one.scheduler, *one.options.items(), one.make("minimize").ladder(None)) for one in found}) == len(
        found
    )
    assert len(settings_for(81, usual=True)) == 10
    assert settings_for(1) == []
    assert {one.scheduler for one in settings_for(2)} == {"asha", "successive_halving", "hyperband", "median"}
    assert {one.min_resource for one in settings_for(9, 4) if one.scheduler == "median"} == {4}


def test_those_that_keep_the_winner_come_first_by_their_steps_and_the_unknown_last():
    slow = RecordedTrial(4, NINE, [0.5, 0.5, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, -1.0], "complete", -1.0)
    found = alternatives(Record(nine(slow, flat(8, 2.5, last=1, ending="cut"))), 9)
    kinds = [2 if one.replay.gap else 0 if one.replay.kept else 1 for one in found]
    assert kinds == sorted(kinds)
    assert set(kinds) == {0, 1, 2}
    keeping = [one.replay.steps for one, kind in zip(found, kinds, strict=True) if kind == 0]
    assert keeping == sorted(keeping)


def test_many_trials_are_replayed_through_the_usual_settings():
    record = Record([flat(number, float(number)) for number in range(MANY + 1)])
    assert {one.setting.reduction_factor for one in alternatives(record, 9)} == {3}


# --- what is refused --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("trials", "workers", "words"),
    [
        ([], 0, "workers is 0"),
        ([RecordedTrial(3, [1, 2], [0.5], "cut")], 1, "trial 3 has 2 steps and 1 values"),
        ([RecordedTrial(3, [2, 2], [0.5, 0.5], "cut")], 1, "steps of trial 3 do not rise"),
        ([RecordedTrial(3, [1], [0.5], "complete")], 1, "trial 3 is complete with the value None"),
        ([RecordedTrial(3, [1], [0.5], "cut", seconds=0.0)], 1, "a step of trial 3 takes 0.0 seconds"),
    ],
)
def test_a_record_that_cannot_be(trials, workers, words):
    with pytest.raises(ValueError, match=words):
        Record(trials, workers=workers)


def test_a_scheduler_that_does_not_fit():
    with pytest.raises(OptionError, match="made to minimize"):
        replay(Record(nine(), "maximize"), halving())
    with pytest.raises(ValueError, match="needs max_resource"):
        replay(Record(nine()), make_scheduler("none"))


def test_a_record_of_nobody_is_no_error():
    found = replay(Record([]), halving())
    assert (found.steps, found.share, found.kept, found.best, found.record.winner) == (0, None, None, None, None)
