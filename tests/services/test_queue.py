"""Configurations that a person puts into the queue."""

import pytest

from tests.factories import SPACE, make_running, make_study
from tuning.engine import SearchSpace
from tuning.models import AuditEvent, Study, Trial
from tuning.services.errors import Conflict, Forbidden, Invalid, NotFound
from tuning.services.trials import enqueue_trial


@pytest.fixture
def study(alice):
    return make_study(alice)


def queue(study, actor, params):
    return enqueue_trial(study_id=study.pk, actor=actor, params=params)


def test_a_complete_configuration_is_taken_as_it_is(study, alice):
    params = {"lr": 0.01, "optimizer": "sgd", "momentum": 0.9}
    trial = queue(study, alice, params)
    assert (trial.state, trial.origin, trial.params, trial.fixed_params) == ("WAITING", "enqueued", params, params)
    assert "alice" in trial.why
    study.refresh_from_db()
    assert (study.n_waiting, study.next_number) == (1, 1)
    assert AuditEvent.objects.filter(verb="queued", object_id=trial.pk).get().after == {"params": params}


def test_what_is_left_out_is_sampled(study, alice):
    trials = [queue(study, alice, {"lr": 0.01}) for _ in range(8)]
    space = SearchSpace.from_json(SPACE)
    assert all(space.contains(trial.params) and trial.params["lr"] == 0.01 for trial in trials)
    assert {trial.params["optimizer"] for trial in trials} == {"sgd", "adamw"}
    assert trials[0].fixed_params == {"lr": 0.01}


def test_a_given_child_needs_its_parent(study, alice):
    with pytest.raises(Invalid) as caught:
        queue(study, alice, {"optimizer": "adamw", "momentum": 0.5})
    assert list(caught.value.fields) == ["params.momentum"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"lr": 5.0}, "params.lr"),
        ({"lr": "0.01"}, "params.lr"),
        ({"optimizer": "lion"}, "params.optimizer"),
        ({"speed": 1}, "params.speed"),
        ([1, 2], "params"),
        (None, "params"),
        ("lr", "params"),
    ],
)
def test_an_invalid_configuration_names_its_parameter(study, alice, params, field):
    with pytest.raises(Invalid) as caught:
        queue(study, alice, params)
    assert list(caught.value.fields) == [field]
    assert not Trial.objects.exists()


def test_several_things_wrong_are_said_at_once(study, alice):
    with pytest.raises(Invalid) as caught:
        queue(study, alice, {"lr": 5.0, "speed": 1})
    assert set(caught.value.fields) == {"params.lr", "params.speed"}


def test_who_may_queue_and_when(study, alice, bob, admin):
    with pytest.raises(Forbidden, match="alice"):
        queue(study, bob, {})
    with pytest.raises(NotFound):
        enqueue_trial(study_id=10**9, actor=alice, params={})
    queue(study, admin, {})
    for state in ("STOPPED", "FINISHED", "DRAFT"):
        Study.objects.filter(pk=study.pk).update(state=state)
        with pytest.raises(Conflict, match=state.lower()):
            queue(study, alice, {})


def test_queued_trials_count_against_the_budget(alice):
    study = make_study(alice, n_trials=2, started=True)
    queue(study, alice, {})
    make_running(study)
    queue(study, alice, {})
    with pytest.raises(Conflict, match="2 trials"):
        queue(study, alice, {})
