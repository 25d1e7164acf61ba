"""GET studies/{id}/what-if/."""

import pytest
from django.contrib.auth.models import AbstractUser

from tests.selectors.test_what_if import ended, full
from tests.services.test_rungs import make, run_out
from tuning.models import Study


@pytest.fixture
def finished(alice: AbstractUser) -> Study:
    return full(alice)


def test_the_record_and_what_others_make_of_it(as_alice, finished):
    document = as_alice.get(f"studies/{finished.pk}/what-if/").json()
    assert (document["study"], document["problem"]) == (finished.pk, "")
    assert document["history_version"] == finished.history_version
    assert document["record"] == {
        "trials": 9, "left_out": 0, "steps": 81, "seconds": 162.0, "workers": 1, "winner": {"number": 4, "value": -1.0},
    }  # fmt: skip
    rows = document["alternatives"]
    halving = next(
        row for row in rows if (row["scheduler"], row["reduction_factor"]) == ("successive_halving", 3)
    )  # fmt: skip
    assert halving == {
        "scheduler": "successive_halving", "scheduler_options": {"cohort_size": 0}, "min_resource": 1,
        "max_resource": 9, "reduction_factor": 3, "steps": 21, "share": pytest.approx(21 / 81), "seconds": 42.0,
        "winner_kept": False, "winner_cut_at": 1, "best": {"number": 0, "value": 0.0}, "regret": 1.0, "gap": None,
    }  # fmt: skip
    assert rows[0]["winner_kept"] is True
    assert rows[0]["regret"] == 0.0


def test_a_setting_makes_a_follow_up_as_it_stands(as_alice, finished):
    row = as_alice.get(f"studies/{finished.pk}/what-if/").json()["alternatives"][0]
    names = ("scheduler", "scheduler_options", "min_resource", "max_resource", "reduction_factor")
    made = as_alice.post(f"studies/{finished.pk}/clone/", {"name": "next", **{name: row[name] for name in names}})
    assert made.status_code in (200, 201), made.json()
    study = Study.objects.get(name="next")
    assert (study.scheduler, study.scheduler_options) == (row["scheduler"], row["scheduler_options"])


def test_where_the_record_does_not_tell_nothing_is_claimed(as_alice, alice):
    study = make(alice, "successive_halving", n_trials=9, parallel=1)
    run_out(study, lambda trial, step: float(trial.number))
    rows = as_alice.get(f"studies/{ended(study).pk}/what-if/").json()["alternatives"]
    unknown = [row for row in rows if row["gap"]]
    assert unknown
    assert all(row[name] is None for row in unknown for name in ("steps", "share", "seconds", "best", "regret"))
    assert all(row["gap"]["wanted"] > row["gap"]["step"] for row in unknown)


def test_without_a_record_the_answer_says_why(as_alice, study):
    document = as_alice.get(f"studies/{study.pk}/what-if/").json()
    assert "once the study has ended" in document["problem"]
    assert (document["record"], document["alternatives"]) == (None, [])


def test_who_may_look(as_bob, as_charlie, as_admin, as_nobody, finished, private):
    assert as_bob.get(f"studies/{finished.pk}/what-if/").status_code == 200
    assert as_admin.get(f"studies/{private.pk}/what-if/").status_code == 200
    assert as_charlie.get(f"studies/{private.pk}/what-if/").status_code == 404
    assert as_nobody.get(f"studies/{finished.pk}/what-if/").status_code == 401
    assert as_bob.get("studies/999999/what-if/").status_code == 404
