"""The lint beside the rows of a space, its buttons with and without script, and the findings of a study's page."""

import html
import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_workload
from tests.services.test_linting import SPACE, beyond, searched, too_hot
from tests.web.conftest import words
from tests.web.test_new_study import filled
from tests.web.test_ranges import form
from tuning.models import Study
from tuning.services.ranges import change_ranges

FORM = "/studies/new/?workload=script"
CHECK = "/studies/new/check/?workload=script"
LINEAR = {"lr": {"type": "float", "low": 0.0, "high": 0.1}, "units": {"type": "int", "low": 8, "high": 64, "log": True}}
REST = {"name": "by hand", "metric": "loss", "direction": "minimize", "objective": "best", "sampler": "auto",
        "scheduler": "none", "n_trials": "30", "parallel": "1", "visibility": "team"}  # fmt: skip
FAULTY = {
    "lr": {"type": "float", "low": 1e-4, "high": 0.1},
    "wd": {"type": "float", "low": 0.0, "high": 0.1, "log": True},
    "depth": {"type": "categorical", "choices": [2, 2, 3]},
}


def typed(space: dict[str, Any], **more: str) -> dict[str, str]:
    return {**REST, **form(space), **more}


def advice(answer: Any, row: int) -> str:
    page = answer.content.decode()
    start = page.index(f'id="form-{row}-errors"')
    end = page.find('id="form-', start + 1)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[start:end])))


def test_while_a_person_types_the_finding_stands_beside_its_row(as_alice: Client) -> None:
    answer = as_alice.post(CHECK, typed(LINEAR), headers={"HX-Request": "true"})
    said = advice(answer, 0)
    assert "Likely a mistake: lr is searched on a linear scale: 90% of the trials" in said
    assert "Make it 1e-5 to 0.1, log" in said
    assert "Likely" not in advice(answer, 1)
    assert "field-error" not in answer.content.decode(), "advice is no refusal"


def test_the_button_carries_what_the_script_types(as_alice: Client) -> None:
    answer = as_alice.post(CHECK, typed(LINEAR), headers={"HX-Request": "true"})
    (fields,) = re.findall(r'value="form-0:LOG-LR" data-fix="([^"]*)" data-row="form-0"', answer.content.decode())
    assert json.loads(html.unescape(fields)) == {"low": "1e-5", "scale": "log"}


def test_without_script_the_button_changes_the_row_and_nothing_typed_is_lost(as_alice: Client) -> None:
    half = {
        "form-2-name": "",
        "form-2-kind": "float",
        "form-2-low": "0.3",
        "form-TOTAL_FORMS": "3",
        "description": "why",
    }
    answer = as_alice.post(FORM, typed(LINEAR, fix="form-0:LOG-LR", **half))
    assert answer.status_code == 200 and not Study.objects.exists()
    data = filled(answer)
    assert (data["form-0-name"], data["form-0-low"], data["form-0-high"], data["form-0-scale"]) == (
        "lr", "1e-5", "0.1", "log",
    )  # fmt: skip
    assert (data["form-1-low"], data["form-1-high"], data["form-1-scale"]) == ("8", "64", "log")
    assert data["form-2-low"] == "0.3" and data["name"] == "by hand" and "why" in words(answer)
    assert "linear scale" not in words(answer)


def test_a_button_that_is_pressed_late_changes_nothing(as_alice: Client) -> None:
    for stale in ("form-1:LOG-LR", "form-0:NARROW", "form-9:LOG-LR", "nonsense", ""):
        data = filled(as_alice.post(FORM, typed(LINEAR, fix=stale)))
        assert (data["form-0-low"], data["form-0-scale"]) == ("0", "uniform")


def test_a_row_that_was_removed_moves_no_fix_to_another(as_alice: Client) -> None:
    space = {"units": LINEAR["units"], "lr": LINEAR["lr"]}
    data = filled(as_alice.post(FORM, typed(space, fix="form-1:LOG-LR", **{"form-0-DELETE": "on"})))
    assert (data["form-0-name"], data["form-0-scale"]) == ("lr", "log") and "form-1-name" not in data


def test_what_the_reader_refuses_is_said_once_and_has_the_button(as_alice: Client) -> None:
    for answer in (
        as_alice.post(CHECK, typed(FAULTY), headers={"HX-Request": "true"}),
        as_alice.post(FORM, typed(FAULTY, start="1")),
    ):
        text = words(answer)
        assert text.count("0.0 has no logarithm") == 1 and text.count("2 stands there twice") == 1
        assert "Make it 1e-5 to 0.1, log" in text and "Make it one of 2, 3" in text
        assert "lr is searched on a linear scale" in text, "another row's mistake hides nothing"
    fixed = typed(FAULTY, fix="form-1:LOG-ZERO")
    answer = as_alice.post(FORM, fixed)
    assert (filled(answer)["form-1-low"], filled(answer)["form-1-scale"]) == ("1e-5", "log")


def test_a_continuous_parameter_of_a_grid_is_said_once_and_gets_its_values(as_alice: Client) -> None:
    space = {"share": {"type": "float", "low": 0.0, "high": 1.0}}
    answer = as_alice.post(CHECK, typed(space, sampler="grid"), headers={"HX-Request": "true"})
    assert words(answer).count("share is continuous") == 1
    assert "Make it 0 to 1 in steps of 0.25, linear" in words(answer)


def test_a_person_may_insist_on_what_is_likely_a_mistake(as_alice: Client) -> None:
    answer = as_alice.post(FORM, typed(LINEAR, create="1"))
    assert answer.status_code == 302
    assert Study.objects.get().space.document["lr"] == LINEAR["lr"]


def test_what_is_about_the_whole_stands_in_the_plan(as_alice: Client) -> None:
    space = {f"p{n}": {"type": "int", "low": 1, "high": 3} for n in range(5)}
    text = words(as_alice.post(CHECK, typed(space, sampler="grid", metric="test/loss"), headers={"HX-Request": "true"}))
    assert "Likely a mistake: The grid has 3 x 3 x 3 x 3 x 3 = 243 configurations, and 30 trials" in text
    assert "Look again: 30 trials are few for 5 parameters" in text
    assert "Likely a mistake: The objective test/loss is measured on test data" in text


def test_the_first_look_has_the_lint_too(as_alice: Client) -> None:
    make_workload("linear", space={"lr": {"type": "float", "low": 1e-4, "high": 0.1}})
    text = words(as_alice.get("/studies/new/?workload=linear"))
    assert "lr is searched on a linear scale" in text


def test_names_and_messages_are_text_not_markup(as_alice: Client) -> None:
    space = {"<b>lr</b>": LINEAR["lr"], "kind": {"type": "categorical", "choices": ['<i>"x"</i>']}}
    page = as_alice.post(CHECK, typed(space), headers={"HX-Request": "true"}).content.decode()
    assert "<i>" not in page and "<b>lr" not in page and "Make it constant" in page


# a study that has trials


@pytest.fixture
def edge(alice: User) -> Study:
    return searched(alice, beyond)


def test_the_overview_asks_for_a_wider_range_and_the_click_fills_the_form(
    as_alice: Client, as_bob: Client, alice: User, edge: Study
) -> None:
    page = as_alice.get(f"/studies/{edge.pk}/")
    link = f"/studies/{edge.pk}/ranges/?fix=EDGE&parameter=lr"
    assert "lr near its upper end, 0.1" in words(page)
    assert f'href="{html.escape(link)}"' in page.content.decode() and "Make it 0.0001 to 1, log" in words(page)
    bobs = as_bob.get(f"/studies/{edge.pk}/")
    assert "near its upper end" in words(bobs) and "fix=EDGE" not in bobs.content.decode()
    ranges = as_alice.get(link).content.decode()
    assert re.search(r'name="form-0-high" value="1"', ranges)
    assert re.search(r'name="reason"[^>]*value="[^"]* lr near its upper end', ranges)
    change_ranges(study_id=edge.pk, actor=alice, space={**SPACE, "lr": {**SPACE["lr"], "high": 1.0}})
    assert "near its upper end" not in words(as_alice.get(f"/studies/{edge.pk}/"))
    late = as_alice.get(link).content.decode()
    assert re.search(r'name="form-0-high" value="1"', late) and 'name="reason" id="id_reason" value=""' in late


def test_where_most_trials_diverge_there_is_one_finding_with_one_action(as_alice: Client, alice: User) -> None:
    study = searched(alice, too_hot)
    text = words(as_alice.get(f"/studies/{study.pk}/"))
    assert len(re.findall(r"\d+ of 30 trials diverged", text)) == 1
    assert "most of them with lr above" in text and "Make it 0.0001 to 0.0" in text


def test_the_form_of_the_ranges_lints_but_does_not_preach_to_the_experienced(as_alice: Client, edge: Study) -> None:
    narrow = {**SPACE, "lr": {"type": "float", "low": 0.05, "high": 0.1, "log": True}}
    assert "in a first round" not in words(as_alice.post(f"/studies/{edge.pk}/ranges/check/", form(narrow)))
    linear = {**SPACE, "lr": {"type": "float", "low": 1e-4, "high": 0.1}}
    assert "lr is searched on a linear scale" in words(as_alice.post(f"/studies/{edge.pk}/ranges/check/", form(linear)))
    answer = as_alice.post(f"/studies/{edge.pk}/ranges/", form(linear, fix="form-0:LOG-LR", reason="because"))
    page = answer.content.decode()
    assert answer.status_code == 200 and 'value="because"' in page
    assert re.search(r'<option value="log" selected', page) and "linear scale" not in words(answer)
    edge.refresh_from_db()
    assert edge.space.number == 1


def test_where_the_ranges_are_changed_what_the_trials_say_stands_beside_its_row(as_alice: Client, edge: Study) -> None:
    page = as_alice.get(f"/studies/{edge.pk}/ranges/")
    assert "lr near its upper end, 0.1" in words(page) and 'value="form-0:EDGE"' in page.content.decode()
    answer = as_alice.post(f"/studies/{edge.pk}/ranges/", form(SPACE, fix="form-0:EDGE"))
    assert re.search(r'name="form-0-high" value="1"', answer.content.decode())
    assert "near its upper end" not in words(answer), "it was said of another range"


def test_enter_presses_no_button(as_alice: Client, edge: Study) -> None:
    for address in (FORM, f"/studies/{edge.pk}/ranges/"):
        page = as_alice.get(address).content.decode()
        inside = page[page.index('novalidate hx-post="') :]
        assert re.search(r"<button\b[^>]*>", inside)[0] == "<button hidden disabled>"  # type: ignore[index]
