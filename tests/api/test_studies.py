"""GET POST studies/, GET PATCH DELETE studies/{id}/."""

import pytest

from tests.api.conftest import Api, fields_of
from tests.factories import SPACE, make_running, make_study, make_workload, report
from tuning.models import Study
from tuning.services.endings import complete_trial

NEW = {"name": "first", "space": SPACE, "metric": "validation/loss", "n_trials": 5}


# --- the list -----------------------------------------------------------------------------------------------
def test_list_shows_own_and_team_studies_to_each_person(as_alice, as_bob, as_admin, study, private):
    def names(api: Api) -> set[str]:
        return {row["name"] for row in api.get("studies/").json()["results"]}

    assert names(as_alice) == {study.name, private.name}
    assert names(as_bob) == {study.name}
    assert names(as_admin) == {study.name, private.name}


def test_list_row_holds_state_counts_and_best_trial(as_alice, running):
    trial = make_running(running)
    report(trial, [0.5, 0.25])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    row = as_alice.get("studies/").json()["results"][0]
    assert row["state"] == "RUNNING"
    assert row["owner"] == "alice"
    counts = {"waiting": 0, "running": 0, "paused": 0, "complete": 1, "pruned": 0, "failed": 0, "infeasible": 0}
    assert row["counts"] == counts
    assert row["best_trial"]["value"] == 0.25
    assert row["best_trial"]["number"] == trial.number


def test_list_is_searched_filtered_and_paged(as_alice, alice):
    for name in ("small net", "large net", "other"):
        make_study(alice, name=name)
    make_study(alice, name="running net", started=True)
    found = as_alice.get("studies/?search=net").json()
    assert {row["name"] for row in found["results"]} == {"small net", "large net", "running net"}
    assert [row["name"] for row in as_alice.get("studies/?state=RUNNING").json()["results"]] == ["running net"]
    page = as_alice.get("studies/?per_page=3&page=2").json()
    assert (page["page"], page["pages"], page["total"], len(page["results"])) == (2, 2, 4, 1)


def test_list_refuses_unknown_and_wrong_query_parameters(as_alice):
    answer = as_alice.get("studies/?serch=net&per_page=1000&state=RUNING")
    assert answer.status_code == 400
    assert "search, state, archived, page, per_page" in fields_of(answer)["serch"]
    answer = as_alice.get("studies/?per_page=1000&state=RUNING")
    assert set(fields_of(answer)) == {"per_page", "state"}


def test_list_costs_the_same_queries_however_many_studies_there_are(as_alice, alice, count_queries):
    make_study(alice)
    as_alice.get("studies/")  # notes the token's use, once a minute
    few = count_queries(lambda: as_alice.get("studies/"))
    for _ in range(8):
        make_study(alice)
    assert count_queries(lambda: as_alice.get("studies/")) == few == 3  # token with its user, count, rows


# --- creation -----------------------------------------------------------------------------------------------
def test_create_answers_201_with_the_study(as_alice, alice):
    answer = as_alice.post("studies/", NEW)
    assert answer.status_code == 201
    document = answer.json()
    study = Study.objects.get(pk=document["id"])
    assert study.owner == alice
    assert (document["state"], document["n_trials"], document["sampler"]) == ("READY", 5, "auto")
    assert list(document["space"]) == list(SPACE)
    assert document["space"]["lr"]["low"] == 1e-5


def test_create_from_a_workload_takes_its_space_and_metric(as_alice):
    make_workload("tiny")
    document = as_alice.post("studies/", {"name": "with workload", "workload": "tiny", "n_trials": 3}).json()
    assert document["metric"] == "validation/loss"
    assert document["max_resource"] == 5
    assert list(document["space"]) == list(SPACE)


def test_create_is_refused_without_a_token(as_nobody):
    answer = as_nobody.post("studies/", NEW)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    assert fields_of(answer) == {}
    assert not Study.objects.exists()


def test_create_names_every_wrong_field_at_once(as_alice):
    answer = as_alice.post("studies/", {**NEW, "name": 5, "n_trials": "5", "direction": "down", "parallel": True})
    assert answer.status_code == 400
    fields = fields_of(answer)
    assert fields["name"] == "Send a string; this is an integer."
    assert fields["n_trials"] == "Send an integer; this is a string."
    assert fields["direction"] == "Send one of minimize, maximize; this is 'down'."
    assert fields["parallel"] == "Send an integer; this is true."
    assert not Study.objects.exists()


def test_create_names_what_is_wrong_in_the_space_by_dotted_path(as_alice):
    space = {
        "lr": {"type": "float", "low": 0.0, "high": 0.1, "log": True},
        "layers": {"type": "int", "low": 4, "high": 1},
    }
    answer = as_alice.post("studies/", {**NEW, "space": space})
    assert answer.status_code == 400
    fields = fields_of(answer)
    assert "space.lr.low" in fields
    assert any(field.startswith("space.layers") for field in fields)
    assert answer.json()["type"] == "urn:hpweb:problem:invalid"
    assert "space.lr.low" in answer.json()["detail"]


def test_create_refuses_unknown_fields_and_lists_the_known_ones(as_alice):
    answer = as_alice.post("studies/", {**NEW, "trials": 5})
    assert answer.status_code == 400
    assert "n_trials" in fields_of(answer)["trials"]
    assert not Study.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"workload": "missing"}, "workload"),
        ({"sampler": "magic"}, "sampler"),
        ({"scheduler": "magic"}, "scheduler"),
        ({"sampler_options": {"colour": "red"}}, "sampler_options"),
        ({"n_trials": None}, "n_trials"),
        ({"seed": -1}, "seed"),
        ({"metric": "test/accuracy"}, "metric"),
        ({"name": "   "}, "name"),
        ({"space": None}, "space"),
        ({"space": [1]}, "space"),
        ({"parallel": 0}, "parallel"),
        ({"description": None}, "description"),
        ({"deterministic": "yes"}, "deterministic"),
    ],
)
def test_create_refuses_bad_values(as_alice, changes, field):
    answer = as_alice.post("studies/", {**NEW, **changes})
    assert answer.status_code == 400
    assert field in fields_of(answer)
    assert not Study.objects.exists()


def test_a_name_is_taken_once_for_each_owner(as_alice, as_bob):
    assert as_alice.post("studies/", NEW).status_code == 201
    answer = as_alice.post("studies/", NEW)
    assert answer.status_code == 400
    assert "already have a study named 'first'" in fields_of(answer)["name"]
    assert as_bob.post("studies/", NEW).status_code == 201


# --- one study ----------------------------------------------------------------------------------------------
def test_read_by_owner_mate_and_stranger(as_alice, as_bob, as_charlie, as_admin, as_nobody, study, private):
    assert as_alice.get(f"studies/{study.pk}/").json()["seed"] == 7
    assert as_bob.get(f"studies/{study.pk}/").status_code == 200
    assert as_alice.get(f"studies/{private.pk}/").status_code == 200
    assert as_admin.get(f"studies/{private.pk}/").status_code == 200
    assert as_charlie.get(f"studies/{private.pk}/").status_code == 404
    assert as_nobody.get(f"studies/{study.pk}/").status_code == 401


def test_a_private_study_and_none_are_told_in_the_same_words(as_charlie, private):
    def words(study_id: int) -> str:
        return as_charlie.get(f"studies/{study_id}/").json()["detail"].replace(str(study_id), "N")

    assert words(private.pk) == words(private.pk + 1000)


@pytest.mark.parametrize("study_id", ["0", "99999999999999999999999999"])
def test_read_of_no_study_is_a_404(as_alice, study_id):
    answer = as_alice.get(f"studies/{study_id}/")
    assert answer.status_code == 404
    assert fields_of(answer) == {}


def test_change_sets_the_fields_that_are_sent(as_alice, study):
    answer = as_alice.patch(f"studies/{study.pk}/", {"name": "renamed", "n_trials": 20, "visibility": "private"})
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["n_trials"]) == ("renamed", 20)
    study.refresh_from_db()
    assert (study.name, study.budget_total, study.visibility, study.parallel) == ("renamed", 20, "private", 4)


def test_change_refuses_mates_strangers_and_nobody(as_bob, as_charlie, as_nobody, study, private):
    answer = as_bob.patch(f"studies/{study.pk}/", {"name": "bob's"})
    assert answer.status_code == 403
    assert "alice" in answer.json()["detail"]
    assert as_charlie.patch(f"studies/{private.pk}/", {"name": "charlie's"}).status_code == 404
    assert as_nobody.patch(f"studies/{study.pk}/", {"name": "nobody's"}).status_code == 401
    study.refresh_from_db()
    assert study.name not in ("bob's", "nobody's")


def test_change_refuses_what_is_fixed_at_creation(as_alice, study):
    answer = as_alice.patch(f"studies/{study.pk}/", {"seed": 8})
    assert answer.status_code == 400
    assert "name, description" in fields_of(answer)["seed"]


def test_change_of_the_number_of_trials_of_an_ended_study_is_a_conflict(as_alice, study):
    as_alice.post(f"studies/{study.pk}/stop/")
    answer = as_alice.patch(f"studies/{study.pk}/", {"n_trials": 50})
    assert answer.status_code == 409
    assert "stopped" in answer.json()["detail"]


def test_delete_removes_the_study_and_the_second_time_finds_none(as_alice, study):
    answer = as_alice.delete(f"studies/{study.pk}/")
    assert answer.status_code == 204
    assert answer.content == b""
    assert not Study.objects.exists()
    assert as_alice.delete(f"studies/{study.pk}/").status_code == 404


def test_delete_refuses_others_and_running_studies(as_alice, as_bob, as_charlie, as_nobody, running, private):
    assert as_bob.delete(f"studies/{running.pk}/").status_code == 403
    assert as_charlie.delete(f"studies/{private.pk}/").status_code == 404
    assert as_nobody.delete(f"studies/{private.pk}/").status_code == 401
    answer = as_alice.delete(f"studies/{running.pk}/")
    assert answer.status_code == 409
    assert "stop it" in answer.json()["detail"]
    assert Study.objects.count() == 2


# --- warm start -----------------------------------------------------------------------------------------------------
def finished(study, value=0.5):
    trial = make_running(study)
    complete_trial(trial_id=trial.pk, fence=trial.fence, value=value)


def test_a_study_learns_from_an_earlier_one_and_says_so(as_alice, running):
    finished(running)
    finished(running)
    space = {**SPACE, "dropout": {"type": "float", "low": 0.0, "high": 0.5}}
    body = {**NEW, "space": space, "warm_start": [{"study": running.pk, "assumed": {"dropout": 0}}]}
    made = as_alice.post("studies/", body)
    assert made.status_code == 201, made.json()
    source = {
        "study": running.pk,
        "assumed": {"dropout": 0.0},
        "n_finished": 2,
        "n_used": 2,
        "left_out": {},
    }
    assert made.json()["warm_start"] == [source]
    assert as_alice.get(f"studies/{made.json()['id']}/").json()["warm_start"] == [source]
    assert as_alice.post("studies/", {**NEW, "name": "second"}).json()["warm_start"] == []


def test_what_is_wrong_with_an_earlier_study_names_its_place(as_alice, as_bob, private, running):
    finished(running)
    answer = as_alice.post("studies/", {**NEW, "warm_start": [{"study": running.pk}]})
    assert answer.status_code == 201
    entries = [{"study": running.pk, "assumed": {"depth": 3}}, {"study": private.pk}]
    answer = as_bob.post("studies/", {**NEW, "warm_start": entries})
    assert answer.status_code == 400
    assert set(fields_of(answer)) == {"warm_start.0.assumed.depth", "warm_start.1.study"}
    entries = [{"study": "3"}, {"studie": 3}, {"study": 1, "assumed": []}]
    answer = as_alice.post("studies/", {**NEW, "warm_start": entries})
    assert answer.status_code == 400
    assert {"warm_start.0.study", "warm_start.1.studie", "warm_start.2.assumed"} <= set(fields_of(answer))
    assert as_alice.post("studies/", {**NEW, "warm_start": {"study": 1}}).status_code == 400
