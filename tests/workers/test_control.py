"""Control of a trial whose real process runs: each act is through within a second (test_end_to_end: stop)."""

import time

import pytest

from tests.factories import make_running, make_slot
from tests.workers.test_end_to_end import Disturbed, running_study, workload
from tests.workers.workloads import NAME, overload
from tuning.models import Trial
from tuning.services.draining import start_drain
from tuning.services.exclusion import exclude_trial
from tuning.services.lifecycle import cancel_trial, pause_study, start_study
from tuning.services.retrying import retry_trial
from tuning.services.studies import create_study, update_study
from tuning.workers.processes import session_members

__all__ = ["workload"]

ACTS = {
    "pause": lambda run, person: pause_study(study_id=run.trial.study_id, actor=person),
    "cancel": lambda run, person: cancel_trial(trial_id=run.trial.pk, actor=person),
    "exclude": lambda run, person: exclude_trial(trial_id=run.trial.pk, actor=person, reason="wrong data"),
    # the process needs longer than a second to import torch, so its time is over by then
    "limit": lambda run, person: update_study(study=run.trial.study, actor=person, trial_seconds=1),
    "drain": lambda run, person: start_drain(host_id=run.slot.device.host_id, actor=person, now=True),
}
STATES = {"pause": "WAITING", "cancel": "FAILED", "exclude": "FAILED", "limit": "FAILED", "drain": "WAITING"}


@pytest.mark.parametrize("act", ACTS)
def test_it_is_through_within_a_second(admin, workload, act):
    study = create_study(owner=admin, name=act, workload=NAME, n_trials=1, seed=3, max_resource=2000)
    start_study(study_id=study.pk, actor=admin, despite="it is about something else")
    slot = make_slot()
    run = Disturbed(make_running(study, slot), slot, lambda run: ACTS[act](run, admin))
    run.run()
    assert time.monotonic() - run.disturbed_at < 1.0 * overload()
    trial = Trial.objects.get()
    assert (trial.state, trial.checkpoint_step >= 2, trial.is_excluded) == (STATES[act], True, act == "exclude")
    if act != "drain":  # it went in order, so its process may serve the next trial
        assert session_members(run.process.pid) == []


def test_a_retry_goes_on_from_the_checkpoint_of_the_cancelled_trial(admin, workload):
    study, slot = running_study(admin, "retried"), make_slot()
    study.budget_total = 2
    study.save()
    run = Disturbed(make_running(study, slot), slot, lambda run: cancel_trial(trial_id=run.trial.pk, actor=admin))
    run.run()
    old = Trial.objects.get()
    new = retry_trial(trial_id=old.pk, actor=admin)
    again = Disturbed(make_running(study, slot), slot, lambda run: None)
    assert again.run() == "complete"
    new.refresh_from_db()
    assert (new.state, new.resource_done) == ("COMPLETE", 5)
    assert new.attempts.get(fence=1).start_step == old.checkpoint_step
    assert new.value is not None
