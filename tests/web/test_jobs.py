"""Jobs on the workers page and failed searches on the workloads page."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_place
from tests.web.conftest import browser_of, poll, words
from tuning.models import Job
from tuning.services.job_endings import cancel_job, finish_job
from tuning.services.jobs import claim_job, request_describe, request_split

pytestmark = pytest.mark.django_db


def test_the_workers_page_shows_places_and_jobs_and_lets_go_of_ones_own(
    as_alice: Client, as_bob: Client, alice: User, admin: User
) -> None:
    make_place("quick")
    page = as_bob.get("/workers/")
    assert "Short jobs" in words(page)
    assert "Reserve" in words(page), "the CPU alone"
    assert page.content.count(b"/reserve/") == 1
    job = request_describe(actor=alice)
    request_split(actor=None, workload="tiny")
    claim_job(slot=make_place("quick"))
    answer = poll(as_bob, "/workers/", page["ETag"])
    assert answer.status_code == 200
    assert "job: look for workloads" in words(answer)
    assert "Count data" in words(answer)
    assert "tiny" not in words(answer), "whose study it is about is not everybody's to know"
    assert b"/cancel/" not in answer.content
    assert as_bob.post(f"/jobs/{job.pk}/cancel/").status_code == 403
    assert "Count data of tiny" in words(browser_of(admin).get("/workers/"))
    assert as_alice.get("/workers/").content.count(b"/cancel/") == 1
    assert "The job is cancelled." in words(as_alice.post(f"/jobs/{job.pk}/cancel/", follow=True))
    again = as_alice.post(f"/jobs/{job.pk}/cancel/", follow=True)
    assert "Cancelled by alice." in words(again)
    assert as_alice.get(f"/jobs/{job.pk}/cancel/").status_code == 405
    assert Job.objects.get(pk=job.pk).state == "FAILED"


def test_a_search_that_failed_is_told_until_the_next_one(as_alice: Client, admin: User) -> None:
    request_describe(actor=None, host="host-1")
    job = claim_job(slot=make_place("quick"))
    finish_job(job_id=job.pk, fence=1, error="It has run for 2 min. It was importing slow.py.")
    assert "The last search of host-1 failed" in words(as_alice.get("/workloads/"))
    assert "It was importing slow.py." in words(as_alice.get("/workloads/"))
    again = request_describe(actor=None, host="host-1")
    assert "The last search" not in words(as_alice.get("/workloads/"))
    cancel_job(job_id=again.pk, actor=admin)
    assert "Cancelled by admin." in words(as_alice.get("/workloads/"))
    request_describe(actor=None, host="host-1")
    job = claim_job(slot=make_place("quick"))
    finish_job(job_id=job.pk, fence=1)
    assert "The last search" not in words(as_alice.get("/workloads/"))
