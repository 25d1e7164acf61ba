"""POST studies/{id}/start|pause|resume|stop/."""

import pytest

from tests.api.conftest import fields_of
from tests.factories import make_running
from tuning.models import AuditEvent, Study, Trial

TURNS = ["start", "pause", "resume", "stop"]


def test_a_study_goes_through_its_states(as_alice, study):
    states = [as_alice.post(f"studies/{study.pk}/{turn}/").json()["state"] for turn in TURNS]
    assert states == ["RUNNING", "PAUSED", "RUNNING", "STOPPED"]
    assert Study.objects.get(pk=study.pk).finished is not None


@pytest.mark.parametrize("turn", TURNS)
def test_the_same_again_changes_nothing(as_alice, study, turn):
    for before in TURNS[: TURNS.index(turn) + 1]:
        first = as_alice.post(f"studies/{study.pk}/{before}/").json()
    again = as_alice.post(f"studies/{study.pk}/{turn}/")
    assert again.status_code == 200
    assert again.json() == first
    assert AuditEvent.objects.filter(object_kind="study", object_id=study.pk).count() == TURNS.index(turn) + 2


@pytest.mark.parametrize("turn", TURNS)
def test_turns_are_refused_to_mates_strangers_and_nobody(
    as_bob, as_charlie, as_nobody, running, private, turn
):
    answer = as_bob.post(f"studies/{running.pk}/{turn}/")
    assert answer.status_code == 403
    assert "alice" in answer.json()["detail"]
    assert as_charlie.post(f"studies/{private.pk}/{turn}/").status_code == 404
    assert as_nobody.post(f"studies/{running.pk}/{turn}/").status_code == 401
    assert set(Study.objects.values_list("state", flat=True)) == {"RUNNING", "READY"}


def test_an_administrator_may_turn_any_study(as_admin, private):
    assert as_admin.post(f"studies/{private.pk}/start/").json()["state"] == "RUNNING"


@pytest.mark.parametrize(
    ("before", "turn", "remedy"),
    [
        ([], "pause", "start or delete it"),
        ([], "resume", "start or delete it"),
        (["start", "pause"], "start", "resume or stop it"),
        (["start", "stop"], "start", "make a new study"),
        (["start", "stop"], "pause", "make a new study"),
        (["start", "stop"], "resume", "make a new study"),
    ],
)
def test_a_state_that_forbids_it_is_a_conflict_that_says_what_is_possible(
    as_alice, study, before, turn, remedy
):
    for step in before:
        state = as_alice.post(f"studies/{study.pk}/{step}/").json()["state"]
    answer = as_alice.post(f"studies/{study.pk}/{turn}/")
    assert answer.status_code == 409
    assert fields_of(answer) == {}
    assert remedy in answer.json()["detail"]
    assert Study.objects.get(pk=study.pk).state == (state if before else "READY")


def test_pause_sends_running_trials_back_and_stop_cancels_them(as_alice, running):
    trial = make_running(running)
    as_alice.post(f"studies/{running.pk}/pause/")
    assert Trial.objects.get(pk=trial.pk).state == "WAITING"
    as_alice.post(f"studies/{running.pk}/stop/")
    trial.refresh_from_db()
    assert (trial.state, trial.reason_code) == ("FAILED", "cancelled")


@pytest.mark.parametrize("turn", TURNS)
def test_turns_take_no_body_and_only_post(as_alice, study, turn):
    answer = as_alice.post(f"studies/{study.pk}/{turn}/", {"now": True})
    assert answer.status_code == 400
    words = "There is no such field here; the fields are despite." if turn == "start" else "Nothing is taken here."
    assert fields_of(answer) == {"now": words}
    assert as_alice.get(f"studies/{study.pk}/{turn}/").status_code == 405
    assert as_alice.post(f"studies/{study.pk + 1}/{turn}/").status_code == 404
