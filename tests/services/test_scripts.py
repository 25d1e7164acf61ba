"""Trials of a caller's own process: ask, report, heartbeat, suggest, tell, under a lease."""

import math

import pytest

from tests.factories import make_study
from tuning.models import Study, Trial
from tuning.selectors.curves import trial_curves
from tuning.services.errors import Conflict, Forbidden, Invalid, NotFound, StaleLease
from tuning.services.lifecycle import pause_study, resume_study, stop_study
from tuning.services.scripts import ask_trials, heartbeat, report, suggest, tell
from tuning.services.starting import hash_lease

METRIC = "validation/loss"


@pytest.fixture
def study(alice):
    return make_study(alice, started=True)


@pytest.fixture
def asked(study, alice):
    return ask_trials(study_id=study.pk, actor=alice)[0]


def keys(asked):
    return {"trial_id": asked.trial.pk, "lease": asked.lease}


def point(step, value, name=METRIC):
    return {"step": step, "metrics": {name: value}}


# --- ask ---------------------------------------------------------------------------------------------------------
def test_asking_gives_trials_with_leases_of_their_own(study, alice):
    trials = ask_trials(study_id=study.pk, actor=alice, n=3)
    assert [row.trial.number for row in trials] == [0, 1, 2]
    assert len({row.lease for row in trials}) == 3
    for row in trials:
        assert row.trial.lease_hash == hash_lease(row.lease)
        assert (row.trial.state, row.trial.slot) == ("RUNNING", None)


def test_asking_gives_fewer_at_the_limit_and_none_after(alice):
    study = make_study(alice, started=True, parallel=2, n_trials=3)
    assert len(ask_trials(study_id=study.pk, actor=alice, n=10)) == 2
    assert ask_trials(study_id=study.pk, actor=alice, n=10) == []


@pytest.mark.parametrize("n", [0, 101, -1, True, 1.0, "1", None])
def test_a_bad_number_is_refused(study, alice, n):
    with pytest.raises(Invalid) as caught:
        ask_trials(study_id=study.pk, actor=alice, n=n)
    assert list(caught.value.fields) == ["n"]


def test_who_and_what_may_be_asked(study, alice, bob):
    with pytest.raises(Forbidden):
        ask_trials(study_id=study.pk, actor=bob)
    with pytest.raises(NotFound):
        ask_trials(study_id=10**9, actor=alice)
    with pytest.raises(Conflict, match="ready"):
        ask_trials(study_id=make_study(alice).pk, actor=alice)
    with pytest.raises(Conflict, match="workers"):
        ask_trials(study_id=make_study(alice, started=True, workload="tiny").pk, actor=alice)


# --- report, heartbeat -------------------------------------------------------------------------------------------
def test_reports_are_stored_and_the_same_again_changes_nothing(asked):
    for _ in range(2):
        assert report(**keys(asked), points=[point(1, 0.5), point(2, 0.4)]) == "continue"
    assert trial_curves(asked.trial)[METRIC].values == [0.5, 0.4]


def test_reaching_the_resource_says_stop(asked):
    assert asked.trial.resource == 5
    assert report(**keys(asked), points=[point(4, 0.5)]) == "continue"
    assert report(**keys(asked), points=[point(5, 0.4)]) == "stop"
    assert tell(**keys(asked)).value == 0.4


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"metrics": {METRIC: 1.0}}, "step"),
        ({"step": "1", "metrics": {METRIC: 1.0}}, "step"),
        ({"step": True, "metrics": {METRIC: 1.0}}, "step"),
        ({"step": -1, "metrics": {METRIC: 1.0}}, "step"),
        ({"step": 1}, "metrics"),
        ({"step": 1, "metrics": {}}, "metrics"),
        ({"step": 1, "metrics": [1.0]}, "metrics"),
        ({"step": 1, "metrics": {METRIC: "low"}}, "metrics"),
        ({"step": 1, "metrics": {METRIC: None}}, "metrics"),
        ({"step": 1, "metrics": {METRIC: True}}, "metrics"),
        ({"step": 1, "metrics": {"": 1.0}}, "metrics"),
    ],
)
def test_a_bad_point_is_refused_and_nothing_stored(asked, bad, field):
    with pytest.raises(Invalid) as caught:
        report(**keys(asked), points=[point(1, 0.5), bad])
    assert list(caught.value.fields) == [field]
    assert trial_curves(asked.trial) == {}


def test_a_heartbeat_renews_the_lease(asked):
    Trial.objects.update(lease_until="2020-01-01T00:00:00Z")
    heartbeat(**keys(asked))
    assert Trial.objects.get().lease_until.year > 2020


CALLS = {
    "report": lambda **held: report(**held, points=[point(1, 0.5)]),
    "heartbeat": heartbeat,
    "suggest": lambda **held: suggest(**held, name="width", distribution={"type": "int", "low": 1, "high": 9}),
    "tell": lambda **held: tell(**held, value=0.5),
}


@pytest.mark.parametrize("call", CALLS)
def test_another_lease_holds_nothing(asked, call):
    before = Trial.objects.values().get()
    for lease in ("", "wrong", asked.lease + "x"):
        with pytest.raises(StaleLease):
            CALLS[call](trial_id=asked.trial.pk, lease=lease)
    with pytest.raises(NotFound):
        CALLS[call](trial_id=10**9, lease=asked.lease)
    assert Trial.objects.values().get() == before


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("turn", [pause_study, stop_study])
def test_a_trial_that_was_taken_back_is_a_stale_lease(study, asked, alice, call, turn):
    turn(study_id=study.pk, actor=alice)
    before = Trial.objects.values().get()
    error = Conflict if (turn, call) == (stop_study, "tell") else StaleLease
    with pytest.raises(error):
        CALLS[call](**keys(asked))
    assert Trial.objects.values().get() == before


@pytest.mark.parametrize("call", CALLS)
def test_the_next_claim_makes_the_former_lease_stale(study, asked, alice, call):
    pause_study(study_id=study.pk, actor=alice)
    resume_study(study_id=study.pk, actor=alice)
    (again,) = ask_trials(study_id=study.pk, actor=alice)
    assert (again.trial.pk, again.trial.fence) == (asked.trial.pk, 2)
    with pytest.raises(StaleLease):
        CALLS[call](**keys(asked))
    CALLS[call](**keys(again))


# --- tell --------------------------------------------------------------------------------------------------------
TELLS = [
    ({"value": 0.5}, "COMPLETE", "", 0.5),
    ({"value": 1}, "COMPLETE", "", 1.0),
    ({"value": 0.5, "state": "complete"}, "COMPLETE", "", 0.5),
    ({}, "COMPLETE", "", 0.25),
    ({"value": math.nan}, "FAILED", "diverged", None),
    ({"value": -math.inf}, "FAILED", "diverged", None),
    ({"state": "failed"}, "FAILED", "code_error", None),
    ({"state": "failed", "reason": "out_of_memory"}, "FAILED", "out_of_memory", None),
    ({"state": "failed", "reason": "my words"}, "FAILED", "code_error", None),
    ({"state": "pruned", "reason": "hopeless"}, "PRUNED", "", 0.25),
    ({"state": "pruned", "constraints": [1.0]}, "PRUNED", "", None),
    ({"value": 0.5, "constraints": [1.0]}, "PRUNED", "", None),
    ({"value": 0.5, "constraints": [-1.0]}, "COMPLETE", "", 0.5),
]


@pytest.mark.parametrize(("words", "state", "code", "value"), TELLS)
def test_a_tell_ends_the_trial_and_the_same_again_changes_nothing(asked, words, state, code, value):
    report(**keys(asked), points=[point(1, 0.25)])
    trial = tell(**keys(asked), **words)
    assert (trial.state, trial.reason_code, trial.value, trial.finish_seq) == (state, code, value, 1)
    assert trial.attempts.get().outcome == f"told: {state.lower()}"
    study = Study.objects.values().get()
    row = Trial.objects.values().get()
    assert tell(**keys(asked), **words).pk == trial.pk
    assert Trial.objects.values().get() == row
    assert Study.objects.values().get() == study


def test_a_tell_without_any_report_fails_and_the_same_again_changes_nothing(asked):
    assert tell(**keys(asked)).reason_code == "code_error"
    assert tell(**keys(asked)).finish_seq == 1


@pytest.mark.parametrize(
    "other", [{"value": 0.6}, {"state": "failed"}, {"state": "pruned"}, {"value": math.nan}, {"constraints": [1.0]}]
)
def test_another_tell_is_a_conflict(asked, other):
    tell(**keys(asked), value=0.5)
    with pytest.raises(Conflict, match=r"complete with 0\.5"):
        tell(**keys(asked), **other)
    assert Trial.objects.get().value == 0.5


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"state": "done"}, "state"),
        ({"state": "failed", "value": 1.0}, "value"),
        ({"state": "pruned", "value": 1.0}, "value"),
        ({"value": "0.5"}, "value"),
        ({"value": True}, "value"),
        ({"value": 0.5, "constraints": ["x"]}, "constraints"),
    ],
)
def test_a_bad_tell_is_refused_and_the_trial_runs_on(asked, words, field):
    with pytest.raises(Invalid) as caught:
        tell(**keys(asked), **words)
    assert list(caught.value.fields) == [field]
    assert Trial.objects.get().state == "RUNNING"


def test_the_last_tell_finishes_the_study(alice):
    study = make_study(alice, started=True, n_trials=2)
    for row in ask_trials(study_id=study.pk, actor=alice, n=2):
        tell(**keys(row), value=1.0)
    study.refresh_from_db()
    assert (study.state, study.n_complete) == ("FINISHED", 2)
