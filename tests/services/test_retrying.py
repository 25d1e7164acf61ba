"""Retrying a failed trial: a new trial of the same configuration, from its checkpoint where that leads anywhere."""

import pytest

from tests.factories import SPACE, make_running, make_slot, make_study, report
from tests.services.test_lifecycle import counted, counters
from tuning.models import AuditEvent, Study, Trial
from tuning.selectors.curves import trial_curves
from tuning.services.endings import complete_trial, fail_trial, park_trial, prune_trial
from tuning.services.errors import Conflict, Forbidden, NotFound
from tuning.services.extending import extend_study
from tuning.services.lifecycle import pause_study, stop_study
from tuning.services.ranges import change_ranges
from tuning.services.reporting import CheckpointNote, forget_checkpoint, record_points
from tuning.services.retrying import retry_trial


def failed(study, code="out_of_memory", *, checkpoint=None):
    """A trial that reported three epochs and failed, with a checkpoint of step `checkpoint`."""
    trial = make_running(study, make_slot() if study.workload else None)
    report(trial, [0.5, 0.4, 0.3])
    if checkpoint:
        notes = [
            CheckpointNote("last", checkpoint, f"s/last-{checkpoint}.pt"),
            CheckpointNote("best", checkpoint, f"s/best-{checkpoint}.pt"),
        ]
        record_points(trial_id=trial.pk, fence=trial.fence, points=[], checkpoints=notes)
    fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code=code, reason="it broke")
    return Trial.objects.get(pk=trial.pk)


def test_it_goes_on_from_the_checkpoint_with_the_curves_up_to_there(alice):
    study = make_study(alice, started=True, workload="tiny")
    old = failed(study, checkpoint=2)
    new = retry_trial(trial_id=old.pk, actor=alice)
    assert (new.state, new.number, new.origin, new.clone_of) == ("WAITING", 1, "retry", old)
    assert (new.params, new.seed, new.space_id, new.resource) == (old.params, old.seed, old.space_id, old.resource)
    assert (new.checkpoint, new.checkpoint_step, new.best_checkpoint_step) == ("s/last-2.pt", 2, 2)
    assert (new.value, new.value_step, new.resource_done) == (0.4, 2, 2)
    assert trial_curves(new)["validation/loss"].values == [0.5, 0.4]
    assert "trial 0" in new.why
    assert counters(study) == counted(study)
    running = make_running(study, make_slot())
    assert (running.pk, running.fence) == (new.pk, 1)
    assert running.attempts.get(fence=1).start_step == 2
    report(running, [0.35], first=3)
    assert trial_curves(running)["validation/loss"].values == [0.5, 0.4, 0.35]
    complete_trial(trial_id=running.pk, fence=1)
    assert Trial.objects.get(pk=new.pk).value == 0.35
    old_again = Trial.objects.get(pk=old.pk)
    assert (old_again.state, old_again.finish_seq, old_again.reason) == ("FAILED", old.finish_seq, "it broke")


def test_where_the_checkpoint_is_gone_it_starts_anew_without_the_old_points(alice):
    study = make_study(alice, started=True, workload="tiny")
    new = retry_trial(trial_id=failed(study, checkpoint=2).pk, actor=alice)
    running = make_running(study, make_slot())
    forget_checkpoint(trial_id=running.pk, fence=running.fence)
    assert trial_curves(running) == {}
    report(running, [0.9])
    assert trial_curves(running)["validation/loss"].values == [0.9]
    assert Trial.objects.get(pk=new.pk).value == 0.9


@pytest.mark.parametrize("code", ["diverged", "code_error", "cancelled", "lost_host", "deadline", "disk_full"])
def test_a_divergence_starts_anew_and_the_rest_goes_on(alice, code):
    study = make_study(alice, started=True, workload="tiny")
    old = failed(study, code, checkpoint=3)
    new = retry_trial(trial_id=old.pk, actor=alice)
    if code == "diverged":
        assert (new.checkpoint, new.checkpoint_step, new.resource_done, new.value) == ("", None, 0, None)
        assert new.seed != old.seed
        assert not new.attempts.exists()
    else:
        assert (new.checkpoint_step, new.seed) == (3, old.seed)


def test_a_script_runs_it_anew(alice):
    study = make_study(alice, started=True)
    old = failed(study)
    new = retry_trial(trial_id=old.pk, actor=alice)
    assert (new.params, new.checkpoint_step, new.resource_done) == (old.params, None, 0)
    assert make_running(study).pk == new.pk, "before what the sampler would propose"


def test_the_same_again_is_the_same_trial_and_a_failed_retry_is_retried_in_its_turn(alice):
    study = make_study(alice, started=True)
    old = failed(study)
    new = retry_trial(trial_id=old.pk, actor=alice)
    events = AuditEvent.objects.count()
    assert retry_trial(trial_id=old.pk, actor=alice) == new
    running = make_running(study)
    assert retry_trial(trial_id=old.pk, actor=alice) == new
    fail_trial(trial_id=running.pk, fence=1, reason_code="code_error", reason="")
    assert retry_trial(trial_id=old.pk, actor=alice) == new
    assert (AuditEvent.objects.count(), study.trials.count()) == (events, 2)
    newer = retry_trial(trial_id=new.pk, actor=alice)
    assert (newer.clone_of, newer.number) == (new, 2)


def test_a_finished_study_runs_again_once_its_budget_allows_it(alice):
    study = make_study(alice, started=True, n_trials=1)
    old = failed(study)
    assert Study.objects.get(pk=study.pk).state == "FINISHED"
    with pytest.raises(Conflict, match="extend the study to 2 trials first"):
        retry_trial(trial_id=old.pk, actor=alice)
    assert Study.objects.get(pk=study.pk).state == "FINISHED"
    extend_study(study_id=study.pk, actor=alice, n_trials=2)
    retry_trial(trial_id=old.pk, actor=alice)
    study.refresh_from_db()
    assert (study.state, study.n_created, study.finished) == ("RUNNING", 2, None)


def test_a_retry_is_paid_from_the_steps_of_the_study_or_refused(alice):
    study = make_study(alice, started=True, n_trials=None, total_resource=10)
    old = failed(study)
    other = make_running(study)
    with pytest.raises(Conflict, match="extend it to 13 steps first"):
        retry_trial(trial_id=old.pk, actor=alice)
    report(other, [0.5, 0.4, 0.3, 0.2, 0.1])
    complete_trial(trial_id=other.pk, fence=1)
    study.refresh_from_db()
    assert study.state == "FINISHED", "two steps are left of ten"
    with pytest.raises(Conflict, match="extend it to 13 steps first"):
        retry_trial(trial_id=old.pk, actor=alice)
    assert Study.objects.get().state == "FINISHED"
    extend_study(study_id=study.pk, actor=alice, total_resource=13)
    assert retry_trial(trial_id=old.pk, actor=alice).state == "WAITING"


def test_a_finished_grid_runs_again_for_a_retry_and_then_finishes(alice):
    space = {"depth": {"type": "int", "low": 1, "high": 2}}
    study = make_study(alice, started=True, space=space, sampler="grid", n_trials=None)
    old = failed(study)
    other = make_running(study)
    complete_trial(trial_id=other.pk, fence=1, value=1.0)
    assert Study.objects.get(pk=study.pk).state == "FINISHED"
    retry_trial(trial_id=old.pk, actor=alice)
    study.refresh_from_db()
    assert (study.state, study.state_reason, study.finished) == ("RUNNING", "", None)
    event = AuditEvent.objects.get(verb="retried")
    assert (event.before, event.after) == ({"state": "FINISHED"}, {"trial": 2, "state": "RUNNING"})
    complete_trial(trial_id=make_running(study).pk, fence=1, value=2.0)
    assert Study.objects.get(pk=study.pk).state == "FINISHED"


def test_a_paused_study_takes_it_and_stays_paused(alice):
    study = make_study(alice, started=True)
    old = failed(study)
    pause_study(study_id=study.pk, actor=alice)
    assert retry_trial(trial_id=old.pk, actor=alice).state == "WAITING"
    assert Study.objects.get(pk=study.pk).state == "PAUSED"


@pytest.mark.parametrize("state", ["RUNNING", "PAUSED", "COMPLETE", "PRUNED"])
def test_only_failed_trials_are_tried_again(alice, state):
    study = make_study(alice, started=True)
    trial = make_running(study)
    report(trial, [0.5])
    key = {"trial_id": trial.pk, "fence": trial.fence}
    {"RUNNING": lambda **_: None, "PAUSED": park_trial, "COMPLETE": complete_trial, "PRUNED": prune_trial}[state](**key)
    with pytest.raises(Conflict, match=state.lower()):
        retry_trial(trial_id=trial.pk, actor=alice)
    assert study.trials.count() == 1


def test_what_is_refused_names_the_remedy(alice, bob):
    study = make_study(alice, started=True)
    old = failed(study)
    with pytest.raises(Forbidden, match="alice"):
        retry_trial(trial_id=old.pk, actor=bob)
    with pytest.raises(NotFound):
        retry_trial(trial_id=10**9, actor=alice)
    change_ranges(
        study_id=study.pk,
        actor=alice,
        space={**SPACE, "lr": {"type": "float", "low": 1e3, "high": 1e4}},
    )
    with pytest.raises(Conflict, match="outside the present search space: the value of lr"):
        retry_trial(trial_id=old.pk, actor=alice)
    stop_study(study_id=study.pk, actor=alice)
    with pytest.raises(Conflict, match="clone it"):
        retry_trial(trial_id=old.pk, actor=alice)
