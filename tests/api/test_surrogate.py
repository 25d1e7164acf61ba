"""GET studies/{id}/surrogate/."""

import json
import math
import re
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from tests.api.conftest import fields_of
from tests.factories import make_running, make_study, report
from tuning.models import Study, Trial
from tuning.services.endings import complete_trial

SPACE: dict[str, Any] = {
    "lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
    "layers": {"type": "int", "low": 1, "high": 4},
}
COLUMNS = ("mean", "sd", "low", "high", "trial_low", "trial_high", "acquisition")


def run(study: Study, n: int) -> Study:
    for _ in range(n):
        trial = make_running(study)
        report(trial, [(math.log10(trial.params["lr"]) + 3) ** 2 + 0.05 * trial.params["layers"]])
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    study.refresh_from_db()
    return study


@pytest.fixture
def searched(alice: AbstractUser) -> Study:
    """Alice's, ten trials by the Gaussian process."""
    return run(make_study(alice, space=SPACE, sampler="gp", started=True, n_trials=30), 10)


def test_the_cut_the_next_trial_and_how_good_the_model_is(as_alice, searched):
    document = as_alice.get(f"studies/{searched.pk}/surrogate/").json()
    assert (document["study"], document["n_finished"], document["problem"]) == (searched.pk, 10, "")
    assert document["history_version"] == searched.history_version
    model = document["model"]
    assert (model["n_model"], model["acquisition"], model["y"]) == (10, "ei", None)
    assert model["held"] == {"trial": searched.best_trial.number, "params": searched.best_trial.params}
    assert model["x"] == next(row["name"] for row in model["parameters"] if row["name"] in model["held"]["params"])
    effects = [row["effect"] for row in model["parameters"]]
    assert effects == sorted(effects, reverse=True)
    assert {row["name"]: row["length_scale"] for row in model["parameters"]}["optimizer"] is None
    assert model["quality"]["n"] == 10
    upcoming = document["next"]
    assert (upcoming["number"], upcoming["uses_model"], upcoming["problem"]) == (10, True, "")
    assert upcoming["low"] <= upcoming["mean"] <= upcoming["high"]
    assert upcoming["why"].startswith("GP:")
    assert Trial.objects.filter(study=searched).count() == 10


def test_a_row_is_a_point_for_one_parameter_and_for_two(as_alice, searched):
    grid = as_alice.get(f"studies/{searched.pk}/surrogate/?x=layers").json()["model"]["grid"]
    assert (grid["x"], grid["y"]) == ([1, 2, 3, 4], None)
    assert {len(grid[name]) for name in COLUMNS} == {4}
    assert all(low <= mean <= high for low, mean, high in zip(grid["low"], grid["mean"], grid["high"], strict=True))
    plane = as_alice.get(f"studies/{searched.pk}/surrogate/?x=layers&y=optimizer&at=next").json()["model"]
    assert plane["held"]["trial"] == 10
    assert plane["grid"]["x"] == [1, 2, 3, 4] * 2
    assert plane["grid"]["y"] == ["sgd"] * 4 + ["adamw"] * 4


def test_where_a_parameter_takes_no_part_the_numbers_are_null(as_alice, searched):
    grid = as_alice.get(f"studies/{searched.pk}/surrogate/?x=momentum&y=optimizer").json()["model"]["grid"]
    for name in COLUMNS:
        assert all((value is None) == (choice != "sgd") for value, choice in zip(grid[name], grid["y"], strict=True))


def test_the_numbers_are_those_of_the_page(as_alice, searched, client, alice):
    grid = as_alice.get(f"studies/{searched.pk}/surrogate/?x=layers&at=2").json()["model"]["grid"]
    client.force_login(alice)
    page = client.get(f"/studies/{searched.pk}/model/?x=layers&at=2").content.decode()
    figure = json.loads(re.search(r'id="slice-data" type="application/json">(.*?)</script>', page)[1])
    (line,) = [trace for trace in figure["data"] if trace["name"] == "expected"]
    assert line["x"] == grid["x"]
    assert line["y"] == pytest.approx(grid["mean"], rel=1e-4)


@pytest.mark.parametrize(
    ("query", "field"), [("x=lrr", "x"), ("x=lr&y=q", "y"), ("at=99", "at"), ("at=-1", "at"), ("z=1", "z"), ("x=", "x")]
)
def test_a_wrong_query_names_its_field(as_alice, searched, query, field):
    answer = as_alice.get(f"studies/{searched.pk}/surrogate/?{query}")
    assert answer.status_code == 400
    assert field in fields_of(answer)


def test_without_a_model_the_answer_says_why(as_alice, study):
    document = as_alice.get(f"studies/{study.pk}/surrogate/").json()
    assert document["model"] is None
    assert "needs 3 complete trials" in document["problem"]
    assert document["next"]["params"]
    assert document["next"]["mean"] is None
    Study.objects.filter(pk=study.pk).update(space=None)
    document = as_alice.get(f"studies/{study.pk}/surrogate/").json()
    assert (document["model"], document["next"]) == (None, None)


def test_who_may_look(as_bob, as_charlie, as_admin, as_nobody, searched, private):
    assert as_bob.get(f"studies/{searched.pk}/surrogate/").status_code == 200
    assert as_admin.get(f"studies/{private.pk}/surrogate/").status_code == 200
    assert as_charlie.get(f"studies/{private.pk}/surrogate/").status_code == 404
    assert as_nobody.get(f"studies/{searched.pk}/surrogate/").status_code == 401
    assert as_bob.get("studies/999999/surrogate/").status_code == 404
