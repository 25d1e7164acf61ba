"""Excluding a trial: it counts nowhere, stays as it was, and can be put back."""

import pytest

from tests.factories import SPACE, make_running, make_slot, make_study, report
from tests.services.test_history import assert_equal
from tests.services.test_lifecycle import counted, counters
from tuning.engine import SearchSpace
from tuning.models import AuditEvent, Study, Trial
from tuning.selectors.curves import curve_band
from tuning.selectors.history import history_points
from tuning.selectors.intents import study_intents
from tuning.selectors.sources import offer_of
from tuning.selectors.trials import leaderboard
from tuning.services.endings import complete_trial, fail_trial, park_trial
from tuning.services.errors import Forbidden, Invalid, NotFound, StaleLease
from tuning.services.exclusion import exclude_trial, include_trial
from tuning.services.history import fresh_history, study_history
from tuning.services.proposing import engine_space
from tuning.services.trials import enqueue_trial

WHY = "the disk was full of another data set"


def completed(study, value):
    trial = make_running(study)
    report(trial, [value])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    return Trial.objects.get(pk=trial.pk)


def best_of(study):
    return Study.objects.get(pk=study.pk).best_trial


def seen(study):
    """The numbers that every reader takes, by reader."""
    study = Study.objects.get(pk=study.pk)
    space = engine_space(study)
    return {
        "sampler": sorted(study_history(study, space).numbers.tolist()),
        "fresh": sorted(fresh_history(study, space).numbers.tolist()),
        "leaderboard": sorted(row.number for row in leaderboard(study, counted=True).rows),
        "history": [point.number for point in history_points(study)],
        "intents": [mark.number for mark in study_intents(study).marks],
        "offer": sorted(offer_of(study, space, {}).raw),
    }


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_an_excluded_trial_counts_nowhere_and_comes_back(alice, direction):
    study = make_study(alice, started=True, direction=direction)
    values = [0.5, 0.1, 0.3] if direction == "minimize" else [0.5, 0.9, 0.7]
    first, best, second = (completed(study, value) for value in values)
    assert set(map(tuple, seen(study).values())) == {(0, 1, 2)}
    assert curve_band(study, study.metric).n_trials == 3
    before = Study.objects.get(pk=study.pk)
    row = exclude_trial(trial_id=best.pk, actor=alice, reason=f" {WHY} ")
    assert (row.excluded_by, row.excluded_reason, row.state, row.value) == ("alice", WHY, "COMPLETE", best.value)
    assert row.excluded_at is not None
    assert set(map(tuple, seen(study).values())) == {(0, 2)}
    assert curve_band(study, study.metric).n_trials == 2
    assert best_of(study) == second
    after = Study.objects.get(pk=study.pk)
    assert after.history_version > before.history_version
    assert after.version > before.version
    assert after.n_created == before.n_created, "it keeps its place in the budget"
    exclude_trial(trial_id=second.pk, actor=alice, reason=WHY)
    assert best_of(study) == first
    include_trial(trial_id=best.pk, actor=alice)
    assert best_of(study) == best
    assert set(map(tuple, seen(study).values())) == {(0, 1)}
    assert Trial.objects.get(pk=best.pk).excluded_reason == ""


def test_the_cache_of_a_process_notices_and_equals_a_fresh_one(alice):
    study = make_study(alice, started=True)
    space = SearchSpace.from_json(SPACE)
    trials = [completed(study, 0.1 * number) for number in range(1, 5)]
    for trial, step in ((trials[1], exclude_trial), (trials[3], exclude_trial), (trials[1], include_trial)):
        more = {"reason": WHY} if step is exclude_trial else {}
        step(trial_id=trial.pk, actor=alice, **more)
        now = Study.objects.get(pk=study.pk)
        assert_equal(study_history(now, space), fresh_history(now, space))
        completed(study, 0.9)
        now = Study.objects.get(pk=study.pk)
        assert_equal(study_history(now, space), fresh_history(now, space))


def test_without_any_counting_trial_there_is_no_best(alice):
    study = make_study(alice, started=True)
    exclude_trial(trial_id=completed(study, 0.5).pk, actor=alice, reason=WHY)
    assert best_of(study) is None
    newer = completed(study, 0.7)
    assert best_of(study) == newer


@pytest.mark.parametrize("state", ["WAITING", "RUNNING", "PAUSED"])
def test_an_open_trial_is_cancelled_first(alice, state):
    study = make_study(alice, started=True)
    trial = enqueue_trial(study_id=study.pk, actor=alice, params={}) if state == "WAITING" else make_running(study)
    if state == "PAUSED":
        report(trial, [0.5])
        park_trial(trial_id=trial.pk, fence=trial.fence)
    row = exclude_trial(trial_id=trial.pk, actor=alice, reason=WHY)
    assert (row.state, row.reason_code, row.is_excluded) == ("FAILED", "cancelled", True)
    assert counters(study) == counted(study)
    with pytest.raises(StaleLease):
        report(trial, [0.5])


def test_excluding_the_last_open_trial_finishes_the_study(alice):
    study = make_study(alice, started=True, n_trials=1, workload="tiny")
    trial = make_running(study, make_slot())
    exclude_trial(trial_id=trial.pk, actor=alice, reason=WHY)
    assert Study.objects.get(pk=study.pk).state == "FINISHED"


def test_the_same_again_changes_nothing(alice):
    study = make_study(alice, started=True)
    trial = completed(study, 0.5)
    for action in (
        lambda: exclude_trial(trial_id=trial.pk, actor=alice, reason=WHY),
        lambda: include_trial(trial_id=trial.pk, actor=alice),
    ):
        first = action()
        version, events = Study.objects.get(pk=study.pk).version, AuditEvent.objects.count()
        again = action()
        assert (again.excluded_at, again.excluded_reason) == (first.excluded_at, first.excluded_reason)
        assert (Study.objects.get(pk=study.pk).version, AuditEvent.objects.count()) == (version, events)


def test_another_reason_replaces_the_first_and_all_is_recorded(alice, admin):
    study = make_study(alice, started=True)
    trial = completed(study, 0.5)
    exclude_trial(trial_id=trial.pk, actor=alice, reason=WHY)
    exclude_trial(trial_id=trial.pk, actor=admin, reason="wrong seed")
    include_trial(trial_id=trial.pk, actor=admin)
    events = AuditEvent.objects.filter(object_kind="trial", object_id=trial.pk).order_by("pk")
    assert [(event.actor_name, event.verb) for event in events] == [
        ("alice", "excluded"),
        ("admin", "excluded"),
        ("admin", "included"),
    ]
    assert [event.before for event in events] == [None, {"reason": WHY}, {"reason": "wrong seed"}]


def test_who_may_and_what_is_refused(alice, bob, admin):
    study = make_study(alice, started=True)
    trial = completed(study, 0.5)
    for reason in ("", "  \n", "x" * 501):
        with pytest.raises(Invalid, match="1 to 500"):
            exclude_trial(trial_id=trial.pk, actor=alice, reason=reason)
    with pytest.raises(Forbidden, match="alice"):
        exclude_trial(trial_id=trial.pk, actor=bob, reason=WHY)
    exclude_trial(trial_id=trial.pk, actor=admin, reason=WHY)
    with pytest.raises(Forbidden):
        include_trial(trial_id=trial.pk, actor=bob)
    for action in (lambda: include_trial(trial_id=10**9, actor=alice),):
        with pytest.raises(NotFound):
            action()


def test_a_grid_tries_an_excluded_configuration_again(alice):
    space = {"depth": {"type": "int", "low": 1, "high": 2}}
    study = make_study(alice, started=True, space=space, sampler="grid", n_trials=3)
    first = completed(study, 0.5)
    exclude_trial(trial_id=first.pk, actor=alice, reason=WHY)
    assert make_running(study).params == first.params
    fail_trial(trial_id=make_running(study).pk, fence=1, reason_code="code_error", reason="")
