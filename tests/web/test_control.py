"""Pages that change what is at work: asked first, done once, refused beside the button; who sees which control."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_running, make_slot, make_study, report
from tests.web.conftest import browser_of, poll, words
from tuning.models import AuditEvent, Host, Study, Trial
from tuning.services.endings import complete_trial, fail_trial
from tuning.services.exclusion import exclude_trial

WHY = "trained on the wrong data"


def completed(study: Study, value: float) -> Trial:
    trial = make_running(study)
    report(trial, [value])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    return trial


def failed(study: Study) -> Trial:
    trial = make_running(study)
    fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="code_error", reason="it broke")
    return trial


@pytest.fixture
def study(alice: User) -> Study:
    return make_study(alice, name="wide search", started=True)


# --- asked first ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("verb", ["stop", "delete"])
def test_a_study_is_asked_about_before_it_ends(as_alice: Client, as_bob: Client, alice: User, verb: str) -> None:
    study = make_study(alice, name="wide search")
    page = as_alice.get(f"/studies/{study.pk}/{verb}/")
    assert f"{verb.capitalize()} wide search?" in words(page)
    assert re.search(r'<form method="post"[^>]*>.*csrfmiddlewaretoken', page.content.decode(), re.S)
    assert as_bob.get(f"/studies/{study.pk}/{verb}/").status_code == 403


@pytest.mark.parametrize("verb", ["cancel", "retry", "exclude", "include"])
def test_a_trial_is_asked_about_and_a_link_changes_nothing(
    as_alice: Client, as_bob: Client, study: Study, verb: str
) -> None:
    trial = failed(study)
    version = Study.objects.get(pk=study.pk).version
    assert f"{verb.capitalize()} trial 0" in words(as_alice.get(f"/trials/{trial.pk}/{verb}/"))
    assert as_bob.get(f"/trials/{trial.pk}/{verb}/").status_code == 403
    assert as_bob.post(f"/trials/{trial.pk}/{verb}/", {"reason": WHY}).status_code == 403
    assert Study.objects.get(pk=study.pk).version == version
    assert as_alice.get(f"/trials/{10**9}/{verb}/").status_code == 404


# --- retry ------------------------------------------------------------------------------------------------------------
def test_a_failed_trial_is_retried_from_its_page_once(as_alice: Client, as_bob: Client, study: Study) -> None:
    old = failed(study)
    assert f"/trials/{old.pk}/retry/" in as_alice.get(f"/trials/{old.pk}/").content.decode()
    assert f"/trials/{old.pk}/retry/" not in as_bob.get(f"/trials/{old.pk}/").content.decode()
    for _ in range(2):
        answer = as_alice.post(f"/trials/{old.pk}/retry/", follow=True)
        new = Trial.objects.get(clone_of=old)
        assert answer.redirect_chain == [(f"/trials/{new.pk}/", 302)]
        assert "It tries again what trial 0 was to do" in words(answer)
    page = as_alice.get(f"/trials/{old.pk}/")
    assert "Tried again as trial 1" in words(page)
    assert f"/trials/{old.pk}/retry/" not in page.content.decode()


def test_a_retry_that_is_refused_says_why_beside_the_button(as_alice: Client, alice: User) -> None:
    study = make_study(alice, started=True, n_trials=1)
    answer = as_alice.post(f"/trials/{failed(study).pk}/retry/")
    assert answer.status_code == 409
    assert "extend the study to 2 trials first. Retry the trial" in words(answer)


# --- exclude ----------------------------------------------------------------------------------------------------------
def test_an_excluded_trial_stays_visible_with_its_reason_and_who(
    as_alice: Client, as_bob: Client, study: Study
) -> None:
    best, other = completed(study, 0.1), completed(study, 0.2)
    address = f"/trials/{best.pk}/exclude/"
    refused = as_alice.post(address, {"reason": "  "})
    assert refused.status_code == 400
    assert 'id="id_reason_error"' in refused.content.decode()
    for _ in range(2):
        answer = as_alice.post(address, {"reason": WHY}, follow=True)
        assert f"Excluded by alice, just now : {WHY}" in words(answer)
    assert AuditEvent.objects.filter(verb="excluded").count() == 1
    board = as_bob.get(f"/studies/{study.pk}/leaderboard/")
    assert 'class="is-excluded"' in board.content.decode()
    assert f"excluded by alice: {WHY}" in words(board)
    ranks = re.findall(r'</label>|aria-label="Select trial (\d+)">(\d*)</label>', board.content.decode())
    assert ranks == [("0", ""), ("1", "1")]
    top = as_bob.get(f"/studies/{study.pk}/").content.decode()
    assert f'id="top-{other.pk}" class="is-best"' in top
    assert f'id="top-{best.pk}"' not in top
    assert "excluded wide search #0 reason" in words(as_bob.get(f"/studies/{study.pk}/activity/"))
    page = as_alice.post(f"/trials/{best.pk}/include/", follow=True)
    assert "Trial 0 counts again" in words(page)
    assert "Excluded by" not in words(page)


def test_excluding_tells_pages_that_poll(as_alice: Client, alice: User, study: Study) -> None:
    trial = completed(study, 0.1)
    addresses = (f"/studies/{study.pk}/", f"/studies/{study.pk}/leaderboard/", f"/trials/{trial.pk}/")
    tags = {address: as_alice.get(address)["ETag"] for address in addresses}
    exclude_trial(trial_id=trial.pk, actor=alice, reason=WHY)
    for address, tag in tags.items():
        assert poll(as_alice, address, tag).status_code in (200, 286), address


def test_rows_offer_what_fits_the_trial_to_those_who_may(as_alice: Client, as_bob: Client, study: Study) -> None:
    running, broken, done = make_running(study), failed(study), completed(study, 0.1)
    address = f"/studies/{study.pk}/leaderboard/?order=number"
    assert "/exclude/" not in as_bob.get(address).content.decode(), "seen first by one who may not"
    html = as_alice.get(address).content.decode()
    found = {
        trial.number: [
            verb for verb in ("cancel", "retry", "exclude", "include") if f"/trials/{trial.pk}/{verb}/" in html
        ]
        for trial in (running, broken, done)
    }
    assert found == {0: ["cancel", "exclude"], 1: ["retry", "exclude"], 2: ["exclude"]}
    assert "/exclude/" not in as_bob.get(address).content.decode()


# --- extend -----------------------------------------------------------------------------------------------------------
def test_a_finished_study_is_extended_from_its_page(as_alice: Client, as_bob: Client, alice: User) -> None:
    study = make_study(alice, name="wide search", started=True, n_trials=1)
    completed(study, 0.5)
    address = f"/studies/{study.pk}/extend/"
    assert address in as_alice.get(f"/studies/{study.pk}/").content.decode()
    assert address not in as_bob.get(f"/studies/{study.pk}/").content.decode()
    assert as_bob.post(address, {"n_trials": "9", "parallel": "1"}).status_code == 403
    assert "It has 1 trials now and has finished" in words(as_alice.get(address))
    for _ in range(2):
        answer = as_alice.post(address, {"n_trials": "3", "parallel": "2"}, follow=True)
        assert "The study has 3 trials and is running" in words(answer)
    assert Study.objects.get(pk=study.pk).state == "RUNNING"


def test_fewer_than_there_are_is_said_beside_the_field(as_alice: Client, study: Study) -> None:
    for _ in range(3):
        make_running(study)
    answer = as_alice.post(f"/studies/{study.pk}/extend/", {"n_trials": "2", "parallel": "4"})
    assert answer.status_code == 400
    assert 'id="id_n_trials_error"' in answer.content.decode()
    assert "or stop the study" in words(answer)
    as_alice.post(f"/studies/{study.pk}/stop/")
    answer = as_alice.post(f"/studies/{study.pk}/extend/", {"n_trials": "20", "parallel": "4"})
    assert (answer.status_code, "clone it" in words(answer)) == (409, True)


# --- hosts ------------------------------------------------------------------------------------------------------------
def test_an_administrator_drains_a_host_and_lets_it_work_again(
    as_alice: Client, as_bob: Client, admin: User, alice: User
) -> None:
    slot = make_slot()
    make_running(make_study(alice, workload="tiny", started=True), slot)
    staff, address = browser_of(admin), f"/workers/{slot.device.host_id}"
    assert f"{address}/drain/" not in as_bob.get("/workers/").content.decode()
    assert f"{address}/drain/" in staff.get("/workers/").content.decode()
    assert "1 of its slots is busy" in words(staff.get(f"{address}/drain/"))
    assert as_bob.get(f"{address}/drain/").status_code == 403
    for verb in ("drain", "undrain"):
        assert as_bob.post(f"{address}/{verb}/").status_code == 403
        assert staff.post(f"/workers/{10**9}/{verb}/").status_code == 404
    assert "its trials run to their end" in words(staff.post(f"{address}/drain/", {"now": ""}, follow=True))
    assert "drained by admin: its trials run to their end" in words(as_alice.get("/workers/"))
    tag = as_alice.get("/workers/")["ETag"]
    assert "go back to waiting" in words(staff.post(f"{address}/drain/", {"now": "1"}, follow=True))
    assert poll(as_alice, "/workers/", tag).status_code == 200
    assert Host.objects.get().evacuating
    assert "host-1 claims work again" in words(staff.post(f"{address}/undrain/", follow=True))
    assert not Host.objects.get().draining
