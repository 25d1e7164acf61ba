"""POST lint/ and GET studies/{id}/lint/."""

from tests.factories import make_study
from tests.services.test_linting import beyond, searched
from tuning.models import Study

LR = {"type": "float", "low": 1e-4, "high": 0.1}


def test_a_space_is_linted_and_nothing_is_stored(as_alice):
    answer = as_alice.post("lint/", {"space": {"lr": LR, "x": {"type": "float", "low": 0, "high": 1}}, "n_trials": 10})
    assert answer.status_code == 200
    first, second = answer.json()["findings"]
    assert (first["rule"], first["severity"], first["parameter"]) == ("LOG-LR", "error", "lr")
    assert first["fix"] == {**LR, "log": True}
    assert first["evidence"] == {"share_of_top_decade": 0.9009}
    assert (second["rule"], second["parameter"], second["fix"]) == ("DIM-BUDGET", None, None)
    assert not Study.objects.exists()
    again = as_alice.post("lint/", {"space": {"lr": first["fix"]}})
    assert again.json() == {"findings": []}


def test_method_and_metric_bring_their_rules(as_bob):
    space = {f"p{n}": {"type": "categorical", "choices": ["a", "b", "c"]} for n in range(4)}
    space["epochs"] = {"type": "int", "low": 1, "high": 9}
    body = {"space": space, "n_trials": 200, "sampler": "grid", "scheduler": "asha", "metric": "test/loss"}
    found = as_bob.post("lint/", body).json()["findings"]
    assert [finding["rule"] for finding in found] == ["EPOCHS", "GRID-X", "LEAK"]


def test_a_space_that_no_study_takes_is_answered_with_the_same_words(as_alice):
    space = {"lr": {"type": "float", "low": 0.0, "high": 0.1, "log": True}, "y": {"type": "number"}}
    found = as_alice.post("lint/", {"space": space}).json()["findings"]
    refused = as_alice.post("studies/", {"name": "s", "space": space, "n_trials": 5, "metric": "loss"})
    assert refused.status_code == 400
    assert [finding["rule"] for finding in found] == ["LOG-ZERO", "UNREADABLE"]
    assert all(finding["message"] in refused.content.decode().replace('\\"', '"') for finding in found)


def test_an_error_of_the_lint_forbids_nothing(as_alice):
    made = as_alice.post("studies/", {"name": "s", "space": {"lr": LR}, "n_trials": 5, "metric": "loss"})
    assert made.status_code == 201, made.json()


def test_what_is_no_request_is_refused(as_alice, as_nobody):
    assert as_nobody.post("lint/", {"space": {"lr": LR}}).status_code == 401
    assert as_alice.post("lint/", {}).status_code == 400
    assert as_alice.post("lint/", {"space": [1]}).status_code == 400
    assert as_alice.post("lint/", {"space": {"lr": LR}, "budget": 3}).status_code == 400
    assert as_alice.get("lint/").status_code == 405


def test_the_trials_of_a_study_speak(as_alice, as_bob, alice):
    study = searched(alice, beyond)
    (edge,) = as_bob.get(f"studies/{study.pk}/lint/").json()["findings"]
    assert (edge["rule"], edge["parameter"], edge["fix"]["high"]) == ("EDGE", "lr", 1.0)
    space = {**study.space.document, "lr": edge["fix"]}
    changed = as_alice.post(f"studies/{study.pk}/spaces/", {"space": space})
    assert changed.status_code in (200, 201), changed.json()
    assert as_alice.get(f"studies/{study.pk}/lint/").json() == {"findings": []}


def test_a_private_study_is_not_there_for_others(as_bob, alice):
    study = make_study(alice, visibility="private")
    assert as_bob.get(f"studies/{study.pk}/lint/").status_code == 404
