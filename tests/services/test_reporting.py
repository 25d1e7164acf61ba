"""Reports of running trials: fenced, kept once, resumed without the steps that a dead attempt left behind."""

import math

import pytest

from tests.factories import make_running, make_study, report
from tuning.models import CurveSummary, Study, Trial
from tuning.selectors.curves import trial_curves
from tuning.services.endings import complete_trial, requeue_trial
from tuning.services.errors import StaleLease
from tuning.services.metrics import Point
from tuning.services.reporting import CheckpointNote, forget_checkpoint, raise_version, record_points, renew

METRIC = "validation/loss"


@pytest.fixture
def study(alice):
    return make_study(alice, started=True)


@pytest.fixture
def trial(study):
    return make_running(study)


def fresh(trial):
    return Trial.objects.get(pk=trial.pk)


def note(trial, step):
    """A checkpoint that was accepted."""
    record_points(
        trial_id=trial.pk, fence=trial.fence, points=[], checkpoints=[CheckpointNote("last", step, f"last-{step}.pt")]
    )


def resume(trial):
    """The trial's process is killed, and the next attempt starts."""
    requeue_trial(trial_id=trial.pk, fence=trial.fence, why="killed", lost=True)
    return make_running(Study.objects.get(pk=trial.study_id))


def summary(trial, name=METRIC):
    return CurveSummary.objects.get(trial=trial, metric__name=name)


def assert_summaries_fit_curves(trial):
    for name, curve in trial_curves(fresh(trial)).items():
        row = summary(trial, name)
        finite = [value for value in curve.values if math.isfinite(value)]
        best = min(finite) if row.metric.goal == "minimize" else max(finite)
        assert (row.n, row.last_step, row.last) == (len(curve.steps), curve.steps[-1], curve.values[-1])
        assert (row.best, row.best_step) == (best, curve.steps[curve.values.index(best)])
        assert row.preview == [list(pair) for pair in zip(curve.steps, curve.values, strict=True)]


def test_points_checkpoint_progress_and_value_are_stored_together(trial):
    points = [Point(1, {METRIC: 0.5}, 10.0), Point(2, {METRIC: 0.3}, 11.0), Point(3, {METRIC: 0.4}, 12.0)]
    notes = [CheckpointNote("best", 2, "best-2.pt"), CheckpointNote("last", 3, "last-3.pt")]
    assert record_points(trial_id=trial.pk, fence=1, points=points, checkpoints=notes) == "continue"
    row = fresh(trial)
    assert (row.resource_done, row.value, row.value_step, row.state) == (3, 0.3, 2, "RUNNING")
    assert (row.checkpoint, row.checkpoint_step) == ("last-3.pt", 3)
    assert (row.best_checkpoint, row.best_checkpoint_step) == ("best-2.pt", 2)
    curve = trial_curves(trial)[METRIC]
    assert (curve.steps, curve.values, curve.wall_times) == ([1, 2, 3], [0.5, 0.3, 0.4], [10.0, 11.0, 12.0])
    assert_summaries_fit_curves(trial)


def test_a_stale_fence_writes_nothing(trial):
    new = resume(trial)
    report(new, [0.9])
    lease = fresh(new).lease_until
    for call in (
        lambda: report(trial, [0.1, 0.1, 0.1]),
        lambda: note(trial, 3),
        lambda: renew(trial_id=trial.pk, fence=1),
        lambda: forget_checkpoint(trial_id=trial.pk, fence=1),
    ):
        with pytest.raises(StaleLease):
            call()
    row = fresh(new)
    assert (row.value, row.checkpoint, row.lease_until) == (0.9, "", lease)
    assert trial_curves(row)[METRIC].steps == [1]


@pytest.mark.parametrize("ending", ["COMPLETE", "WAITING"])
def test_a_trial_that_has_ended_takes_no_report(trial, ending):
    if ending == "COMPLETE":
        complete_trial(trial_id=trial.pk, fence=1, value=1.0)
    else:
        requeue_trial(trial_id=trial.pk, fence=1, why="", lost=False)
    with pytest.raises(StaleLease):
        report(trial, [0.5])


def test_a_report_renews_the_lease_and_so_does_a_heartbeat(trial):
    for call in (lambda: report(trial, [0.5]), lambda: renew(trial_id=trial.pk, fence=1)):
        Trial.objects.filter(pk=trial.pk).update(lease_until="2020-01-01T00:00:00Z")
        call()
        assert fresh(trial).lease_until.year > 2020


def test_metrics_raise_the_version_at_most_once_a_second(study, trial):
    Study.objects.filter(pk=study.pk).update(last_activity="2020-01-01T00:00:00Z")
    before = Study.objects.get(pk=study.pk)
    for step in range(1, 6):
        report(trial, [0.5], first=step)
    after = Study.objects.get(pk=study.pk)
    assert after.version == before.version + 1
    assert after.history_version == before.history_version
    Study.objects.filter(pk=study.pk).update(last_activity="2020-01-01T00:00:00Z")
    raise_version(study.pk)
    assert Study.objects.get(pk=study.pk).version == before.version + 2


# --- lineages ----------------------------------------------------------------------------------------------------
def test_steps_of_a_dead_attempt_beyond_the_checkpoint_never_count(trial):
    report(trial, [0.9, 0.8, 0.1, 0.05])
    note(trial, 2)
    assert fresh(trial).value == 0.05
    again = resume(trial)
    assert (again.resource_done, again.value, again.value_step) == (2, 0.8, 2)
    assert trial_curves(again)[METRIC].values == [0.9, 0.8]
    assert_summaries_fit_curves(again)
    report(again, [0.7, 0.6, 0.65], first=3)
    curve = trial_curves(again)[METRIC]
    assert (curve.steps, curve.values) == ([1, 2, 3, 4, 5], [0.9, 0.8, 0.7, 0.6, 0.65])
    assert_summaries_fit_curves(again)
    complete_trial(trial_id=again.pk, fence=again.fence)
    assert (fresh(again).value, fresh(again).value_step) == (0.6, 4)


def test_an_attempt_without_checkpoint_starts_from_nothing(trial):
    report(trial, [0.1, 0.05])
    again = resume(trial)
    assert (again.value, again.value_step, again.resource_done) == (None, None, 0)
    assert trial_curves(again) == {}
    assert not CurveSummary.objects.filter(trial=again).exists()


def test_three_lineages(trial):
    report(trial, [0.9, 0.8, 0.7])
    note(trial, 2)
    second = resume(trial)
    report(second, [0.5, 0.4], first=3)
    third = resume(second)
    assert third.attempts.get(fence=3).start_step == 2, "the second left no checkpoint of its own"
    report(third, [0.65], first=3)
    assert trial_curves(third)[METRIC].values == [0.9, 0.8, 0.65]
    note(third, 3)
    fourth = resume(third)
    assert trial_curves(fourth)[METRIC].values == [0.9, 0.8, 0.65]
    assert_summaries_fit_curves(fourth)


def test_a_metric_of_the_dead_lineage_alone_disappears(trial):
    report(trial, [0.9])
    note(trial, 1)
    report(trial, [0.8], first=2, extra__score=[7.0])
    again = resume(trial)
    assert set(trial_curves(again)) == {METRIC, "train/loss"}
    assert not CurveSummary.objects.filter(trial=again, metric__name="extra/score").exists()


def test_a_checkpoint_whose_file_is_gone_is_forgotten(trial):
    report(trial, [0.9, 0.8])
    note(trial, 2)
    again = resume(trial)
    forget_checkpoint(trial_id=again.pk, fence=again.fence)
    row = fresh(again)
    assert (row.checkpoint, row.checkpoint_step, row.resource_done, row.value) == ("", None, 0, None)
    assert row.attempts.get(fence=2).start_step == 0
    report(again, [0.7])
    assert trial_curves(again)[METRIC].values == [0.7]
    assert_summaries_fit_curves(again)


def test_a_failure_after_a_resume_leaves_no_value_of_the_dead_lineage(trial):
    report(trial, [0.01])
    again = resume(trial)
    complete_trial(trial_id=again.pk, fence=again.fence)
    assert (fresh(again).state, fresh(again).value) == ("FAILED", None)
