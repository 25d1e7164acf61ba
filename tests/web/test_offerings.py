"""The workers page names what a host does not run; the workloads page names hosts and commands."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import DESCRIPTION, make_slot, make_study
from tests.web.conftest import poll, words
from tuning.models import AuditEvent, Host, Job, Offering, Study
from tuning.services.offerings import note_found
from tuning.services.workloads import store_descriptions


def described(host: str, *entries: dict) -> Host:
    row = make_slot(host).device.host
    store_descriptions(entries=[dict(entry) for entry in entries], host=row)
    return row


@pytest.fixture
def study(alice: User, db: None) -> Study:
    described("host-1", DESCRIPTION)
    return make_study(alice, workload="tiny", name="wide search", started=True)


def test_a_host_with_other_code_is_named_and_the_owner_may_take_it_over(
    as_alice: Client, as_bob: Client, study: Study
) -> None:
    assert "does not run" not in words(as_alice.get("/workers/"))
    described("host-1", {**DESCRIPTION, "digest": "1" * 64})
    text = words(as_alice.get("/workers/"))
    assert (
        "host-1 has other code of tiny (111111111111) than the study was made with (000000000000), so it claims "
        "nothing of wide search" in text
    )
    assert "Take over the present code" in text
    assert "Take over the present code" not in words(as_bob.get("/workers/"))
    assert as_bob.post(f"/studies/{study.pk}/adopt/").status_code == 403
    assert as_alice.get(f"/studies/{study.pk}/adopt/").status_code == 405
    for _ in range(2):
        answer = as_alice.post(f"/studies/{study.pk}/adopt/", follow=True)
        assert "does not run" not in words(answer)
    study.refresh_from_db()
    assert study.workload_digest == "1" * 64
    assert AuditEvent.objects.filter(verb__contains="present code").count() == 1


def test_a_private_study_is_not_named_to_others(as_charlie: Client, study: Study) -> None:
    described("host-1", {**DESCRIPTION, "name": "another"})
    assert "has no working tiny" in words(as_charlie.get("/workers/"))
    Study.objects.update(visibility="private")
    assert "tiny" not in words(as_charlie.get("/workers/"))


def test_the_workers_page_moves_with_a_difference(as_alice: Client, study: Study) -> None:
    page = as_alice.get("/workers/")
    Offering.objects.update(digest="2" * 64)
    assert poll(as_alice, "/workers/", page["ETag"]).status_code == 200


def test_the_workloads_page_names_hosts_and_commands(as_alice: Client, study: Study) -> None:
    program = {
        **DESCRIPTION, "name": "digits", "kind": "command", "source": "programs.toml",
        "command": ["{python}", "train.py", ["--momentum", "{momentum}"]],
    }  # fmt: skip
    described("host-2", {**DESCRIPTION, "digest": "3" * 64}, program)
    text = words(as_alice.get("/workloads/"))
    assert "{python} train.py [--momentum {momentum}]" in text
    assert "host-1 (other code), host-2" in text or "host-1, host-2 (other code)" in text


def test_refresh_asks_every_live_host(as_alice: Client, study: Study) -> None:
    described("host-2", DESCRIPTION)
    described("gone", DESCRIPTION)
    Host.objects.filter(name="gone").update(last_seen=None)
    Job.objects.all().delete()
    for _ in range(2):
        as_alice.post("/workloads/refresh/")
    assert [job.args for job in Job.objects.order_by("pk")] == [{"host": "host-1"}, {"host": "host-2"}]


def test_a_host_with_other_data_is_named_and_the_owner_may_take_them_over(
    as_alice: Client, as_bob: Client, study: Study
) -> None:
    host = described("host-1", DESCRIPTION)
    Study.objects.update(data_digest="d" * 64)
    note_found(host=host, workload="tiny", code=study.workload_digest, digest="e" * 64)
    text = words(as_alice.get("/workers/"))
    assert (
        "host-1 has other data of tiny (eeeeeeeeeeee) than the study was made with (dddddddddddd), so it claims "
        "nothing of wide search" in text
    )
    assert "Take over the present data" in text
    assert "Take over the present data" not in words(as_bob.get("/workers/"))
    assert "No live host runs this study: one has other data of tiny" in words(as_bob.get(f"/studies/{study.pk}/"))
    as_alice.post(f"/studies/{study.pk}/adopt/", follow=True)
    assert "does not run" not in words(as_alice.get("/workers/"))
    assert "No live host" not in words(as_bob.get(f"/studies/{study.pk}/"))
    assert "Its data eeeeeeeeeeee" in words(as_bob.get(f"/studies/{study.pk}/setup/"))
    assert AuditEvent.objects.filter(verb="took over the present data of").count() == 1
