"""Starting trials: claims, fences, the parallel limit, the budget, and what a suggestion saw."""

import pytest
from django.db import IntegrityError, transaction

from tests.factories import SPACE, make_running, make_slot, make_study, report
from tuning.engine import SearchSpace
from tuning.models import Study, Trial
from tuning.services import starting
from tuning.services.endings import complete_trial, park_trial, requeue_trial
from tuning.services.errors import SamplerFailed, StaleLease
from tuning.services.lifecycle import pause_study, resume_study
from tuning.services.proposing import propose
from tuning.services.scheduling import Promote, Wait
from tuning.services.starting import Holder, start_next
from tuning.services.trials import enqueue_trial

SCRIPT = Holder(host="script", lease_hash="x")


def start(study):
    return start_next(study_id=study.pk, holder=SCRIPT)


def complete(trial, value=1.0):
    complete_trial(trial_id=trial.pk, fence=trial.fence, value=value)


def test_a_start_claims_with_fence_lease_attempt_and_slot(alice):
    study, slot = make_study(alice, started=True, workload="tiny"), make_slot()
    trial = make_running(study, slot)
    assert (trial.state, trial.fence, trial.slot, trial.number, trial.resource) == ("RUNNING", 1, slot, 0, 5)
    assert trial.lease_until > trial.started
    assert SearchSpace.from_json(SPACE).contains(trial.params)
    assert (trial.origin, trial.sampler_used, trial.asked_at, trial.seed) == ("sampler", "auto", 0, study.seed)
    assert trial.why
    attempt = trial.attempts.get()
    assert (attempt.fence, attempt.host, attempt.slot, attempt.start_step) == (1, "host-1", slot, 0)
    study.refresh_from_db()
    assert (study.n_running, study.n_waiting, study.next_number) == (1, 0, 1)


def test_the_same_study_gives_the_same_configurations_again(alice):
    first, second = (make_study(alice, started=True, seed=11) for _ in range(2))
    assert [make_running(first).params for _ in range(4)] == [make_running(second).params for _ in range(4)]


def test_the_parallel_limit_holds(alice):
    study = make_study(alice, started=True, parallel=2)
    trials = [start(study) for _ in range(4)]
    assert [trial is None for trial in trials] == [False, False, True, True]
    complete(trials[0])
    assert start(study).number == 2
    assert start(study) is None


def test_the_budget_is_exact_and_the_study_finishes(alice):
    study = make_study(alice, started=True, n_trials=3, parallel=10)
    enqueue_trial(study_id=study.pk, actor=alice, params={})
    trials = [start(study) for _ in range(5)]
    assert [trial is None for trial in trials] == [False, False, False, True, True]
    study.refresh_from_db()
    assert study.state == "RUNNING"
    for trial in trials[:3]:
        complete(trial)
    study.refresh_from_db()
    assert (study.state, study.n_created, study.finished is None) == ("FINISHED", 3, False)
    assert "3" in study.state_reason
    assert start(study) is None


def test_waiting_trials_go_first_by_priority_then_number(alice):
    study = make_study(alice, started=True, parallel=5)
    trials = [enqueue_trial(study_id=study.pk, actor=alice, params={}) for _ in range(3)]
    Trial.objects.filter(pk=trials[2].pk).update(priority=1)
    assert [start(study).number for _ in range(4)] == [2, 0, 1, 3]


@pytest.mark.parametrize("state", ["DRAFT", "READY", "PAUSED", "STOPPED", "FINISHED"])
def test_only_a_running_study_starts_trials(alice, state):
    study = make_study(alice)
    Study.objects.filter(pk=study.pk).update(state=state)
    assert start(study) is None
    assert not Trial.objects.exists()


@pytest.mark.django_db
def test_an_unknown_study_gives_nothing():
    assert start_next(study_id=10**9, holder=SCRIPT) is None


def test_fences_only_rise_and_an_old_one_claims_nothing(alice):
    study = make_study(alice, started=True)
    old = start(study)
    requeue_trial(trial_id=old.pk, fence=old.fence, why="lost", lost=True)
    new = start(study)
    assert (new.pk, new.fence, new.retries) == (old.pk, 2, 1)
    for call in (
        lambda: complete(old, 0.0),
        lambda: report(old, [0.0]),
        lambda: requeue_trial(trial_id=old.pk, fence=old.fence, why="", lost=False),
    ):
        with pytest.raises(StaleLease):
            call()
    new.refresh_from_db()
    assert (new.state, new.value, new.fence) == ("RUNNING", None, 2)


def test_a_slot_runs_one_trial_by_the_database_itself(alice):
    study, slot = make_study(alice, started=True, workload="tiny"), make_slot()
    make_running(study, slot)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_running(study, slot)
    assert Trial.objects.count() == 1


def test_a_suggestion_made_on_an_old_history_is_made_again(alice, monkeypatch):
    """Another slot takes the number while the sampler thinks: the suggestion is dropped, the budget stays exact."""
    study = make_study(alice, started=True, n_trials=2, parallel=4)
    seen, others = [], []

    def slow(asked):
        proposal = propose(asked)
        seen.append(proposal.number)
        if not others:
            monkeypatch.setattr(starting, "propose", propose)
            others.append(start(study))
            monkeypatch.setattr(starting, "propose", slow)
        return proposal

    monkeypatch.setattr(starting, "propose", slow)
    trial = start(study)
    assert (others[0].number, trial.number) == (0, 1)
    assert seen == [0, 1]
    assert start(study) is None


def test_a_history_that_never_rests_does_not_starve_a_start(alice, monkeypatch):
    study = make_study(alice, started=True, n_trials=50, parallel=50)
    depth = []

    def crowded(asked):
        proposal = propose(asked)
        if len(depth) < 2:
            depth.append(1)
            monkeypatch.setattr(starting, "propose", propose)
            start(study)
            monkeypatch.setattr(starting, "propose", crowded)
        return proposal

    monkeypatch.setattr(starting, "propose", crowded)
    trial = start(study)
    assert trial.number == 2
    assert trial.asked_at == 2


def test_a_sampler_that_fails_says_so(alice, monkeypatch):
    study = make_study(alice, started=True, sampler="random")
    monkeypatch.setattr("tuning.engine.samplers.random.Random.suggest", lambda *_: 1 / 0)
    with pytest.raises(SamplerFailed, match="random failed: ZeroDivisionError"):
        start(study)
    assert not Trial.objects.exists()


def test_a_promoted_trial_goes_on_with_its_next_resource(alice, monkeypatch):
    """The scheduler's word is carried out: PAUSED -> WAITING -> RUNNING, points up to the rung are kept."""
    study = make_study(alice, started=True, parallel=1)
    trial = start(study)
    report(trial, [0.9, 0.8])
    Trial.objects.filter(pk=trial.pk).update(checkpoint="c", checkpoint_step=2)
    park_trial(trial_id=trial.pk, fence=trial.fence)
    monkeypatch.setattr(starting, "next_action", lambda _study: Promote(trial.number, 4))
    again = start(study)
    assert (again.pk, again.state, again.resource, again.fence, again.resource_done) == (trial.pk, "RUNNING", 4, 2, 2)
    assert again.value == 0.8
    study.refresh_from_db()
    assert (study.n_paused, study.n_running) == (0, 1)


def test_a_scheduler_that_waits_starts_nothing(alice, monkeypatch):
    study = make_study(alice, started=True)
    monkeypatch.setattr(starting, "next_action", lambda _study: Wait("a rung is open"))
    assert start(study) is None
    study.refresh_from_db()
    assert study.state == "RUNNING"


def test_a_requeued_trial_keeps_its_first_start_and_loses_its_reason(alice):
    study = make_study(alice, started=True)
    trial = start(study)
    pause_study(study_id=study.pk, actor=alice)
    trial.refresh_from_db()
    assert trial.reason == "the study was paused"
    resume_study(study_id=study.pk, actor=alice)
    again = start(study)
    assert (again.started, again.reason) == (trial.started, "")
