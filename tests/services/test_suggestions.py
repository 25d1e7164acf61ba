"""Define-by-run: what a running objective asks for, and what the study remembers of it."""

import pytest

from tests.factories import make_running, make_slot, make_study, make_workload
from tuning.models import Distribution, Trial
from tuning.services.endings import requeue_trial
from tuning.services.errors import Invalid, StaleLease
from tuning.services.lifecycle import start_study
from tuning.services.studies import create_study
from tuning.services.suggestions import answer_suggestion
from tuning.services.trials import enqueue_trial

LR = {"type": "float", "low": 1e-5, "high": 0.1, "log": True}


@pytest.fixture
def study(alice):
    make_workload("function", kind="objective", space=None, metric="value")
    study = create_study(owner=alice, name="by run", workload="function", n_trials=5, parallel=3, seed=3)
    return start_study(study_id=study.pk, actor=alice)


def ask(trial, name="lr", distribution=LR):
    return answer_suggestion(trial_id=trial.pk, fence=trial.fence, name=name, distribution=distribution)


def test_a_value_fits_is_kept_and_is_the_same_again(study):
    trial = make_running(study)
    value = ask(trial)
    assert 1e-5 <= value <= 0.1
    assert ask(trial) == value
    row = Trial.objects.get()
    assert row.params == {"lr": value}
    document = Distribution.objects.get()
    assert row.distributions == {"lr": document.digest}
    assert document.document == LR


def test_trials_and_names_draw_apart_and_the_same_seed_draws_the_same(study, alice):
    first, second = make_running(study), make_running(study)
    values = {ask(first), ask(second), ask(first, "other"), ask(second, "other")}
    assert len(values) == 4
    again = create_study(owner=alice, name="again", workload="function", n_trials=5, seed=3)
    start_study(study_id=again.pk, actor=alice)
    trial = make_running(again)
    assert {ask(trial, "other"), ask(trial)} < values, "the order of asking does not matter"


def test_the_value_survives_a_killed_attempt(study):
    trial = make_running(study)
    value = ask(trial)
    requeue_trial(trial_id=trial.pk, fence=1, why="killed", lost=True)
    with pytest.raises(StaleLease):
        ask(trial)
    assert ask(make_running(study)) == value


def test_a_queued_value_is_given_and_checked(study, alice):
    enqueue_trial(study_id=study.pk, actor=alice, params={"lr": 0.01, "width": 99})
    trial = make_running(study)
    assert ask(trial) == 0.01
    with pytest.raises(Invalid) as caught:
        ask(trial, "width", {"type": "int", "low": 1, "high": 9})
    assert list(caught.value.fields) == ["params.width"]
    assert "99" in caught.value.message


@pytest.mark.parametrize(
    ("name", "distribution", "field"),
    [
        ("lr", {"type": "float", "low": 1.0, "high": 0.0}, "distribution.high"),
        ("lr", {"type": "odd"}, "distribution.type"),
        ("lr", None, "distribution"),
        ("lr", [], "distribution"),
        ("l r", LR, "distribution"),
        ("", LR, "distribution"),
        ("n" * 201, LR, "distribution"),
    ],
)
def test_a_bad_distribution_is_refused(study, name, distribution, field):
    trial = make_running(study)
    with pytest.raises(Invalid) as caught:
        ask(trial, name, distribution)
    assert list(caught.value.fields) == [field]
    assert Trial.objects.get().params == {}


def test_a_name_keeps_its_kind_and_its_choices(study):
    first, second = make_running(study), make_running(study)
    ask(first)
    ask(second, "lr", {"type": "float", "low": 0.5, "high": 1.0})  # another range is fine
    with pytest.raises(Invalid, match="float in an earlier trial"):
        ask(second, "lr", {"type": "int", "low": 1, "high": 5})
    choice = {"type": "categorical", "choices": ["sgd", None, 3]}
    assert ask(first, "optimizer", choice) in choice["choices"]
    with pytest.raises(Invalid, match="keep them the same"):
        ask(second, "optimizer", {"type": "categorical", "choices": ["sgd"]})


def test_only_the_newest_claim_may_ask(study):
    trial = make_running(study, make_slot())
    trial.fence = 0
    with pytest.raises(StaleLease):
        ask(trial)


def test_the_longest_name_and_annotation_that_the_engine_takes_are_kept(alice):
    name, words = "n" * 200, "w" * 200
    study = make_study(alice, space={name: {"type": "int", "low": 1, "high": 2, "annotation": words}})
    row = study.space.parameters.get()
    assert (row.name, row.annotation) == (name, words)
