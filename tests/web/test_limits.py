"""Limits on the model: written on the form, shown and changed in the setup, and what is above one is marked."""

import pytest

from tests.factories import make_running, make_study, make_workload
from tests.web.conftest import words
from tests.web.test_new_study import FORM, filled
from tuning.models import Study, Trial
from tuning.services.endings import prune_trial

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _workload():
    make_workload("tiny")


@pytest.fixture
def refused(alice):
    """A trial whose model was above a limit."""
    study = make_study(alice, started=True, workload="tiny", constraints={"parameters": 1000, "memory": "1 MB"})
    trial = make_running(study)
    counts = {"parameters": 1500, "memory": 20_000, "flops": 3000}
    reason = "infeasible: 1,500 parameters, 1.5 times the limit of 1,000"
    prune_trial(trial_id=trial.pk, fence=1, constraints=[0.5, -0.98], reason=reason, facts={"footprint": counts})
    return Trial.objects.get(pk=trial.pk)


def test_the_limits_of_the_form_are_the_studys(as_alice):
    data = filled(as_alice.get(FORM), name="small", limit_parameters="2.5 M", limit_memory="2 GB", create="1")
    as_alice.post(FORM, data)
    study = Study.objects.get(name="small")
    assert study.constraints == {"parameters": 2_500_000, "memory": 2 * 10**9}
    clone = filled(as_alice.get(f"/studies/new/?from={study.pk}"))
    assert (clone["limit_parameters"], clone["limit_memory"], clone["limit_flops"]) == ("2,500,000", "2 GB", "")


def test_without_limits_there_are_none(as_alice):
    as_alice.post(FORM, filled(as_alice.get(FORM), name="any", create="1"))
    assert Study.objects.get(name="any").constraints == {}


def test_a_wrong_limit_is_said_beside_its_field_and_kept(as_alice):
    answer = as_alice.post(FORM, filled(as_alice.get(FORM), name="wrong", limit_memory="2 G", create="1"))
    assert answer.status_code == 400 and 'id="id_limit_memory_error"' in answer.content.decode()
    assert "give a size with its unit, such as 2 GB or 512 MiB" in words(answer)
    assert filled(answer)["limit_memory"] == "2 G"


@pytest.mark.parametrize("address", ["/studies/new/?workload=script", "/studies/new/?workload=function"])
def test_only_where_a_model_is_counted_it_can_be_limited(as_alice, address):
    make_workload("function", kind="objective")
    assert b"limit_parameters" not in as_alice.get(address).content


def test_the_setup_shows_and_changes_them(as_alice, refused):
    address = f"/studies/{refused.study_id}/setup/"
    assert "Parameters, at most 1,000" in words(as_alice.get(address))
    data = {"name": "changed", "n_trials": "10", "parallel": "4", "priority": "0", "visibility": "team"}
    answer = as_alice.post(address, data | {"limit_parameters": "3000", "limit_flops": "1e6"}, follow=True)
    assert "The settings are changed" in words(answer)
    assert Study.objects.get(pk=refused.study_id).constraints == {"parameters": 3000, "flops": 10**6}
    data = data | {"name": "again", "limit_parameters": "3000", "limit_flops": "1,000,000"}
    as_alice.post(address, data)
    study = Study.objects.get(pk=refused.study_id)
    assert (study.name, study.history_epoch) == ("again", 1), "the same limits in other words are no change"


def test_what_is_infeasible_is_marked_on_its_page_and_in_the_table(as_alice, refused):
    page = as_alice.get(f"/trials/{refused.pk}/")
    assert '<span class="pill pill--pruned">infeasible</span>' in page.content.decode()
    text = words(page)
    assert "Infeasible: 1,500 parameters, 1.5 times the limit of 1,000" in text
    assert "Parameters 1,500 above 1,000 Memory of a step 20 KB of 1 MB FLOPs for one example 3 k" in text
    table = as_alice.get(f"/studies/{refused.study_id}/leaderboard/")
    assert '<span class="pill pill--pruned">infeasible</span>' in table.content.decode()
    assert "0 of 10 · 1 infeasible, beside the budget" in words(as_alice.get(f"/studies/{refused.study_id}/"))


def test_a_study_that_found_none_says_what_to_do(as_alice, refused):
    study = Study.objects.get(pk=refused.study_id)
    for _ in range(49):
        trial = make_running(study)
        facts = {"footprint": {"parameters": 1200, "memory": 10_000, "flops": 1}}
        prune_trial(trial_id=trial.pk, fence=1, constraints=[0.2, -1.0], facts=facts)
    text = words(as_alice.get(f"/studies/{study.pk}/"))
    assert "the first 50 configurations are infeasible: the smallest has 1,200 parameters (trial 1), and the" in text
