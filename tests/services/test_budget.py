"""Budgets in steps, device time and time: what a study spends, and that it ends within it with a best trial."""

from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import make_running, make_slot, make_study, report
from tests.services.test_rungs import METRIC, SCHEDULERS, advance, ask, by_number, check_books, leap, make, run_out
from tuning import migrations
from tuning.models import DeviceTime, Study, Trial
from tuning.selectors.budget import (
    device_seconds,
    expected_trials,
    limits_of,
    seconds_since_start,
    steps_committed,
    steps_trained,
    time_words,
    trial_limit,
)
from tuning.selectors.studies import study_facts
from tuning.selectors.work import dropped_with_checkpoints
from tuning.services.budget import end_if_timed_out, end_timed_out
from tuning.services.cloning import clone_study
from tuning.services.endings import fail_trial, requeue_trial
from tuning.services.errors import Conflict, Invalid, StaleLease
from tuning.services.exclusion import exclude_trial
from tuning.services.extending import extend_study
from tuning.services.lifecycle import cancel_trial, pause_study, resume_study, stop_study
from tuning.services.reporting import forget_checkpoint, record_points
from tuning.services.retrying import retry_trial
from tuning.services.scripts import ask_trials, tell
from tuning.services.scripts import report as report_of_script
from tuning.services.studies import create_study, update_study
from tuning.services.trials import enqueue_trial

pytestmark = pytest.mark.django_db
SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}}


def begun(study, seconds):
    """Let the study have started so many seconds ago."""
    Study.objects.filter(pk=study.pk).update(started=timezone.now() - timedelta(seconds=seconds))
    study.refresh_from_db()
    return study


def held(trial, seconds):
    """Let the trial hold its slot since so many seconds."""
    Trial.objects.filter(pk=trial.pk).update(claimed=timezone.now() - timedelta(seconds=seconds))


# --- steps ------------------------------------------------------------------------------------------------------------
def test_a_round_of_hyperband_is_what_its_epochs_pay(alice):
    study = make(alice, n_trials=None, max_resource=81, total_resource=1581)
    assert trial_limit(study) == expected_trials(study) == 143
    study = make(alice, n_trials=None, max_resource=81, total_resource=1580)
    assert trial_limit(study) < 143
    run_out(study, by_number, workers=4, run=leap)
    study.refresh_from_db()
    assert study.state == "FINISHED"
    assert study.state_reason == f"the budget of {trial_limit(study)} trials is used"
    assert 1500 <= steps_trained(study) <= 1580
    assert study.n_complete >= 4, "the last cohort was opened as small as the budget lets it go through"
    check_books(study)


def test_trials_that_end_early_leave_their_steps_to_others(alice):
    study = make(alice, "none", n_trials=None, total_resource=30, max_resource=9, parallel=2)
    assert (trial_limit(study), expected_trials(study)) == (None, 3)
    first, second = ask(study), ask(study)
    advance(first, by_number, steps=2)
    study.refresh_from_db()
    assert steps_committed(study) == 18
    fail_trial(trial_id=first.pk, fence=first.fence, reason_code="code_error", reason="broken")
    study.refresh_from_db()
    assert (steps_trained(study), steps_committed(study)) == (2, 11)
    third = ask(study)
    assert ask(study) is None, "two at once"
    advance(second, by_number)
    fourth = ask(study)
    assert fourth is not None, "2 + 9 + 9 + 9 are 29"
    advance(third, by_number)
    assert ask(study) is None
    advance(fourth, by_number)
    study.refresh_from_db()
    assert (study.state, study.n_complete, study.n_failed) == ("FINISHED", 3, 1)
    assert study.state_reason == "the budget of 30 steps is used; 1 are left, too few to go on"
    assert steps_trained(study) == 29


@given(
    SCHEDULERS, st.integers(2, 12), st.integers(1, 40), st.integers(1, 6), st.sampled_from([None, 3, 17]),
    st.randoms(use_true_random=False),
)  # fmt: skip
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_study_trains_a_step_above_its_budget(alice, scheduler, top, more, workers, n_trials, chance):
    name, options = scheduler
    study = make(
        alice, name, n_trials=n_trials, max_resource=top, total_resource=top + more, scheduler_options=options
    )  # fmt: skip
    values = {}

    def value(trial, step):
        return values.setdefault((trial.number, step), chance.random())

    running = []
    while True:
        while len(running) < workers and (trial := ask(study)) is not None:
            running.append(trial)
        check_books(study)
        assert steps_committed(study) <= top + more
        if study.state == "PAUSED":  # ten failures in a row
            resume_study(study_id=study.pk, actor=alice)
            running = []
            continue
        if not running:
            break
        trial = running.pop(chance.randrange(len(running)))
        match chance.choice(("advance",) * 6 + ("fail", "cancel", "lose", "pause", "forget")):
            case "advance":
                advance(trial, value)
            case "fail":
                fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="code_error", reason="broken")
                if chance.random() < 0.5:
                    with suppress(Conflict):  # where the budget pays no more
                        retry_trial(trial_id=trial.pk, actor=alice)
            case "cancel":
                cancel_trial(trial_id=trial.pk, actor=alice)
            case "lose":  # half-way, without a checkpoint of this run
                advance(trial, value, steps=trial.resource_done + 1)
                if Trial.objects.get(pk=trial.pk).state == "RUNNING":
                    requeue_trial(trial_id=trial.pk, fence=trial.fence, why="lost", lost=True)
            case "forget":
                forget_checkpoint(trial_id=trial.pk, fence=trial.fence)
                running.append(Trial.objects.get(pk=trial.pk))
            case "pause":  # with all that runs
                pause_study(study_id=study.pk, actor=alice)
                resume_study(study_id=study.pk, actor=alice)
                running = []
    study.refresh_from_db()
    assert (study.state, study.n_open) == ("FINISHED", 0)
    assert steps_trained(study) <= top + more
    scored = Trial.objects.filter(study=study, value__isnull=False).exclude(state="FAILED")
    assert (study.best_trial is not None) == scored.exists()
    check_books(study)


def test_the_steps_of_studies_from_before_their_counter_are_counted_once(alice):
    study, other = make(alice, n_trials=9), make(alice, n_trials=9)
    trials = [ask(study) for _ in range(9)]
    fail_trial(trial_id=trials[0].pk, fence=trials[0].fence, reason_code="code_error", reason="broken")
    for trial in trials[1:]:
        advance(trial, by_number)
    Study.objects.update(steps_settled=0)
    (name,) = (path.stem for path in Path(migrations.__file__).parent.glob("*_steps_settled.py"))
    import_module(f"tuning.migrations.{name}").count(apps, None)
    for counted in (study, other):
        check_books(counted)
    assert (study.steps_settled, other.steps_settled) == (6, 0), "the three that were promoted are at work"


def test_trials_that_fail_at_once_use_the_budget_up(alice):
    study = make(alice, "none", n_trials=None, total_resource=12, max_resource=9)
    while (trial := ask(study)) is not None:
        fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="code_error", reason="broken")
    study.refresh_from_db()
    assert (study.state, study.n_failed, steps_trained(study)) == ("FINISHED", 4, 0)


def test_a_person_queues_no_more_than_the_steps_pay(alice):
    study = make(alice, "none", n_trials=None, total_resource=19, max_resource=9)
    for x in (0.1, 0.2):
        enqueue_trial(study_id=study.pk, actor=alice, params={"x": x})
    words = "The 19 steps of this study are spent, or kept for trials that are at work: extend it to 27 steps first."
    with pytest.raises(Conflict, match=words):
        enqueue_trial(study_id=study.pk, actor=alice, params={"x": 0.3})
    assert study.trials.count() == 2
    extend_study(study_id=study.pk, actor=alice, total_resource=27)
    enqueue_trial(study_id=study.pk, actor=alice, params={"x": 0.3})
    study = make(alice, n_trials=None, total_resource=9, max_resource=9)
    enqueue_trial(study_id=study.pk, actor=alice, params={"x": 0.3})
    with pytest.raises(Conflict, match="All 1 trials of this study are taken; extend the study to more than 9 steps"):
        enqueue_trial(study_id=study.pk, actor=alice, params={"x": 0.3})


def test_the_number_of_trials_and_the_steps_limit_together(alice):
    study = make(alice, "none", n_trials=2, total_resource=1000, max_resource=9)
    run_out(study, by_number)
    study.refresh_from_db()
    assert (study.state, study.n_complete, study.state_reason) == ("FINISHED", 2, "the budget of 2 trials is used")
    study = extend_study(study_id=study.pk, actor=alice, n_trials=500)
    assert (study.state, expected_trials(study)) == ("RUNNING", 111)
    facts = study_facts(study)
    assert (facts.total, facts.about_total, facts.epochs_total, facts.about) == (111, True, 1000, False)


# --- time -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def timed(alice):
    """A running study with an hour from its start: one trial complete, one that runs, one that only began."""
    study = make_study(
        alice, started=True, workload="tiny", n_trials=None, study_seconds=3600, sampler="random", scheduler="asha"
    )
    slots = [make_slot(slots=3, index=index) for index in range(3)]
    for slot in slots:
        make_running(study, slot)
    return study


def test_a_study_whose_time_is_up_ends_with_what_it_has(timed, alice):
    first, second, _third = Trial.objects.order_by("number")
    report(first, [0.5])
    report(second, [0.3])
    begun(timed, 3590)
    assert end_timed_out() == 0
    assert Study.objects.get().state == "RUNNING"
    begun(timed, 3600)
    assert end_timed_out() == 1
    timed.refresh_from_db()
    assert (timed.state, timed.state_reason) == ("FINISHED", "the time of 1 h since its start is over")
    found = {trial.number: (trial.state, trial.reason_code, trial.value) for trial in Trial.objects.all()}
    assert found == {0: ("PRUNED", "", 0.5), 1: ("PRUNED", "", 0.3), 2: ("FAILED", "cancelled", None)}
    second.refresh_from_db()
    assert second.reason == "cut short: the time of 1 h since its start is over"
    assert timed.best_trial == second, "none is complete"
    with pytest.raises(StaleLease):
        record_points(trial_id=second.pk, fence=second.fence, points=[])
    assert end_timed_out() == 0
    assert not end_if_timed_out(study_id=timed.pk)
    assert start_is_refused(timed)
    check_books(timed)


def start_is_refused(study):
    return ask(study) is None


def test_the_best_that_was_cut_short_gives_way_to_a_complete_one(timed, alice):
    for trial, loss in zip(Trial.objects.order_by("number"), (0.5, 0.3, 0.4), strict=True):
        report(trial, [loss])
    begun(timed, 3600)
    end_timed_out()
    timed.refresh_from_db()
    Trial.objects.update(checkpoint="kept.pt")
    assert timed.best_trial not in dropped_with_checkpoints(), "its checkpoint stays"
    assert len(dropped_with_checkpoints()) == 2
    exclude_trial(trial_id=timed.best_trial.pk, actor=alice, reason="wrong data")
    timed.refresh_from_db()
    assert timed.best_trial.number == 2
    study = extend_study(study_id=timed.pk, actor=alice, study_seconds=7200)
    assert (study.state, study.best_trial) == ("RUNNING", None)
    trial = make_running(study, make_slot())
    report(trial, [0.9])
    advance(trial, lambda _trial, step: 0.9 + step / 100)
    while (trial := ask(study)) is not None:
        if advance(trial, lambda _trial, step: 0.9 + step / 100) == "COMPLETE":
            break
    study.refresh_from_db()
    assert study.best_trial.state == "COMPLETE"


def test_time_on_devices_is_what_slots_were_held(alice):
    study = make_study(alice, started=True, workload="tiny", n_trials=None, device_seconds=7200, sampler="random")
    trial = make_running(study, make_slot())
    held(trial, 3000)
    assert device_seconds(study) == pytest.approx(3000, abs=30)
    advance(trial, by_number)
    assert device_seconds(study) == pytest.approx(3000, abs=30)
    assert DeviceTime.objects.filter(study=study).exists()
    assert end_timed_out() == 0
    trial = make_running(study, make_slot())
    held(trial, 4300)
    report(trial, [0.1])
    assert study_facts(study).limits[0].spent == pytest.approx(7300, abs=60)
    assert end_timed_out() == 1
    study.refresh_from_db()
    assert (study.state, study.state_reason) == ("FINISHED", "the budget of 2 h of device time is used")
    assert study.n_complete == 1 and study.n_pruned == 1
    assert study.best_trial.state == "COMPLETE", "a complete one goes before a better one that was cut short"


def test_a_claim_ends_a_study_whose_time_is_up(alice):
    study = make_study(alice, started=True, n_trials=None, study_seconds=60, sampler="random")
    begun(study, 61)
    assert ask(study) is None
    study.refresh_from_db()
    assert (study.state, study.n_created) == ("FINISHED", 0)


def test_a_script_hears_that_the_time_is_up(alice):
    study = make_study(alice, started=True, n_trials=None, study_seconds=60, sampler="random")
    asked, other = ask_trials(study_id=study.pk, actor=alice, n=2)
    point = {"step": 1, "metrics": {METRIC: 0.5}}
    assert report_of_script(trial_id=asked.trial.pk, lease=asked.lease, points=[point]) == "continue"
    begun(study, 61)
    with pytest.raises(StaleLease, match="Trial 0 is pruned"):
        report_of_script(trial_id=asked.trial.pk, lease=asked.lease, points=[{**point, "step": 2}])
    study.refresh_from_db()
    assert (study.state, study.best_trial.value, study.n_failed) == ("FINISHED", 0.5, 1)
    attempt = asked.trial.attempts.get()
    assert attempt.ended is not None
    assert attempt.outcome == "cut short: the time of 60 s since its start is over"
    with pytest.raises(Conflict, match="already ended as failed"):
        tell(trial_id=other.trial.pk, lease=other.lease, value=0.1)
    with pytest.raises(Conflict, match="The study is finished"):
        ask_trials(study_id=study.pk, actor=alice)


def test_a_paused_study_is_not_ended_behind_its_owners_back(alice):
    study = begun(make_study(alice, started=True, n_trials=None, study_seconds=60), 30)
    Study.objects.filter(pk=study.pk).update(state="PAUSED")
    begun(study, 90)
    assert end_timed_out() == 0
    assert Study.objects.get().state == "PAUSED"


def test_a_stopped_study_has_the_best_of_what_was_cut(alice):
    study = make(alice, "successive_halving", n_trials=9)
    for _ in range(3):
        advance(ask(study), by_number)
    study = stop_study(study_id=study.pk, actor=alice)
    assert (study.n_pruned, study.best_trial.number) == (3, 2)
    study.refresh_from_db()
    assert study.best_trial.number == 2


def test_time_stands_still_for_a_study_that_has_ended(alice):
    study = make_study(alice, n_trials=2, study_seconds=60)
    assert seconds_since_start(study) == 0.0
    now = timezone.now()
    study.started, study.finished = now - timedelta(seconds=500), now - timedelta(seconds=470)
    assert seconds_since_start(study) == pytest.approx(30)
    assert [(limit.name, limit.spent, limit.left) for limit in limits_of(study)] == [
        ("study_seconds", pytest.approx(30), pytest.approx(30))
    ]


# --- what can be asked for --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"total_resource": 0}, "total_resource", "whole number from 1"),
        ({"total_resource": 4}, "total_resource", "A single trial takes 5 of them: allow at least 5"),
        ({"total_resource": 50, "max_resource": None}, "total_resource", "Say how many steps a whole trial has"),
        ({"study_seconds": -1}, "study_seconds", "whole number from 1"),
        ({"study_seconds": 1.5}, "study_seconds", "whole number"),
        ({"device_seconds": 60}, "device_seconds", "Scripts hold no devices of hpweb"),
        ({}, "n_trials", "Say how many trials to run, or limit the steps or the time"),
    ],
)
def test_a_limit_that_is_none_says_what_would_be_one(alice, wrong, field, words):
    settings = {"max_resource": 5, **wrong}
    with pytest.raises(Invalid) as caught:
        create_study(owner=alice, name="wrong", space=SPACE, metric=METRIC, **settings)
    assert words in " ".join(caught.value.fields[field])
    assert list(caught.value.fields) == [field]
    assert not Study.objects.exists()


def test_limits_change_while_the_study_runs(alice):
    study = make(alice, "none", n_trials=None, total_resource=90, max_resource=9)
    advance(ask(study), by_number)
    for changes, field, words in (
        ({"total_resource": 8}, "total_resource", "9 are spent already"),
        ({"total_resource": None}, "n_trials", "The study would never end"),
        ({"n_trials": None, "total_resource": None}, "n_trials", "The study would never end"),
        ({"device_seconds": 5}, "device_seconds", "Scripts hold no devices"),
    ):
        with pytest.raises(Invalid) as caught:
            update_study(study=study, actor=alice, **changes)
        assert words in " ".join(caught.value.fields[field])
    study = update_study(study=study, actor=alice, total_resource=None, n_trials=1)
    assert (study.state, study.total_resource, study.n_complete) == ("FINISHED", None, 1)
    study = begun(make_study(alice, started=True, n_trials=None, study_seconds=600), 295)
    with pytest.raises(Invalid, match="5 min are spent already"):
        update_study(study=study, actor=alice, study_seconds=60)
    with pytest.raises(TypeError, match="no limit named epochs"):
        extend_study(study_id=study.pk, actor=alice, epochs=3)


def test_a_clone_has_the_same_limits(alice):
    study = make_study(alice, workload="tiny", n_trials=None, total_resource=50, device_seconds=60, study_seconds=70)
    clone = clone_study(study_id=study.pk, actor=alice)
    assert (clone.budget_total, clone.total_resource, clone.device_seconds, clone.study_seconds) == (None, 50, 60, 70)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (3600, "1 h"), (7860, "2 h 11 min")]
)
def test_seconds_as_a_person_says_them(seconds, words):
    assert time_words(seconds) == words
