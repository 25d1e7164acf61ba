"""start, pause, resume, stop, cancel: each transition, twice, and what it does to trials and their processes."""

import pytest

from tests.factories import make_running, make_slot, make_study, make_workload, report
from tuning.models import Attempt, AuditEvent, Job, Study, Trial
from tuning.services.endings import complete_trial, park_trial
from tuning.services.errors import Conflict, Forbidden, NotFound, StaleLease
from tuning.services.lifecycle import cancel_trial, pause_study, resume_study, start_study, stop_study
from tuning.services.reporting import CheckpointNote, record_points
from tuning.services.scripts import ask_trials
from tuning.services.studies import create_study
from tuning.services.trials import enqueue_trial

ACTIONS = {"start": start_study, "pause": pause_study, "resume": resume_study, "stop": stop_study}
# state -> action -> the state after it; None: refused
TABLE = {
    "DRAFT": {"start": None, "pause": None, "resume": None, "stop": None},
    "READY": {"start": "RUNNING", "pause": None, "resume": None, "stop": "STOPPED"},
    "RUNNING": {"start": "RUNNING", "pause": "PAUSED", "resume": "RUNNING", "stop": "STOPPED"},
    "PAUSED": {"start": None, "pause": "PAUSED", "resume": "RUNNING", "stop": "STOPPED"},
    "STOPPED": {"start": None, "pause": None, "resume": None, "stop": "STOPPED"},
    "FINISHED": {"start": None, "pause": None, "resume": None, "stop": "FINISHED"},
}


def counters(study):
    study.refresh_from_db()
    return {state: getattr(study, f"n_{state.lower()}") for state in Trial.State.values}


def counted(study):
    return {state: study.trials.filter(state=state).count() for state in Trial.State.values}


@pytest.mark.parametrize(("state", "verb"), [(state, verb) for state in TABLE for verb in ACTIONS])
def test_every_action_in_every_state(alice, state, verb):
    study = make_study(alice)
    Study.objects.filter(pk=study.pk).update(state=state)
    expected = TABLE[state][verb]
    if expected is None:
        with pytest.raises(Conflict, match=state.lower()):
            ACTIONS[verb](study_id=study.pk, actor=alice)
        assert Study.objects.get(pk=study.pk).state == state
        return
    assert ACTIONS[verb](study_id=study.pk, actor=alice).state == expected
    again = Study.objects.get(pk=study.pk)
    events = AuditEvent.objects.count()
    assert ACTIONS[verb](study_id=study.pk, actor=alice).state == expected
    assert Study.objects.get(pk=study.pk).version == again.version, "the same again changes nothing"
    assert AuditEvent.objects.count() == events


@pytest.mark.parametrize("verb", ACTIONS)
def test_only_owner_and_administrators_act(alice, bob, charlie, admin, verb):
    study = make_study(alice)
    for person in (bob, charlie):
        with pytest.raises(Forbidden, match="alice"):
            ACTIONS[verb](study_id=study.pk, actor=person)
    with pytest.raises(NotFound):
        ACTIONS[verb](study_id=10**9, actor=alice)
    start_study(study_id=study.pk, actor=admin)
    assert AuditEvent.objects.filter(verb="started").first().actor_name == "admin"


def test_pause_sends_running_trials_to_waiting_and_keeps_their_checkpoint(alice):
    study = make_study(alice, started=True, workload="tiny")
    trial = make_running(study, make_slot())
    record_points(
        trial_id=trial.pk, fence=trial.fence, points=[], checkpoints=[CheckpointNote("last", 2, "study/ckpt-2.pt")]
    )
    report(trial, [0.5, 0.4, 0.3])
    pause_study(study_id=study.pk, actor=alice)
    trial.refresh_from_db()
    assert (trial.state, trial.slot, trial.lease_until, trial.retries) == ("WAITING", None, None, 0)
    assert (trial.checkpoint, trial.checkpoint_step) == ("study/ckpt-2.pt", 2)
    with pytest.raises(StaleLease):
        report(trial, [0.2], first=4)
    assert counters(study) == counted(study)
    resume_study(study_id=study.pk, actor=alice)
    again = make_running(study, make_slot())
    assert (again.pk, again.fence, again.resource_done) == (trial.pk, 2, 2)
    assert again.attempts.get(fence=2).start_step == 2


def test_nothing_starts_while_paused(alice):
    study = make_study(alice, started=True)
    pause_study(study_id=study.pk, actor=alice)
    with pytest.raises(RuntimeError):
        make_running(study)
    with pytest.raises(Conflict, match="paused"):
        ask_trials(study_id=study.pk, actor=alice)


def test_stop_cancels_running_and_waiting_and_prunes_paused(alice):
    study = make_study(alice, started=True)
    running, parked, done = (make_running(study) for _ in range(3))
    report(running, [0.1])
    report(parked, [0.2])
    park_trial(trial_id=parked.pk, fence=parked.fence)
    complete_trial(trial_id=done.pk, fence=done.fence, value=0.5)
    waiting = enqueue_trial(study_id=study.pk, actor=alice, params={})
    study = stop_study(study_id=study.pk, actor=alice)
    rows = {trial.number: trial for trial in study.trials.all()}
    for trial in (running, waiting):
        row = rows[trial.number]
        assert (row.state, row.reason_code, row.value) == ("FAILED", "cancelled", None)
        assert "stopped" in row.reason
    assert (rows[parked.number].state, rows[parked.number].value) == ("PRUNED", 0.2)
    assert rows[done.number].state == "COMPLETE"
    assert sorted(row.finish_seq for row in rows.values()) == [1, 2, 3, 4]
    assert counters(study) == counted(study)
    assert "alice" in study.state_reason
    assert study.finished is not None


def test_attempts_of_scripts_end_with_their_trial(alice):
    study = make_study(alice, started=True)
    (asked,) = ask_trials(study_id=study.pk, actor=alice)
    pause_study(study_id=study.pk, actor=alice)
    resume_study(study_id=study.pk, actor=alice)
    ask_trials(study_id=study.pk, actor=alice)
    stop_study(study_id=study.pk, actor=alice)
    attempts = Attempt.objects.filter(trial=asked.trial)
    assert [attempt.outcome for attempt in attempts] == ["the study was paused", "the study was stopped"]
    assert all(attempt.ended for attempt in attempts)


def test_attempts_of_workers_are_left_to_their_worker(alice):
    study = make_study(alice, started=True, workload="tiny")
    trial = make_running(study, make_slot())
    stop_study(study_id=study.pk, actor=alice)
    assert trial.attempts.get().ended is None


@pytest.mark.parametrize("state", ["RUNNING", "WAITING", "PAUSED"])
def test_cancelling_an_open_trial_fails_it(alice, bob, state):
    study = make_study(alice, started=True)
    trial = enqueue_trial(study_id=study.pk, actor=alice, params={}) if state == "WAITING" else make_running(study)
    if state == "PAUSED":
        report(trial, [0.5])
        park_trial(trial_id=trial.pk, fence=trial.fence)
    with pytest.raises(Forbidden):
        cancel_trial(trial_id=trial.pk, actor=bob)
    trial = cancel_trial(trial_id=trial.pk, actor=alice)
    assert (trial.state, trial.reason_code) == ("FAILED", "cancelled")
    seq = trial.finish_seq
    assert cancel_trial(trial_id=trial.pk, actor=alice).finish_seq == seq
    assert counters(study) == counted(study)


def test_cancelling_the_last_trial_finishes_the_study(alice):
    study = make_study(alice, started=True, n_trials=1)
    cancel_trial(trial_id=make_running(study).pk, actor=alice)
    study.refresh_from_db()
    assert study.state == "FINISHED"


def test_resuming_a_study_whose_last_trial_was_cancelled_finishes_it(alice):
    study = make_study(alice, started=True, n_trials=1)
    trial = make_running(study)
    pause_study(study_id=study.pk, actor=alice)
    cancel_trial(trial_id=trial.pk, actor=alice)
    study.refresh_from_db()
    assert study.state == "PAUSED"
    assert resume_study(study_id=study.pk, actor=alice).state == "FINISHED"


def test_starting_a_study_whose_whole_queue_was_cancelled_finishes_it(alice):
    study = make_study(alice, workload="tiny", n_trials=1)
    trial = enqueue_trial(study_id=study.pk, actor=alice, params={})
    cancel_trial(trial_id=trial.pk, actor=alice)
    start_study(study_id=study.pk, actor=alice)
    study.refresh_from_db()
    assert study.state == "FINISHED", "no claim would ever look at it again"


def test_a_trial_that_is_gone_cannot_be_cancelled(alice):
    with pytest.raises(NotFound):
        cancel_trial(trial_id=10**9, actor=alice)


@pytest.mark.parametrize(
    ("kind", "counted", "jobs"), [("pytorch", False, 1), ("pytorch", True, 0), ("objective", False, 0)]
)
def test_a_start_has_the_data_of_a_pytorch_workload_counted_once(alice, kind, counted, jobs):
    make_workload("fresh", counted=counted, kind=kind)
    for name in ("first", "second"):
        study = create_study(owner=alice, name=name, workload="fresh", n_trials=1)
        start_study(study_id=study.pk, actor=alice)
    assert Job.objects.filter(kind="split", args={"workload": "fresh"}).count() == jobs
