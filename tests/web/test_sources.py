"""Learning from earlier studies, in the browser: what is offered, what fits, what is asked, what is said later."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import SPACE, make_running, make_study, make_workload
from tests.web.conftest import words
from tests.web.test_new_study import filled
from tuning.models import Study, Trial
from tuning.selectors import sources as source_selectors
from tuning.selectors.sources import sources_of
from tuning.services.endings import complete_trial
from tuning.services.lifecycle import cancel_trial, stop_study
from tuning.services.studies import delete_study, update_study
from tuning.web.forms import sources as source_form

FORM = "/studies/new/?workload=tiny"
CHECK = "/studies/new/check/?workload=tiny"
DROPOUT = {
    "form-TOTAL_FORMS": "4",
    "form-3-name": "dropout",
    "form-3-kind": "float",
    "form-3-low": "0",
    "form-3-high": "0.5",
    "form-3-scale": "uniform",
}


def ended(study: Study, params: dict[str, Any], value: float = 0.5) -> None:
    trial = make_running(study)
    Trial.objects.filter(pk=trial.pk).update(params=params)
    complete_trial(trial_id=trial.pk, fence=1, value=value)


@pytest.fixture
def source(alice: User) -> Study:
    """Three complete trials, at learning rates of 1e-4, 1e-3 and 0.05, and a cancelled one."""
    make_workload("tiny")
    study = make_study(alice, workload="tiny", name="first look", sampler="random", started=True, n_trials=20)
    for lr in (1e-4, 1e-3, 0.05):
        ended(study, {"lr": lr, "optimizer": "adamw"})
    cancel_trial(trial_id=make_running(study).pk, actor=None)
    return Study.objects.get(pk=study.pk)


def fit_of(answer: HttpResponse, study: Study) -> str:
    found = re.search(rf'id="source-{study.pk}-fit"[^>]*>(.*?)</div>', answer.content.decode(), re.S)
    assert found is not None
    return words(HttpResponse(found[1]))


def test_without_earlier_studies_nothing_is_offered(as_alice: Client) -> None:
    make_workload("tiny")
    assert "Learn from earlier studies" not in words(as_alice.get(FORM))


def test_offered_are_the_studies_of_the_workload_with_how_many_trials_fit(as_alice: Client, source: Study) -> None:
    answer = as_alice.get(FORM)
    assert "Learn from earlier studies" in words(answer)
    assert fit_of(answer, source) == (
        "3 of 4 finished trials fit. 1 left out: cancelled or lost, which says nothing about their configuration."
    )
    assert "Learns from" not in words(answer), "nothing is ticked yet"
    assert "Write what they ran with" not in words(answer)


def test_what_fits_follows_the_space_while_it_is_edited(as_alice: Client, source: Study) -> None:
    data = filled(as_alice.get(FORM), form__0__high="0.01", warm_start=str(source.pk))
    answer = as_alice.post(CHECK, data)
    assert fit_of(answer, source).startswith("2 of 4 finished trials fit. 1 left out:")
    assert (
        "Learns from 2 of 4 trials of first look (1 left out: the value of lr is not a number from 1e-05 to 0.01; 1"
        in words(answer)
    )
    assert 'id="assumed"' not in answer.content.decode(), "the page asks for nothing, and nothing is needed"


def test_a_parameter_that_is_new_is_asked_for_and_the_typed_value_makes_trials_fit(
    as_alice: Client, source: Study
) -> None:
    data = {**filled(as_alice.get(FORM), warm_start=str(source.pk), name="second", create="1"), **DROPOUT}
    asked = as_alice.post(CHECK, data)
    assert fit_of(asked, source).startswith("None of 4 finished trials fits. 3 left out: no value of dropout: assume ")
    assert 'name="assume-dropout"' in asked.content.decode()
    typed = as_alice.post(CHECK, {**data, "assume": "dropout", "assume-dropout": "0.1"})
    assert fit_of(typed, source).startswith("3 of 4 finished trials fit.")
    assert 'name="assume-dropout"' not in typed.content.decode(), "what a person types in is not swapped away"
    wrong = as_alice.post(CHECK, {**data, "assume": "dropout", "assume-dropout": "7"})
    assert 'data-invalid="assume-1"' in wrong.content.decode()
    assert "7 is not a number from 0.0 to 0.5." in words(wrong)

    answer = as_alice.post(FORM, {**data, "assume": "dropout", "assume-dropout": "7"})
    assert answer.status_code == 400
    assert "7 is not a number from 0.0 to 0.5." in words(answer)
    assert filled(answer)["assume-dropout"] == "7"
    assert filled(answer)["warm_start"] == str(source.pk)

    answer = as_alice.post(FORM, {**data, "assume": "dropout", "assume-dropout": "0.1"})
    assert answer.status_code == 302
    (row,) = sources_of(Study.objects.get(name="second"))
    assert (row.source, row.n_used, row.n_finished, row.assumed) == (source, 3, 4, {"dropout": 0.1})


def test_without_script_the_page_asks_after_a_row_was_added(as_alice: Client, source: Study) -> None:
    data = {**filled(as_alice.get(FORM), warm_start=str(source.pk)), **DROPOUT, "add_row": "1"}
    answer = as_alice.post(FORM, data)
    assert answer.status_code == 200
    assert filled(answer)["assume"] == "dropout"
    assert filled(answer)["warm_start"] == str(source.pk)


def test_a_box_that_is_not_ticked_sends_nothing(as_alice: Client, source: Study) -> None:
    data = {**filled(as_alice.get(FORM), name="alone", create="1"), **DROPOUT, "assume-dropout": "7"}
    assert as_alice.post(FORM, data).status_code == 302
    assert sources_of(Study.objects.get(name="alone")) == []


def test_another_metric_cannot_be_compared(as_alice: Client, source: Study) -> None:
    data = filled(as_alice.get(FORM), metric="validation/accuracy", warm_start=str(source.pk), create="1")
    assert fit_of(as_alice.post(CHECK, data), source) == (
        "About validation/loss, lower is better: its values cannot be compared with the new study's."
    )
    answer = as_alice.post(FORM, data)
    assert answer.status_code == 400
    assert f"or leave study {source.pk} out." in words(answer)


def test_a_sampler_that_learns_nothing_is_named_before_and_after_sending(as_alice: Client, source: Study) -> None:
    data = filled(as_alice.get(FORM), sampler="random", warm_start=str(source.pk), create="1")
    assert "Random does not learn from trials: choose another sampler." in words(as_alice.post(CHECK, data))
    answer = as_alice.post(FORM, data)
    assert answer.status_code == 400
    assert "The sampler random learns from no trials" in words(answer)


@pytest.mark.parametrize("number", ["999999", "x", "9" * 30, "-1", ""])
def test_a_forged_study_is_refused_in_words(as_alice: Client, source: Study, number: str) -> None:
    data = filled(as_alice.get(FORM), warm_start=number, create="1")
    assert as_alice.post(CHECK, data).status_code == 200
    answer = as_alice.post(FORM, data)
    assert answer.status_code == 400
    assert "that you may look at." in words(answer)


def test_a_private_study_is_offered_to_nobody_else(as_bob: Client, alice: User, source: Study) -> None:
    update_study(study=source, actor=alice, visibility="private")
    answer = as_bob.get(FORM)
    assert "first look" not in words(answer)
    answer = as_bob.post(FORM, filled(answer, warm_start=str(source.pk), create="1"))
    assert answer.status_code == 400
    assert "first look" not in words(answer)


def test_many_trials_are_counted_only_where_the_box_is_ticked(
    as_alice: Client, source: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_form, "COUNTED", 3)
    answer = as_alice.get(FORM)
    assert fit_of(answer, source) == "4 finished trials."
    ticked = as_alice.post(CHECK, filled(answer, warm_start=str(source.pk)))
    assert fit_of(ticked, source).startswith("3 of 4 finished trials fit.")


def test_the_plan_says_where_more_trials_fit_than_may_count(
    as_alice: Client, source: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_form, "MOST_TRIALS", 2)
    answer = as_alice.post(CHECK, filled(as_alice.get(FORM), warm_start=str(source.pk)))
    assert "Of these 3 trials the best 1 and the latest 1 of the others count." in words(answer)


def test_a_ticked_study_stays_when_others_have_become_more_active(
    as_alice: Client, alice: User, source: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_selectors, "OFFERED", 1)
    data = filled(as_alice.get(FORM), warm_start=str(source.pk))
    newer = make_study(alice, workload="tiny", name="newer", sampler="random", started=True)
    ended(newer, {"lr": 1e-3, "optimizer": "adamw"})
    assert "first look" not in words(as_alice.get(FORM))
    answer = as_alice.post(CHECK, data)
    assert fit_of(answer, source).startswith("3 of 4")
    assert fit_of(answer, newer) == "Its finished trial fits."


def test_the_form_costs_one_query_more_for_each_study_that_is_counted(
    as_alice: Client, alice: User, source: Study, django_assert_num_queries: Any
) -> None:
    as_alice.get(FORM)  # the first request costs more
    with CaptureQueriesContext(connection) as before:
        as_alice.get(FORM)
    for number in range(5):
        study = make_study(alice, workload="tiny", name=f"more {number}", sampler="random", started=True)
        ended(study, {"lr": 1e-3, "optimizer": "adamw"})
    with django_assert_num_queries(len(before) + 5):
        as_alice.get(FORM)


# --- a script's study ------------------------------------------------------------------------------------------------
def test_a_script_s_study_learns_from_scripts_studies(as_alice: Client, alice: User) -> None:
    source = make_study(alice, name="mine", sampler="random", started=True)
    ended(source, {"lr": 1e-3, "optimizer": "adamw"})
    address = "/studies/new/?workload=script"
    row = {"form-0-name": "lr", "form-0-kind": "float", "form-0-low": "0", "form-0-high": "1", "form-TOTAL_FORMS": "1"}
    data = {
        **filled(as_alice.get(address), name="next", metric="validation/loss", warm_start=str(source.pk), create="1"),
        **row,
        "form-0-scale": "uniform",
    }
    assert as_alice.post(address, data).status_code == 302
    assert [row.source for row in sources_of(Study.objects.get(name="next"))] == [source]


# --- the study's page -------------------------------------------------------------------------------------------------
def learner(alice: User, source: Study) -> Study:
    space = {**SPACE, "dropout": {"type": "float", "low": 0.0, "high": 0.5}}
    space["lr"] = {"type": "float", "low": 1e-5, "high": 0.01, "log": True}
    warm_start = [{"study": source.pk, "assumed": {"dropout": 0.1}}]
    return make_study(alice, workload="tiny", name="second look", space=space, warm_start=warm_start)


def test_the_setup_says_what_the_study_learns_from(
    as_alice: Client, as_bob: Client, alice: User, source: Study
) -> None:
    study = learner(alice, source)
    address = f"/studies/{study.pk}/setup/"
    answer = as_bob.get(address)
    assert f'<a href="/studies/{source.pk}/">first look</a>' in answer.content.decode()
    text = words(answer)
    assert "first look : 2 of 4 trials" in text
    assert "They ran with dropout = 0.1 , as was assumed." in text
    assert "1 left out: the value of lr is not a number from 1e-05 to 0.01." in text

    update_study(study=source, actor=alice, visibility="private")
    assert "first look" not in words(as_bob.get(address))
    assert "a study that is private or deleted : 2 of 4 trials" in words(as_bob.get(address))
    assert "first look : 2 of 4 trials" in words(as_alice.get(address))

    stop_study(study_id=source.pk, actor=alice)
    delete_study(study=Study.objects.get(pk=source.pk), actor=alice)
    assert "first look (deleted) : 2 of 4 trials" in words(as_alice.get(address))
    assert "Learns from" not in words(as_alice.get(f"/studies/{make_study(alice).pk}/setup/"))
