"""The checks before tuning gate the start of a PyTorch workload's study, and start it once they have passed."""

import pytest

from tests.factories import DESCRIPTION, make_slot, make_study, make_workload
from tuning.models import AuditEvent, Job, Preflight, Study
from tuning.selectors.preflights import standing_of
from tuning.services.errors import Conflict, Forbidden, NotFound
from tuning.services.job_endings import cancel_job, complete_job, finish_job
from tuning.services.jobs import claim_job
from tuning.services.lifecycle import hold_study, start_awaiting, start_study
from tuning.services.preflights import KEPT, note_check, request_preflight
from tuning.services.workloads import store_descriptions

pytestmark = pytest.mark.django_db
PASSED = {"rule": "INIT-LOSS", "title": "Initial loss", "status": "passed", "says": "2.31, and ln 10 is 2.30."}
FAILED = {"rule": "NON-FINITE", "title": "Finite numbers", "status": "failed", "says": "3 inputs are NaN."}


@pytest.fixture
def study(alice) -> Study:
    make_workload("tiny", checked=False)
    return make_study(alice, workload="tiny")


@pytest.fixture
def slot(db):
    return make_slot("here")


def claimed(slot) -> Job:
    job = claim_job(slot=slot)
    assert job is not None
    assert job.kind == "preflight"
    return job


def answer(slot, *checks, **more) -> Preflight:
    job = claimed(slot)
    found = {"checks": list(checks), "seconds_per_epoch": 0.5, "parameters": 10, "seconds": 3.0, "device": "CPU"}
    assert complete_job(job_id=job.pk, fence=job.fence, answer=found | more)
    return Preflight.objects.get(job=job)


def test_a_study_starts_by_itself_once_its_preflight_has_passed(study, alice, slot):
    for _ in range(2):  # the same again changes nothing
        waiting = start_study(study_id=study.pk, actor=alice)
        assert (waiting.state, waiting.starts_for) == ("READY", alice)
    assert waiting.state_reason == "It starts by itself once its preflight has passed."
    assert AuditEvent.objects.filter(verb="asked to start").count() == 1
    assert start_awaiting() == 0
    preflight = answer(slot, PASSED)
    assert (preflight.state, preflight.facts["seconds_per_epoch"]) == ("PASSED", 0.5)
    assert start_awaiting() == 1
    study.refresh_from_db()
    assert (study.state, study.starts_for, study.state_reason, study.waiver) == ("RUNNING", None, "", "")
    assert AuditEvent.objects.get(verb="started").actor == alice


def test_a_failed_preflight_holds_it_up_until_somebody_says_why_not(study, alice, slot):
    start_study(study_id=study.pk, actor=alice)
    assert answer(slot, PASSED, FAILED).state == "FAILED"
    assert start_awaiting() == 0
    study.refresh_from_db()
    assert (study.state, study.starts_for) == ("READY", None)
    assert study.state_reason == "It has not started. Its preflight has failed: Finite numbers."
    with pytest.raises(Conflict, match=r"Finite numbers.*despite that, with a reason"):
        start_study(study_id=study.pk, actor=alice, despite="  ")
    started = start_study(study_id=study.pk, actor=alice, despite="the NaN are masked in the loss")
    assert (started.state, started.waiver) == ("RUNNING", "the NaN are masked in the loss")
    assert AuditEvent.objects.filter(verb="started without a passed preflight", actor=alice).exists()


def test_a_preflight_that_breaks_says_so_and_runs_again_with_the_next_start(study, alice, slot):
    start_study(study_id=study.pk, actor=alice)
    job = claimed(slot)
    assert note_check(job_id=job.pk, fence=job.fence, check=PASSED)
    assert not note_check(job_id=job.pk, fence=job.fence + 1, check=PASSED), "of a claim that is none"
    finish_job(job_id=job.pk, fence=job.fence, error="Traceback …\nFileNotFoundError: flowers.csv")
    start_awaiting()
    study.refresh_from_db()
    broken = Preflight.objects.get()
    assert (broken.state, [check["rule"] for check in broken.checks]) == ("BROKEN", ["INIT-LOSS"])
    assert study.state_reason.endswith("could not run to its end: FileNotFoundError: flowers.csv")
    start_study(study_id=study.pk, actor=alice)
    assert Preflight.objects.count() == 2
    assert answer(slot, PASSED).state == "PASSED"
    assert start_awaiting() == 1


def test_a_preflight_that_is_cancelled_holds_nobody_in_waiting(study, alice):
    start_study(study_id=study.pk, actor=alice)
    cancel_job(job_id=Job.objects.get(kind="preflight").pk, actor=alice)
    start_awaiting()
    study.refresh_from_db()
    assert (study.starts_for, Preflight.objects.get().state) == (None, "BROKEN")
    assert "Cancelled by alice." in study.state_reason


def test_a_start_that_waits_can_be_held_back(study, alice, bob, slot):
    start_study(study_id=study.pk, actor=alice)
    with pytest.raises(Forbidden):
        hold_study(study_id=study.pk, actor=bob)
    for _ in range(2):
        assert hold_study(study_id=study.pk, actor=alice).starts_for is None
    answer(slot, PASSED)
    assert start_awaiting() == 0
    assert start_study(study_id=study.pk, actor=alice).state == "RUNNING"
    with pytest.raises(Conflict, match="running, so it cannot be held back"):
        hold_study(study_id=study.pk, actor=alice)


def test_who_may_not_start_it_any_more_does_not(study, admin, slot):
    start_study(study_id=study.pk, actor=admin)
    admin.is_staff = False
    admin.save()
    answer(slot, PASSED)
    assert start_awaiting() == 0
    study.refresh_from_db()
    assert study.starts_for is None
    assert "Only alice and administrators" in study.state_reason


def test_what_is_no_training_of_ours_is_not_held_up(alice):
    make_workload("function", checked=False, kind="objective")
    for settings in ({}, {"workload": "function"}):
        study = make_study(alice, **settings)
        assert not standing_of(study).gated
        assert start_study(study_id=study.pk, actor=alice).state == "RUNNING"
    assert not Job.objects.filter(kind="preflight").exists()


def test_one_preflight_serves_all_studies_of_the_same_code_and_data(study, alice, bob, slot):
    second = make_study(bob, workload="tiny")
    for one in (study, second):
        start_study(study_id=one.pk, actor=one.owner)
    assert Job.objects.filter(kind="preflight").count() == 1
    answer(slot, PASSED, data_digest="a" * 64)
    assert start_awaiting() == 2
    third = make_study(alice, workload="tiny")
    assert start_study(study_id=third.pk, actor=alice).state == "RUNNING"
    Study.objects.filter(pk=third.pk).update(data_digest="b" * 64)
    assert standing_of(Study.objects.get(pk=third.pk)).state == "none", "it was of other data"


def test_other_code_is_checked_anew(study, alice, slot):
    start_study(study_id=study.pk, actor=alice)
    answer(slot, PASSED)
    store_descriptions(entries=[{**DESCRIPTION, "digest": "9" * 64}])
    later = make_study(alice, workload="tiny")
    assert start_study(study_id=later.pk, actor=alice).state == "READY"
    assert Preflight.objects.filter(digest="9" * 64, state="OPEN").exists()


def test_a_mended_workload_is_checked_anew_and_the_study_runs_its_present_code(study, alice, slot):
    start_study(study_id=study.pk, actor=alice)
    answer(slot, FAILED)
    start_awaiting()
    store_descriptions(entries=[{**DESCRIPTION, "digest": "9" * 64}])
    assert standing_of(Study.objects.get(pk=study.pk)).state == "none", "the failed one was of other code"
    waiting = start_study(study_id=study.pk, actor=alice)
    assert (waiting.state, waiting.workload_digest) == ("READY", "9" * 64)
    assert AuditEvent.objects.filter(verb__contains="present code").count() == 1
    answer(slot, PASSED)
    assert start_awaiting() == 1
    store_descriptions(entries=[{**DESCRIPTION, "digest": "8" * 64}])
    study.refresh_from_db()
    assert start_study(study_id=study.pk, actor=alice).workload_digest == "9" * 64, "once it runs it is pinned"


def test_code_that_changes_while_a_start_waits_is_checked_in_its_place(study, alice, slot):
    start_study(study_id=study.pk, actor=alice)
    store_descriptions(entries=[{**DESCRIPTION, "digest": "9" * 64}])
    assert start_awaiting() == 0
    old, new = Preflight.objects.order_by("pk")
    assert (old.state, old.job.state, new.digest, new.state) == ("BROKEN", "FAILED", "9" * 64, "OPEN")
    answer(slot, PASSED)
    assert start_awaiting() == 1
    study.refresh_from_db()
    assert (study.state, study.workload_digest) == ("RUNNING", "9" * 64)


def test_it_runs_only_where_a_trial_would(study, alice):
    store_descriptions(entries=[{**DESCRIPTION, "memory": 2**40}])
    start_study(study_id=study.pk, actor=alice)
    small = make_slot("here")
    assert claim_job(slot=small) is None, "it has 8 GB"
    store_descriptions(entries=[DESCRIPTION])
    Preflight.objects.update(digest=DESCRIPTION["digest"])
    assert claim_job(slot=small) is not None


def test_asking_again_makes_a_new_one_and_few_are_kept(alice, slot):
    make_workload("tiny", checked=False)
    with pytest.raises(NotFound, match="Refresh on the workloads page"):
        request_preflight(actor=alice, workload="flowers")
    first = request_preflight(actor=alice, workload="tiny")
    assert request_preflight(actor=alice, workload="tiny", again=True) == first, "while it is open"
    answer(slot, PASSED)
    assert request_preflight(actor=alice, workload="tiny").pk == first.pk
    for _ in range(KEPT + 1):
        request_preflight(actor=alice, workload="tiny", again=True)
        answer(slot, PASSED)
    assert Preflight.objects.filter(workload="tiny").count() == KEPT
