"""Workers, workloads and the account."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tests.factories import make_place, make_running, make_slot, make_study, make_workload, report
from tests.web.conftest import poll, words
from tuning.models import ApiToken, Host, Job
from tuning.services.jobs import claim_job
from tuning.services.tokens import create_token


def test_without_hosts_the_page_says_how_to_start_one(as_alice: Client) -> None:
    assert "python manage.py worker" in words(as_alice.get("/workers/"))


def test_slots_show_what_they_run(as_alice: Client, alice: User) -> None:
    trial = make_running(make_study(alice, workload="tiny", name="wide search", started=True), make_slot(slots=2))
    report(trial, [0.5, 0.4])
    text = words(as_alice.get("/workers/"))
    for part in ("host-1 alive", "Slots busy 1 of 2", "trial 0 of wide search", "2 of 5", "idle"):
        assert part in text


def test_a_silent_host_is_marked_and_its_slots_do_not_count(as_alice: Client) -> None:
    make_slot()
    Host.objects.update(last_seen=timezone.now() - timedelta(minutes=5))
    text = words(as_alice.get("/workers/"))
    assert "not heard of" in text
    assert "Slots busy 0 of 0" in text


def test_the_workers_page_polls_for_nothing_until_something_changes(as_alice: Client, alice: User) -> None:
    slot = make_slot()
    page = as_alice.get("/workers/")
    assert poll(as_alice, "/workers/", page["ETag"]).status_code == 304
    make_running(make_study(alice, workload="tiny", started=True), slot)
    assert poll(as_alice, "/workers/", page["ETag"]).status_code == 200


def test_workloads_show_their_description_or_their_error(as_alice: Client) -> None:
    make_workload("good")
    make_workload("broken", error="ImportError: <no> module", source="broken.py")
    answer = as_alice.get("/workloads/")
    text = words(answer)
    for part in (
        "A tiny workload",
        "minimize validation/loss",
        "lr, optimizer, momentum",
        "cannot be loaded",
        "<no> module",
    ):
        assert part in text
    assert b"workload=good" in answer.content
    assert b"workload=broken" not in answer.content


def test_refreshing_asks_a_worker_once_and_the_page_waits_for_it(as_alice: Client) -> None:
    assert "No workload is known yet" in words(as_alice.get("/workloads/"))
    for _ in range(2):
        as_alice.post("/workloads/refresh/")
    assert Job.objects.filter(kind="describe").count() == 1
    page = as_alice.get("/workloads/")
    assert b"hx-trigger" in page.content
    assert "A worker is looking for workloads" in words(page)
    assert as_alice.get("/workloads/refresh/").status_code == 405
    claim_job(slot=make_place("quick"))
    Job.objects.update(state="COMPLETE")
    make_workload("found")
    answer = poll(as_alice, "/workloads/", page["ETag"])
    assert answer.status_code == 286
    assert "found" in words(answer)


def test_a_token_is_shown_once(as_alice: Client, alice: User) -> None:
    answer = as_alice.post("/account/", {"name": "training script", "expires": "30"})
    token = ApiToken.objects.get(user=alice)
    assert token.expires is not None
    assert 29 < (token.expires - timezone.now()).days + 1 <= 30
    assert b'id="secret">hp_' in answer.content
    again = as_alice.get("/account/")
    assert b'id="secret"' not in again.content
    assert "training script" in words(again)


def test_a_token_without_a_name_is_refused_beside_the_field(as_alice: Client) -> None:
    answer = as_alice.post("/account/", {"name": "", "expires": ""})
    assert answer.status_code == 400
    assert 'id="id_name_error"' in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_tokens_are_one_s_own(as_alice: Client, as_bob: Client, alice: User) -> None:
    token, _secret = create_token(user=alice, name="mine")
    assert "mine" not in words(as_bob.get("/account/")).replace("determine", "")
    assert as_bob.post(f"/account/tokens/{token.pk}/revoke/").status_code == 404
    assert "revoked" in words(as_alice.post(f"/account/tokens/{token.pk}/revoke/", follow=True))
    assert not ApiToken.objects.exists()
