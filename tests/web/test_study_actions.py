"""Controls of a study: what they do, who may, what the state forbids."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_running, make_study, report
from tests.web.conftest import words
from tuning.models import Study
from tuning.services.endings import complete_trial


def state_of(study: Study) -> str:
    return Study.objects.get(pk=study.pk).state


def test_start_pause_resume_stop(as_alice: Client, alice: User) -> None:
    study = make_study(alice)
    for verb, state in (("start", "RUNNING"), ("pause", "PAUSED"), ("resume", "RUNNING"), ("stop", "STOPPED")):
        answer = as_alice.post(f"/studies/{study.pk}/{verb}/", follow=True)
        assert answer.redirect_chain == [(f"/studies/{study.pk}/", 302)]
        assert state_of(study) == state


def test_twice_is_once(as_alice: Client, alice: User) -> None:
    study = make_study(alice)
    as_alice.post(f"/studies/{study.pk}/start/")
    assert "The study is running" in words(as_alice.post(f"/studies/{study.pk}/start/", follow=True))
    assert state_of(study) == "RUNNING"


@pytest.mark.parametrize("verb", ["start", "pause", "resume", "stop", "delete"])
def test_only_the_owner_may(as_bob: Client, alice: User, verb: str) -> None:
    study = make_study(alice)
    answer = as_bob.post(f"/studies/{study.pk}/{verb}/")
    assert answer.status_code == 403
    assert "alice" in words(answer)
    assert state_of(study) == "READY"


@pytest.mark.parametrize("verb", ["start", "pause", "resume", "stop", "delete"])
def test_nothing_happens_by_a_link(as_alice: Client, alice: User, verb: str) -> None:
    """What cannot be taken back is asked first, on a page of its own."""
    study = make_study(alice)
    assert as_alice.get(f"/studies/{study.pk}/{verb}/").status_code == (200 if verb in ("stop", "delete") else 405)
    assert state_of(study) == "READY"


def test_a_form_from_elsewhere_is_refused(alice: User) -> None:
    study = make_study(alice)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    answer = browser.post(f"/studies/{study.pk}/start/")
    assert answer.status_code == 403
    assert "Nothing was changed" in words(answer)
    assert state_of(study) == "READY"


def test_what_the_state_forbids_is_said_on_the_page(as_alice: Client, alice: User) -> None:
    study = make_study(alice, started=True)
    text = words(as_alice.post(f"/studies/{study.pk}/delete/", follow=True))
    assert "stop it before you delete it" in text
    assert state_of(study) == "RUNNING"


def test_an_unknown_verb_is_no_page(as_alice: Client, alice: User) -> None:
    assert as_alice.post(f"/studies/{make_study(alice).pk}/explode/").status_code == 404


def test_deleting_leads_back_to_the_list(as_alice: Client, alice: User) -> None:
    study = make_study(alice, name="old one")
    answer = as_alice.post(f"/studies/{study.pk}/delete/", follow=True)
    assert "The study old one is deleted" in words(answer)
    assert not Study.objects.filter(pk=study.pk).exists()


def test_controls_follow_the_state(as_alice: Client, alice: User) -> None:
    study = make_study(alice)
    seen = []
    for verb in ("", "start", "pause", "stop"):
        if verb:
            as_alice.post(f"/studies/{study.pk}/{verb}/")
        html = as_alice.get(f"/studies/{study.pk}/").content.decode()
        seen.append({name for name in ("start", "pause", "resume", "stop") if f"/studies/{study.pk}/{name}/" in html})
    assert seen == [{"start"}, {"pause", "stop"}, {"resume", "stop"}, set()]


def test_the_best_configuration_comes_as_json_and_yaml(as_bob: Client, alice: User) -> None:
    study = make_study(alice, started=True)
    early = as_bob.get(f"/studies/{study.pk}/best.json")
    assert early.status_code == 404
    assert "No trial of this study is complete yet" in words(early)
    trial = make_running(study)
    report(trial, [0.5, 0.25])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    answer = as_bob.get(f"/studies/{study.pk}/best.json")
    assert answer["Content-Disposition"] == f'attachment; filename="study-{study.pk}-best.json"'
    assert answer.json()["value"] == 0.25
    assert answer.json()["params"] == trial.params
    assert b"value: 0.25\n" in as_bob.get(f"/studies/{study.pk}/best.yaml").content
    assert as_bob.get(f"/studies/{study.pk}/best.xml").status_code == 404
    checkpoint = as_bob.get(f"/studies/{study.pk}/best.pt")
    assert checkpoint.status_code == 404
    assert "has left no checkpoint" in words(checkpoint)


def test_the_best_checkpoint_is_the_file_itself(as_alice: Client, alice: User, settings) -> None:
    study = make_study(alice, started=True)
    trial = make_running(study)
    report(trial, [0.5])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    path = settings.ARTIFACT_DIR / "best-1-f1.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    trial.__class__.objects.filter(pk=trial.pk).update(best_checkpoint="best-1-f1.pt")
    answer = as_alice.get(f"/studies/{study.pk}/best.pt")
    assert b"".join(answer.streaming_content) == b"weights"
    assert f"study-{study.pk}-best.pt" in answer["Content-Disposition"]


def test_settings_can_be_changed_while_it_runs(as_alice: Client, alice: User) -> None:
    study = make_study(alice, started=True)
    form = {"name": "renamed", "description": "", "n_trials": "50", "parallel": "2", "visibility": "private"}
    answer = as_alice.post(f"/studies/{study.pk}/setup/", form, follow=True)
    assert "The settings are changed" in words(answer)
    study.refresh_from_db()
    assert (study.name, study.budget_total, study.parallel, study.visibility) == ("renamed", 50, 2, "private")


def test_what_is_wrong_is_said_beside_the_field(as_alice: Client, alice: User) -> None:
    make_study(alice, name="taken")
    study = make_study(alice, started=True)
    form = {"name": "taken", "description": "", "n_trials": "0", "parallel": "x", "visibility": "team"}
    answer = as_alice.post(f"/studies/{study.pk}/setup/", form)
    assert answer.status_code == 400
    html = answer.content.decode()
    assert 'id="id_n_trials_error"' in html
    assert 'id="id_parallel_error"' in html
    form |= {"n_trials": "20", "parallel": "2"}
    assert "already a study named" in words(as_alice.post(f"/studies/{study.pk}/setup/", form))


def test_only_the_owner_gets_the_settings(as_bob: Client, alice: User) -> None:
    study = make_study(alice)
    assert "Settings" not in words(as_bob.get(f"/studies/{study.pk}/setup/"))
    form = {"name": "mine now", "description": "", "n_trials": "10", "parallel": "4", "visibility": "team"}
    assert as_bob.post(f"/studies/{study.pk}/setup/", form).status_code == 403


def test_the_setup_shows_the_space_in_words_and_drawings(as_alice: Client, alice: User) -> None:
    answer = as_alice.get(f"/studies/{make_study(alice).pk}/setup/")
    text = words(answer)
    for part in (
        "lr float 1e-5 to 0.1, log always",
        "optimizer categorical sgd, adamw",
        "momentum float 0 to 0.99 optimizer = sgd",
    ):
        assert part in text
    assert answer.content.count(b'<svg class="distribution"') == 3
