"""Extending a study: more trials for one that runs, and one that has finished runs again."""

import pytest

from tests.factories import make_running, make_study
from tuning.models import AuditEvent, Study
from tuning.services.endings import complete_trial
from tuning.services.errors import Conflict, Forbidden, Invalid, NotFound
from tuning.services.extending import extend_study
from tuning.services.lifecycle import pause_study, stop_study
from tuning.services.ranges import change_ranges
from tuning.services.studies import update_study

GRID = {"depth": {"type": "int", "low": 1, "high": 2}}


def finished(alice, **settings):
    study = make_study(alice, started=True, **{"n_trials": 2, **settings})
    for value in (0.5, 0.4):
        complete_trial(trial_id=make_running(study).pk, fence=1, value=value)
    study.refresh_from_db()
    assert study.state == "FINISHED"
    return study


def test_a_finished_study_runs_again(alice):
    study = extend_study(study_id=finished(alice).pk, actor=alice, n_trials=3)
    assert (study.state, study.budget_total, study.finished, study.state_reason) == ("RUNNING", 3, None, "")
    trial = make_running(study)
    assert trial.number == 2
    complete_trial(trial_id=trial.pk, fence=1, value=0.3)
    study.refresh_from_db()
    assert (study.state, study.best_trial) == ("FINISHED", trial)
    assert study.finished is not None


@pytest.mark.parametrize("turn", ["run", "pause"])
def test_a_running_or_paused_study_gets_more_and_stays_as_it_is(alice, turn):
    study = make_study(alice, started=True, n_trials=2)
    if turn == "pause":
        pause_study(study_id=study.pk, actor=alice)
    state = Study.objects.get(pk=study.pk).state
    study = extend_study(study_id=study.pk, actor=alice, n_trials=20, parallel=7)
    assert (study.state, study.budget_total, study.parallel) == (state, 20, 7)


def test_the_same_again_changes_nothing(alice):
    study = finished(alice)
    for n in range(3):
        extend_study(study_id=study.pk, actor=alice, n_trials=3)
        if n == 0:
            first = Study.objects.get(pk=study.pk)
            complete_trial(trial_id=make_running(first).pk, fence=1, value=1.0)
            first.refresh_from_db()
    study.refresh_from_db()
    assert (study.state, study.version) == ("FINISHED", first.version)
    event = AuditEvent.objects.get(verb="extended")
    assert event.before == {"budget_total": 2, "state": "FINISHED"}
    assert event.after == {"budget_total": 3, "state": "RUNNING"}


def test_fewer_than_there_are_is_refused_with_the_remedy(alice):
    study = make_study(alice, started=True, n_trials=5)
    running = [make_running(study) for _ in range(3)]
    for change in (
        lambda: extend_study(study_id=study.pk, actor=alice, n_trials=2),
        lambda: update_study(study=study, actor=alice, n_trials=2),
    ):
        with pytest.raises(Invalid, match=r"n_trials: It has 3 trials already.*at least 3, or stop the study"):
            change()
    extend_study(study_id=study.pk, actor=alice, n_trials=3)
    for trial in running:
        complete_trial(trial_id=trial.pk, fence=1, value=1.0)
    assert Study.objects.get(pk=study.pk).state == "FINISHED"


@pytest.mark.parametrize("given", [{}, {"n_trials": 0}, {"n_trials": "9"}, {"parallel": 0}, {"n_trials": 10**9}])
def test_what_is_no_number_of_trials(alice, given):
    study = make_study(alice, started=True)
    with pytest.raises(Invalid):
        extend_study(study_id=study.pk, actor=alice, **given)
    assert Study.objects.get(pk=study.pk).budget_total == 10


def test_a_grid_that_is_used_up_needs_other_ranges_first(alice):
    study = finished(alice, sampler="grid", space=GRID, n_trials=None)
    with pytest.raises(Invalid, match=r"every configuration of the grid has been tried\. Change the ranges first"):
        extend_study(study_id=study.pk, actor=alice, n_trials=9)
    change_ranges(study_id=study.pk, actor=alice, space={"depth": {"type": "int", "low": 1, "high": 3}})
    assert Study.objects.get(pk=study.pk).state == "FINISHED"
    study = extend_study(study_id=study.pk, actor=alice, n_trials=9)
    assert study.state == "RUNNING"
    assert make_running(study).params == {"depth": 3}


def test_a_stopped_study_has_ended_for_good_and_only_its_owner_extends(alice, bob, admin):
    study = finished(alice)
    with pytest.raises(Forbidden, match="alice"):
        extend_study(study_id=study.pk, actor=bob, n_trials=9)
    with pytest.raises(NotFound):
        extend_study(study_id=10**9, actor=bob, n_trials=9)
    assert extend_study(study_id=study.pk, actor=admin, n_trials=9).state == "RUNNING"
    stop_study(study_id=study.pk, actor=alice)
    with pytest.raises(Conflict, match="clone it"):
        extend_study(study_id=study.pk, actor=alice, n_trials=19)
