"""Jobs: queued once, claimed once, retried, their answers stored under the fence or not at all."""

import pytest

from tests.factories import DESCRIPTION, make_slot, make_workload
from tuning.models import Job, Split, Workload
from tuning.services.errors import StaleLease
from tuning.services.jobs import (
    MAX_RETRIES,
    claim_job,
    complete_job,
    finish_job,
    renew_job,
    request_describe,
    request_job,
    request_split,
    requeue_job,
)
from tuning.services.workloads import store_descriptions

pytestmark = pytest.mark.django_db
ANSWER = {"workloads": [{**DESCRIPTION, "name": "found"}]}
SPLIT = {
    "sizes": {"train": 8, "validation": 2},
    "hashes": {"train": ["a"]},
    "digest": "d" * 64,
    "data_digest": "e" * 64,
}


@pytest.fixture
def claimed():
    request_describe(actor=None)
    return claim_job(slot=make_slot())


def test_the_same_request_is_one_job_while_it_is_open(alice):
    first = request_describe(actor=alice)
    assert request_describe(actor=None).pk == first.pk
    job = claim_job(slot=make_slot())
    assert request_describe(actor=None).pk == first.pk
    finish_job(job_id=job.pk, fence=job.fence)
    assert request_describe(actor=None).pk != first.pk


def test_different_requests_are_different_jobs():
    assert request_split(actor=None, workload="a").pk != request_split(actor=None, workload="b" * 120).pk
    assert request_job(kind="x", actor=None).pk != request_job(kind="x", actor=None).pk


def test_jobs_are_claimed_oldest_first_and_once():
    jobs = [request_split(actor=None, workload=name) for name in "abc"]
    claims = [claim_job(slot=make_slot(slots=4, index=index)) for index in range(4)]
    assert [job and job.pk for job in claims] == [*(job.pk for job in jobs), None]
    assert all((job.state, job.fence) == ("RUNNING", 1) for job in claims[:3])


def test_a_heartbeat_needs_the_newest_claim(claimed):
    renew_job(job_id=claimed.pk, fence=1)
    with pytest.raises(StaleLease):
        renew_job(job_id=claimed.pk, fence=0)
    requeue_job(job_id=claimed.pk, fence=1, why="lost")
    with pytest.raises(StaleLease):
        renew_job(job_id=claimed.pk, fence=1)


def test_a_lost_job_is_retried_and_then_given_up():
    request_describe(actor=None)
    slot = make_slot()
    for retry in range(MAX_RETRIES + 1):
        job = claim_job(slot=slot)
        assert job.fence == retry + 1
        assert requeue_job(job_id=job.pk, fence=job.fence, why="It was killed.")
        assert not requeue_job(job_id=job.pk, fence=job.fence, why="twice")
    job = Job.objects.get()
    assert (job.state, job.error, job.retries, job.slot) == ("FAILED", "It was killed.", MAX_RETRIES, None)


def test_an_orderly_requeue_costs_no_retry(claimed):
    requeue_job(job_id=claimed.pk, fence=1, why="", lost=False)
    assert (Job.objects.get().state, Job.objects.get().retries) == ("WAITING", 0)


def test_an_expiry_that_was_renewed_changes_nothing(claimed):
    assert not requeue_job(job_id=claimed.pk, fence=1, why="", expired=True)
    Job.objects.update(lease_until="2020-01-01T00:00:00Z")
    assert requeue_job(job_id=claimed.pk, fence=1, why="", expired=True)


def test_an_answer_is_stored_and_the_job_complete(claimed):
    assert complete_job(job_id=claimed.pk, fence=1, answer=ANSWER)
    assert (Job.objects.get().state, Workload.objects.get().name) == ("COMPLETE", "found")
    assert not complete_job(job_id=claimed.pk, fence=1, answer={"workloads": []})
    assert Workload.objects.count() == 1


def test_a_stale_answer_stores_nothing(claimed):
    requeue_job(job_id=claimed.pk, fence=1, why="lost")
    claim_job(slot=make_slot())
    assert not complete_job(job_id=claimed.pk, fence=1, answer=ANSWER)
    assert not finish_job(job_id=claimed.pk, fence=1, error="late")
    assert not Workload.objects.exists()
    assert Job.objects.get().state == "RUNNING"


@pytest.mark.parametrize("answer", [{}, {"workloads": None}, {"workloads": [1]}, {"workloads": [{"title": "x"}]}])
def test_an_answer_that_cannot_be_read_fails_the_job_and_keeps_what_was(claimed, answer):
    make_workload("before")
    assert complete_job(job_id=claimed.pk, fence=1, answer=answer)
    assert Job.objects.get().state == "FAILED"
    assert "cannot be read" in Job.objects.get().error
    assert Workload.objects.get().name == "before"


def test_a_split_keeps_sizes_in_the_table_and_hashes_in_a_private_file(settings):
    request_split(actor=None, workload="tiny")
    job = claim_job(slot=make_slot())
    assert complete_job(job_id=job.pk, fence=1, answer={"type": "result", **SPLIT})
    split = Split.objects.get()
    path = settings.ARTIFACT_DIR / split.artifact
    assert (split.sizes, path.stat().st_mode & 0o777) == (SPLIT["sizes"], 0o600)
    assert Job.objects.get().result == {"sizes": SPLIT["sizes"], "digest": SPLIT["digest"]}


def test_a_full_disk_fails_a_split_in_words(settings):
    settings.ARTIFACT_DIR.parent.mkdir(exist_ok=True)
    settings.ARTIFACT_DIR.write_text("a file where the folder should be")
    request_split(actor=None, workload="tiny")
    job = claim_job(slot=make_slot())
    complete_job(job_id=job.pk, fence=1, answer=SPLIT)
    assert "cannot be stored" in Job.objects.get().error
    assert not Split.objects.exists()


# --- descriptions ------------------------------------------------------------------------------------------------
def test_the_table_becomes_what_was_found():
    make_workload("gone")
    make_workload("stays", digest="old")
    store_descriptions(
        entries=[{**DESCRIPTION, "name": "stays", "digest": "new"}, {**DESCRIPTION, "name": "fresh", "space": None}]
    )
    assert dict(Workload.objects.values_list("name", "digest")) == {"stays": "new", "fresh": "0" * 64}


def test_a_broken_workload_shows_its_error_and_breaks_nothing_else():
    store_descriptions(
        entries=[
            {"name": "broken.py", "error": "SyntaxError: \x00", "digest": "d"},
            {**DESCRIPTION, "name": "odd", "space": {"lr": {"type": "float", "low": 1.0, "high": 0.0}}},
            {**DESCRIPTION, "name": "n" * 300},
            DESCRIPTION,
        ]
    )
    errors = dict(Workload.objects.values_list("name", "error"))
    assert errors.pop("broken.py") == "SyntaxError: �"
    assert "default space" in errors.pop("odd")
    assert errors == {"n" * 120: "", "tiny": ""}
