"""Jobs: what runs, waits and has ended, for everybody; the end of one, for who asked for it."""

import pytest

from tests.factories import make_place
from tuning.models import Job
from tuning.services.jobs import claim_job, request_describe, request_split


@pytest.fixture
def hers(alice):
    return request_describe(actor=alice)


def test_everybody_sees_what_runs_first_and_what_they_may_cancel(as_alice, as_bob, as_nobody, hers):
    request_split(actor=None, workload="tiny", host="host-2")
    claim_job(slot=make_place("quick"))
    first, second = as_alice.get("jobs/").json()["results"]
    assert (first["id"], first["kind"], first["state"], first["host"]) == (hers.pk, "describe", "RUNNING", "host-1")
    assert (first["title"], first["requested_by"], first["may_cancel"]) == ("look for workloads", "alice", True)
    assert first["deadline"] is not None
    assert (second["title"], second["state"], second["host"]) == ("count data", "WAITING", "host-2")
    assert (second["requested_by"], second["deadline"], second["may_cancel"]) == (None, None, False)
    assert [job["may_cancel"] for job in as_bob.get("jobs/").json()["results"]] == [False, False]
    assert as_nobody.get("jobs/").status_code == 401
    assert as_alice.get("jobs/?page=2").status_code == 400


def test_a_job_is_cancelled_and_again_is_no_error(as_alice, hers):
    for _ in range(2):
        answer = as_alice.post(f"jobs/{hers.pk}/cancel/")
        assert answer.status_code == 200
        assert (answer.json()["state"], answer.json()["error"]) == ("FAILED", "Cancelled by alice.")
        assert answer.json()["may_cancel"] is False


def test_who_may_not_and_what_is_not_there(as_alice, as_bob, as_nobody, hers):
    assert as_bob.post(f"jobs/{hers.pk}/cancel/").status_code == 403
    assert as_nobody.post(f"jobs/{hers.pk}/cancel/").status_code == 401
    assert as_alice.post(f"jobs/{10**9}/cancel/").status_code == 404
    assert as_alice.get(f"jobs/{hers.pk}/cancel/").status_code == 405
    assert as_alice.post(f"jobs/{hers.pk}/cancel/", {"why": "so"}).status_code == 400
    assert Job.objects.get().state == "WAITING"
