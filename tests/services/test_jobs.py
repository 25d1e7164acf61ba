"""Jobs: queued once, claimed once, retried, their answers stored under the fence or not at all."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import DESCRIPTION, make_place, make_slot, make_study, make_workload
from tuning.models import AuditEvent, Job, Offering, Split, Study, Workload
from tuning.services.errors import Forbidden, NotFound, StaleLease
from tuning.services.job_endings import MAX_RETRIES, cancel_job, complete_job, fail_overdue_job, finish_job, requeue_job
from tuning.services.jobs import claim_job, renew_job, request_counts, request_describe, request_job, request_split
from tuning.services.reaper import OVERDUE_SECONDS, reap_expired
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
    return claim_job(slot=make_place("quick"))


def test_the_same_request_is_one_job_while_it_is_open(alice):
    first = request_describe(actor=alice)
    assert request_describe(actor=None).pk == first.pk
    job = claim_job(slot=make_place("quick"))
    assert request_describe(actor=None).pk == first.pk
    finish_job(job_id=job.pk, fence=job.fence)
    assert request_describe(actor=None).pk != first.pk


def test_different_requests_are_different_jobs():
    assert request_split(actor=None, workload="a").pk != request_split(actor=None, workload="b" * 120).pk
    assert request_job(kind="x", actor=None).pk != request_job(kind="x", actor=None).pk


def test_jobs_are_claimed_oldest_first_and_once():
    jobs = [request_job(kind="preflight", actor=None) for _ in range(3)]
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
    slot = make_place("quick")
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
    claim_job(slot=make_place("quick"))
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
    job = claim_job(slot=make_place("bulk"))
    assert complete_job(job_id=job.pk, fence=1, answer={"type": "result", **SPLIT})
    split = Split.objects.get()
    path = settings.ARTIFACT_DIR / split.artifact
    assert (split.sizes, path.stat().st_mode & 0o777) == (SPLIT["sizes"], 0o600)
    assert Job.objects.get().result == {"sizes": SPLIT["sizes"], "digest": SPLIT["digest"]}


def test_a_full_disk_fails_a_split_in_words(settings):
    settings.ARTIFACT_DIR.parent.mkdir(exist_ok=True)
    settings.ARTIFACT_DIR.write_text("a file where the folder should be")
    request_split(actor=None, workload="tiny")
    job = claim_job(slot=make_place("bulk"))
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


# --- deadlines ---------------------------------------------------------------------------------------------------
def overdue(job, seconds):
    moment = timezone.now() - timedelta(seconds=seconds)
    Job.objects.filter(pk=job.pk).update(deadline=moment, started=moment - timedelta(minutes=2))


def test_a_job_fails_at_its_deadline_and_not_before(claimed):
    assert not fail_overdue_job(job_id=claimed.pk, fence=1)
    overdue(claimed, 1)
    assert not fail_overdue_job(job_id=claimed.pk, fence=0), "another's claim"
    assert fail_overdue_job(job_id=claimed.pk, fence=1, doing="It was importing slow.py.")
    assert not fail_overdue_job(job_id=claimed.pk, fence=1)
    job = Job.objects.get()
    assert (job.state, job.slot, job.deadline) == ("FAILED", None, None)
    assert job.error.startswith("It has run for 2 min, the limit for a job of kind describe, and was ended. It was imp")
    assert job.error.endswith("raise HPWEB_DESCRIBE_SECONDS.")


def test_the_reaper_ends_what_a_worker_does_not(claimed):
    overdue(claimed, OVERDUE_SECONDS - 2)
    assert reap_expired() == 0, "its worker does it"
    overdue(claimed, OVERDUE_SECONDS + 1)
    assert (reap_expired(), reap_expired()) == (1, 0)
    assert Job.objects.get().state == "FAILED"


def test_what_a_search_had_not_seen_when_it_failed_stays(claimed):
    make_workload("before")
    host = claimed.slot.device.host
    store_descriptions(entries=[{**DESCRIPTION, "name": "before"}], host=host)
    assert complete_job(job_id=claimed.pk, fence=1, answer=ANSWER, error="It took too long.")
    assert (Job.objects.get().state, Job.objects.get().error) == ("FAILED", "It took too long.")
    assert set(Workload.objects.values_list("name", flat=True)) == {"before", "found"}
    assert set(Offering.objects.filter(host=host).values_list("workload", flat=True)) == {"before", "found"}


def test_each_claim_has_its_own_time(claimed):
    overdue(claimed, 1)
    requeue_job(job_id=claimed.pk, fence=1, why="", lost=False)
    assert Job.objects.get().deadline is None
    again = claim_job(slot=claimed.slot)
    assert again.deadline > timezone.now() + timedelta(seconds=100)


# --- cancel ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("state", ["WAITING", "RUNNING"])
def test_a_job_is_cancelled_once_by_the_person_who_asked_for_it(alice, state):
    job = request_describe(actor=alice)
    if state == "RUNNING":
        claim_job(slot=make_place("quick"))
    ended = cancel_job(job_id=job.pk, actor=alice)
    assert (ended.state, ended.error, ended.slot, ended.lease_until) == ("FAILED", "Cancelled by alice.", None, None)
    assert ended.completed is not None
    assert cancel_job(job_id=job.pk, actor=alice).completed == ended.completed
    assert [event.verb for event in AuditEvent.objects.filter(object_kind="job")] == ["cancelled"]
    assert not complete_job(job_id=job.pk, fence=ended.fence, answer=ANSWER)
    assert not Workload.objects.exists()
    assert request_describe(actor=alice).pk != job.pk, "it may be asked for again"


def test_others_may_not_cancel_a_job_and_administrators_may(alice, bob, admin):
    hers, ours = request_describe(actor=alice), request_split(actor=None, workload="tiny")
    for job in (hers, ours):
        with pytest.raises(Forbidden, match="administrators may cancel"):
            cancel_job(job_id=job.pk, actor=bob)
        assert cancel_job(job_id=job.pk, actor=admin).state == "FAILED"
    with pytest.raises(Forbidden):
        cancel_job(job_id=ours.pk, actor=alice)
    with pytest.raises(NotFound):
        cancel_job(job_id=10**9, actor=admin)


def test_what_has_ended_is_left_as_it_is(claimed, admin):
    complete_job(job_id=claimed.pk, fence=1, answer=ANSWER)
    assert cancel_job(job_id=claimed.pk, actor=admin).state == "COMPLETE"
    assert not AuditEvent.objects.exists()


def test_a_cancelled_count_is_not_asked_for_again_before_a_person_refreshes(alice, admin):
    place = make_place("bulk")
    host = place.device.host
    store_descriptions(entries=[DESCRIPTION], host=host)
    study = make_study(alice, workload="tiny", started=True)
    Study.objects.filter(pk=study.pk).update(data_digest="d" * 64)
    Job.objects.all().delete()
    request_counts(host=host)
    cancel_job(job_id=claim_job(slot=place).pk, actor=admin)
    request_counts(host=host)
    assert claim_job(slot=place) is None
    assert "Cancelled by admin" in Offering.objects.get().data_error
    store_descriptions(entries=[DESCRIPTION], host=host)
    request_counts(host=host)
    assert claim_job(slot=place).args["workload"] == "tiny"
