"""Regularisation against size on the tab Diagnosis and over REST, from stored trials to the form that measures it."""

import math

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_running, make_study, make_workload, report
from tests.web.conftest import words
from tests.web.test_new_study import filled
from tuning.models import Study, Trial
from tuning.selectors.diagnostics import diagnose_study
from tuning.services.diagnostics import look_at_next
from tuning.services.endings import complete_trial

pytestmark = pytest.mark.django_db
FRACTIONS, STRENGTHS = (0.04, 0.2, 1.0), (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
    "weight_decay": {"type": "float", "low": 1e-6, "high": 1.0, "log": True},
    "train_fraction": {"type": "categorical", "choices": list(FRACTIONS)},
    "units": {"type": "int", "low": 16, "high": 256, "log": True},
}


def measured(owner: User, workload: str = "") -> Study:
    """Trials whose best weight decay is 1e-2, 1e-3 and 1e-4 on the three training sets."""
    study = make_study(owner, workload=workload, started=True, n_trials=60, parallel=60, space=SPACE)
    for place, fraction in enumerate(FRACTIONS):
        for strength in STRENGTHS:
            for repeat in range(3):
                trial = make_running(study)
                params = {"lr": 0.01, "weight_decay": strength, "train_fraction": fraction, "units": 64}
                Trial.objects.filter(pk=trial.pk).update(params=params)
                loss = 1 + (math.log10(strength) + 2 + place) ** 2 + 0.05 * repeat
                report(trial, [loss + 0.5, loss])
                facts = {"parameters": 4810, "examples": round(1078 * fraction), "optimizer": "AdamW"}
                complete_trial(trial_id=trial.pk, fence=trial.fence, facts=facts if workload else {})
    study.refresh_from_db()
    return study


def test_the_claim_with_its_interval_its_unit_its_figure_and_its_table(
    as_alice: Client, as_charlie: Client, alice: User
) -> None:
    make_workload("tiny", space=SPACE)
    study = measured(alice, "tiny")
    assert look_at_next()
    page = as_alice.get(f"/studies/{study.pk}/diagnosis/")
    text = words(page)
    assert "The best weight_decay falls with the training set" in text
    assert "decades for ten times the examples (95 % interval -1." in text
    assert "weight_decay: decoupled weight decay" in text
    assert b'id="strength-weight_decay-examples-data"' in page.content
    document = as_alice.get(f"/api/v1/studies/{study.pk}/diagnostics/").json()
    (strength,) = document["strengths"]
    assert [size["best"] for size in strength["sizes"]] == pytest.approx([1e-2, 1e-3, 1e-4])
    assert [size["sizes"]["examples"] for size in strength["sizes"]] == pytest.approx([43, 216, 1078])
    (slope,) = strength["slopes"]
    assert slope["claimed"] and slope["low"] < slope["value"] < slope["high"] < 0
    title, _, detail = strength["says"].partition(": ")
    assert title == "The best weight_decay falls with the training set" and detail in text

    assert b"along=examples" not in page.content, "that is measured"
    address = f"/studies/new/?from={study.pk}&measure=weight_decay&along=parameters"
    assert address.replace("&", "&amp;").encode() in page.content
    form = filled(as_alice.get(address))
    assert (form["sampler"], form["scheduler"], form["objective"], form["n_trials"]) == ("qmc", "none", "last", "64")
    as_alice.post(f"/studies/new/?from={study.pk}", form | {"create": "1", "name": "measure"})
    space = Study.objects.get(name="measure").space.document
    assert space["units"] == SPACE["units"] and space["lr"] == {"type": "constant", "value": 0.01}
    assert "train_fraction" not in space
    wrong = as_alice.get(f"/studies/new/?from={study.pk}&measure=lr2&along=parameters")
    assert wrong.status_code == 404 and "no regulariser of the best trial" in words(wrong)
    study.visibility = "private"
    study.save()
    assert as_charlie.get(address).status_code == 404


def test_a_script_that_names_its_share_is_measured_by_it(alice: User) -> None:
    study = measured(alice)
    (finding,) = diagnose_study(study).strengths
    assert finding.title == "The best weight_decay falls with the training set"
    assert [size.sizes["examples"] for size in finding.found.sizes] == pytest.approx(FRACTIONS)
    assert finding.unit.startswith("weight decay as the training applies it")


def test_what_does_not_tell_says_why(as_alice: Client, alice: User) -> None:
    space = {name: SPACE[name] for name in ("lr", "weight_decay")}
    study = make_study(alice, started=True, space=space)
    trial = make_running(study)
    report(trial, [1.0, 0.9])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    assert look_at_next()
    text = words(as_alice.get(f"/studies/{study.pk}/diagnosis/"))
    assert "Regularisation and size: nothing to claim" in text and "hardly varied" in text
