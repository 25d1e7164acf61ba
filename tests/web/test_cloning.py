"""The form of a new study that starts with everything of another one."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_running, make_slot, make_study
from tests.web.conftest import words
from tests.web.test_new_study import filled
from tests.web.test_ranges import form
from tuning.models import Study
from tuning.selectors.clones import settings_of
from tuning.services.endings import complete_trial


@pytest.fixture
def source(alice: User) -> Study:
    teacher = make_study(alice, name="teacher", workload="tiny", started=True)
    complete_trial(trial_id=make_running(teacher, make_slot()).pk, fence=1, value=0.5)
    return make_study(
        alice,
        name="wide search",
        workload="tiny",
        sampler="tpe",
        sampler_options={"n_startup_trials": 5},
        n_trials=21,
        parallel=3,
        max_resource=4,
        min_resource=2,
        seed=11,
        description="my notes",
        deterministic=True,
        objective="last",
        warm_start=[{"study": teacher.pk, "assumed": {}}],
    )


def test_sent_as_it_stands_the_form_makes_an_equal_study_once(as_alice: Client, alice: User, source: Study) -> None:
    address = f"/studies/new/?from={source.pk}"
    assert address in as_alice.get(f"/studies/{source.pk}/").content.decode()
    page = as_alice.get(address)
    assert "Clone of wide search" in words(page)
    sent = {**filled(page), "description": source.description}
    for _ in range(2):
        answer = as_alice.post(address, {**sent, "create": "1"}, follow=True)
        assert "cloned from wide search" in words(answer), words(answer)
    clone = Study.objects.get(name="wide search, clone")
    made, wanted = settings_of(alice, clone), settings_of(alice, source)
    options = [settings.pop("sampler_options") for settings in (made, wanted)]
    assert made == wanted
    assert options[0]["n_startup_trials"] == 5, "the form writes out the defaults of the others"
    assert clone.clone_of == source


def test_changes_are_taken_and_errors_stand_beside_their_fields(as_alice: Client, source: Study) -> None:
    address = f"/studies/new/?from={source.pk}"
    sent = filled(as_alice.get(address))
    wrong = as_alice.post(address, {**sent, "n_trials": "0", "name": "wide search"})
    assert wrong.status_code == 400
    assert 'id="id_n_trials_error"' in wrong.content.decode()
    assert "Clone of wide search" in words(wrong)
    sent |= {"n_trials": "5", "name": "second", "sampler": "random", "start": "1"}
    del sent["warm_start"]
    as_alice.post(address, sent)
    clone = Study.objects.get(name="second")
    assert (clone.budget_total, clone.sampler, clone.state, clone.min_resource) == (5, "random", "RUNNING", 2)
    assert not clone.sources.exists()


def test_a_mate_clones_what_they_may_look_at_and_owns_the_clone(
    as_bob: Client, bob: User, alice: User, as_charlie: Client
) -> None:
    source = make_study(alice, name="scripts")
    address = f"/studies/new/?from={source.pk}"
    data = {"name": "mine", "metric": source.metric, "direction": "minimize", "objective": "best", "sampler": "random"}
    data |= {"parallel": "1", "n_trials": "3", "visibility": "team"}
    as_bob.post(address, {**form(source.space.document), **data})
    clone = Study.objects.get(name="mine")
    assert (clone.owner, clone.clone_of) == (bob, source)
    Study.objects.filter(pk=source.pk).update(visibility="private")
    assert as_bob.get(address).status_code == 404
    page = as_charlie.get(f"/studies/{clone.pk}/")
    assert page.status_code == 200
    assert "cloned from" not in words(page), "the source is none of their business"
    for wrong in ("x", "0", str(10**30)):
        assert as_bob.get(f"/studies/new/?from={wrong}").status_code == 404
