"""What trials report of the test set is stored sealed: once, fenced, and away from everything that is read."""

import math

import pytest

from tests.factories import make_running, make_study, report
from tuning.models import CurveSummary, Metric, MetricChunk, SealedMetric, Study, Trial
from tuning.selectors.curves import trial_curves
from tuning.selectors.sealed import sealed_of
from tuning.services import scripts
from tuning.services.endings import complete_trial, fail_trial, requeue_trial
from tuning.services.errors import Invalid, StaleLease
from tuning.services.metrics import MAX_METRICS, MAX_STEP, Point
from tuning.services.reporting import CheckpointNote, record_points
from tuning.services.retrying import retry_trial

LOSS, TEST = "validation/loss", "test/accuracy"


@pytest.fixture
def study(alice):
    return make_study(alice, started=True)


@pytest.fixture
def trial(study):
    return make_running(study)


def values(trial):
    return [(row.name, row.step, row.value) for row in sealed_of(trial)]


def store(trial, *points, fence=None, checkpoints=()):
    rows = [Point(step, metrics, 1.0) for step, metrics in points]
    return record_points(trial_id=trial.pk, fence=fence or trial.fence, points=rows, checkpoints=checkpoints)


def test_it_is_sealed_and_the_rest_of_the_report_is_a_curve(trial):
    store(trial, (1, {LOSS: 0.5, TEST: 0.75, "Loss/test": 0.25}))
    assert values(trial) == [("Loss/test", 1, 0.25), (TEST, 1, 0.75)]
    assert list(trial_curves(trial)) == [LOSS]
    assert list(Metric.objects.values_list("name", flat=True)) == [LOSS]
    assert (CurveSummary.objects.count(), MetricChunk.objects.count()) == (1, 1)
    assert Trial.objects.get(pk=trial.pk).value == 0.5


def test_a_report_of_the_test_set_alone_moves_no_trial_on(trial):
    store(trial, (1, {LOSS: 0.5}))
    assert store(trial, (5, {TEST: 0.75})) == "continue"
    row = Trial.objects.get(pk=trial.pk)
    assert (row.resource_done, row.value, row.value_step) == (1, 0.5, 1)
    assert values(trial) == [(TEST, 5, 0.75)]


def test_the_same_again_changes_nothing_and_the_first_number_of_a_step_stays(trial):
    for value in (0.75, 0.75, 0.1):
        store(trial, (1, {TEST: value}), (1, {TEST: 0.2}), (2, {TEST: 0.5}))
    assert values(trial) == [(TEST, 1, 0.75), (TEST, 2, 0.5)]
    assert SealedMetric.objects.count() == 2


def test_what_is_not_finite_is_kept_as_it_is(trial):
    store(trial, (1, {TEST: math.nan}), (2, {TEST: math.inf}), (3, {TEST: -math.inf}))
    kinds = SealedMetric.objects.order_by("step").values_list("value", "value_kind")
    assert list(kinds) == [(None, "nan"), (None, "inf"), (None, "-inf")]


def test_a_claim_that_is_no_longer_the_newest_seals_nothing(trial):
    with pytest.raises(StaleLease):
        store(trial, (1, {TEST: 0.75}), fence=trial.fence + 1)
    complete_trial(trial_id=trial.pk, fence=trial.fence, value=0.5)
    with pytest.raises(StaleLease):
        store(trial, (1, {TEST: 0.75}))
    assert not SealedMetric.objects.exists()


@pytest.mark.parametrize("bad", [{"x" * 121: 1.0}, {"": 1.0}, {"test/\x00": 1.0}, {"test/" + "x" * 120: 1.0}])
def test_what_cannot_be_stored_takes_the_whole_report_along(trial, bad):
    with pytest.raises(Invalid):
        store(trial, (1, {LOSS: 0.5, TEST: 0.75}), (2, {LOSS: 0.4, **bad}))
    assert not SealedMetric.objects.exists()
    assert not MetricChunk.objects.exists()


def test_steps_and_numbers_of_names_have_their_limits(trial):
    for step in (-1, MAX_STEP + 1):
        with pytest.raises(Invalid, match="no step"):
            store(trial, (step, {TEST: 0.75}))
    store(trial, (1, {f"test/{i}": 1.0 for i in range(MAX_METRICS)}))
    store(trial, (2, {"test/0": 1.0}))
    with pytest.raises(Invalid, match="at most"):
        store(trial, (2, {"test/one more": 1.0}))


def test_the_next_attempt_goes_on_from_the_checkpoint_and_its_steps_count(study, trial):
    store(trial, (1, {LOSS: 0.5, TEST: 0.1}), checkpoints=[CheckpointNote("last", 1, "s/last-1.pt")])
    store(trial, (2, {LOSS: 0.4, TEST: 0.2}))
    requeue_trial(trial_id=trial.pk, fence=1, why="lost", lost=True)
    again = make_running(study)
    assert (again.pk, again.fence) == (trial.pk, 2)
    assert values(trial) == [(TEST, 1, 0.1)]
    store(again, (2, {LOSS: 0.3, TEST: 0.3}))
    assert values(trial) == [(TEST, 1, 0.1), (TEST, 2, 0.3)]


def test_a_retry_takes_over_what_was_sealed_up_to_its_checkpoint(alice, study, trial):
    for step in (1, 2, 3):
        store(trial, (step, {LOSS: 0.5, TEST: step / 10}))
    store(trial, checkpoints=[CheckpointNote("last", 2, "s/last-2.pt")])
    fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="out_of_memory", reason="it broke")
    new = retry_trial(trial_id=trial.pk, actor=alice)
    assert values(new) == [(TEST, 1, 0.1), (TEST, 2, 0.2)]
    assert len(values(trial)) == 3


def test_a_script_s_lease_seals_as_a_worker_s_claim_does(alice, study):
    (asked,) = scripts.ask_trials(study_id=study.pk, actor=alice)
    points = [{"step": 1, "metrics": {LOSS: 0.5, TEST: 0.75}}]
    for _ in range(2):
        scripts.report(trial_id=asked.trial.pk, lease=asked.lease, points=points)
    assert values(asked.trial) == [(TEST, 1, 0.75)]
    with pytest.raises(StaleLease):
        scripts.report(trial_id=asked.trial.pk, lease="another", points=points)
    with pytest.raises(Invalid) as refused:
        scripts.report(trial_id=asked.trial.pk, lease=asked.lease, points=[{"step": 2, "metrics": {TEST: "0.918"}}])
    assert "0.918" not in refused.value.message


@pytest.mark.parametrize("metric", ["test/accuracy", "Test_loss", "Accuracy/test"])
def test_no_study_is_made_to_optimise_it(alice, metric):
    with pytest.raises(Invalid, match="test set"):
        make_study(alice, metric=metric)
    assert not Study.objects.exists()


def test_a_study_from_before_that_rule_goes_on(study, trial):
    Study.objects.filter(pk=study.pk).update(metric="accuracy_test")
    store(trial, (1, {"accuracy_test": 0.5, TEST: 0.75}))
    assert list(trial_curves(trial)) == ["accuracy_test"]
    assert values(trial) == [(TEST, 1, 0.75)]


def test_no_state_of_a_trial_depends_on_it(trial):
    report(trial, [0.5, 0.4], test__accuracy=[0.9, 0.95])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    row = Trial.objects.get(pk=trial.pk)
    assert (row.state, row.value) == ("COMPLETE", 0.4)
    assert "0.95" not in repr(row.__dict__)
