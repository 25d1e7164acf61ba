"""A grid study hands out every configuration once and finishes by itself."""

import json

import pytest

from tests.factories import make_running, make_study
from tuning.models import Study, Trial
from tuning.services.closing import EXHAUSTED
from tuning.services.endings import complete_trial, fail_trial, requeue_trial
from tuning.services.starting import Holder, start_next
from tuning.services.trials import enqueue_trial

SPACE = {
    "layers": {"type": "int", "low": 1, "high": 3},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    "nesterov": {"type": "categorical", "choices": [True, False], "when": {"optimizer": ["sgd"]}},
}
SIZE = 9  # three layers; sgd with two, adamw alone


@pytest.fixture
def study(alice):
    return make_study(alice, started=True, space=SPACE, sampler="grid", n_trials=None, parallel=4)


def start(study):
    return start_next(study_id=study.pk, holder=Holder(host="script"))


def configurations():
    return [json.dumps(params, sort_keys=True) for params in Trial.objects.values_list("params", flat=True)]


def state(study):
    return Study.objects.get(pk=study.pk).state


def test_each_configuration_once_and_the_last_ending_finishes_the_study(study):
    for index in range(SIZE):
        assert state(study) == "RUNNING"
        trial = start(study)
        if index % 3:
            complete_trial(trial_id=trial.pk, fence=1, value=1.0)
        else:
            fail_trial(trial_id=trial.pk, fence=1, reason_code="code_error", reason="")
    assert state(study) == "FINISHED", "nobody had to ask again"
    assert Study.objects.get(pk=study.pk).state_reason == EXHAUSTED
    assert len(set(configurations())) == SIZE


def test_slots_at_once_repeat_nothing_and_it_finishes_when_all_are_back(study):
    running = []
    while True:
        while (trial := start(study)) is not None:
            running.append(trial)
        if not running:
            break
        complete_trial(trial_id=running[0].pk, fence=running[0].fence, value=1.0)
        running.pop(0)
    assert len(set(configurations())) == len(configurations()) == SIZE
    assert state(study) == "FINISHED"


def test_an_exhausted_grid_with_open_trials_is_not_finished(study):
    Study.objects.filter(pk=study.pk).update(parallel=SIZE + 5)
    trials = [make_running(study) for _ in range(SIZE)]
    assert start(study) is None
    assert state(study) == "RUNNING"
    for trial in trials[:-1]:
        complete_trial(trial_id=trial.pk, fence=1, value=1.0)
    requeue_trial(trial_id=trials[-1].pk, fence=1, why="killed", lost=True)
    assert state(study) == "RUNNING"
    again = start(study)
    assert again.pk == trials[-1].pk
    complete_trial(trial_id=again.pk, fence=2, value=1.0)
    assert state(study) == "FINISHED"


def test_a_queued_configuration_is_not_tried_again(study, alice):
    enqueue_trial(study_id=study.pk, actor=alice, params={"layers": 1, "optimizer": "adamw"})
    enqueue_trial(study_id=study.pk, actor=alice, params={"layers": 1, "optimizer": "adamw"})
    while (trial := start(study)) is not None:
        complete_trial(trial_id=trial.pk, fence=1, value=1.0)
    assert len(set(configurations())) == SIZE
    assert len(configurations()) == SIZE + 1, "only the person's own repetition"
    assert state(study) == "FINISHED"


def test_a_budget_below_the_size_ends_it_sooner(alice):
    study = make_study(alice, started=True, space=SPACE, sampler="grid", n_trials=4, parallel=1)
    while (trial := start(study)) is not None:
        complete_trial(trial_id=trial.pk, fence=1, value=1.0)
    assert (len(set(configurations())), state(study)) == (4, "FINISHED")


def test_parameters_suggested_beside_the_grid_repeat_nothing(study):
    while (trial := start(study)) is not None:
        Trial.objects.filter(pk=trial.pk).update(params={**trial.params, "found_later": trial.number})
        complete_trial(trial_id=trial.pk, fence=1, value=1.0)
    assert (len(configurations()), state(study)) == (SIZE, "FINISHED")
