"""The checks before tuning on the pages: the tab of a study, the page of a workload, the start that waits for them."""

import pytest
from django.test import Client

from tests.factories import make_slot, make_study, make_workload
from tests.web.conftest import words
from tuning.models import Preflight, Study
from tuning.services.job_endings import complete_job
from tuning.services.jobs import claim_job
from tuning.services.lifecycle import start_awaiting
from tuning.services.preflights import note_check

pytestmark = pytest.mark.django_db
PLOT = {"kind": "line", "x": [1, 2, 3], "y": [2.3, 1.0, 0.01], "x_title": "steps", "log_y": True, "target": 0.01}
PASSED = {
    "rule": "INIT-LOSS", "title": "Initial loss", "status": "passed", "says": "2.31; ln 10 is 2.30.", "plot": PLOT,
    "evidence": {"measured": 2.31, "by seed": [2.30, 2.32]},
}  # fmt: skip
FAILED = {
    "rule": "NON-FINITE", "title": "Finite <numbers>", "status": "failed", "says": "3 inputs are NaN.",
    "means": "They make every loss NaN.", "todo": "Fill or drop them.",
}  # fmt: skip


@pytest.fixture
def study(alice) -> Study:
    make_workload("tiny", checked=False)
    return make_study(alice, workload="tiny", name="flowers")


def answered(*checks) -> None:
    slot = make_slot("here")
    job = claim_job(slot=slot)
    note_check(job_id=job.pk, fence=job.fence, check=checks[0])
    complete_job(job_id=job.pk, fence=job.fence, answer={"checks": list(checks), "seconds_per_epoch": 1.5})
    start_awaiting()


def test_a_start_runs_the_checks_first_and_can_be_held_back(as_alice: Client, study: Study) -> None:
    page = f"/studies/{study.pk}/"
    assert "Check and start" in words(as_alice.get(page))
    shown = words(as_alice.post(f"{page}start/", follow=True))
    assert "It starts by itself once its preflight has passed." in shown
    assert "Do not start" in shown
    assert "It waits for a free slot" in words(as_alice.get(f"{page}preflight/"))
    assert "does not start by itself any more" in words(as_alice.post(f"{page}hold/", follow=True))
    study.refresh_from_db()
    assert (study.state, study.starts_for) == ("READY", None)


def test_passed_checks_start_the_study_and_stay_on_its_tab(as_alice: Client, study: Study) -> None:
    as_alice.post(f"/studies/{study.pk}/start/")
    answered(PASSED)
    study.refresh_from_db()
    assert study.state == "RUNNING"
    answer = as_alice.get(f"/studies/{study.pk}/preflight/")
    shown = words(answer)
    for text in ("1 passed", "2 s an epoch", "Initial loss", "by seed 2.300, 2.320"):
        assert text in shown, text
    assert b'class="check-plot__target"' in answer.content


def test_failed_checks_say_what_to_do_and_take_a_reason(as_alice: Client, study: Study) -> None:
    as_alice.post(f"/studies/{study.pk}/start/")
    answered(PASSED, FAILED)
    page = f"/studies/{study.pk}/"
    overview = words(as_alice.get(page))
    assert "It has not started. Its preflight has failed: Finite <numbers>." in overview
    assert "Look at the failed checks" in overview
    answer = as_alice.get(f"{page}preflight/")
    assert b"Finite &lt;numbers&gt;" in answer.content
    shown = words(answer)
    assert shown.index("Finite <numbers>") < shown.index("Initial loss"), "the worst first"
    for text in ("3 inputs are NaN.", "They make every loss NaN.", "Fill or drop them.", "Start it all the same"):
        assert text in shown, text
    assert "has failed" in words(as_alice.post(f"{page}start/", {"despite": " "}, follow=True))
    as_alice.post(f"{page}start/", {"despite": "the NaN are masked"})
    study.refresh_from_db()
    assert (study.state, study.waiver) == ("RUNNING", "the NaN are masked")
    assert "started without a passed preflight: the NaN are masked" in words(as_alice.get(f"{page}preflight/"))


def test_others_look_and_do_not_start(as_bob: Client, study: Study) -> None:
    shown = words(as_bob.get(f"/studies/{study.pk}/preflight/"))
    assert "The checks have not run on this code yet." in shown
    assert "Run the checks" not in shown
    assert as_bob.post(f"/studies/{study.pk}/start/", {"despite": "why not"}).status_code == 403


def test_a_workload_has_a_page_of_its_checks_that_polls(as_alice: Client, study: Study) -> None:
    page = "/workloads/tiny/preflight/"
    assert "The checks have not run" in words(as_alice.get(page))
    answer = as_alice.post(f"{page}?next=/studies/{study.pk}/preflight/")
    assert answer["Location"] == f"/studies/{study.pk}/preflight/"
    assert as_alice.post(f"{page}?next=https://elsewhere.example/")["Location"] == page
    assert Preflight.objects.count() == 1
    first = as_alice.get(page)
    assert b"hx-get" in first.content
    headers = {"HX-Request": "true", "If-None-Match": first["ETag"]}
    assert as_alice.get(page, headers=headers).status_code == 304
    answered(PASSED)
    last = as_alice.get(page, headers=headers)
    assert last.status_code == 286
    assert "Initial loss" in words(last)
    assert as_alice.get("/workloads/nobody/preflight/").status_code == 404


def test_on_the_form_only_what_wants_a_look_is_unfolded_and_the_plan_is_looked_at_again(as_alice: Client) -> None:
    make_workload("tiny", checked=False)
    as_alice.post("/workloads/tiny/preflight/")
    poll = "/workloads/tiny/preflight/?step=1"
    assert f'hx-get="{poll}"' in as_alice.get("/studies/new/?workload=tiny").content.decode()
    runs = as_alice.get(poll, headers={"HX-Request": "true"})
    assert "HX-Trigger" not in runs and "checks__rest" not in runs.content.decode()
    answered(PASSED, FAILED)
    done = as_alice.get(poll, headers={"HX-Request": "true"})
    assert (done.status_code, done["HX-Trigger"]) == (286, "checked")
    seen, _, folded = done.content.decode().partition('class="checks__rest"')
    assert "check-non-finite" in seen and "check-init-loss" in folded and "check-non-finite" not in folded
    page = as_alice.get("/workloads/tiny/preflight/").content.decode()
    assert "check-init-loss" in page and "checks__rest" not in page, "its own page has room"
