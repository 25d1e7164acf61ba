"""A new study from the browser: choosing, editing, refusing, creating; with and without script."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from tests.factories import make_running, make_slot, make_study, make_workload, report
from tests.web.conftest import words
from tuning.models import Study
from tuning.services.endings import complete_trial

FORM = "/studies/new/?workload=tiny"


@pytest.fixture(autouse=True)
def _workload(db: None) -> None:
    make_workload("tiny", metrics=[
        {"name": "train/loss", "split": "train", "goal": "minimize"},
        {"name": "validation/loss", "split": "validation", "goal": "minimize"},
        {"name": "validation/accuracy", "split": "validation", "goal": "maximize"},
    ])  # fmt: skip


def filled(answer: HttpResponse, **changes: Any) -> dict[str, str]:
    """What a browser would send from the form of the page, with `changes` typed in."""
    html = re.sub(r"<template\b.*?</template>", "", answer.content.decode(), flags=re.S)
    html = html[html.index('<form method="post" id="new-study"') : html.index("</form>", html.index('id="new-study"'))]
    data: dict[str, str] = {}
    for tag in re.findall(r"<input\b[^>]*>", html):
        name, kind = re.search(r'name="([^"]*)"', tag), re.search(r'type="([^"]*)"', tag)
        if name is None or (kind and kind[1] in ("checkbox", "radio") and " checked" not in tag):
            continue
        value = re.search(r'value="([^"]*)"', tag)
        data[name[1]] = value[1] if value else "on" if kind and kind[1] == "checkbox" else ""
    for name, body in re.findall(r'<select\b[^>]*name="([^"]*)"[^>]*>(.*?)</select>', html, re.S):
        chosen = re.search(r'value="([^"]*)" selected', body) or re.search(r'value="([^"]*)"', body)
        data[name] = chosen[1] if chosen else ""
    return data | {key.replace("__", "-"): value for key, value in changes.items()}


def test_first_comes_the_choice_of_a_workload(as_alice: Client) -> None:
    make_workload("broken", error="ImportError: no module")
    answer = as_alice.get("/studies/new/")
    text = words(answer)
    assert "A tiny workload" in text
    assert "Your own script" in text
    assert b"workload=broken" not in answer.content


def test_an_unknown_workload_is_no_page(as_alice: Client) -> None:
    assert as_alice.get("/studies/new/?workload=nonsense").status_code == 404


def test_the_default_space_comes_as_rows_with_drawings(as_alice: Client) -> None:
    data = filled(as_alice.get(FORM))
    assert [data[f"form-{n}-name"] for n in range(3)] == ["lr", "optimizer", "momentum"]
    assert (data["form-0-low"], data["form-0-high"], data["form-0-scale"]) == ("1e-5", "0.1", "log")
    assert data["form-1-choices"] == "sgd, adamw"
    assert data["form-2-condition"] == "optimizer = sgd"
    assert as_alice.get(FORM).content.count(b'<svg class="distribution"') == 3


def test_the_untouched_form_creates_and_starts(as_alice: Client, alice: User) -> None:
    make_slot(slots=2)
    answer = as_alice.post(FORM, filled(as_alice.get(FORM), name="first", start="1"), follow=True)
    study = Study.objects.get(name="first")
    assert answer.redirect_chain == [(f"/studies/{study.pk}/", 302)]
    assert (study.owner, study.state, study.workload) == (alice, "RUNNING", "tiny")
    assert (study.budget_total, study.parallel, study.max_resource, study.sampler) == (30, 2, 5, "auto")
    assert (study.metric, study.directions) == ("validation/loss", ["minimize"])
    assert study.space is not None
    assert list(study.space.document) == ["lr", "optimizer", "momentum"]


def test_creating_without_starting(as_alice: Client) -> None:
    as_alice.post(FORM, filled(as_alice.get(FORM), name="later", create="1"))
    assert Study.objects.get(name="later").state == "READY"


def test_what_was_edited_is_what_is_created(as_alice: Client) -> None:
    data = filled(as_alice.get(FORM), name="edited", metric="validation/accuracy", objective="last", sampler="random",
                  n_trials="7", parallel="3", max_resource="4", seed="11", visibility="private", deterministic="on",
                  form__0__high="0.5", form__2__condition="optimizer = sgd, adamw", create="1")  # fmt: skip
    as_alice.post(FORM, data)
    study = Study.objects.get(name="edited")
    assert (study.metric, study.directions, study.objective) == ("validation/accuracy", ["maximize"], "last")
    assert (study.sampler, study.budget_total, study.parallel, study.max_resource) == ("random", 7, 3, 4)
    assert (study.seed, study.visibility, study.deterministic) == (11, "private", True)
    assert study.space is not None
    assert study.space.document["lr"]["high"] == 0.5
    assert study.space.document["momentum"]["when"] == {"optimizer": ["sgd", "adamw"]}


def test_errors_stand_beside_their_fields_and_nothing_is_lost(as_alice: Client) -> None:
    data = filled(as_alice.get(FORM), name="kept", form__0__low="0.5", form__0__high="0.1", n_trials="0", start="1")
    answer = as_alice.post(FORM, data)
    assert answer.status_code == 400
    html = answer.content.decode()
    assert 'data-invalid="id_form-0-high"' in html
    assert "0.1 is below low, 0.5" in words(answer)
    assert 'id="id_n_trials_error"' in html
    assert filled(answer)["name"] == "kept"
    assert not Study.objects.exists()


def test_a_taken_name_is_said_beside_the_name(as_alice: Client, alice: User) -> None:
    make_study(alice, name="taken")
    answer = as_alice.post(FORM, filled(as_alice.get(FORM), name="taken", create="1"))
    assert 'id="id_name_error"' in answer.content.decode()
    assert "choose another name" in words(answer)


def test_a_grid_over_a_continuous_parameter_is_refused_at_that_parameter(as_alice: Client) -> None:
    answer = as_alice.post(FORM, filled(as_alice.get(FORM), name="grid", sampler="grid", create="1"))
    assert answer.status_code == 400
    assert 'data-invalid="id_form-0-step"' in answer.content.decode()
    assert "give it a step" in words(answer)


def test_a_grid_shows_its_size_and_needs_no_number_of_trials(as_alice: Client) -> None:
    changes = {
        "form__0__DELETE": "on",
        "form__2__DELETE": "on",
        "sampler": "grid",
        "n_trials": "",
        "name": "small grid",
    }
    data = filled(as_alice.get(FORM), **changes)
    plan = words(as_alice.post("/studies/new/check/?workload=tiny", data))
    assert "Trials 2 Size of the grid 2" in plan
    as_alice.post(FORM, {**data, "create": "1"})
    assert Study.objects.get(name="small grid").budget_total is None


def test_a_sampler_s_option_reaches_the_study(as_alice: Client) -> None:
    data = filled(
        as_alice.get(FORM), form__0__DELETE="on", form__2__DELETE="on", sampler="grid", name="shuffled", create="1"
    )
    as_alice.post(FORM, {**data, "grid-shuffle": "on"})
    assert Study.objects.get(name="shuffled").sampler_options == {"shuffle": True}


def test_without_script_a_row_is_added_and_removed_by_the_server(as_alice: Client) -> None:
    data = filled(as_alice.get(FORM), name="typed so far")
    more = as_alice.post(FORM, {**data, "add_row": "1"})
    assert more.status_code == 200
    assert filled(more)["form-TOTAL_FORMS"] == "4"
    assert filled(more)["name"] == "typed so far"
    fewer = filled(as_alice.post(FORM, {**data, "remove_row": "1"}))
    assert [fewer[f"form-{n}-name"] for n in range(2)] == ["lr", "momentum"]
    assert "form-2-name" not in fewer
    assert not Study.objects.exists()


@pytest.mark.parametrize("total", ["x", "-1", "99999999999999", ""])
def test_a_forged_number_of_rows_breaks_nothing(as_alice: Client, total: str) -> None:
    data = {**filled(as_alice.get(FORM)), "form-TOTAL_FORMS": total}
    assert as_alice.post(FORM, {**data, "add_row": "1"}).status_code == 200
    assert as_alice.post(FORM, {**data, "create": "1"}).status_code in (302, 400)


def test_checking_while_typing_sends_each_part_to_its_place(as_alice: Client) -> None:
    data = filled(as_alice.get(FORM), form__0__low="0.5", form__0__high="0.1")
    answer = as_alice.post("/studies/new/check/?workload=tiny", data)
    html = answer.content.decode()
    assert html.count('hx-swap-oob="true"') == 2 + 2 * 3
    assert 'id="form-0-drawing"' in html
    assert 'data-invalid="id_form-0-high"' in html
    assert html.count("<svg") == 2
    assert "<input" not in html
    assert not Study.objects.exists()


def test_the_plan_predicts_the_time_from_an_earlier_study(as_alice: Client, alice: User) -> None:
    assert "not known yet" in words(as_alice.get(FORM))
    study = make_study(alice, workload="tiny", name="earlier", started=True)
    trial = make_running(study, make_slot())
    report(trial, [0.5])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    completed = study.trials.get(pk=trial.pk).completed
    study.trials.filter(pk=trial.pk).update(started=completed - timedelta(seconds=41))
    text = words(as_alice.get(FORM))
    assert "Predicted time 20 min 41 s a trial, from earlier." in text


def test_a_script_s_study_has_its_own_metric_and_rows(as_alice: Client) -> None:
    address = "/studies/new/?workload=script"
    row = {
        "form-0-name": "lr",
        "form-0-kind": "float",
        "form-0-low": "0",
        "form-0-high": "1",
        "form-0-scale": "uniform",
    }
    data = {**filled(as_alice.get(address), name="mine", metric="score", direction="maximize", create="1"), **row}
    answer = as_alice.post(address, {**data, "form-TOTAL_FORMS": "1"})
    assert answer.status_code == 302
    study = Study.objects.get(name="mine")
    assert (study.workload, study.metric, study.directions) == ("", "score", ["maximize"])


def test_an_objective_without_a_declared_space_needs_no_rows(as_alice: Client) -> None:
    make_workload("free", kind="objective", space=None, max_resource=None)
    address = "/studies/new/?workload=free"
    assert as_alice.post(address, filled(as_alice.get(address), name="free", create="1")).status_code == 302
    assert Study.objects.get(name="free").space is None


def test_a_test_metric_is_never_offered(as_alice: Client) -> None:
    make_workload("leaky", metrics=[{"name": "test/loss", "split": "test", "goal": "minimize"}])
    assert b"test/loss" not in as_alice.get("/studies/new/?workload=leaky").content


def test_a_broken_workload_is_named_on_the_way_and_refused_with_words(as_alice: Client) -> None:
    make_workload("tiny")
    make_workload("broken.py", error="SyntaxError: expected ':'")
    assert "1 workload cannot be loaded: see why" in words(as_alice.get("/studies/new/"))
    answer = as_alice.get("/studies/new/?workload=broken.py")
    assert answer.status_code == 409
    assert "press Refresh there" in words(answer)


@pytest.mark.parametrize("number", ["9" * 18, "9" * 19, "9" * 5000, "²", "-3", "1e3"])
def test_no_number_is_too_wild_for_the_plan(as_alice: Client, number: str) -> None:
    make_workload("tiny")
    counts = {"n_trials": number, "parallel": number, "max_resource": number, "add_row": "1"}
    data = {**counts, "form-TOTAL_FORMS": number, "form-INITIAL_FORMS": "0"}
    assert as_alice.post("/studies/new/?workload=tiny", data).status_code == 200
    assert as_alice.post("/studies/new/check/?workload=tiny", data).status_code == 200


def test_counts_and_names_that_are_wrong_say_what_would_be_right(as_alice: Client) -> None:
    data = filled(as_alice.get("/studies/new/?workload=script"), name="", metric="", n_trials="0", parallel="x")
    text = words(as_alice.post("/studies/new/?workload=script", {**data, "start": "1"}))
    for part in (
        "Give the study a name.",
        "Name what your script reports, such as validation/loss.",
        "Write a whole number of at least 1.",
        "The search space is empty: add a parameter.",
        "Your script decides where and how fast trials run.",
    ):
        assert part in text
    assert "Ensure" not in text and "required" not in text


def test_an_objective_has_nothing_to_fill_in_and_no_steps_of_its_own(as_alice: Client) -> None:
    make_workload("bowl", kind="objective", space=None, metric="value", metrics=[], max_resource=None)
    address = "/studies/new/?workload=bowl"
    page = as_alice.get(address)
    assert "leave this empty" in words(page)
    assert "Steps in all" not in words(page)
    assert "Epochs in all" not in words(page)
    checked = as_alice.post("/studies/new/check/?workload=bowl", filled(page))
    assert "empty: add" not in words(checked)
    assert as_alice.post(address, {**filled(page, name="free"), "create": "1"}).status_code == 302
    assert Study.objects.get(name="free").max_resource is None
