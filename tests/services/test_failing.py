"""A study in which trial after trial fails is paused; one of which some fail is not."""

import pytest

from tests.factories import make_running, make_slot, make_study, report
from tests.services.test_rungs import advance, ask, by_number, make
from tuning.models import AuditEvent, Study, Trial
from tuning.services.endings import complete_trial, fail_trial, prune_trial, requeue_trial
from tuning.services.errors import Conflict
from tuning.services.failing import IN_A_ROW
from tuning.services.lifecycle import cancel_trial, resume_study
from tuning.services.scripts import ask_trials

pytestmark = pytest.mark.django_db


def endless(alice, **more):
    """A study that time alone would end."""
    return make_study(alice, started=True, n_trials=None, study_seconds=3600, sampler="random", parallel=30, **more)


def fail(trial, code="code_error", reason="RuntimeError: shapes (3,) and (4,)."):
    return fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code=code, reason=reason)


def now(study):
    study.refresh_from_db()
    return study.state


@pytest.mark.parametrize("code", ["code_error", "out_of_memory"])
def test_ten_failures_in_a_row_pause_the_study_and_say_what_to_do(alice, code):
    study = endless(alice, workload="tiny")
    other = make_running(study, make_slot())
    for number in range(IN_A_ROW):
        assert now(study) == "RUNNING"
        fail(make_running(study), code, f"RuntimeError: trial {number} is wrong.\nmore")
    assert now(study) == "PAUSED"
    assert study.state_reason == (
        "10 trials in a row have failed, the last one, trial 10, with: RuntimeError: trial 9 is wrong. Look at a "
        "failed trial's error and log, correct the workload, or take out of the search space what it cannot run, then "
        "resume the study"
    )
    other.refresh_from_db()
    assert (other.state, study.n_failed, study.n_waiting) == ("WAITING", IN_A_ROW, 1)
    assert AuditEvent.objects.filter(verb="paused", object_id=study.pk, actor=None).count() == 1
    assert ask(study) is None


def test_a_study_that_is_resumed_may_fail_ten_times_again(alice):
    study = endless(alice)
    for _ in range(IN_A_ROW):
        fail(ask(study))
    with pytest.raises(Conflict, match=r"The study is paused \(10 trials in a row have failed.*correct the script"):
        ask_trials(study_id=study.pk, actor=alice)
    resume_study(study_id=study.pk, actor=alice)
    for _ in range(IN_A_ROW - 1):
        fail(ask(study))
    assert (now(study), study.state_reason) == ("RUNNING", "")
    fail(ask(study))
    assert (now(study), study.n_failed) == ("PAUSED", 2 * IN_A_ROW)


def _complete(trial):
    complete_trial(trial_id=trial.pk, fence=trial.fence, value=0.5)


def _prune(trial):
    report(trial, [0.5])
    prune_trial(trial_id=trial.pk, fence=trial.fence)


@pytest.mark.parametrize("succeed", [_complete, _prune])
def test_a_success_between_them_starts_the_count_anew(alice, succeed):
    study = endless(alice)
    for _ in range(3):
        for _ in range(IN_A_ROW - 1):
            fail(ask(study))
        succeed(ask(study))
    assert (now(study), study.failed_in_a_row) == ("RUNNING", 0)


def test_a_trial_that_came_to_a_rung_is_a_success(alice):
    study = make(alice, "asha", n_trials=100)
    trials = [ask(study) for _ in range(2 * IN_A_ROW - 1)]
    for trial in trials[: IN_A_ROW - 1]:
        fail(trial)
    assert advance(trials[IN_A_ROW - 1], by_number) == "PAUSED"
    for trial in trials[IN_A_ROW : 2 * IN_A_ROW - 1]:
        fail(trial)
    assert now(study) == "RUNNING"


def test_what_no_error_of_the_code_ended_neither_counts_nor_starts_anew(alice):
    study = endless(alice)
    for _ in range(IN_A_ROW - 1):
        fail(ask(study))
    fail(ask(study), "diverged", "the loss is nan")
    fail(ask(study), "disk_full", "no room")
    cancel_trial(trial_id=ask(study).pk, actor=alice)
    lost = ask(study)
    requeue_trial(trial_id=lost.pk, fence=lost.fence, why="lost", lost=True)
    assert (now(study), study.failed_in_a_row) == ("RUNNING", IN_A_ROW - 1)
    fail(ask(study))
    assert now(study) == "PAUSED"


def test_a_study_whose_budget_ends_with_the_tenth_failure_is_finished(alice):
    study = make_study(alice, started=True, n_trials=IN_A_ROW, sampler="random")
    for _ in range(IN_A_ROW):
        fail(ask(study))
    assert (now(study), study.state_reason) == ("FINISHED", "the budget of 10 trials is used")


def test_a_trial_that_never_reports_its_metric_has_failed_by_its_code(alice):
    study = endless(alice)
    for _ in range(IN_A_ROW):
        trial = ask(study)
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    assert now(study) == "PAUSED"
    assert "ended without reporting validation/loss" in Study.objects.get().state_reason
    assert Trial.objects.filter(state="FAILED").count() == IN_A_ROW
