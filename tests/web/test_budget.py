"""Limits in epochs and time on the pages: the form, its plan, the study's facts, setup and extension."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tests.factories import make_running, make_slot, make_study, make_workload, report
from tests.web.conftest import words
from tuning.models import Study, Trial
from tuning.services.endings import finish_run

pytestmark = pytest.mark.django_db
NEW, CHECK = "/studies/new/?workload=tiny", "/studies/new/check/?workload=tiny"
FORM = {
    "name": "limited", "metric": "validation/loss", "objective": "best", "sampler": "random", "scheduler": "none",
    "parallel": "1", "max_resource": "9", "visibility": "team", "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "0",
    "form-0-name": "lr", "form-0-kind": "float", "form-0-low": "0.1", "form-0-high": "1", "create": "1",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _workload(db: None) -> None:
    make_workload("tiny")


def test_limits_are_set_shown_changed_and_cloned(as_alice: Client) -> None:
    limits = {"total_resource": "90", "device_seconds": "1 h 30 min", "study_seconds": "2 d"}
    assert as_alice.post(NEW, {**FORM, **limits}).status_code == 302
    study = Study.objects.get()
    assert (study.budget_total, study.total_resource, study.device_seconds, study.study_seconds) == (
        None, 90, 5400, 172800,
    )  # fmt: skip
    setup = words(as_alice.get(f"/studies/{study.pk}/setup/"))
    for part in ("Epochs in all, at most 90", "Device time, at most 1 h 30 min", "Ends after 2 d"):
        assert part in setup
    clone = as_alice.get(f"/studies/new/?from={study.pk}").content.decode()
    assert all(f'value="{text}"' in clone for text in limits.values())
    settings = {"name": "limited", "description": "", "n_trials": "", "parallel": "1", "visibility": "team"}
    as_alice.post(f"/studies/{study.pk}/setup/", {**settings, "total_resource": "99"})
    study.refresh_from_db()
    assert (study.total_resource, study.device_seconds, study.study_seconds) == (99, None, None)
    endless = as_alice.post(f"/studies/{study.pk}/setup/", {**settings, "total_resource": ""})
    assert "The study would never end" in words(endless)


def test_something_must_end_a_study(as_alice: Client) -> None:
    answer = as_alice.post(NEW, FORM)
    assert (answer.status_code, "limit the steps or the time" in words(answer)) == (400, True)
    few = as_alice.post(NEW, {**FORM, "total_resource": "8"})
    assert "A single trial takes 9 of them: allow at least 9." in words(few)
    plan = as_alice.post(CHECK, {**FORM, "total_resource": "8"})
    assert "8 in all do not pay a single trial, which takes 9." in words(plan)


def test_the_plan_says_what_the_epochs_pay(as_alice: Client) -> None:
    plan = words(as_alice.post(CHECK, {**FORM, "total_resource": "100"}))
    assert "Trials about 11" in plan
    assert "Epochs in all about 99 of 100" in plan
    halving = {"scheduler": "hyperband", "hyperband-reduction_factor": "3", "hyperband-min_resource": "1"}
    plan = words(as_alice.post(CHECK, {**FORM, **halving, "total_resource": "77"}))
    assert "Trials 17" in plan
    assert "Epochs in all 69 of 77" in plan
    both = words(as_alice.post(CHECK, {**FORM, "total_resource": "100", "n_trials": "3"}))
    assert "Trials 3" in both
    assert "Epochs in all 27 of 100" in both


def test_the_plan_says_where_the_time_ends_it(as_alice: Client, alice: User) -> None:
    assert "Trials until the time is up" in words(as_alice.post(CHECK, {**FORM, "study_seconds": "1 h"}))
    earlier = make_study(alice, started=True, workload="tiny", n_trials=1, max_resource=9, sampler="random")
    trial = make_running(earlier, make_slot())
    report(trial, [0.5] * 9)
    finish_run(trial_id=trial.pk, fence=trial.fence)
    Trial.objects.update(started=timezone.now() - timedelta(minutes=6), completed=timezone.now())
    plan = words(as_alice.post(CHECK, {**FORM, "study_seconds": "1 h"}))
    assert "Trials about 9" in plan or "Trials about 10" in plan
    assert "Predicted time 1 h" in plan
    plan = words(as_alice.post(CHECK, {**FORM, "n_trials": "20", "device_seconds": "1 h"}))
    assert "Its time is up after 1 h, with about 50 % of this plan done; the best so far stands." in plan
    assert "Its time is up" not in words(as_alice.post(CHECK, {**FORM, "n_trials": "5", "device_seconds": "1 h"}))


def test_what_is_spent_stands_on_the_study_s_page_and_more_can_be_given(as_alice: Client, alice: User) -> None:
    study = make_study(alice, started=True, workload="tiny", n_trials=None, study_seconds=3600, total_resource=12)
    Study.objects.update(started=timezone.now() - timedelta(minutes=30))
    page = words(as_alice.get(f"/studies/{study.pk}/"))
    assert "Since its start 30 min of 1 h" in page
    assert "of about 2" in page
    assert "of 12" in page
    form = as_alice.get(f"/studies/{study.pk}/extend/").content.decode()
    assert 'name="study_seconds"' in form and 'name="total_resource"' in form and 'name="device_seconds"' not in form
    less = {"parallel": "4", "total_resource": "20", "study_seconds": "1 min"}
    answer = as_alice.post(f"/studies/{study.pk}/extend/", less)
    assert "31 min are spent already" in words(answer) or "30 min are spent already" in words(answer)
    more = {"parallel": "4", "total_resource": "20", "study_seconds": "2 h"}
    assert as_alice.post(f"/studies/{study.pk}/extend/", more).status_code == 302
    study.refresh_from_db()
    assert (study.total_resource, study.study_seconds) == (20, 7200)
