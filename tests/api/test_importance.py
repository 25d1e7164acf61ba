"""GET studies/{id}/importance/."""

from tests.factories import make_study
from tests.services.test_importance import dropout_matters
from tests.services.test_linting import searched


def test_four_methods_each_with_its_question(as_bob, alice):
    study = searched(alice, dropout_matters, 40)
    document = as_bob.get(f"studies/{study.pk}/importance/").json()
    assert (document["study"], document["history_version"]) == (study.pk, study.history_version)
    assert document["n_complete"] == study.n_complete and document["n_left_out"] == study.n_failed
    assert (document["adaptive"], document["problem"]) == (False, "")
    methods = {method["method"]: method for method in document["methods"]}
    assert list(methods) == ["fanova", "ped_anova", "permutation", "correlation"]
    fanova = methods["fanova"]
    assert fanova["parameters"][0]["parameter"] == "dropout" and fanova["r2"] > 0.5
    shares = [row["importance"] for row in fanova["parameters"]] + [row["importance"] for row in fanova["pairs"]]
    assert abs(sum(shares) + fanova["remainder"] - 1) < 1e-6
    assert fanova["pairs"][0]["parameters"] == ["lr", "dropout"]
    curve = next(curve for curve in fanova["curves"] if curve["parameter"] == "lr")
    assert curve["log"] and len(curve["values"]) == len(curve["mean"]) == len(curve["std"])
    assert methods["correlation"]["parameters"][0]["sign"] == 1
    assert methods["ped_anova"]["remainder"] is None and methods["ped_anova"]["curves"] == []


def test_too_few_trials_are_told(as_alice, alice):
    study = searched(alice, dropout_matters, 2)
    (fanova, *_) = as_alice.get(f"studies/{study.pk}/importance/").json()["methods"]
    assert "needs 20 complete trials" in fanova["reason"] and fanova["parameters"] == []


def test_who_may_not_see_the_study_sees_nothing(as_bob, as_nobody, alice):
    study = make_study(alice, visibility="private")
    assert as_bob.get(f"studies/{study.pk}/importance/").status_code == 404
    assert as_nobody.get(f"studies/{study.pk}/importance/").status_code == 401


def test_what_is_no_request_is_refused(as_alice, alice):
    study = make_study(alice)
    assert as_alice.get(f"studies/{study.pk}/importance/?method=shap").status_code == 400
    assert as_alice.post(f"studies/{study.pk}/importance/", {}).status_code == 405
    assert as_alice.get("studies/999999/importance/").status_code == 404
