"""How trials end: each ending told once, under its fence, with the value that the objective asks for."""

import math

import pytest

from tests.factories import make_running, make_slot, make_study, report
from tuning.models import Study, Trial
from tuning.services.endings import (
    complete_trial,
    end_attempt,
    fail_trial,
    park_trial,
    prune_trial,
    requeue_trial,
)
from tuning.services.errors import StaleLease


def parked(trial):
    """Report, without which nothing can be compared at a rung, and pause there."""
    report(trial, [0.5])
    return park_trial(trial_id=trial.pk, fence=trial.fence)


ENDINGS = {
    "COMPLETE": lambda trial: complete_trial(trial_id=trial.pk, fence=trial.fence, value=1.0),
    "PRUNED": lambda trial: prune_trial(trial_id=trial.pk, fence=trial.fence, reason="not worth more"),
    "FAILED": lambda trial: fail_trial(
        trial_id=trial.pk, fence=trial.fence, reason_code="code_error", reason="NameError"
    ),
    "PAUSED": lambda trial: parked(trial),
    "WAITING": lambda trial: requeue_trial(trial_id=trial.pk, fence=trial.fence, why="lost", lost=True),
}


@pytest.fixture
def study(alice):
    return make_study(alice, started=True, workload="tiny")


@pytest.fixture
def trial(study):
    return make_running(study, make_slot())


def fresh(trial):
    return Trial.objects.get(pk=trial.pk)


@pytest.mark.parametrize("state", ENDINGS)
def test_each_ending_frees_the_slot_and_counts(study, trial, state):
    assert ENDINGS[state](trial) == state
    row = fresh(trial)
    assert (row.state, row.slot, row.lease_until, row.lease_hash) == (state, None, None, "")
    study.refresh_from_db()
    assert (study.n_running, getattr(study, f"n_{state.lower()}")) == (0, 1)
    terminal = state in Trial.TERMINAL
    assert row.finish_seq == (1 if terminal else None)
    assert (row.completed is not None) == terminal
    assert study.history_version == (1 if state == "WAITING" else 2), "created, and ended or paused"


@pytest.mark.parametrize("first", ENDINGS)
@pytest.mark.parametrize("second", ENDINGS)
def test_nothing_ends_twice(study, trial, first, second):
    ENDINGS[first](trial)
    before = fresh(trial).__dict__
    study.refresh_from_db()
    version = study.version
    with pytest.raises(StaleLease):
        ENDINGS[second](trial)
    after = fresh(trial).__dict__
    assert {k: v for k, v in after.items() if k != "_state"} == {k: v for k, v in before.items() if k != "_state"}
    study.refresh_from_db()
    assert study.version == version


@pytest.mark.parametrize("state", ENDINGS)
def test_a_deleted_trial_is_a_stale_lease(trial, state):
    Trial.objects.filter(pk=trial.pk).delete()
    with pytest.raises(StaleLease):
        ENDINGS[state](trial)


# --- the objective value -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("objective", "direction", "losses", "value", "step"),
    [
        ("best", "minimize", [0.5, 0.2, 0.4], 0.2, 2),
        ("last", "minimize", [0.5, 0.2, 0.4], 0.4, 3),
        ("best", "maximize", [0.5, 0.7, 0.4], 0.7, 2),
        ("last", "maximize", [0.5, 0.7, 0.4], 0.4, 3),
        ("best", "minimize", [0.5, 0.2, math.nan], 0.2, 2),
        ("best", "minimize", [0.3, 0.3], 0.3, 1),
    ],
)
def test_the_value_is_the_best_or_the_last(alice, objective, direction, losses, value, step):
    study = make_study(alice, started=True, objective=objective, direction=direction)
    trial = make_running(study)
    report(trial, losses)
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    row = fresh(trial)
    assert (row.state, row.value, row.value_step, row.values, row.value_kind) == ("COMPLETE", value, step, [value], "")


@pytest.mark.parametrize(
    ("objective", "losses", "kind"),
    [
        ("best", [math.nan, math.nan], "nan"),
        ("best", [math.nan, math.inf], "inf"),
        ("last", [0.5, math.nan], "nan"),
        ("last", [0.5, -math.inf], "-inf"),
    ],
)
def test_a_reported_value_that_is_not_finite_is_a_divergence(alice, objective, losses, kind):
    study = make_study(alice, started=True, objective=objective)
    trial = make_running(study)
    report(trial, losses)
    assert complete_trial(trial_id=trial.pk, fence=trial.fence) == "FAILED"
    row = fresh(trial)
    assert (row.reason_code, row.value, row.value_kind) == ("diverged", None, kind)
    assert "learning rate" in row.reason
    assert Study.objects.get(pk=study.pk).best_trial is None


@pytest.mark.parametrize(("value", "kind"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_a_told_value_that_is_not_finite_is_a_divergence(trial, value, kind):
    assert complete_trial(trial_id=trial.pk, fence=trial.fence, value=value) == "FAILED"
    row = fresh(trial)
    assert (row.reason_code, row.value, row.value_kind) == ("diverged", None, kind)
    assert str(row.values[0]) == str(value)


def test_a_metric_that_was_never_reported_is_named(alice):
    study = make_study(alice, started=True, metric="validation/f1")
    trial = make_running(study)
    report(trial, [0.5])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    row = fresh(trial)
    assert (row.state, row.reason_code, row.value) == ("FAILED", "code_error", None)
    assert "validation/f1" in row.reason
    assert "train/loss, validation/loss" in row.reason
    other = make_running(study)
    complete_trial(trial_id=other.pk, fence=other.fence)
    assert "It reported nothing" in fresh(other).reason


@pytest.mark.parametrize("constraints", [[-1.0, 0.5], [math.nan], [math.inf]])
def test_an_infeasible_configuration_is_pruned_without_value(study, trial, constraints):
    report(trial, [0.5])
    assert complete_trial(trial_id=trial.pk, fence=trial.fence, value=0.1, constraints=constraints) == "PRUNED"
    row = fresh(trial)
    assert (row.value, row.value_step, row.infeasible, row.reason_code) == (None, None, True, "")
    assert "constraint" in row.reason
    assert Study.objects.get(pk=study.pk).best_trial is None


def test_met_constraints_are_kept(trial):
    complete_trial(trial_id=trial.pk, fence=trial.fence, value=0.1, constraints=[-1.0, 0.0])
    row = fresh(trial)
    assert (row.state, row.constraints, row.infeasible) == ("COMPLETE", [-1.0, 0.0], False)


def test_a_pruned_trial_keeps_its_value_unless_it_is_infeasible(alice):
    study = make_study(alice, started=True)
    feasible, infeasible = make_running(study), make_running(study)
    for trial in (feasible, infeasible):
        report(trial, [0.5, 0.4])
    prune_trial(trial_id=feasible.pk, fence=1, reason="stopped")
    prune_trial(trial_id=infeasible.pk, fence=1, constraints=[2.0])
    assert (fresh(feasible).value, fresh(feasible).value_step, fresh(feasible).infeasible) == (0.4, 2, False)
    assert (fresh(infeasible).value, fresh(infeasible).infeasible) == (None, True)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_best_trial_follows_the_direction_and_ties_keep_the_earlier(alice, direction):
    study = make_study(alice, started=True, direction=direction, parallel=9)
    sign = 1 if direction == "minimize" else -1
    best = []
    for value in (0.5, 0.7, 0.3, 0.3):
        trial = make_running(study)
        complete_trial(trial_id=trial.pk, fence=trial.fence, value=sign * value)
        best.append(Study.objects.get(pk=study.pk).best_trial.number)
    assert best == [0, 0, 2, 2]


# --- failures ----------------------------------------------------------------------------------------------------
def test_a_failed_trial_has_a_reason_and_no_value(study, trial):
    report(trial, [0.01])
    fail_trial(
        trial_id=trial.pk,
        fence=trial.fence,
        reason_code="out_of_memory",
        reason="Lower the batch size.",
        traceback="x" * 30_000 + "end",
        facts={"device": "cpu"},
    )
    row = fresh(trial)
    assert (row.reason_code, row.reason, row.value, row.values, row.value_step) == (
        "out_of_memory", "Lower the batch size.", None, None, None,
    )  # fmt: skip
    assert len(row.traceback) == 20_000
    assert row.traceback.endswith("end")
    assert row.facts == {"device": "cpu"}
    study.refresh_from_db()
    assert study.state == "RUNNING", "the study goes on"


def test_texts_that_no_database_takes_are_stored_readably(trial):
    fail_trial(
        trial_id=trial.pk,
        fence=trial.fence,
        reason_code="a word that nobody knows",
        reason="bell \x00 and half a pair \ud800",
        traceback="\x00",
        facts={"name\ud800": "\x00 \ud800"},
    )
    row = fresh(trial)
    assert (row.reason_code, row.reason, row.traceback) == ("code_error", "bell � and half a pair ?", "�")
    assert row.facts == {"name?": "\x00 ?"}


def test_a_lost_trial_is_retried_three_times_and_then_given_up(alice):
    study = make_study(alice, started=True, n_trials=1)
    for retries in (1, 2, 3):
        trial = make_running(study)
        assert requeue_trial(trial_id=trial.pk, fence=trial.fence, why="It was killed.", lost=True) == "WAITING"
        assert fresh(trial).retries == retries
    trial = make_running(study)
    assert requeue_trial(trial_id=trial.pk, fence=trial.fence, why="It was killed.", lost=True) == "FAILED"
    row = fresh(trial)
    assert (row.reason_code, row.fence, row.finish_seq) == ("lost_host", 4, 1)
    assert "lost 4 times" in row.reason
    assert "batch size" in row.reason
    study.refresh_from_db()
    assert study.state == "FINISHED"


def test_an_orderly_requeue_costs_no_retry(alice):
    study = make_study(alice, started=True)
    for _ in range(5):
        trial = make_running(study)
        requeue_trial(trial_id=trial.pk, fence=trial.fence, why="the host was shut down", lost=False)
    assert (fresh(trial).state, fresh(trial).retries) == ("WAITING", 0)


def test_an_expiry_that_was_renewed_meanwhile_changes_nothing(trial):
    with pytest.raises(StaleLease, match="renewed"):
        requeue_trial(trial_id=trial.pk, fence=trial.fence, why="silent", lost=True, expired=True)
    assert fresh(trial).state == "RUNNING"


def test_the_end_of_an_attempt_is_noted_once(trial):
    attempt = trial.attempts.get()
    end_attempt(attempt_id=attempt.pk, outcome="killed " + "x" * 200, exit_code=-9, peak_memory=5)
    ended = trial.attempts.get()
    end_attempt(attempt_id=attempt.pk, outcome="another word", exit_code=0)
    again = trial.attempts.get()
    assert (again.exit_code, again.peak_memory, len(again.outcome)) == (-9, 5, 120)
    assert again.ended == ended.ended
