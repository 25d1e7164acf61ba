"""The page that changes a study's ranges: what it says before, what it does, and the versions afterwards."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import SPACE, make_running, make_study, report
from tests.web.conftest import words
from tuning.models import Study, Trial
from tuning.services.endings import complete_trial
from tuning.services.trials import enqueue_trial
from tuning.web.forms.space import initial_rows

NARROW = {**SPACE, "lr": {"type": "float", "low": 1e-3, "high": 0.1, "log": True}}
WIDER = {**SPACE, "dropout": {"type": "float", "low": 0.0, "high": 0.5}}


def form(space: dict[str, Any], **more: str) -> dict[str, str]:
    rows = initial_rows(space)
    data = {f"form-{i}-{field}": value for i, row in enumerate(rows) for field, value in row.items()}
    return {"form-TOTAL_FORMS": str(len(rows)), "form-INITIAL_FORMS": "0", **data, **more}


@pytest.fixture
def study(alice: User) -> Study:
    """Two complete trials, at learning rates of 1e-4 and 1e-2, and a waiting one at 1e-4."""
    study = make_study(alice, name="wide search", started=True)
    for lr in (1e-4, 1e-2):
        enqueue_trial(study_id=study.pk, actor=alice, params={"lr": lr})
        trial = make_running(study)
        report(trial, [lr])
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    enqueue_trial(study_id=study.pk, actor=alice, params={"lr": 1e-4})
    return study


def address(study: Study) -> str:
    return f"/studies/{study.pk}/ranges/"


def test_the_form_starts_with_the_present_space(as_alice: Client, as_bob: Client, study: Study) -> None:
    page = as_alice.get(address(study))
    assert 'value="1e-5"' in page.content.decode()
    assert "Finished trials that keep counting 2 of 2" in words(page)
    assert "Version 1 , the present one: from trial 0, 3 trials, by alice" in words(page)
    for browser_path in (f"/studies/{study.pk}/", f"/studies/{study.pk}/setup/"):
        assert address(study) in as_alice.get(browser_path).content.decode()
        assert address(study) not in as_bob.get(browser_path).content.decode()
    assert as_bob.get(address(study)).status_code == 403
    assert as_bob.post(address(study), form(NARROW)).status_code == 403


def test_it_says_what_it_would_do_before_it_does(as_alice: Client, study: Study) -> None:
    for answer in (
        as_alice.post(address(study), form(NARROW, check="1")),
        as_alice.post(f"{address(study)}check/", form(NARROW), headers={"HX-Request": "true"}),
    ):
        assert answer.status_code == 200
        text = words(answer)
        assert "Finished trials that keep counting 1 of 2" in text
        assert "Waiting trials that are cancelled 1 of 1" in text
        assert "1 left out: the value of lr is not" in text
    assert Study.objects.get(pk=study.pk).space.number == 1


def test_another_version_holds_from_the_next_trial_on(as_alice: Client, study: Study) -> None:
    for _ in range(2):
        answer = as_alice.post(address(study), form(NARROW, reason="too low", change="1"), follow=True)
        assert answer.redirect_chain == [(f"/studies/{study.pk}/setup/", 302)]
    text = words(answer)
    assert "Version 2 , the present one: from trial 3, 0 trials, by alice too low" in text
    assert "1 of 3 finished trials count for the sampler" in text
    row = Trial.objects.get(number=2)
    assert (row.state, row.reason_code) == ("FAILED", "cancelled")
    assert "The ranges were changed (version 2)" in words(as_alice.get(f"/trials/{row.pk}/"))
    assert make_running(study).params["lr"] >= 1e-3


def test_an_added_parameter_is_asked_for_and_assumed(as_alice: Client, study: Study) -> None:
    answer = as_alice.post(f"{address(study)}check/", form(WIDER), headers={"HX-Request": "true"})
    assert 'name="assume-dropout"' in answer.content.decode()
    assert "keep counting 0 of 2" in words(answer)
    wrong = as_alice.post(address(study), form(WIDER, **{"assume-dropout": "2"}))
    assert (wrong.status_code, "field-error" in wrong.content.decode()) == (400, True)
    done = as_alice.post(address(study), form(WIDER, **{"assume-dropout": "0.1"}), follow=True)
    assert "Trials without dropout count as dropout = 0.1" in words(done)
    study.refresh_from_db()
    assert (study.space.number, study.space.assumed, study.n_waiting) == (2, {"dropout": 0.1}, 1)
    assert 'value="0.1"' in as_alice.get(address(study)).content.decode()


def test_rows_are_added_and_removed_without_script(as_alice: Client, study: Study) -> None:
    more = as_alice.post(address(study), form(SPACE, add_row="1")).content.decode()
    assert 'name="form-3-name"' in more
    fewer = as_alice.post(address(study), form(SPACE, remove_row="2")).content.decode()
    assert 'name="form-2-name"' not in fewer
    assert Study.objects.get(pk=study.pk).space.number == 1


def test_what_is_wrong_stands_beside_its_row(as_alice: Client, study: Study) -> None:
    space = {**SPACE, "lr": {"type": "float", "low": 0.5, "high": 0.1}}
    answer = as_alice.post(address(study), form(space))
    assert answer.status_code == 400
    assert 'data-invalid="id_form-0-high"' in answer.content.decode()
    as_alice.post(f"/studies/{study.pk}/stop/")
    refused = as_alice.post(address(study), form(NARROW))
    assert (refused.status_code, "clone it" in words(refused)) == (400, True)


def test_a_grid_refuses_what_it_cannot_walk_through(as_alice: Client, alice: User) -> None:
    space = {"depth": {"type": "int", "low": 1, "high": 2}}
    study = make_study(alice, sampler="grid", space=space, n_trials=None)
    answer = as_alice.post(address(study), form({"lr": SPACE["lr"]}))
    assert (answer.status_code, "field-error" in answer.content.decode()) == (400, True)


def test_a_study_without_a_space_has_no_such_page(as_alice: Client, alice: User) -> None:
    study = make_study(alice)
    Study.objects.filter(pk=study.pk).update(space=None)
    assert as_alice.get(address(study)).status_code == 409
