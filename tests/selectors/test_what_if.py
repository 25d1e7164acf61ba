"""Recorded curves of real rows through other schedulers, and what there is to say where nothing can be replayed."""

import math

import pytest

from tests.engine.test_replay import slow_nine
from tests.factories import make_running, make_study
from tests.services.test_rungs import make, run_out
from tuning.models import Study, Trial
from tuning.selectors import what_if as module
from tuning.selectors.what_if import MOST, what_if
from tuning.services.endings import complete_trial, fail_trial, prune_trial
from tuning.services.exclusion import exclude_trial
from tuning.services.lifecycle import stop_study
from tuning.services.made import make_trials
from tuning.services.metrics import Point
from tuning.services.reporting import record_points
from tuning.services.retrying import retry_trial

pytestmark = pytest.mark.django_db
METRIC = "validation/loss"


def curve(study, values, end="complete", seconds=2.0, first=1):
    """The study's next trial with these values, ended."""
    trial = make_running(study)
    points = [Point(first + index, {METRIC: value}, 1e9 + seconds * index) for index, value in enumerate(values)]
    if points:
        record_points(trial_id=trial.pk, fence=trial.fence, points=points)
    if end == "complete":
        complete_trial(trial_id=trial.pk, fence=1)
    elif end == "pruned":
        prune_trial(trial_id=trial.pk, fence=1)
    elif end:
        fail_trial(trial_id=trial.pk, fence=1, reason_code=end, reason="no")
    return trial


def ended(study):
    study.refresh_from_db()
    if study.state != Study.State.FINISHED:
        Study.objects.filter(pk=study.pk).update(state=Study.State.FINISHED)
        study.refresh_from_db()
    return study


def full(alice, curves=None, **more):
    """A finished study without a scheduler: nine trials to step 9, the fourth a slow starter."""
    curves = slow_nine() if curves is None else curves
    study = make_study(
        alice, started=True, **{"n_trials": len(curves), "max_resource": 9, "parallel": 1, **more}
    )  # fmt: skip
    for values in curves:
        curve(study, values)
    return ended(study)


def one(found, scheduler, **wanted):
    """The alternative of this scheduler with these settings."""
    return next(
        each.replay
        for each in found.alternatives
        if each.setting.scheduler == scheduler
        and all(getattr(each.setting, name) == value for name, value in wanted.items())
    )


def test_a_study_without_a_scheduler_tells_it_all(alice):
    found = what_if(full(alice))
    assert (found.problem, found.max_resource, found.left_out, found.timed, found.usual) == ("", 9, 0, True, False)
    assert (found.record.steps, found.record.winner.number, found.record.seconds) == (81, 4, 162.0)
    halving = one(found, "successive_halving", reduction_factor=3)
    assert (halving.steps, halving.kept, halving.cut_at, halving.regret) == (21, False, 1, 1.0)
    assert halving.seconds == 42.0
    assert all(each.replay.gap is None for each in found.alternatives)
    assert found.keeping is not None
    assert found.keeping.replay.kept
    assert found.keeping.replay.steps < 81


def test_the_schedulers_own_study_is_known_and_others_are_not_claimed(alice):
    study = make(alice, "successive_halving", n_trials=9, parallel=1)
    run_out(study, lambda trial, step: float(trial.number))
    found = what_if(ended(study))
    assert (found.record.steps, found.timed) == (21, False)
    own = one(found, "successive_halving", reduction_factor=3, min_resource=1)
    assert (own.share, own.kept, own.gap) == (1.0, True, None)
    median = one(found, "median")
    assert median.gap is not None
    assert median.share is None
    assert found.alternatives[-1].replay.gap is not None


def test_it_is_made_once_for_a_version_and_in_the_same_queries_whatever_the_size(
    alice, django_assert_num_queries, monkeypatch
):
    study = full(alice)
    with django_assert_num_queries(6):
        first = what_if(study)
    with django_assert_num_queries(0):
        assert what_if(study) is first
    more = full(alice, slow_nine() * 3)
    with django_assert_num_queries(6):
        what_if(more)
    exclude_trial(trial_id=Trial.objects.get(study=study, number=4).pk, actor=alice, reason="odd")
    study.refresh_from_db()
    again = what_if(study)
    assert (again.record.winner.number, len(again.record.trials)) == (0, 8)
    monkeypatch.setattr(module, "CACHED", 1)
    what_if(more)
    assert what_if(study) is not again


def test_what_says_nothing_about_a_configuration_is_left_out(alice):
    """Cancelled and lost trials go; one that diverged stays, and fails again where it did; a retry counts once."""
    study = make_study(alice, started=True, n_trials=12, max_resource=9, parallel=12)
    for values in slow_nine()[:6]:
        curve(study, values)
    curve(study, [0.1, 0.1], end="lost_host")
    curve(study, [0.1, math.nan], end="diverged")
    broken = curve(study, [0.7, 0.7], end="code_error")
    Trial.objects.filter(pk=broken.pk).update(checkpoint="kept.pt", checkpoint_step=2)
    retry = retry_trial(trial_id=broken.pk, actor=alice)
    assert make_running(study).pk == retry.pk
    points = [Point(step, {METRIC: 0.7}, 1e9 + step) for step in range(3, 10)]
    record_points(trial_id=retry.pk, fence=1, points=points)
    complete_trial(trial_id=retry.pk, fence=1)
    make_running(study)
    stop_study(study_id=study.pk, actor=alice)
    study.refresh_from_db()
    found = what_if(study)
    assert found.left_out == 3
    assert [trial.number for trial in found.record.trials] == [0, 1, 2, 3, 4, 5, 7, 9]
    assert found.record.steps == 6 * 9 + 2 + 9
    assert {trial.number: trial.ending for trial in found.record.trials}[7] == "failed"
    assert all(each.replay.gap is None for each in found.alternatives)


def test_an_infeasible_trial_ends_by_itself_and_a_pruned_one_does_not(alice):
    study = make_study(alice, started=True, n_trials=11, max_resource=9, parallel=12)
    for values in slow_nine():
        curve(study, values)
    trial = curve(study, [0.2], end="")
    prune_trial(trial_id=trial.pk, fence=1, constraints=[1.0])
    prune_trial(trial_id=make_running(study).pk, fence=1, constraints=[1.0])
    curve(study, [0.2], end="pruned")
    found = what_if(ended(study))
    endings = {trial.number: trial.ending for trial in found.record.trials}
    assert (endings[9], endings[11]) == ("failed", "cut")
    assert (10 in endings, found.left_out) == (False, 0), "what was infeasible before a step was no trial of the budget"


def test_higher_is_better_the_other_way_round(alice):
    low = what_if(full(alice))
    high = what_if(full(alice, [[-value for value in values] for values in slow_nine()], direction="maximize"))
    kinds = [
        [(each.setting, each.replay.steps, each.replay.cut_at) for each in found.alternatives] for found in (low, high)
    ]
    assert kinds[0] == kinds[1]


def test_without_a_number_of_steps_the_longest_trial_says_it(alice):
    found = what_if(full(alice, max_resource=None))
    assert found.max_resource == 9
    assert {each.setting.max_resource for each in found.alternatives} == {9}


@pytest.mark.parametrize(
    ("curves", "more", "words"),
    [
        ([[]] * 6, {}, "No trial has reported validation/loss step by step"),
        ([[1.0, 2.0]] * 3, {}, "At least 5 trials are needed"),
        ([[0.5]] * 6, {}, "a single step"),
        ([[0.5, 0.4]] * 6 + [[]], {}, "Trial 6 told its value without having reported"),
    ],
)
def test_why_there_is_nothing_to_replay(alice, curves, more, words):
    study = make_study(alice, started=True, n_trials=len(curves), max_resource=9, parallel=1, **more)
    for values in curves:
        trial = curve(study, values, end="")
        complete_trial(trial_id=trial.pk, fence=1, value=0.5)
    found = what_if(ended(study))
    assert words in found.problem
    assert (found.record, found.alternatives, found.keeping) == (None, (), None)


def test_nobody_complete_and_a_study_that_runs(alice):
    study = make_study(alice, started=True, n_trials=6, max_resource=9, parallel=1)
    for _ in range(6):
        assert "once the study has ended" in what_if(study).problem
        curve(study, [0.5, 0.4], end="pruned")
    assert "No trial is complete" in what_if(ended(study)).problem


def test_more_trials_than_a_page_can_wait_for_are_refused(alice, monkeypatch):
    study = make_study(alice, n_trials=30, sampler="random", max_resource=20)
    make_trials(study_id=study.pk, n=30)
    monkeypatch.setattr(module, "MOST", 29)
    assert "At most 29 trials" in what_if(ended(study)).problem
    assert MOST == 2_000
    monkeypatch.setattr(module, "MOST", 30)
    study.parallel += 1
    assert what_if(study).problem == ""
