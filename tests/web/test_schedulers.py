"""Choosing a scheduler in the form of a new study: its settings, its plan, and what is wrong with them."""

import pytest
from django.test import Client

from tests.factories import make_study, make_workload
from tests.web.conftest import words
from tests.web.test_new_study import FORM, filled
from tuning.engine import registry
from tuning.models import Study


@pytest.fixture(autouse=True)
def _workload(db: None) -> None:
    make_workload("tiny", max_resource=81)


def sent(client: Client, **fields: str) -> dict[str, str]:
    return filled(client.get(FORM), name="halved", create="1", **fields)


def test_every_scheduler_can_be_chosen(as_alice: Client) -> None:
    for name in registry.schedulers():
        data = sent(as_alice, scheduler=name) | {"name": f"with {name}"}
        assert as_alice.post(FORM, data).status_code == 302, name
        study = Study.objects.get(name=f"with {name}")
        assert (study.scheduler, study.min_resource, study.reduction_factor) == (name, 1, 3)


def test_its_settings_are_the_studys(as_alice: Client) -> None:
    data = sent(as_alice, scheduler="asha") | {
        "asha-type": "stopping", "asha-min_resource": "2", "asha-reduction_factor": "4", "median-n_startup_trials": "x",
    }  # fmt: skip
    assert as_alice.post(FORM, data).status_code == 302
    study = Study.objects.get()
    assert (study.scheduler_options, study.min_resource, study.reduction_factor) == ({"type": "stopping"}, 2, 4)


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("hyperband-reduction_factor", "1", "Write a whole number of at least 2."),
        ("hyperband-min_resource", "0", "Write a whole number of at least 1."),
        ("median-n_warmup_steps", "-1", "Write a whole number from 0 to 1000000000."),
        ("asha-type", "both", "Choose one of promotion, stopping."),
    ],
)
def test_a_wrong_setting_is_refused_beside_it(as_alice: Client, field: str, value: str, remedy: str) -> None:
    data = sent(as_alice, scheduler=field.partition("-")[0]) | {field: value}
    answer = as_alice.post(FORM, data)
    assert answer.status_code == 400
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert remedy in words(answer)
    assert not Study.objects.exists()


def test_a_first_rung_above_the_end_is_refused_in_words(as_alice: Client) -> None:
    data = sent(as_alice, scheduler="asha") | {"asha-min_resource": "100"}
    answer = as_alice.post(FORM, data)
    assert answer.status_code == 400
    assert "below min_resource, 100" in words(answer)


def test_the_plan_stands_on_the_page_before_the_start(as_alice: Client) -> None:
    data = sent(as_alice, scheduler="hyperband") | {"n_trials": "143"}
    answer = as_alice.post("/studies/new/check/?workload=tiny", data)
    text = words(answer)
    assert "1,581" in text
    for rung in ("81 to 1", "27 to 3", "34 to 3", "15 to 9", "8 to 27", "5 to 81"):
        assert rung in text
    assert "about" not in text
    text = words(as_alice.post("/studies/new/check/?workload=tiny", data | {"scheduler": "asha"}))
    assert "about 471" in text


def test_a_clone_has_the_scheduler_of_its_source(as_alice: Client, alice) -> None:
    source = make_study(
        alice, workload="tiny", scheduler="asha", scheduler_options={"type": "stopping"}, min_resource=3,
        reduction_factor=2,
    )  # fmt: skip
    page = as_alice.get(f"/studies/new/?from={source.pk}")
    data = filled(page, create="1")
    assert (data["scheduler"], data["asha-type"], data["asha-min_resource"], data["asha-reduction_factor"]) == (
        "asha", "stopping", "3", "2",
    )  # fmt: skip
