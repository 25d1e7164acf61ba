"""GET studies/{id}/diagnostics/, and the verdict in a trial's detail."""

import pytest

from tests.factories import make_study
from tests.selectors.test_diagnostics import FALLS, TURNS, trained


@pytest.fixture
def diagnosed(alice):
    study = make_study(alice, started=True, max_resource=7, n_trials=30)
    trained(study, TURNS)
    trained(study, FALLS)
    trained(study, FALLS, "diverged")
    trained(study, FALLS, "pruned")
    return study


def test_the_verdicts_and_how_many_have_which(as_alice, diagnosed):
    document = as_alice.get(f"studies/{diagnosed.pk}/diagnostics/").json()
    assert document["counts"] == {"overfit_turning": 1, "healthy": 1, "diverged": 1}
    assert (document["cut"], document["pending"], document["base"], document["problem"]) == (1, 0, None, "")
    assert document["history_version"] == diagnosed.history_version
    turned, _, broken = document["trials"]
    assert (turned["number"], turned["verdict"]["rule"], turned["verdict"]["epoch"]) == (0, "overfit_turning", 3)
    assert turned["gap"] == turned["verdict"]["evidence"]["gap"] > 0.5
    assert turned["verdict"]["advice"][0]["action"] == "early_stop"
    lower = broken["verdict"]["advice"][0]
    assert (lower["action"], lower["parameters"], list(lower["change"])) == ("lower_learning_rate", ["lr"], ["lr"])
    assert broken["gap"] is None


def test_a_trial_has_its_verdict_in_its_detail(as_alice, diagnosed):
    first = diagnosed.trials.get(number=0)
    verdict = as_alice.get(f"trials/{first.pk}/").json()["verdict"]
    assert (verdict["rule"], verdict["title"]) == ("overfit_turning", "Overfit, and turning")
    assert "Validation was best at step 3" in verdict["says"]


def test_without_a_pair_of_curves_it_says_why(as_alice, study):
    document = as_alice.get(f"studies/{study.pk}/diagnostics/").json()
    assert "no pair of curves" in document["problem"]
    assert (document["trials"], document["counts"], document["regularisers"]) == ([], {}, [])


def test_who_may_look(as_bob, as_charlie, as_admin, as_nobody, diagnosed, private):
    assert as_bob.get(f"studies/{diagnosed.pk}/diagnostics/").status_code == 200
    assert as_bob.get(f"studies/{diagnosed.pk}/diagnostics/?top=3").status_code == 400
    assert as_admin.get(f"studies/{private.pk}/diagnostics/").status_code == 200
    assert as_charlie.get(f"studies/{private.pk}/diagnostics/").status_code == 404
    assert as_nobody.get(f"studies/{diagnosed.pk}/diagnostics/").status_code == 401
    assert as_bob.get("studies/999999/diagnostics/").status_code == 404
