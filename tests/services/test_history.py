"""The cached columnar history equals one read afresh, whatever happened in between."""

import random

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import SPACE, make_running, make_study, report
from tests.services.test_rungs import advance, ask, by_number, make
from tuning.engine import SearchSpace
from tuning.models import Study, Trial
from tuning.services.endings import complete_trial, fail_trial, park_trial, prune_trial, requeue_trial
from tuning.services.history import fresh_history, study_history
from tuning.services.lifecycle import cancel_trial
from tuning.services.proposing import engine_space
from tuning.services.reporting import forget_checkpoint
from tuning.services.spaces import add_space_version, parse_space
from tuning.services.starting import Holder, start_next


def assert_equal(one, other):
    assert (one.n, one.n_finished) == (other.n, other.n_finished)
    for column in ("numbers", "resources", "deters", "infeasible"):
        np.testing.assert_array_equal(getattr(one, column), getattr(other, column))
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.unit, other.unit)
    assert list(one.states) == list(other.states)
    assert [one.params(i) for i in range(one.n)] == [other.params(i) for i in range(other.n)]
    reached = [[dict(history.trial(i).intermediate) for i in range(history.n)] for history in (one, other)]
    assert reached[0] == reached[1]


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_a_fresh_rebuild_at_every_moment(alice, seed):
    study = make_study(alice, started=True, n_trials=60, parallel=60)
    space = SearchSpace.from_json(SPACE)
    rng = random.Random(seed)
    for _ in range(60):
        running = list(Trial.objects.filter(study=study, state="RUNNING"))
        trial = rng.choice(running) if running else None
        move = rng.choice(["start", "start", "report", "complete", "prune", "fail", "park", "requeue", "cancel"])
        if trial is None or move == "start":
            start_next(study_id=study.pk, holder=Holder(host="script"))
        elif move == "report":
            report(trial, [rng.random()], first=trial.resource_done + 1)
        elif move == "complete":
            complete_trial(trial_id=trial.pk, fence=trial.fence, value=rng.choice([1.0, float("nan")]))
        elif move == "prune":
            prune_trial(trial_id=trial.pk, fence=trial.fence, constraints=rng.choice([None, [1.0]]))
        elif move == "fail":
            fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="diverged", reason="")
        elif move == "park":
            park_trial(trial_id=trial.pk, fence=trial.fence)
        elif move == "requeue":
            requeue_trial(trial_id=trial.pk, fence=trial.fence, why="", lost=True)
        else:
            cancel_trial(trial_id=trial.pk, actor=None)
        study = Study.objects.get(pk=study.pk)
        assert_equal(study_history(study, space), fresh_history(study, space))
    assert study.n_ended > 5


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("scheduler", ["asha", "successive_halving"])
def test_the_cache_equals_a_fresh_rebuild_with_trials_at_rungs(alice, scheduler, seed):
    study = make(alice, scheduler, n_trials=30, max_resource=9)
    space, rng, seen = engine_space(study), random.Random(seed), set()
    for _ in range(60):
        running = list(Trial.objects.filter(study=study, state="RUNNING"))
        paused = list(Trial.objects.filter(study=study, state="PAUSED"))
        move = rng.choice(["start"] * 3 + ["go on"] * 5 + ["forget", "requeue", "cancel"])
        if move == "start" or not running:
            ask(study)
        elif move == "go on":
            advance(rng.choice(running), lambda trial, step: rng.random())
        elif move == "forget":
            trial = rng.choice(running)
            forget_checkpoint(trial_id=trial.pk, fence=trial.fence)
        elif move == "requeue":
            trial = rng.choice(running)
            requeue_trial(trial_id=trial.pk, fence=trial.fence, why="", lost=False)
        elif paused:
            cancel_trial(trial_id=rng.choice(paused).pk, actor=None)
        study.refresh_from_db()
        history = study_history(study, space)
        assert_equal(history, fresh_history(study, space))
        seen |= {(trial.number, trial.resource) for trial in map(history.trial, range(history.n)) if trial.state.open}
    assert len(seen) > len({number for number, _ in seen}), "some were seen at two rungs"


def test_of_many_that_wait_only_those_are_read_that_have_moved(alice):
    study = make(alice, "asha", n_trials=100)
    space = engine_space(study)
    for trial in [ask(study) for _ in range(20)]:
        advance(trial, by_number)
    study.refresh_from_db()
    first = study_history(study, space)
    moved = ask(study)
    study.refresh_from_db()
    with CaptureQueriesContext(connection) as reads:
        second = study_history(study, space)
    assert "params" in reads[-1]["sql"] and f"IN ({moved.number})" in reads[-1]["sql"]
    same = [first.trial(i) is second.trial(i) for i in range(20)]
    assert [i for i in range(20) if not same[i]] == [moved.number]


def test_rows_are_finished_by_end_then_open_by_number(alice):
    study = make_study(alice, started=True)
    trials = [make_running(study) for _ in range(4)]
    for index in (2, 0):
        complete_trial(trial_id=trials[index].pk, fence=1, value=float(index))
    history = study_history(study, SearchSpace.from_json(SPACE))
    assert list(history.numbers) == [2, 0, 1, 3]
    assert history.n_finished == 2
    assert list(history.values[:2]) == [2.0, 0.0]
    assert np.isnan(history.values[2:]).all(), "what a running trial has reached is not its value yet"


def test_trials_of_another_version_of_the_space_are_left_out(alice):
    study = make_study(alice, started=True)
    trial = make_running(study)
    complete_trial(trial_id=trial.pk, fence=1, value=1.0)
    narrower = parse_space({**SPACE, "depth": {"type": "int", "low": 1, "high": 3}})
    add_space_version(study, narrower, alice, "one more")
    assert study_history(study, narrower).n == 0
    assert study_history(study, SearchSpace.from_json(SPACE)).n == 1


def test_parameters_beside_the_space_are_not_shown_to_the_sampler(alice):
    study = make_study(alice, started=True)
    trial = make_running(study)
    Trial.objects.filter(pk=trial.pk).update(params={**trial.params, "suggested_later": 3})
    history = study_history(study, SearchSpace.from_json(SPACE))
    assert history.params(0) == trial.params
