"""GET studies/{id}/importance/."""

import pytest

from tests.factories import make_slot, make_study
from tests.services.test_importance import dropout_matters, looked, trained
from tests.services.test_linting import searched


def test_four_methods_each_with_its_question(as_bob, alice):
    study = searched(alice, dropout_matters, 40)
    answer = as_bob.get(f"studies/{study.pk}/importance/")
    document = answer.json()
    assert answer.status_code == 200, "without a worker it is computed at once"
    assert (document["study"], document["history_version"]) == (study.pk, study.history_version)
    assert document["n_complete"] == document["n_trials"] == study.n_complete
    assert document["n_left_out"] == study.n_failed
    assert (document["target"], document["ready"], document["adaptive"], document["problem"]) == (
        "score", True, False, "")  # fmt: skip
    methods = {method["method"]: method for method in document["methods"]}
    assert list(methods) == ["fanova", "ped_anova", "permutation", "correlation"]
    assert all(method["question"].endswith("?") for method in methods.values())
    assert {(method["n"], method["n_adaptive"]) for method in methods.values()} == {(study.n_complete, 0)}
    fanova = methods["fanova"]
    assert fanova["parameters"][0]["parameter"] == "dropout" and fanova["r2"] > 0.5
    shares = [row["importance"] for row in fanova["parameters"]] + [row["importance"] for row in fanova["pairs"]]
    assert abs(sum(shares) + fanova["remainder"] - 1) < 1e-5
    assert fanova["pairs"][0]["parameters"] == ["lr", "dropout"]
    curve = next(curve for curve in fanova["curves"] if curve["parameter"] == "lr")
    assert curve["log"] and len(curve["values"]) == len(curve["mean"]) == len(curve["std"])
    (plane,) = fanova["maps"]
    assert plane["parameters"] == ["lr", "dropout"]
    assert (len(plane["mean"]), len(plane["mean"][0])) == (len(plane["x"]), len(plane["y"]))
    assert methods["correlation"]["parameters"][0]["sign"] == 1
    assert methods["ped_anova"]["remainder"] is None and methods["ped_anova"]["curves"] == []


@pytest.mark.parametrize("target", ["seconds", "stability"])
def test_the_other_targets(as_bob, alice, target):
    study = trained(alice, 25)
    document = as_bob.get(f"studies/{study.pk}/importance/?target={target}").json()
    assert (document["target"], document["n_trials"], document["problem"]) == (target, 25, "")
    ranked = document["methods"][0]["parameters"]
    assert ranked[0]["parameter"] == {"seconds": "width", "stability": "lr"}[target]


def test_while_a_worker_computes_it_is_not_ready(as_bob, alice):
    study = searched(alice, dropout_matters, 25)
    make_slot()
    answer = as_bob.get(f"studies/{study.pk}/importance/")
    assert (answer.status_code, answer.json()["ready"], answer.json()["methods"]) == (202, False, [])
    assert answer["Retry-After"] == "2"
    looked(study)
    assert as_bob.get(f"studies/{study.pk}/importance/").json()["ready"]


def test_too_few_trials_are_told(as_alice, alice):
    study = searched(alice, dropout_matters, 2)
    document = as_alice.get(f"studies/{study.pk}/importance/").json()
    assert "needs 20 complete trials" in document["problem"] and document["methods"] == []


def test_who_may_not_see_the_study_sees_nothing(as_bob, as_nobody, alice):
    study = make_study(alice, visibility="private")
    assert as_bob.get(f"studies/{study.pk}/importance/").status_code == 404
    assert as_nobody.get(f"studies/{study.pk}/importance/").status_code == 401


def test_what_is_no_request_is_refused(as_alice, alice):
    study = make_study(alice)
    assert as_alice.get(f"studies/{study.pk}/importance/?method=shap").status_code == 400
    assert as_alice.get(f"studies/{study.pk}/importance/?target=price").status_code == 400
    assert as_alice.post(f"studies/{study.pk}/importance/", {}).status_code == 405
    assert as_alice.get("studies/999999/importance/").status_code == 404
