"""A sampler's own options in the form of a new study: what is wrong is said beside them, in the page's words."""

import pytest
from django.test import Client

from tests.factories import make_workload
from tests.web.conftest import words
from tests.web.test_new_study import FORM, filled
from tuning.engine import registry
from tuning.models import Study


@pytest.fixture(autouse=True)
def _workload(db: None) -> None:
    make_workload("tiny")


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("tpe-gamma", "0", "Write a number from 0.001 to 0.999."),
        ("tpe-gamma", "nan", "Write a number from 0.001 to 0.999."),
        ("tpe-gamma", "1e400", "Write a number from 0.001 to 0.999."),
        ("tpe-gamma", "much", "Write a number from 0.001 to 0.999."),
        ("tpe-n_startup_trials", "1.5", "Write a whole number from 1 to 100000."),
        ("tpe-n_ei_candidates", "9" * 5000, "Write a whole number from 1 to 1000."),
        ("gp-kappa", "-1", "Write a number of at least 0.0."),
        ("gp-acquisition", "EI", "Choose one of ei, pi, ucb."),
    ],
)
def test_a_wrong_option_is_refused_beside_it_with_the_remedy(
    as_alice: Client, option: str, value: str, remedy: str
) -> None:
    sampler = option.partition("-")[0]
    data = filled(as_alice.get(FORM), name="bad", sampler=sampler, start="1") | {option: value}
    answer = as_alice.post(FORM, data)
    assert answer.status_code == 400
    assert f'id="id_{option}_error"' in answer.content.decode()
    assert remedy in words(answer)
    assert not Study.objects.exists()


def test_an_option_of_another_sampler_is_no_matter(as_alice: Client) -> None:
    data = filled(as_alice.get(FORM), name="fine", sampler="random", create="1") | {"tpe-gamma": "much"}
    assert as_alice.post(FORM, data).status_code == 302
    assert Study.objects.get().sampler_options == {}


def test_an_empty_option_is_its_default(as_alice: Client) -> None:
    data = filled(as_alice.get(FORM), name="default", sampler="tpe", create="1") | {"tpe-gamma": ""}
    assert as_alice.post(FORM, data).status_code == 302
    assert "gamma" not in Study.objects.get().sampler_options


@pytest.mark.parametrize("sampler", list(registry.samplers()))
def test_every_sampler_s_options_reach_the_study_as_the_form_gives_them(as_alice: Client, sampler: str) -> None:
    changes = {"form__0__DELETE": "on", "form__2__DELETE": "on"} if sampler == "grid" else {}
    data = filled(as_alice.get(FORM), name=sampler, sampler=sampler, create="1", **changes)
    assert as_alice.post(FORM, data).status_code == 302
    study = Study.objects.get()
    made = registry.make_sampler(sampler, study.sampler_options)
    assert made.settings == registry.make_sampler(sampler).settings
