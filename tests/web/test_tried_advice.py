"""Advice on the page of a trial: its two buttons, and what comes of them."""

import re

import pytest
from django.test import Client

from tests.factories import make_workload
from tests.services.test_trying import GAP, OWN, SPACE, TURN, overfitted, play
from tests.web.conftest import poll, words
from tuning.models import AdviceTest, Draft, Split
from tuning.services.diagnostics import look_at
from tuning.services.trying import try_advice

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _workload(db):
    make_workload("tiny", max_resource=6, space=OWN)
    Split.objects.update(sizes={"train": 100, "validation": 100, "test": 100})


def buttons(page) -> list[tuple[str, str]]:
    """(where it goes, the advice) of each form of the verdict."""
    found = re.findall(r'action="/trials/\d+/([a-z-]+)/">.*?name="action" value="(\w+)"', page.content.decode(), re.S)
    return [one for one in found if one[0] in ("try", "follow-up")]


def test_one_click_tries_it_and_the_page_follows(as_alice: Client, alice) -> None:
    trial = overfitted(alice)
    address = f"/trials/{trial.pk}/"
    page = as_alice.get(address)
    assert ("try", "more_dropout") in buttons(page)
    assert ("try", "more_data") not in buttons(page)
    assert "10 runs, about 2 min of device time" in words(page)
    assert "It takes other data, not another configuration" in words(page)
    answer = as_alice.post(f"{address}try/", {"action": "more_dropout"}, follow=True)
    assert "The runs are queued" in words(answer)
    assert "0 of 5 pairs are done" in words(answer)
    assert ("try", "more_dropout") not in buttons(answer), "it runs"
    assert poll(as_alice, address).status_code == 200, "a page with runs goes on asking"
    test = play(AdviceTest.objects.get(), lambda pair, side: 0.7 + 0.01 * pair - side * (0.1 + 0.01 * pair))
    done = poll(as_alice, address)
    assert done.status_code == 286
    assert "It helped: better by 0.12 on average (95 %: 0.1" in words(done)
    assert "tried once here, helped 1" in words(done)
    assert "Try it again" in words(done)
    assert look_at(trial.study)
    tab = words(as_alice.get(f"/studies/{trial.study_id}/diagnosis/"))
    assert "tried once here, helped 1" in tab
    runs = words(as_alice.get(f"/studies/{test.study_id}/"))
    assert f"runs of an advice on trial 0 of {trial.study.name}" in runs
    assert "Extend" not in runs
    assert f"/studies/{test.study_id}/" not in as_alice.get("/").content.decode()
    for tab in ("leaderboard", "model", "importance", "diagnosis", "what-if", "curves", "setup"):
        assert as_alice.get(f"/studies/{test.study_id}/{tab}/").status_code == 200


def test_an_early_stop_is_told_by_the_curve_before_any_run(as_alice: Client, alice) -> None:
    page = as_alice.get(f"/trials/{overfitted(alice, TURN).pk}/")
    assert "By this curve: 0.4500 there, 0.7000 at the last, 0.2500 better. The step was chosen by it" in words(page)
    assert "5 runs, about 60 s of device time" in words(page)


def test_the_other_click_drafts_a_study_with_the_parameter(as_alice: Client, alice) -> None:
    trial = overfitted(alice)
    page = as_alice.get(f"/trials/{trial.pk}/")
    assert ("follow-up", "more_weight_decay") in buttons(page)
    assert ("follow-up", "more_dropout") not in buttons(page), "0.25 has room in 0 to 0.7"
    form = as_alice.post(f"/trials/{trial.pk}/follow-up/", {"action": "more_weight_decay"}, follow=True)
    assert form.status_code == 200
    draft = Draft.objects.get()
    assert draft.source == trial.study
    assert draft.fields["name"] == [f"{trial.study.name}, more weight decay"]
    names = [values[0] for name, values in draft.fields.items() if name.endswith("-name")]
    assert names == [*SPACE, "weight_decay"]
    assert "weight_decay" in form.content.decode()
    nothing = as_alice.post(f"/trials/{trial.pk}/follow-up/", {"action": "more_dropout"}, follow=True)
    assert "nothing to widen" in words(nothing)


def test_who_may_try(as_bob: Client, as_charlie: Client, as_alice: Client, alice) -> None:
    trial = overfitted(alice)
    page = as_bob.get(f"/trials/{trial.pk}/")
    assert {where for where, _ in buttons(page)} == {"follow-up"}, "a study of one's own"
    assert as_bob.post(f"/trials/{trial.pk}/try/", {"action": "more_dropout"}).status_code == 403
    private = overfitted(alice, visibility="private")
    assert as_charlie.post(f"/trials/{private.pk}/try/", {"action": "more_dropout"}).status_code == 404
    wrong = as_alice.post(f"/trials/{trial.pk}/try/", {"action": "nonsense"}, follow=True)
    assert "is no advice after the verdict" in words(wrong)
    assert not AdviceTest.objects.exists()


def test_a_private_studys_runs_are_private(as_bob: Client, alice) -> None:
    trial = overfitted(alice, GAP, visibility="private")
    test = try_advice(trial_id=trial.pk, actor=alice, action="more_dropout", pairs=2)
    assert as_bob.get(f"/studies/{test.study_id}/").status_code == 404
