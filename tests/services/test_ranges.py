"""Changing the ranges of a study: versions, what keeps counting, what is cancelled, what is assumed."""

import pytest

from tests.factories import SPACE, make_running, make_slot, make_study, report
from tests.services.test_history import assert_equal
from tests.services.test_lifecycle import counted, counters
from tuning.models import AuditEvent, SearchSpace, Study, Trial
from tuning.services.endings import complete_trial, requeue_trial
from tuning.services.errors import Conflict, Forbidden, Invalid, NotFound
from tuning.services.extending import extend_study
from tuning.services.history import fresh_history, study_history
from tuning.services.lifecycle import pause_study, resume_study, stop_study
from tuning.services.proposing import engine_space
from tuning.services.ranges import change_ranges
from tuning.services.trials import enqueue_trial

NARROW = {**SPACE, "lr": {"type": "float", "low": 1e-3, "high": 0.1, "log": True}}
DROPOUT = {"type": "float", "low": 0.0, "high": 0.7}


def change(study, alice, space, **more):
    return change_ranges(study_id=study.pk, actor=alice, space=space, **more)


def done(study, alice, lr):
    enqueue_trial(study_id=study.pk, actor=alice, params={"lr": lr})
    trial = make_running(study)
    report(trial, [lr])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    return trial


def learnt(study):
    """The numbers of the trials that the sampler sees, by the cache and afresh."""
    study = Study.objects.select_related("space").get(pk=study.pk)
    cached, fresh = (read(study, engine_space(study)) for read in (study_history, fresh_history))
    assert_equal(cached, fresh)
    return cached.numbers.tolist()


def test_trials_that_fit_keep_counting_and_the_version_says_from_which_trial_it_holds(alice):
    study = make_study(alice, started=True)
    done(study, alice, 1e-4)
    done(study, alice, 1e-2)
    assert learnt(study) == [0, 1]
    before = Study.objects.get(pk=study.pk).history_version
    made = change(study, alice, NARROW, reason=" the lowest rates learn nothing ")
    assert (made.version.number, made.version.first_trial, made.version.author) == (2, 2, alice)
    assert (made.version.reason, made.cancelled) == ("the lowest rates learn nothing", ())
    study.refresh_from_db()
    assert (study.space, study.history_version) == (made.version, before + 1)
    assert learnt(study) == [1]
    new = make_running(study)
    assert new.space == made.version
    assert new.params["lr"] >= 1e-3
    wide = change(study, alice, SPACE)
    assert (wide.version.number, learnt(study)) == (3, [0, 1, 2])
    assert Trial.objects.get(number=0).space.number == 1


def test_waiting_trials_that_do_not_fit_are_cancelled_and_what_runs_goes_on(alice):
    study = make_study(alice, started=True, workload="tiny")
    running = make_running(study, make_slot())
    Trial.objects.filter(pk=running.pk).update(params={**running.params, "lr": 2e-5})
    out, fits = (enqueue_trial(study_id=study.pk, actor=alice, params={"lr": lr}) for lr in (1e-5, 1e-2))
    made = change(study, alice, NARROW)
    assert made.cancelled == (out.number,)
    rows = {row.pk: row for row in study.trials.all()}
    assert (rows[out.pk].state, rows[out.pk].reason_code) == ("FAILED", "cancelled")
    assert "version 2" in rows[out.pk].reason
    assert "the value of lr is not" in rows[out.pk].reason
    assert (rows[fits.pk].state, rows[fits.pk].params) == ("WAITING", fits.params)
    assert (rows[running.pk].state, rows[running.pk].fence) == ("RUNNING", running.fence)
    report(running, [0.5])
    assert counters(study) == counted(study)


def test_a_trial_between_two_attempts_is_cancelled_too(alice):
    study = make_study(alice, started=True)
    trial = make_running(study)
    Trial.objects.filter(pk=trial.pk).update(params={**trial.params, "lr": 2e-5})
    requeue_trial(trial_id=trial.pk, fence=trial.fence, why="", lost=True)
    assert change(study, alice, NARROW).cancelled == (0,)


def test_an_added_parameter_has_an_assumed_value_for_the_trials_so_far(alice):
    study = make_study(alice, started=True)
    first = done(study, alice, 1e-2)
    waiting = enqueue_trial(study_id=study.pk, actor=alice, params={"lr": 1e-3})
    space = {**SPACE, "dropout": DROPOUT}
    made = change(study, alice, space, assumed={"dropout": 0.25})
    assert (made.version.assumed, made.cancelled) == ({"dropout": 0.25}, ())
    study.refresh_from_db()
    history = study_history(study, engine_space(study))
    assert history.params(0) == {**first.params, "dropout": 0.25}
    assert Trial.objects.get(pk=waiting.pk).params == waiting.params, "it runs as it was proposed"
    assert Trial.objects.get(pk=first.pk).params == first.params
    later = change(study, alice, {**space, "width": {"type": "int", "low": 1, "high": 9}}, assumed={"width": 4})
    assert later.version.assumed == {"dropout": 0.25, "width": 4}, "what was assumed before still is"
    assert learnt(study) == [0, 1]


def test_without_an_assumed_value_the_trials_so_far_count_no_more(alice):
    study = make_study(alice, started=True)
    done(study, alice, 1e-2)
    waiting = enqueue_trial(study_id=study.pk, actor=alice, params={})
    made = change(study, alice, {**SPACE, "dropout": DROPOUT})
    assert made.cancelled == (waiting.number,)
    assert learnt(study) == []


def test_a_removed_parameter_is_dropped_for_the_sampler(alice):
    study = make_study(alice, started=True)
    trial = done(study, alice, 1e-2)
    change(study, alice, {"lr": SPACE["lr"]})
    study.refresh_from_db()
    assert study_history(study, engine_space(study)).params(0) == {"lr": trial.params["lr"]}
    assert set(make_running(study).params) == {"lr"}


def test_the_same_again_changes_nothing(alice):
    study = make_study(alice, started=True)
    space = {**SPACE, "dropout": DROPOUT}
    made = change(study, alice, space, assumed={"dropout": 0.1}, reason="more")
    version, events = Study.objects.get(pk=study.pk).version, AuditEvent.objects.count()
    for assumed in ({"dropout": 0.1}, None):
        again = change(study, alice, space, assumed=assumed, reason="more")
        assert (again.version, again.cancelled) == (made.version, ())
    assert (Study.objects.get(pk=study.pk).version, AuditEvent.objects.count()) == (version, events)
    assert change(study, alice, space, assumed={"dropout": 0.2}).version.number == 3


def test_a_proposal_made_for_the_old_ranges_is_not_committed(alice, monkeypatch):
    study = make_study(alice, started=True)
    from tuning.services import starting

    propose, changed = starting.propose, []

    def meanwhile(row):
        proposal = propose(row)
        if not changed:
            changed.append(change(study, alice, NARROW))
        return proposal

    monkeypatch.setattr(starting, "propose", meanwhile)
    for _ in range(5):
        trial = make_running(study)
        assert trial.params["lr"] >= 1e-3
        complete_trial(trial_id=trial.pk, fence=1, value=1.0)


def test_it_is_recorded(alice):
    study = make_study(alice, started=True)
    enqueue_trial(study_id=study.pk, actor=alice, params={"lr": 1e-5})
    change(study, alice, NARROW, reason="why not")
    event = AuditEvent.objects.get(verb="changed the ranges of")
    assert (event.actor_name, event.before) == ("alice", {"version": 1})
    assert event.after == {"version": 2, "reason": "why not", "cancelled trials": 1}


def test_a_paused_study_takes_it_and_cancelling_all_that_waits_may_finish_a_study(alice):
    study = make_study(alice, started=True, n_trials=1)
    enqueue_trial(study_id=study.pk, actor=alice, params={"lr": 1e-5})
    pause_study(study_id=study.pk, actor=alice)
    change(study, alice, NARROW)
    assert Study.objects.get(pk=study.pk).state == "PAUSED"
    assert resume_study(study_id=study.pk, actor=alice).state == "FINISHED"
    assert extend_study(study_id=study.pk, actor=alice, n_trials=2).state == "RUNNING"
    enqueue_trial(study_id=study.pk, actor=alice, params={"lr": 1e-3})
    change(study, alice, {**NARROW, "lr": {"type": "float", "low": 1.0, "high": 2.0}})
    assert Study.objects.get(pk=study.pk).state == "FINISHED"


def test_what_is_refused(alice, bob):
    study = make_study(alice, started=True)
    with pytest.raises(Forbidden, match="alice"):
        change_ranges(study_id=study.pk, actor=bob, space=NARROW)
    with pytest.raises(NotFound):
        change_ranges(study_id=10**9, actor=alice, space=NARROW)
    with pytest.raises(Invalid, match=r"space\.lr"):
        change(study, alice, {"lr": {"type": "float", "low": 2, "high": 1}})
    with pytest.raises(Invalid, match=r"assumed\.lr.*assumed\.depth"):
        change(study, alice, NARROW, assumed={"lr": 5.0, "depth": 3})
    with pytest.raises(Invalid, match="reason"):
        change(study, alice, NARROW, reason="x" * 501)
    assert SearchSpace.objects.filter(study=study).count() == 1
    grid = make_study(alice, started=True, sampler="grid", space={"depth": {"type": "int", "low": 1, "high": 2}})
    with pytest.raises(Invalid, match=r"space\.lr"):
        change(grid, alice, SPACE)
    stop_study(study_id=study.pk, actor=alice)
    with pytest.raises(Conflict, match="clone it"):
        change(study, alice, NARROW)
    free = make_study(alice, started=True)
    Study.objects.filter(pk=free.pk).update(space=None)
    with pytest.raises(Conflict, match="suggested while its objective runs"):
        change(free, alice, NARROW)
