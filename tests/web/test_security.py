"""Every page under the strict policy: nothing inline, nothing from elsewhere, errors as pages."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_running, make_slot, make_study, report
from tuning.services.endings import fail_trial

PAGES = (
    "/", "/studies/new/", "/studies/new/?workload=tiny", "/studies/new/?workload=script", "/studies/{study}/",
    "/studies/{study}/leaderboard/", "/studies/{study}/curves/", "/studies/{study}/activity/",
    "/studies/{study}/setup/",
    "/studies/{study}/compare/?trial={trial}", "/trials/{trial}/", "/trials/{trial}/log/", "/workers/", "/workloads/",
    "/account/", "/account/password/", "/sign-in/", "/nowhere/",
)  # fmt: skip


@pytest.fixture
def addresses(alice: User) -> dict[str, int]:
    study = make_study(alice, workload="tiny", name='<img src="x">', started=True)
    trial = make_running(study, make_slot())
    report(trial, [0.9, 0.5])
    fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="code_error", reason="<b>", traceback="<script>")
    return {"study": study.pk, "trial": trial.pk}


@pytest.mark.parametrize("page", PAGES)
def test_no_page_has_anything_inline(as_alice: Client, addresses: dict[str, int], page: str) -> None:
    answer = as_alice.get(page.format(**addresses), follow=True)
    html = re.sub(r"<svg\b.*?</svg>", "", answer.content.decode(), flags=re.S)
    assert not re.search(r"\sstyle\s*=", html)
    assert not re.search(r"<style\b", html)
    assert not re.search(r"<[^>]+\son\w+\s*=", html)
    for attributes in re.findall(r"<script\b([^>]*)>", html):
        assert "src=" in attributes or 'type="application/json"' in attributes
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', html)
    assert "<img" not in html
    assert "<b>" not in html


@pytest.mark.parametrize("page", PAGES)
def test_every_page_sends_the_policy(as_alice: Client, addresses: dict[str, int], page: str) -> None:
    policy = as_alice.get(page.format(**addresses))["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("/sign-in/", "/nowhere/")])
def test_a_stranger_sees_none_of_it(client: Client, addresses: dict[str, int], page: str) -> None:
    answer = client.get(page.format(**addresses))
    assert answer.status_code == 302
    assert answer.url.startswith("/sign-in/")


@pytest.mark.parametrize(
    "page", ["/studies/99999999999999999999999/", "/trials/99999999999999999999999/", "/studies/0/"]
)
def test_an_impossible_number_is_a_page_that_is_not_there(as_alice: Client, page: str) -> None:
    assert as_alice.get(page).status_code == 404


def test_a_mistake_of_the_server_is_a_page_that_needs_nothing(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("tuning.web.views.workers.queue_counts", broken)
    browser = Client(raise_request_exception=False)
    browser.force_login(alice)
    answer = browser.get("/workers/")
    assert answer.status_code == 500
    assert "The server made a mistake" in answer.content.decode()
    assert "planted" not in answer.content.decode()
