"""The time limit of a trial: over all its attempts, by the database's clock, told to worker and script alike."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import make_running, make_slot, make_study, report
from tuning.models import AuditEvent, Study, Trial
from tuning.selectors.control import trial_control
from tuning.services import deadlines
from tuning.services.cloning import clone_study
from tuning.services.deadlines import fail_overdue, time_words
from tuning.services.endings import requeue_trial
from tuning.services.errors import Conflict, Invalid, StaleLease
from tuning.services.lifecycle import pause_study, resume_study
from tuning.services.reaper import reap_expired
from tuning.services.retrying import retry_trial
from tuning.services.scripts import ask_trials, heartbeat, tell
from tuning.services.scripts import report as report_script
from tuning.services.scripts import suggest as suggest_script
from tuning.services.studies import create_study, update_study

pytestmark = pytest.mark.django_db


def row() -> Trial:
    return Trial.objects.order_by("-number").first()


def run_for(seconds):
    """Let the running trial have begun so long ago, as the database sees it."""
    for trial in Trial.objects.filter(state="RUNNING"):
        shift = timedelta(seconds=seconds)
        deadline = trial.deadline - shift if trial.deadline else None
        Trial.objects.filter(pk=trial.pk).update(claimed=trial.claimed - shift, deadline=deadline)


def left():
    return (row().deadline - timezone.now()).total_seconds()


@pytest.fixture
def study(alice):
    return make_study(alice, started=True, workload="tiny", trial_seconds=600)


# --- the allowance ----------------------------------------------------------------------------------------------------
def test_a_claim_gets_the_deadline_that_earlier_runs_leave(study, alice):
    trial = make_running(study, make_slot())
    assert left() == pytest.approx(600, abs=20)
    run_for(200)
    requeue_trial(trial_id=trial.pk, fence=1, why="killed", lost=True)
    assert (row().deadline, row().claimed) == (None, None)
    assert row().run_seconds == pytest.approx(200, abs=20)
    make_running(study, make_slot())
    assert left() == pytest.approx(400, abs=20)
    run_for(100)
    pause_study(study_id=study.pk, actor=alice)
    assert row().deadline is None, "a pause costs nothing"
    resume_study(study_id=study.pk, actor=alice)
    make_running(study, make_slot())
    assert left() == pytest.approx(300, abs=20)


def test_without_a_limit_there_is_no_deadline(alice):
    trial = make_running(make_study(alice, started=True, workload="tiny"), make_slot())
    assert trial.deadline is None
    assert not trial_control(trial.pk, 1).overdue
    assert not fail_overdue(trial_id=trial.pk, fence=1)


def test_a_changed_limit_holds_for_what_runs(study, alice):
    make_running(study, make_slot())
    run_for(100)
    update_study(study=study, actor=alice, trial_seconds=1000)
    assert left() == pytest.approx(900, abs=20)
    update_study(study=study, actor=alice, trial_seconds=50)
    assert left() == pytest.approx(-50, abs=20)
    assert trial_control(row().pk, 1).overdue
    update_study(study=study, actor=alice, trial_seconds=None)
    assert row().deadline is None
    event = AuditEvent.objects.filter(verb="changed").first()
    assert (event.before, event.after) == ({"trial_seconds": 50}, {"trial_seconds": None})


@pytest.mark.parametrize("wrong", [0, -5, 1.5, "60", True, 10**9])
def test_a_limit_that_is_none_is_refused(study, alice, wrong):
    with pytest.raises(Invalid, match=r"trial_seconds.*whole number from 1"):
        update_study(study=study, actor=alice, trial_seconds=wrong)
    with pytest.raises(Invalid, match="trial_seconds"):
        create_study(owner=alice, name="new", workload="tiny", n_trials=1, trial_seconds=wrong)


def test_a_clone_has_the_same_limit(study, alice):
    assert clone_study(study_id=study.pk, actor=alice).trial_seconds == 600
    assert clone_study(study_id=study.pk, actor=alice, name="other", trial_seconds=60).trial_seconds == 60


# --- missing it -------------------------------------------------------------------------------------------------------
def test_a_missed_deadline_is_a_failure_that_says_how_far_it_came(study):
    trial = make_running(study, make_slot())
    report(trial, [0.5, 0.4])
    assert not fail_overdue(trial_id=trial.pk, fence=1), "not yet"
    run_for(601)
    assert trial_control(trial.pk, 1).overdue
    assert fail_overdue(trial_id=trial.pk, fence=1)
    assert (row().state, row().reason_code, row().value) == ("FAILED", "deadline", None)
    for part in ("run for 10 min", "done 2 of 5 epochs", "all of them take 25 min", "lower the epochs to 2"):
        assert part in row().reason
    assert not fail_overdue(trial_id=trial.pk, fence=1)


def test_the_words_of_one_that_had_done_nothing_and_of_one_without_a_plan(study):
    trial = make_running(study, make_slot())
    assert "had not finished its first epoch. Raise the time limit" in deadlines.missed_words(study, row())
    Trial.objects.update(resource=None, resource_done=7)
    assert "had done 7 epochs. Raise the time limit" in deadlines.missed_words(study, row())
    trial.attempts.update(start_step=4)
    Trial.objects.update(resource=10)
    assert "all of them take 20 min" in deadlines.missed_words(study, row()), "3 steps of its own in 10 min"


def test_an_older_claim_fails_nothing(study):
    trial = make_running(study, make_slot())
    run_for(601)
    with pytest.raises(StaleLease):
        fail_overdue(trial_id=trial.pk, fence=0)
    assert row().state == "RUNNING"


def test_a_wrong_clock_of_the_worker_does_not_matter(study, monkeypatch):
    """The deadline is the database's; where that is this process (SQLite), its own clock is what SQL sees."""
    make_running(study, make_slot())
    for module in ("tuning.services.transitions", "tuning.services.endings", "tuning.services.starting"):
        monkeypatch.setattr(f"{module}.timezone.now", lambda: timezone.datetime(2031, 1, 1, tzinfo=timezone.UTC))
    assert not trial_control(row().pk, 1).overdue
    assert reap_expired() == 0


def test_a_retry_has_a_fresh_allowance(study, alice):
    trial = make_running(study, make_slot())
    report(trial, [0.5, 0.4])
    Trial.objects.update(checkpoint="last.pt", checkpoint_step=2)
    run_for(601)
    fail_overdue(trial_id=trial.pk, fence=1)
    retry_trial(trial_id=trial.pk, actor=alice)
    assert row().resource_done == 2
    make_running(study, make_slot())
    assert (row().number, row().run_seconds) == (1, 0.0)
    assert left() == pytest.approx(600, abs=20)


# --- the reaper -------------------------------------------------------------------------------------------------------
def test_the_reaper_ends_what_a_worker_does_not_after_some_seconds(study):
    trial = make_running(study, make_slot())
    run_for(602)
    assert reap_expired() == 0, "the worker has a moment to do it itself"
    run_for(5)
    assert (reap_expired(), reap_expired()) == (1, 0)
    assert (row().reason_code, trial.attempts.get().outcome) == ("deadline", "deadline passed")


def test_the_reaper_ends_a_silent_script_at_once(alice):
    study = make_study(alice, started=True, trial_seconds=60)
    ask_trials(study_id=study.pk, actor=alice)
    run_for(61)
    assert reap_expired() == 1
    assert row().reason_code == "deadline"


# --- scripts ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def late(alice):
    """A script's trial, two of whose five steps are reported, past its deadline."""
    study = make_study(alice, started=True, trial_seconds=60)
    (asked,) = ask_trials(study_id=study.pk, actor=alice)
    held = {"trial_id": asked.trial.pk, "lease": asked.lease}
    report_script(**held, points=[{"step": 2, "metrics": {"validation/loss": 0.4}}])
    run_for(61)
    return held


@pytest.mark.parametrize(
    "call",
    [
        lambda held: report_script(**held, points=[{"step": 3, "metrics": {"validation/loss": 0.3}}]),
        lambda held: heartbeat(**held),
        lambda held: suggest_script(**held, name="x", distribution={"type": "int", "low": 1, "high": 2}),
        lambda held: tell(**held, value=0.3),
    ],
)
def test_a_script_is_told_at_its_next_call_in_words(late, call):
    for _ in range(2):
        with pytest.raises(StaleLease, match=r"missed its deadline.*2 of 5 steps.*Ask for a new trial"):
            call(late)
    assert (row().state, row().reason_code, row().value) == ("FAILED", "deadline", None)
    assert row().attempts.get().outcome == "deadline passed"
    assert Study.objects.get().n_failed == 1


def test_a_script_that_says_itself_that_it_took_too_long_may_say_it_again(alice):
    study = make_study(alice, started=True)
    (asked,) = ask_trials(study_id=study.pk, actor=alice)
    words = {"trial_id": asked.trial.pk, "lease": asked.lease, "state": "failed", "reason": "deadline"}
    assert tell(**words).reason_code == "deadline"
    assert tell(**words).reason_code == "deadline"
    with pytest.raises(Conflict):
        tell(trial_id=asked.trial.pk, lease=asked.lease, value=1.0)


def test_times_in_words_are_never_less_than_they_are():
    times = (0.2, 59, 91, 600, 3600, 3601, 90_000)
    assert [time_words(seconds) for seconds in times] == [
        "1 s", "59 s", "2 min", "10 min", "1 h", "1 h 1 min", "25 h",
    ]  # fmt: skip
