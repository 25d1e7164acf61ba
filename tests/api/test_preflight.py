"""The checks before tuning over REST: read, asked for, and the start that waits for them."""

import pytest

from tests.factories import make_slot, make_study, make_workload
from tuning.models import Study
from tuning.services.job_endings import complete_job
from tuning.services.jobs import claim_job
from tuning.services.lifecycle import start_awaiting

pytestmark = pytest.mark.django_db
FAILED = {"rule": "NON-FINITE", "title": "Finite numbers", "status": "failed", "says": "3 inputs are NaN."}


@pytest.fixture
def study(alice) -> Study:
    make_workload("tiny", checked=False)
    return make_study(alice, workload="tiny")


def test_a_preflight_is_asked_for_and_read(as_alice, study):
    page = "workloads/tiny/preflight/"
    assert as_alice.get(page).json() == {"preflight": None}
    first = as_alice.post(page).json()["preflight"]
    assert (first["state"], first["checks"]) == ("OPEN", [])
    assert as_alice.post(page).json()["preflight"]["id"] == first["id"]
    job = claim_job(slot=make_slot("here"))
    complete_job(job_id=job.pk, fence=job.fence, answer={"checks": [FAILED], "seconds_per_epoch": 0.5})
    found = as_alice.get(page).json()["preflight"]
    assert (found["state"], found["facts"]["seconds_per_epoch"]) == ("FAILED", 0.5)
    assert found["checks"][0] == FAILED | {"means": "", "todo": "", "evidence": {}, "seconds": 0.0}
    assert as_alice.get("workloads/nobody/preflight/").status_code == 404


def test_a_start_waits_and_a_failed_one_needs_a_reason(as_alice, study):
    start = f"studies/{study.pk}/start/"
    waiting = as_alice.post(start).json()
    assert (waiting["state"], waiting["starts_after_preflight"], waiting["waiver"]) == ("READY", True, "")
    assert as_alice.post(f"studies/{study.pk}/hold/").json()["starts_after_preflight"] is False
    as_alice.post(start)
    job = claim_job(slot=make_slot("here"))
    complete_job(job_id=job.pk, fence=job.fence, answer={"checks": [FAILED]})
    start_awaiting()
    refused = as_alice.post(start)
    assert refused.status_code == 409
    assert "Its preflight has failed: Finite numbers." in refused.json()["detail"]
    started = as_alice.post(start, {"despite": "they are masked"}).json()
    assert (started["state"], started["waiver"]) == ("RUNNING", "they are masked")
