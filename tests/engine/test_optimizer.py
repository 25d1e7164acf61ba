"""Ask and tell: trials, results, errors that leave the state as it was, and the study's end."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.spaces import space_documents
from tuning.engine import (
    NothingToRun,
    Optimizer,
    OptionError,
    ParamsError,
    SearchSpace,
    SpaceError,
    TrialError,
    TrialState,
)
from tuning.engine.outcome import FIRST_INFEASIBLE, INFEASIBLE_IN_A_ROW

SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}, "k": {"type": "int", "low": 1, "high": 3}}
FINITE = {"k": {"type": "int", "low": 1, "high": 3}}
AT = {"x": 0.5, "k": 2}


def state_of(optimizer):
    """Everything that an error must leave as it was."""
    view = optimizer._ledger.view
    return (
        optimizer.trials,
        optimizer.best,
        optimizer._ledger.history.n,
        (view.created, view.waiting, view.running, view.paused, view.budget),
    )


def test_a_trial_is_handed_out_and_told():
    optimizer = Optimizer(SPACE, budget=3)
    trial = optimizer.ask()
    assert (trial.number, trial.state, trial.resource, trial.resume_step) == (0, TrialState.RUNNING, None, 0)
    assert SearchSpace.from_json(SPACE).contains(trial.params)
    assert trial.why.endswith(".")
    told = optimizer.tell(0, 0.31)
    assert (told.state, told.value) == (TrialState.COMPLETE, 0.31)
    assert optimizer.best == told
    assert [t.number for t in optimizer.trials] == [0]


@pytest.mark.parametrize(("direction", "best"), [("minimize", 1), ("maximize", 2)])
def test_the_best_is_the_first_among_equals_in_either_direction(direction, best):
    optimizer = Optimizer(SPACE, direction=direction)
    for value in (2.0, 1.0, 3.0, 1.0, 3.0):
        optimizer.tell(optimizer.ask().number, value)
    assert optimizer.best.number == best


def test_nothing_is_best_before_the_first_value():
    optimizer = Optimizer(SPACE)
    optimizer.tell(optimizer.ask().number, state="failed")
    assert optimizer.best is None


def test_many_are_out_at_once_and_may_be_told_in_any_order():
    optimizer = Optimizer(SPACE, budget=10)
    trials = optimizer.ask_many(8)
    assert [trial.number for trial in trials] == list(range(8))
    assert len({trial.params["x"] for trial in trials}) == 8
    for trial in reversed(trials):
        optimizer.tell(trial.number, float(trial.number))
    assert [trial.number for trial in optimizer.ask_many(8)] == [8, 9]
    assert optimizer.ask_many(8) == []
    assert optimizer.ask_many(0) == []


def test_the_budget_ends_the_study():
    optimizer = Optimizer(SPACE, budget=2)
    optimizer.ask_many(2)
    with pytest.raises(NothingToRun, match="the budget of 2 trials is used") as caught:
        optimizer.ask()
    assert caught.value.reason == "exhausted"


def test_what_is_infeasible_before_its_first_step_is_of_no_budget():
    optimizer = Optimizer(SPACE, budget=2, max_resource=3)
    for number in (0, 1):
        optimizer.tell(optimizer.ask().number, state="pruned", constraints=[0.5])
        assert optimizer.trials[number].costs_nothing
    optimizer.report(optimizer.ask().number, 1, 1.0)
    assert not optimizer.tell(2, state="pruned", constraints=[0.5]).costs_nothing, "it has trained a step"
    assert optimizer.ask().number == 3
    with pytest.raises(NothingToRun, match="the budget of 2 trials is used"):
        optimizer.ask()


def test_infeasible_trials_from_elsewhere_change_no_budget():
    optimizer = Optimizer(SPACE, budget=1)
    optimizer.add(AT, state="pruned", constraints=[0.5])
    optimizer.ask()
    with pytest.raises(NothingToRun):
        optimizer.ask()


def test_fifty_infeasible_configurations_before_any_other_end_the_search():
    optimizer = Optimizer(SPACE, "random", budget=2, max_resource=3)
    running = optimizer.ask()
    for _ in range(FIRST_INFEASIBLE):
        optimizer.tell(optimizer.ask().number, state="pruned", constraints=[1.0])
    with pytest.raises(NothingToRun, match="the last 50 configurations were all infeasible") as caught:
        optimizer.ask()
    assert caught.value.reason == "exhausted"
    assert optimizer.enqueue(AT).number == FIRST_INFEASIBLE + 1, "a person may know one that fits"
    optimizer.report(running.number, 1, 0.5)
    assert optimizer.ask().number == FIRST_INFEASIBLE + 1


def test_where_one_fits_many_may_miss():
    optimizer = Optimizer(SPACE, "random", budget=2)
    optimizer.tell(optimizer.ask().number, 1.0)
    for _ in range(INFEASIBLE_IN_A_ROW):
        optimizer.tell(optimizer.ask().number, state="pruned", constraints=[1.0])
    with pytest.raises(NothingToRun, match="the last 500 configurations"):
        optimizer.ask()


def test_the_same_study_suggests_the_same():
    def configurations(seed):
        optimizer = Optimizer(SPACE, seed=seed)
        return [optimizer.ask().params for _ in range(5)]

    assert configurations(3) == configurations(3)
    assert configurations(3) != configurations(4)


def test_order_of_telling_does_not_change_what_random_suggests():
    one, other = Optimizer(SPACE, "random"), Optimizer(SPACE, "random")
    one.ask_many(3)
    for _ in range(3):
        other.tell(other.ask().number, 1.0)
    assert one.ask().params == other.ask().params


def test_auto_takes_the_grid_where_the_budget_pays_for_it():
    optimizer = Optimizer(FINITE, budget=10)
    assert [trial.params["k"] for trial in optimizer.ask_many(10)] == [1, 2, 3]
    with pytest.raises(NothingToRun, match="all 3 configurations") as caught:
        optimizer.ask()
    assert caught.value.reason == "exhausted"
    with pytest.raises(NothingToRun):
        optimizer.ask()


def test_a_sampler_that_cannot_search_the_space_is_refused_at_once():
    with pytest.raises(SpaceError, match=r"^x\.step: x is continuous"):
        Optimizer(SPACE, "grid")


# what an option is called, and how it is wrong
SETTINGS = [
    ({"sampler": "gird"}, "sampler", '"gird"'),
    ({"scheduler": "hyperbad"}, "scheduler", '"hyperbad"'),
    ({"direction": "up"}, "direction", '"minimize"'),
    ({"seed": -1}, "seed", "at least 0"),
    ({"seed": 1.5}, "seed", "whole number"),
    ({"budget": 0}, "budget", "at least 1"),
    ({"objective": "mean"}, "objective", '"best"'),
    ({"min_resource": 0}, "min_resource", "at least 1"),
    ({"max_resource": "9"}, "max_resource", '"9"'),
    ({"min_resource": 5, "max_resource": 3}, "max_resource", "below min_resource"),
    ({"reduction_factor": 1}, "reduction_factor", "at least 2"),
    ({"sampler": "grid", "sampler_options": {"shufle": True}}, "shufle", "did you mean shuffle?"),
    ({"sampler": "grid", "sampler_options": {"shuffle": 1}}, "shuffle", "true or false"),
    ({"sampler_options": {"budget": 3}}, "budget", "set for the study"),
    ({"sampler_options": [1]}, "sampler_options", "not an object"),
    ({"scheduler_options": {"x": 1}}, "x", "no options"),
]


@pytest.mark.parametrize(("arguments", "option", "message"), SETTINGS)
def test_a_wrong_setting_is_named(arguments, option, message):
    with pytest.raises(OptionError) as caught:
        Optimizer(FINITE, **arguments)
    assert caught.value.option == option
    assert message in str(caught.value)


def test_a_wrong_space_is_refused_with_all_of_its_issues():
    with pytest.raises(SpaceError) as caught:
        Optimizer({"x": {"type": "float", "low": "1e-5", "high": math.inf}})
    assert len(caught.value.errors) == 2


def test_the_same_tell_again_changes_nothing():
    optimizer = Optimizer(SPACE)
    numbers = [optimizer.ask().number for _ in range(4)]
    tells = [
        lambda: optimizer.tell(numbers[0], 0.3, constraints=[-1.0]),
        lambda: optimizer.tell(numbers[1], state="failed", reason="out_of_memory"),
        lambda: optimizer.tell(numbers[2], state="pruned", constraints=[0.5, -1]),
        lambda: optimizer.tell(numbers[3], math.nan),
    ]
    for tell in tells:
        first = tell()
        before = state_of(optimizer)
        assert tell() == first
        assert state_of(optimizer) == before
    assert [str(trial.state) for trial in optimizer.trials] == ["COMPLETE", "FAILED", "PRUNED", "FAILED"]


def test_outcomes_are_recorded():
    optimizer = Optimizer(SPACE)
    for _ in range(5):
        optimizer.ask()
    assert optimizer.tell(0, state="FAILED", reason="deadline").reason_code == "deadline"
    assert optimizer.tell(1, state="failed").reason_code == "code_error"
    infeasible = optimizer.tell(2, state="pruned", constraints=[0.1])
    assert (infeasible.infeasible, infeasible.value, infeasible.constraints) == (True, None, (0.1,))
    for number, value in ((3, math.nan), (4, -math.inf)):
        diverged = optimizer.tell(number, value)
        assert (diverged.state, diverged.reason_code, diverged.value) == (TrialState.FAILED, "diverged", None)
        assert repr(value) in diverged.reason
    assert optimizer.best is None


# arguments of tell for trial 0 (running), what the message says is wrong and what would be right
WRONG_TELLS = [
    ({}, "value: it is missing", 'state="failed"'),
    ({"state": "complete"}, "value: it is missing", "tell the value"),
    ({"state": "done"}, '"done"', '"complete", "pruned", "failed"'),
    ({"value": 1.0, "state": "failed"}, "value", "leave out the value or the state"),
    ({"value": 1.0, "reason": "diverged"}, "reason", "leave it out"),
    ({"state": "failed", "reason": "bored"}, '"bored"', '"code_error"'),
    ({"value": "0.3"}, 'value: "0.3" is not a number', ""),
    ({"value": True}, "value: true is not a number", ""),
    ({"value": [1]}, "value: [1] is not a number", ""),
    ({"value": 1.0, "constraints": [0.5]}, "constraints: one above 0", 'state="pruned"'),
    ({"value": 1.0, "constraints": [math.nan]}, "constraints: one above 0", 'state="pruned"'),
    ({"state": "pruned", "constraints": ["x"]}, 'constraints: "x" is not a number', ""),
]


@pytest.mark.parametrize(("arguments", "wrong", "right"), WRONG_TELLS)
def test_a_wrong_tell_names_its_argument_and_changes_nothing(arguments, wrong, right):
    optimizer = Optimizer(SPACE)
    optimizer.ask()
    before = state_of(optimizer)
    with pytest.raises(TrialError) as caught:
        optimizer.tell(0, **arguments)
    assert wrong in str(caught.value)
    assert right in str(caught.value)
    assert state_of(optimizer) == before


@pytest.mark.parametrize("number", [1, -1, "0", None, 0.0, True])
def test_an_unknown_trial_is_named(number):
    optimizer = Optimizer(SPACE)
    optimizer.ask()
    before = state_of(optimizer)
    for call in (lambda: optimizer.tell(number, 1.0), lambda: optimizer.report(number, 1, 1.0)):
        with pytest.raises(TrialError, match=r"there is no trial .*: the numbers are 0 to 0"):
            call()
    assert state_of(optimizer) == before
    with pytest.raises(TrialError, match="ask for one first"):
        Optimizer(SPACE).tell(0, 1.0)


def test_a_finished_trial_keeps_its_result():
    optimizer = Optimizer(SPACE)
    optimizer.ask()
    optimizer.tell(0, 0.3)
    before = state_of(optimizer)
    for arguments in ({"value": 0.4}, {"state": "failed"}, {"state": "pruned"}, {"value": math.nan}):
        with pytest.raises(
            TrialError, match=r"trial 0 is COMPLETE with the value 0\.3: a finished trial keeps"
        ):
            optimizer.tell(0, **arguments)
    assert state_of(optimizer) == before


def test_reports_go_on_to_max_resource_and_the_best_counts():
    optimizer = Optimizer(SPACE, max_resource=4)
    trial = optimizer.ask()
    assert trial.resource == 4
    answers = [optimizer.report(0, step, value) for step, value in enumerate([3.0, 1.0, 2.0, 2.5], 1)]
    assert answers == ["continue", "continue", "continue", "stop"]
    (done,) = optimizer.trials
    assert (done.state, done.value, done.resume_step) == (TrialState.COMPLETE, 1.0, 4)
    assert done.intermediate == {1: 3.0, 2: 1.0, 3: 2.0, 4: 2.5}
    assert optimizer.tell(0, 1.0) == done


@pytest.mark.parametrize(
    ("objective", "direction", "value"),
    [
        ("best", "minimize", 1.0),
        ("best", "maximize", 3.0),
        ("last", "minimize", 2.0),
        ("last", "maximize", 2.0),
    ],
)
def test_the_objective_value_is_the_best_or_the_last_report(objective, direction, value):
    optimizer = Optimizer(SPACE, max_resource=3, objective=objective, direction=direction)
    optimizer.ask()
    for step, reported in enumerate([3.0, 1.0, 2.0], 1):
        optimizer.report(0, step, reported)
    assert optimizer.best.value == value


def test_without_max_resource_reports_never_end_a_trial():
    optimizer = Optimizer(SPACE)
    optimizer.ask()
    assert {optimizer.report(0, step, 1.0 / step) for step in range(1, 200)} == {"continue"}
    assert optimizer.tell(0, 9.0).value == 9.0


def test_a_pruned_trial_keeps_its_value_so_far():
    optimizer = Optimizer(SPACE)
    optimizer.ask()
    optimizer.report(0, 1, 0.7)
    assert optimizer.tell(0, state="pruned").value == 0.7


def test_a_metric_that_is_not_finite_fails_the_trial_as_diverged():
    optimizer = Optimizer(SPACE, max_resource=9)
    optimizer.ask()
    optimizer.report(0, 1, 0.5)
    assert optimizer.report(0, 2, math.nan) == "stop"
    (trial,) = optimizer.trials
    assert (trial.state, trial.reason_code, trial.value) == (TrialState.FAILED, "diverged", None)
    assert trial.reason == "the metric is nan at step 2"
    assert optimizer.report(0, 3, 0.5) == "stop"


def test_the_same_report_again_changes_nothing():
    optimizer = Optimizer(SPACE, max_resource=2)
    optimizer.ask()
    optimizer.report(0, 1, 0.5)
    before = state_of(optimizer)
    assert optimizer.report(0, 1, 0.5) == "continue"
    assert state_of(optimizer) == before
    optimizer.report(0, 2, 0.4)
    before = state_of(optimizer)
    assert optimizer.report(0, 2, 0.4) == "stop"
    assert optimizer.report(0, 1, 0.9) == "stop"
    assert state_of(optimizer) == before


def test_wrong_reports_are_refused_and_change_nothing():
    optimizer = Optimizer(SPACE, max_resource=9)
    optimizer.ask()
    optimizer.report(0, 3, 0.5)
    optimizer.enqueue(AT)
    before = state_of(optimizer)
    with pytest.raises(TrialError, match=r"has reported 0\.5 at step 3, not 0\.6"):
        optimizer.report(0, 3, 0.6)
    with pytest.raises(TrialError, match="has reached step 3 already: report step 4"):
        optimizer.report(0, 2, 0.6)
    with pytest.raises(TrialError, match='value: "x" is not a number'):
        optimizer.report(0, 4, "x")
    with pytest.raises(TrialError, match=r"trial 1 is WAITING, not RUNNING: ask\(\) hands it out"):
        optimizer.report(1, 1, 0.6)
    for step in (0, -1, 1.5, True, "4"):
        with pytest.raises(OptionError, match=r"^step: "):
            optimizer.report(0, step, 0.6)
    assert state_of(optimizer) == before


def test_an_enqueued_configuration_comes_first_and_counts():
    optimizer = Optimizer(SPACE, budget=2)
    waiting = optimizer.enqueue({"k": 2, "x": 1})
    assert (waiting.state, waiting.params) == (TrialState.WAITING, {"x": 1.0, "k": 2})
    with pytest.raises(TrialError, match=r"WAITING, not RUNNING: ask\(\)"):
        optimizer.tell(0, 1.0)
    trial = optimizer.ask()
    assert (trial.number, trial.params, trial.origin, trial.why) == (
        0,
        {"x": 1.0, "k": 2},
        "enqueued",
        "Enqueued.",
    )
    assert optimizer.ask().number == 1
    before = state_of(optimizer)
    with pytest.raises(NothingToRun, match="the budget of 2"):
        optimizer.enqueue(AT)
    assert state_of(optimizer) == before


def test_the_grid_does_not_repeat_what_was_enqueued_but_a_person_may():
    optimizer = Optimizer(FINITE, "grid")
    optimizer.enqueue({"k": 1})
    assert [trial.params["k"] for trial in optimizer.ask_many(9)] == [1, 2, 3]
    optimizer.enqueue({"k": 2})
    assert optimizer.ask().params == {"k": 2}
    with pytest.raises(NothingToRun, match="all 3 configurations"):
        optimizer.ask()


def test_foreign_trials_are_learned_from_and_cost_nothing():
    optimizer = Optimizer(FINITE, "grid", budget=2)
    added = optimizer.add({"k": 1}, 0.5)
    assert (added.number, added.state, added.value, added.origin) == (0, TrialState.COMPLETE, 0.5, "added")
    assert optimizer.add({"k": 3}, state="failed", reason="diverged").deters
    assert optimizer.best == added
    assert [trial.params["k"] for trial in optimizer.ask_many(9)] == [2]
    with pytest.raises(NothingToRun):
        optimizer.ask()


@pytest.mark.parametrize("call", ["add", "enqueue"])
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"x": 2.0, "k": 1}, r"^x: 2\.0 is not a number from 0\.0 to 1\.0$"),
        ({"x": 0.5}, r"^k: is missing: give a whole number from 1 to 3$"),
        ({**AT, "lr": 0.1}, "^lr: is not in the search space: the space has x, k$"),
        (None, "a configuration is an object"),
    ],
)
def test_params_of_another_space_are_refused_and_change_nothing(call, params, message):
    optimizer = Optimizer(SPACE)
    optimizer.ask()
    before = state_of(optimizer)
    with pytest.raises(ParamsError, match=message):
        getattr(optimizer, call)(params, *([1.0] if call == "add" else []))
    assert state_of(optimizer) == before


def test_a_wrong_result_of_a_foreign_trial_changes_nothing():
    optimizer = Optimizer(SPACE)
    before = state_of(optimizer)
    with pytest.raises(TrialError, match="value: it is missing"):
        optimizer.add(AT)
    assert state_of(optimizer) == before
    assert optimizer.add(AT, math.nan).reason_code == "diverged"


def test_any_open_trial_can_be_cancelled():
    optimizer = Optimizer(SPACE)
    optimizer.enqueue(AT)
    assert optimizer.tell(0, state="failed", reason="cancelled").state is TrialState.FAILED
    assert optimizer.ask().number == 1


def test_closing_cancels_who_waits_and_lets_the_running_finish():
    optimizer = Optimizer(SPACE, max_resource=3)
    optimizer.ask()
    optimizer.enqueue(AT)
    optimizer.close()
    optimizer.close()
    assert [str(trial.state) for trial in optimizer.trials] == ["RUNNING", "FAILED"]
    assert optimizer.trials[1].reason_code == "cancelled"
    for call in (optimizer.ask, lambda: optimizer.enqueue(AT)):
        with pytest.raises(NothingToRun, match="closed") as caught:
            call()
        assert caught.value.reason == "exhausted"
    assert optimizer.ask_many(3) == []
    assert optimizer.report(0, 1, 0.5) == "continue"
    assert optimizer.tell(0, 0.5).state is TrialState.COMPLETE


def test_what_is_handed_out_shares_nothing_with_the_study():
    optimizer = Optimizer({"c": {"type": "categorical", "choices": [[1]]}})
    trial = optimizer.ask()
    trial.params["c"].append(2)
    optimizer.trials[0].params["c"].append(3)
    optimizer.report(0, 1, 0.5)
    optimizer.trials[0].intermediate[9] = 9.0
    params = {"c": [1]}
    optimizer.enqueue(params)
    params["c"].append(4)
    assert [t.params for t in optimizer.trials] == [{"c": [1]}, {"c": [1]}]
    assert optimizer.trials[0].intermediate == {1: 0.5}


def test_a_snapshot_stays_as_it_was():
    optimizer = Optimizer(SPACE)
    trial = optimizer.ask()
    before = copy.deepcopy(trial)
    optimizer.report(0, 1, 0.5)
    optimizer.tell(0, 0.5)
    assert trial == before


def test_numbers_of_any_type_are_values():
    optimizer = Optimizer(SPACE)
    for value in (np.float32(0.5), np.int64(2), 3, np.array(1.5), 10**400):
        optimizer.tell(optimizer.ask().number, value)
    assert [trial.value for trial in optimizer.trials] == [0.5, 2.0, 3.0, 1.5, None]


@given(
    space_documents(),
    st.integers(0, 3),
    st.lists(st.integers(0, 5), max_size=25),
    st.sampled_from(["minimize", "maximize"]),
)
@settings(max_examples=40, deadline=None)
def test_any_course_of_events_keeps_the_books_in_order(document, seed, events, direction):
    optimizer = Optimizer(document, seed=seed, direction=direction, budget=12, max_resource=3)
    space = SearchSpace.from_json(document)
    out = []
    for event in events:
        if event <= 1:
            try:
                trial = optimizer.ask()
            except NothingToRun:
                continue
            assert space.contains(trial.params)
            out.append(trial.number)
        elif not out:
            continue
        elif event == 2:
            optimizer.tell(out.pop(0), float(event))
        elif event == 3:
            optimizer.tell(out.pop(), state="failed", reason="lost_host")
        elif event == 4:
            step = optimizer.trials[out[0]].resume_step + 1
            if optimizer.report(out[0], step, 1.0 / step) == "stop":
                out.pop(0)
        elif optimizer._ledger.view.created < 12:
            optimizer.enqueue(optimizer.trials[0].params)
    trials, view = optimizer.trials, optimizer._ledger.view
    assert view.created == len(trials) <= 12
    counted = [
        sum(trial.state is state for trial in trials) for state in (TrialState.WAITING, TrialState.RUNNING)
    ]
    assert counted == [view.waiting, view.running]
    assert optimizer._ledger.history.n == len(trials) - view.open
    complete = [trial.value for trial in trials if trial.state is TrialState.COMPLETE]
    best = (min if direction == "minimize" else max)(complete, default=None)
    assert (optimizer.best.value if optimizer.best else None) == best


def test_the_number_of_trials_at_once_reaches_the_sampler():
    assert "8 of 10 trials at once" in Optimizer(SPACE, sampler="auto", budget=10, parallel=8).ask().why
