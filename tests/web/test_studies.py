"""The list of studies: what it shows, narrowing it, its cost."""

from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_running, make_slot, make_study, report
from tests.web.conftest import poll, words
from tuning.services.endings import complete_trial
from tuning.services.lifecycle import stop_study


def test_without_studies_there_is_one_sentence_and_one_button(as_alice: Client) -> None:
    text = words(as_alice.get("/"))
    assert "A study searches the best hyperparameters" in text
    assert "Search" not in text.replace("Search studies", "")


def test_a_row_has_state_count_best_owner_and_workload(as_alice: Client, alice: User) -> None:
    study = make_study(alice, workload="tiny", name="wide search", started=True)
    trial = make_running(study, make_slot())
    report(trial, [0.5, 0.068151])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    text = words(as_alice.get("/"))
    for part in ("wide search", "running", "1 of 10", "0.06815", "validation/loss", "tiny", "alice"):
        assert part in text


def test_search_and_state_narrow_the_list(as_alice: Client, alice: User) -> None:
    make_study(alice, name="first")
    make_study(alice, name="second", started=True)
    assert "second" not in words(as_alice.get("/?search=fir"))
    assert "first" not in words(as_alice.get("/?state=running"))
    nothing = as_alice.get("/?search=third")
    assert "No study matches" in words(nothing)
    assert nothing.status_code == 200


def test_odd_queries_are_taken_calmly(as_alice: Client, alice: User) -> None:
    make_study(alice)
    for query in ("?page=0", "?page=-1", "?page=x", "?page=999", "?state=nonsense", "?search=%00", "?search=%25"):
        assert as_alice.get("/" + query).status_code == 200


def test_a_private_study_is_in_its_owner_s_list_only(as_alice: Client, as_bob: Client, alice: User) -> None:
    make_study(alice, name="secret plan", visibility="private")
    make_study(alice, name="open plan")
    assert "secret plan" in words(as_alice.get("/"))
    text = words(as_bob.get("/"))
    assert "secret plan" not in text
    assert "open plan" in text


def test_many_studies_come_in_pages(as_alice: Client, alice: User) -> None:
    for index in range(51):
        make_study(alice, name=f"study number {index}")
    first, second = words(as_alice.get("/")), words(as_alice.get("/?page=2"))
    assert "Page 1 of 2, 51 studies" in first
    assert "study number 50" in first
    assert "study number 0 " in second
    assert "study number 50" not in second


def test_the_number_of_queries_does_not_grow_with_the_list(
    as_alice: Client, alice: User, django_assert_max_num_queries
) -> None:
    for index in range(30):
        make_study(alice, name=f"study number {index}", started=index % 2 == 0)
    as_alice.get("/")
    with django_assert_max_num_queries(8):
        as_alice.get("/")


def test_a_poll_costs_a_304_until_something_changes(as_alice: Client, alice: User) -> None:
    study = make_study(alice, started=True)
    page = as_alice.get("/")
    assert poll(as_alice, "/", page["ETag"]).status_code == 304
    stop_study(study_id=study.pk, actor=alice)
    answer = poll(as_alice, "/", page["ETag"])
    assert answer.status_code == 286
    assert b"<html" not in answer.content
    assert b"hx-trigger" not in answer.content


def test_a_running_study_without_workers_is_pointed_out(as_alice: Client, alice: User) -> None:
    make_study(alice, workload="tiny", started=True)
    assert "No worker is alive" in words(as_alice.get("/"))
    make_slot()
    assert "No worker is alive" not in words(as_alice.get("/?again=1"))
