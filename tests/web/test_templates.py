"""Inserting a template of a search space on the form, with nothing but a button that sends it."""

import pytest

from tests.factories import make_workload
from tests.web.conftest import words
from tests.web.test_new_study import FORM, filled
from tuning.models import Study

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _workload():
    make_workload("tiny")


def names(data):
    return [data[f"form-{index}-name"] for index in range(int(data["form-TOTAL_FORMS"]))]


def test_its_rows_follow_those_that_are_there_and_what_was_typed_stays(as_alice):
    data = filled(as_alice.get(FORM), name="typed", template="mlp", insert_template="1")
    answer = as_alice.post(FORM, data)
    assert answer.status_code == 200 and not Study.objects.exists()
    after = filled(answer)
    assert names(after) == ["lr", "optimizer", "momentum", "layers", "units_1", "units_2", "units_3", "activation"]
    assert (after["name"], after["form-5-condition"], after["form-4-scale"]) == ("typed", "layers = 2..", "log")
    assert "Each layer has a width of its own" in words(answer)
    as_alice.post(FORM, after | {"create": "1"})
    document = Study.objects.get(name="typed").space.document
    assert document["units_3"] == {"type": "int", "low": 16, "high": 512, "log": True, "when": {"layers": {"low": 3}}}


def test_names_that_are_there_are_left_out_with_a_note(as_alice):
    data = filled(as_alice.get(FORM), template="optimizer", insert_template="1")
    answer = as_alice.post(FORM, data)
    after = filled(answer)
    assert names(after).count("optimizer") == 1 and "sgd_lr" in names(after)
    assert "Left out, since they are there already: optimizer." in words(answer)
    index = names(after).index("sgd_lr")
    assert after[f"form-{index}-annotation"] == "learning_rate"
    again = as_alice.post(FORM, after | {"template": "optimizer", "insert_template": "1"})
    assert names(filled(again)) == names(after)


def test_a_row_that_was_removed_does_not_stand_in_the_way(as_alice):
    data = filled(as_alice.get(FORM), template="optimizer", insert_template="1")
    answer = as_alice.post(FORM, data | {"form-1-DELETE": "on"})
    assert "Left out" not in words(answer) and names(filled(answer)).count("optimizer") == 1


def test_regularization_follows_the_counted_examples_and_the_limit_on_parameters(as_alice):
    data = filled(as_alice.get(FORM), template="regularization", insert_template="1", limit_parameters="600")
    answer = as_alice.post(FORM, data)
    assert "600 parameters learn from 6 examples" in words(answer)
    after = filled(answer)
    index = names(after).index("weight_decay")
    assert (after[f"form-{index}-low"], after[f"form-{index}-high"]) == ("0.0001", "1")


def test_an_unknown_template_is_no_page(as_alice):
    data = filled(as_alice.get(FORM), template="nonsense", insert_template="1")
    assert as_alice.post(FORM, data).status_code == 404


def test_rows_that_the_workload_does_not_name_are_told(as_alice):
    data = filled(as_alice.get(FORM), template="optimizer", insert_template="1")
    shown = words(as_alice.post(FORM, data))
    before, _, told = shown.partition("Not in tiny's own space: ")
    assert "sgd_lr" in told.partition(". They change nothing")[0] and "`" not in before[-400:]
    of_a_script = filled(as_alice.get("/studies/new/?workload=script"), template="optimizer", insert_template="1")
    assert "own space:" not in words(as_alice.post("/studies/new/?workload=script", of_a_script))
